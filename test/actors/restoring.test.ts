/** A tree of actors through text and back: who it was, whom they knew, and nothing that happens a second time. */

import { expect } from 'chai';
import sinon from 'sinon';
import { assign, fromCallback, fromPromise, sendTo, setup, stopChild, type AnyActorRef, type AnyMachineSnapshot } from 'xstate';
import { decode, encode } from '#src/core/codec.js';
import { persist } from '#src/actors/seam.js';
import { Recorder } from './recorder.js';

const nothing = (): void => undefined;

describe('the seam brings a tree back from what it persisted, through text:', () => {
  const back = (agent: Recorder, machine: unknown): Recorder =>
    Recorder.run(machine, { snapshot: decode(encode(persist(agent.root), 'snapshot')) });

  it('actors, references and promises', () => {
    const work = fromPromise(async () => 1);
    const kid = setup({ types: { context: {} as { parent: AnyActorRef; self: AnyActorRef } }, actors: { work } }).createMachine({
      context: ({ self, input }) => ({ self, parent: (input as { parent: AnyActorRef }).parent }),
      invoke: { src: 'work', id: 'work' },
    });
    const machine = setup({ types: { context: {} as Record<string, AnyActorRef | undefined> }, actors: { kid } }).createMachine({
      context: ({ spawn, self }) => ({ one: spawn('kid', { id: 'one', input: { parent: self }, systemId: 'uno' }), two: undefined }),
      on: {
        GO: { actions: assign({ two: ({ spawn, self }) => spawn('kid', { id: 'two', input: { parent: self } }) }) },
        END: { actions: stopChild('one') },
        SEND: { actions: sendTo(({ context }) => context['one']!, { type: 'ANY' }) },
      },
    });
    const before = Recorder.run(machine).send('GO');
    const after = back(before, machine);
    expect(after.asked()).to.have.members(['promise one/work', 'promise two/work']);
    for (const id of ['one', 'two']) {
      expect(after.context()[id]).to.equal(after.at(id));
      expect(after.context(id)).to.deep.equal({ self: after.at(id), parent: after.root });
    }
    expect(after.root.system.get('uno')).to.equal(after.at('one'));
    // A reference to one that is gone is still something to send to, without effect.
    const warned = sinon.stub(console, 'warn');
    try {
      const later = back(back(after.send('END'), machine), machine).send('SEND');
      expect(later.snapshot().status).to.equal('active');
      expect((later.context()['one'] as AnyActorRef).getSnapshot()).to.include({ status: 'stopped' });
    } finally {
      warned.restore();
    }
  });

  it('without running actions, timers or callbacks at once, and without showing snapshots again', () => {
    const happened: string[] = [];
    const talker = fromCallback(() => void happened.push('begun'));
    const counter = setup({ types: { context: {} as { n: number } } }).createMachine({
      context: { n: 0 },
      entry: () => void happened.push('entered'),
      after: { 10: { actions: nothing } },
      on: { UP: { actions: assign({ n: ({ context }: { context: { n: number } }) => context.n + 1 }) } },
    } as never);
    const machine = setup({ types: { context: {} as { seen: number } }, actors: { counter, talker } }).createMachine({
      context: { seen: 0 },
      invoke: [
        { src: 'counter', id: 'counter', onSnapshot: { actions: assign({ seen: ({ context }) => context.seen + 1 }) } },
        { src: 'talker', id: 'talker' },
      ],
    });
    const before = Recorder.run(machine).send('UP', 'counter');
    expect(before.context()).to.deep.equal({ seen: 2 });
    const after = back(before, machine);
    expect(after.asked()).to.deep.equal(['start talker']);
    expect(after.context()).to.deep.equal({ seen: 2 });
    expect(happened).to.deep.equal([]);
    after.send('UP', 'counter');
    expect(after.context()).to.deep.equal({ seen: 3 });
    expect((after.snapshot('counter') as AnyMachineSnapshot & { context: unknown }).context).to.deep.equal({ n: 2 });
  });
});
