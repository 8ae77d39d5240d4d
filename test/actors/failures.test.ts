/** What throws where: it is kept as the agent's error, with its message, and never thrown from a timer, as XState would do where nobody listens. */

import { expect } from 'chai';
import sinon from 'sinon';
import { assign, createActor, createMachine, enqueueActions, sendParent, sendTo, setup, type AnyStateMachine } from 'xstate';
import { Recorder } from './recorder.js';

const still = createMachine({ id: 'still', on: { GREET: { actions: sendParent({ type: 'GREETED' }) } } });
const nothing = (): void => undefined;

describe('the seam keeps what is thrown as an error, and throws nothing from a timer:', () => {
  let faked: sinon.SinonFakeTimers;
  beforeEach(() => {
    faked = sinon.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
  });
  afterEach(() => {
    expect(faked.countTimers(), 'XState set a timer of its own').to.equal(0);
    faked.restore();
  });

  const boom = (): never => {
    throw new RangeError('boom');
  };
  const fragile = createMachine({ on: { BREAK: { actions: assign(boom) } } });
  const throwing: Readonly<Record<string, () => AnyStateMachine>> = {
    guard: () => createMachine({ on: { GO: { guard: boom } } }),
    assign: () => createMachine({ on: { GO: { actions: assign(boom) } } }),
    'an entry': () => createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: { entry: assign(boom) } } }),
    'the very first entry': () => createMachine({ entry: assign(boom) }),
    'context factory': () => createMachine({ context: boom } as never),
    'input mapper': () =>
      createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: { invoke: { src: still, input: boom } as never } } }),
    'params of a named action': () =>
      setup({ actions: { named: nothing } }).createMachine({ on: { GO: { actions: { type: 'named', params: boom } as never } } }),
    'event of a sendTo': () => createMachine({ invoke: { src: still, id: 'kid' }, on: { GO: { actions: sendTo('kid', boom as never) } } }),
    delay: () =>
      setup({ delays: { slow: boom } }).createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: { after: { slow: 'a' } } } }),
    'an action that is enqueued': () => createMachine({ on: { GO: { actions: enqueueActions(boom) } } }),
    'a child without onError': () =>
      createMachine({ invoke: { src: fragile, id: 'kid' }, on: { GO: { actions: sendTo('kid', { type: 'BREAK' }) } } }),
  };
  for (const [what, machine] of Object.entries(throwing)) {
    it(what, () => {
      const agent = Recorder.run(machine());
      if (agent.snapshot().status === 'active') agent.send('GO');
      const { status, error } = agent.snapshot() as unknown as { status: string; error: Error };
      expect(status).to.equal('error');
      expect(error.message).to.match(/boom$/);
      if (what !== 'guard') expect(error).to.be.instanceOf(RangeError);
      expect(error.stack).to.be.a('string');
      expect(faked.countTimers(), 'XState throws it from a timer: the process would end').to.equal(0);
    });
  }

  it('a missing child', () => {
    const agent = Recorder.run(createMachine({ id: 'm', on: { GO: { actions: sendTo('nobody', { type: 'HI' }) } } })).send('GO');
    const { status, error } = agent.snapshot() as unknown as { status: string; error: Error };
    expect(status).to.equal('error');
    expect(error.message).to.match(/Unable to send event to actor 'nobody' from machine 'm'/);
  });

  it('an action does not throw: it was not run', () => {
    const agent = Recorder.run(createMachine({ on: { GO: { actions: boom } } })).send('GO');
    expect(agent.snapshot().status).to.equal('active');
    expect(() => agent.release()).to.throw('boom');
  });

  it('while XState left to itself would throw from a timer', () => {
    const actor = createActor(createMachine({ on: { GO: { actions: assign(boom) } } })).start();
    actor.send({ type: 'GO' });
    expect(faked.countTimers(), 'reportUnhandledError: createRoot() need not listen any more').to.equal(1);
    faked.reset();
  });
});
