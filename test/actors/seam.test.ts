/** What the seam promises on top of XState: everything that would leave an agent is collected, everything inside it goes on at once and in order. */

import { expect } from 'chai';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import sinon from 'sinon';
import {
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import { UnsupportedMachineError } from '#src/core/errors.js';
import { durable, failRoot, namedAction, settlePromise } from '#src/actors/seam.js';
import { Recorder } from './recorder.js';

const still = createMachine({ id: 'still', on: { GREET: { actions: sendParent({ type: 'GREETED' }) } } });
const nothing = (): void => undefined;

/** On `NOISE` it does one of everything. */
const noisy = (happened: string[]): AnyStateMachine =>
  setup({ actions: { named: () => void happened.push('named') }, actors: { still } }).createMachine({
    id: 'noisy',
    invoke: { src: 'still', id: 'still' },
    on: {
      NOISE: {
        actions: [
          'named',
          () => void happened.push('inline'),
          emit({ type: 'EMITTED' } as never),
          log('said'),
          raise({ type: 'LATER' }, { delay: 50, id: 'later' }),
          sendTo('still', { type: 'GREET' }, { delay: 60, id: 'greet' }),
          cancel('later'),
          enqueueActions(({ enqueue }) => {
            enqueue(() => void happened.push('enqueued'));
            enqueue.raise({ type: 'SOON' }, { delay: 10, id: 'soon' });
          }),
        ],
      },
    },
  });

/** Holds a noisy machine, or another logic, in every way there is. */
function holder(inside: AnyActorLogic): AnyStateMachine {
  return setup({ types: { context: {} as { ref: AnyActorRef } }, actors: { inside } }).createMachine({
    id: 'holder',
    context: ({ spawn }) => ({ ref: spawn('inside', { id: 'by-name' }) }),
    entry: spawnChild('inside', { id: 'by-action' }),
    initial: 'on',
    states: { on: { invoke: [{ src: 'inside', id: 'registered' }, { src: inside }] } },
  });
}

/** Assigns in every way there is, and does other things in between. `guards` gets a line for each question to one. */
function assigning(guards: string[], always: boolean): AnyStateMachine {
  const add = assign(({ context }: { context: { n: number; last: string } }) => ({ n: context.n + 1, last: 'add' }));
  const asked = ({ context, event }: { context: { n: number }; event: EventObject }): boolean => {
    guards.push(`${event.type} ${String(context.n)}`);
    return context.n % 2 === 0;
  };
  return setup({
    types: { context: {} as { n: number; last: string } },
    actors: { still },
    actions: { add: add as never, scale: assign({ n: ({ context }, by: number) => context.n * by }) },
  }).createMachine({
    id: 'assigning',
    context: { n: 0, last: '' },
    type: 'parallel',
    on: {
      ADD: { actions: add as never },
      NAMED: { actions: 'add' },
      TWICE: { actions: ['add', assign(({ context }) => ({ last: `was ${String(context.n)}` }))] },
      SCALE: { actions: { type: 'scale', params: 3 } },
      NONE: {},
      GUARDED: [{ guard: asked as never, actions: add as never }, { actions: assign({ n: ({ context }) => context.n + 1, last: 'odd' }) }],
      SPAWN: { actions: assign({ n: ({ context, spawn }) => (spawn('still', { id: `kid ${String(context.n)}` }), context.n + 1) }) },
      RAISE: { actions: ['add', raise({ type: 'ADD' })] },
      BAD: {
        actions: assign(() => {
          throw new Error('bad');
        }),
      },
    },
    states: {
      left: {
        initial: 'off',
        states: {
          off: {
            tags: 'dark',
            on: { TOGGLE: 'on', BOTH: { actions: 'add' } },
            ...(always ? { always: { guard: ({ context }) => context.n > 7, target: 'on' } } : {}),
          },
          on: { exit: 'add', on: { TOGGLE: { target: 'off', actions: add as never }, ADD: { guard: asked as never, target: 'off' } } },
        },
      },
      right: {
        initial: 'all',
        states: { all: { on: { BOTH: { actions: 'add' }, LAST: 'end' } }, end: { on: { '*': { actions: 'add' } } } },
      },
    },
  });
}
const places = ['by-name', 'by-action', 'registered', encodeURIComponent('1.holder.on')];

describe('the seam', () => {
  let faked: sinon.SinonFakeTimers;
  beforeEach(() => {
    faked = sinon.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
  });
  afterEach(() => {
    expect(faked.countTimers(), 'XState set a timer of its own').to.equal(0);
    faked.restore();
  });

  it('collects every effect, in the order in which XState would do it, and does none of it until it is told to', () => {
    const happened: string[] = [];
    const agent = Recorder.run(noisy(happened));
    agent.root.on('EMITTED', () => void happened.push('emitted'));
    agent.asked();
    agent.send('NOISE');
    expect(agent.asked()).to.deep.equal([
      'action . named on NOISE',
      'action . inline on NOISE',
      'log said',
      'action . inline on NOISE',
      'emit . EMITTED',
      'timer .#later → . LATER in 50',
      'timer .#greet → still GREET in 60',
      'cancel .#later',
      'timer .#soon → . SOON in 10',
    ]);
    expect(happened).to.deep.equal([]);
    agent.release();
    expect(happened).to.deep.equal(['named', 'inline', 'enqueued', 'emitted']);
  });

  it('collects them from invoked, inline invoked and spawned machines alike, nested two deep', () => {
    const happened: string[] = [];
    const agent = Recorder.run(holder(holder(noisy(happened) as never) as never));
    const deep = places.flatMap((outer) => places.map((inner) => `${outer}/${inner}`));
    agent.asked();
    for (const path of deep) {
      agent.send('NOISE', path);
      expect(agent.asked(), path).to.deep.equal([
        `action ${path} named on NOISE`,
        `action ${path} inline on NOISE`,
        'log said',
        `action ${path} inline on NOISE`,
        `emit ${path} EMITTED`,
        `timer ${path}#later → ${path} LATER in 50`,
        `timer ${path}#greet → ${path}/still GREET in 60`,
        `cancel ${path}#later`,
        `timer ${path}#soon → ${path} SOON in 10`,
      ]);
    }
    expect(happened).to.deep.equal([]);
    agent.release();
    expect(happened).to.have.lengthOf(3 * deep.length);
  });

  it('collects what the very first turn asks for, of a child too', () => {
    const happened: string[] = [];
    const loud = setup({ actions: { named: () => void happened.push('named') } }).createMachine({
      entry: ['named', emit({ type: 'EMITTED' } as never), raise({ type: 'X' }, { delay: 1, id: 'x' })],
      exit: 'named',
    });
    const agent = Recorder.run(
      setup({ actors: { loud } }).createMachine({ invoke: { src: 'loud', id: 'kid' }, entry: raise({ type: 'Y' }, { delay: 2, id: 'y' }) }),
    );
    expect(agent.asked().sort()).to.deep.equal([
      'action kid named on xstate.init',
      'emit kid EMITTED',
      'timer .#y → . Y in 2',
      'timer kid#x → kid X in 1',
    ]);
    expect(happened).to.deep.equal([]);
  });

  it('starts no promise: it says which, and takes the outcome later', () => {
    let calls = 0;
    const work = fromPromise(async () => (calls += 1));
    const agent = Recorder.run(holder(work as never));
    expect(agent.asked()).to.have.members(places.map((path) => `promise ${path}`));
    const waiting = setup({ types: { context: {} as { heard: unknown[] } }, actors: { work } }).createMachine({
      context: { heard: [] },
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'work',
            id: 'work',
            input: { n: 3 } as never,
            onDone: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.output] }) },
            onError: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.error] }) },
          },
          on: { LEAVE: 'off', AGAIN: { target: 'on', reenter: true } },
        },
        off: {},
      },
    });
    const one = Recorder.run(waiting);
    expect(one.promises.get('work')).to.include({ logic: work });
    expect(one.promises.get('work')?.input).to.deep.equal({ n: 3 });
    one.turn(() => settlePromise(one.promises.get('work')!.actor, { ok: true, value: 'found' }));
    one.send('AGAIN');
    one.turn(() => settlePromise(one.promises.get('work')!.actor, { ok: false, error: 'lost' }));
    expect(one.context()).to.deep.equal({ heard: ['found', 'lost'] });
    one.send('AGAIN').asked();
    one.send('LEAVE');
    expect(one.asked()).to.include('no promise work');
    expect(calls, 'the promise was run by XState').to.equal(0);
  });

  it('begins, feeds and ends callbacks and observables only when it is told to', () => {
    const happened: string[] = [];
    const subject = new Subject<{ type: string }>();
    const talker = fromCallback(({ receive, sendBack }) => {
      happened.push('begun');
      receive(({ type }) => {
        happened.push(`got ${type}`);
        sendBack({ type: 'BACK' });
      });
      return () => void happened.push('ended');
    });
    const watcher = fromEventObservable(() => subject as never);
    const agent = Recorder.run(
      setup({ actors: { talker, watcher } }).createMachine({
        initial: 'on',
        states: {
          on: {
            invoke: [
              { src: 'talker', id: 'talker' },
              { src: 'watcher', id: 'watcher' },
            ],
            on: { ASK: { actions: sendTo('talker', { type: 'ASK' }) }, LEAVE: 'off' },
          },
          off: {},
        },
      }),
    );
    expect(agent.asked()).to.deep.equal(['start talker', 'start watcher']);
    expect([happened, subject.observed]).to.deep.equal([[], false]);
    agent.release().send('ASK');
    expect([happened, subject.observed]).to.deep.equal([['begun'], true]);
    agent.release();
    subject.next({ type: 'TICK' });
    expect(agent.relays, 'what they send is a turn of its own').to.deep.equal([
      { target: '', event: { type: 'BACK' } },
      { target: '', event: { type: 'TICK' } },
    ]);
    agent.send('ASK').send('LEAVE');
    expect(agent.asked()).to.include.members(['stop talker', 'stop watcher']);
    expect([happened, subject.observed, agent.running.size]).to.deep.equal([['begun', 'got ASK'], true, 2]);
    agent.release();
    expect([happened, subject.observed, agent.running.size]).to.deep.equal([['begun', 'got ASK', 'got ASK', 'ended'], false, 0]);
  });

  it('ends them when the agent leaves memory, also when a turn that was never committed had stopped them', () => {
    for (const left of [false, true]) {
      const subject = new Subject<number>();
      const watcher = fromObservable(() => subject);
      const agent = Recorder.run(
        setup({ actors: { watcher } }).createMachine({
          initial: 'on',
          states: { on: { invoke: { src: 'watcher', id: 'watcher' }, on: { LEAVE: 'off' } }, off: {} },
        }),
      ).release();
      if (left) agent.send('LEAVE');
      expect(subject.observed).to.equal(true);
      for (const end of agent.running) end();
      expect([subject.observed, agent.running.size]).to.deep.equal([false, 0]);
      agent.release();
    }
  });

  it('delivers inside the agent at once and in order, until everybody is quiet', () => {
    const note = assign<{ seen: string[] }, never, undefined, never, never>({
      seen: ({ context, event }) => [...context.seen, `${(event as { type: string }).type}${(event as { n?: number }).n ?? ''}`],
    });
    const echo = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
      context: { seen: [] },
      on: {
        SAY: { actions: [note as never, sendParent(({ event }) => ({ type: 'ECHO', n: event['n'] as number })), raise({ type: 'SAID' })] },
        SAID: { actions: note as never },
      },
    });
    const agent = Recorder.run(
      setup({ types: { context: {} as { seen: string[] } }, actors: { echo } }).createMachine({
        context: { seen: [] },
        invoke: { src: 'echo', id: 'echo' },
        entry: spawnChild('echo', { id: 'other' }),
        on: {
          GO: {
            actions: [
              note as never,
              sendTo('echo', { type: 'SAY', n: 1 }),
              sendTo('other', { type: 'SAY', n: 2 }),
              sendTo('echo', { type: 'SAY', n: 3 }),
              raise({ type: 'RAISED' }),
            ],
          },
          RAISED: { actions: note as never },
          ECHO: { actions: [note as never, sendTo('other', ({ event }) => ({ type: 'SAID', n: event['n'] as number }))] },
        },
      }),
    );
    agent.asked();
    agent.send('GO');
    expect(agent.context()).to.deep.equal({ seen: ['GO', 'RAISED', 'ECHO1', 'ECHO2', 'ECHO3'] });
    expect(agent.context('echo')).to.deep.equal({ seen: ['SAY1', 'SAID', 'SAY3', 'SAID'] });
    expect(agent.context('other')).to.deep.equal({ seen: ['SAY2', 'SAID', 'SAID1', 'SAID2', 'SAID3'] });
    expect(agent.asked(), 'nothing of that leaves the agent').to.deep.equal([]);
    expect(agent.relays).to.deep.equal([]);
  });

  it('hands over what is sent from outside of a turn', () => {
    const agent = Recorder.run(holder(still as never));
    agent.root.send({ type: 'OUTSIDE' });
    agent.at('registered').send({ type: 'INSIDE' });
    expect(agent.relays).to.deep.equal([
      { target: '', event: { type: 'OUTSIDE' } },
      { target: 'registered', event: { type: 'INSIDE' } },
    ]);
  });

  it('takes neither the time nor a timer from XState, and voids the timers of whoever ends', () => {
    const kid = createMachine({ id: 'kid', after: { 70: {} } } as never);
    const machine = setup({ actors: { kid } }).createMachine({
      id: 'm',
      initial: 'on',
      states: { on: { invoke: { src: 'kid', id: 'kid' }, after: { 1_000: 'off' }, on: { LEAVE: 'off' } }, off: {} },
    });
    const { now } = Date;
    Date.now = () => expect.fail('XState asked for the time');
    try {
      const agent = Recorder.run(machine);
      expect(agent.snapshot().status).to.equal('active');
      expect(agent.asked()).to.have.members([
        'timer .#xstate.after.1000.m.on → . xstate.after.1000.m.on in 1000',
        'timer kid#xstate.after.70.kid → kid xstate.after.70.kid in 70',
      ]);
      agent.send('LEAVE');
      expect(agent.asked()).to.include.members(['cancel .#xstate.after.1000.m.on', 'void kid']);
      agent.send('xstate.after.1000.m.on');
      expect(agent.snapshot().value, 'a timer that was cancelled and fires all the same changes nothing').to.equal('off');
    } finally {
      Date.now = now;
    }
  });

  it('names actors by the agent alone', () => {
    const ids = (): string[] => {
      const agent = Recorder.run(holder(still as never));
      return ['', ...places].map((path) => agent.at(path).sessionId);
    };
    const first = ids();
    expect(ids()).to.deep.equal(first);
    expect([...first].sort()).to.deep.equal(['x:0', 'x:1', 'x:2', 'x:3', 'x:4']);
  });

  it('fails the root for what went wrong after the commit, unless its machine handles it', () => {
    const error = new Error('late');
    const bare = Recorder.run(createMachine({}));
    bare.turn(() => failRoot(bare.root, 'named', error));
    expect(bare.snapshot()).to.include({ status: 'error', error });
    const handled = Recorder.run(createMachine({ on: { 'xstate.error.actor.named': {} } }));
    handled.turn(() => failRoot(handled.root, 'named', error));
    expect(handled.snapshot().status).to.equal('active');
  });

  it('finds a named action again in the machine of the actor that asked for it', () => {
    const named = nothing;
    const agent = Recorder.run(holder(setup({ actions: { named } }).createMachine({}) as never));
    for (const path of places) expect(namedAction(agent.root, path, 'named'), path).to.equal(named);
    expect(namedAction(agent.root, '', 'named')).to.equal(undefined);
  });

  it('takes an event that only assigns as XState does, to its inspector too', () => {
    const events = [
      'ADD',
      'NAMED',
      'TWICE',
      'SCALE',
      'NONE',
      'OTHER',
      'GUARDED',
      'SPAWN',
      'TOGGLE',
      'RAISE',
      'BOTH',
      'LAST',
      'BAD',
    ] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events)), fc.boolean(), (types, always) => {
        const asked: string[][] = [[], []];
        const [plain, ours] = asked.map((guards) => {
          const machine = assigning(guards, always);
          const agent = guards === asked[0] ? createActor(machine).start() : Recorder.run(machine);
          const root = agent instanceof Recorder ? agent.root : (agent as AnyActorRef);
          const seen: unknown[] = [];
          root.system.inspect((inspected) => {
            if (inspected.type === '@xstate.microstep' || inspected.type === '@xstate.snapshot') {
              const { value, context, children, status } = inspected.snapshot as AnyMachineSnapshot;
              seen.push([
                inspected.type,
                inspected.event.type,
                inspected.actorRef === root,
                value,
                context,
                Object.keys(children ?? {}),
                status,
              ]);
            }
          });
          root.subscribe({ error: nothing });
          for (const type of types) {
            if (agent instanceof Recorder) agent.send(type);
            else root.send({ type });
            const snapshot = root.getSnapshot() as AnyMachineSnapshot;
            seen.push([snapshot.value, [...snapshot.tags], snapshot.can({ type: 'GUARDED' }), snapshot.status, String(snapshot.error)]);
            seen.push(Object.entries(snapshot.children).map(([id, child]) => [id, (child as AnyActorRef).getSnapshot().status]));
          }
          return seen;
        });
        expect(ours).to.deep.equal(plain);
        expect(asked[1]).to.deep.equal(asked[0]);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a child that was spawned from inline logic, which XState cannot restore', () => {
    const logic: AnyActorLogic = fromPromise(async () => 1);
    const agent = Recorder.run(
      createMachine({
        id: 'm',
        initial: 'a',
        states: { a: { on: { GO: { actions: assign(({ spawn }) => void spawn(logic, { id: 'kid' })) } } } },
      }),
    ).send('GO');
    expect(agent.snapshot().status).to.equal('error');
    expect(agent.snapshot().error)
      .to.be.instanceOf(UnsupportedMachineError)
      .with.property('message')
      .that.includes('child "kid" in state "a"');
  });

  it('wraps a logic once, machines in a circle too', () => {
    const actors: Record<string, AnyActorLogic> = {};
    const machine = createMachine(
      { id: 'm', on: { DEEPER: { actions: spawnChild('again', { id: 'again' }) } } },
      { actors: actors as never },
    );
    (machine.implementations.actors as Record<string, unknown>)['again'] = machine;
    const wrapped = durable(machine as unknown as AnyActorLogic);
    expect(durable(machine as unknown as AnyActorLogic)).to.equal(wrapped);
    expect(durable(wrapped)).to.equal(wrapped);
    const agent = Recorder.run(machine).send('DEEPER').send('DEEPER', 'again');
    expect(agent.at('again/again').id).to.equal('again');
  });
});
