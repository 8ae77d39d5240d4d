/** Timers across a restart: XState forgets them all; here they are records with a deadline and a policy for the time nobody was there. */

import { expect } from 'chai';
import { assign, cancel, raise, sendParent, sendTo, setup } from 'xstate';
import { durable, eventsOf, journalOf, type Kinds, type Scenario, type World } from '../world.js';
import type { Runtime, TimerPolicy } from 'statewarden';

/** Waits ten seconds from its start; `PING` does nothing but leave a mark in the store. */
const sleeper = setup({ types: { context: {} as { fired: number } } }).createMachine({
  id: 'sleeper',
  context: { fired: 0 },
  initial: 'asleep',
  states: {
    asleep: { on: { PING: {} }, after: { 10_000: { target: 'awake', actions: assign({ fired: ({ context }) => context.fired + 1 }) } } },
    awake: { on: { PING: {} } },
  },
});

const sleepers = (timers?: TimerPolicy): Kinds => ({
  sleeper: { machine: sleeper, version: 1, ...(timers === undefined ? {} : { timers }) },
});

/** Four seconds pass, then everything stops. */
async function fourSeconds(runtime: Runtime, world: World): Promise<void> {
  const agent = await runtime.spawn('sleeper', { id: 's' });
  await world.clock.advance(4_000);
  await agent.send({ type: 'PING' } as never);
}

/** It is asleep until `ms` have passed, not a millisecond less, and then awake once and for all. */
async function wakesAfter(ms: number, runtime: Runtime, world: World): Promise<void> {
  const agent = runtime.agent('s');
  if (ms > 0) {
    await world.clock.advance(ms - 1);
    expect((await agent.snapshot()).value).to.equal('asleep');
  }
  await world.clock.advance(ms > 0 ? 1 : 0);
  const awake = await agent.waitFor((snapshot) => snapshot.value === 'awake');
  expect(awake.context).to.deep.equal({ fired: 1 });
  await world.clock.advance(30_000);
  expect((await agent.snapshot()).context).to.deep.equal({ fired: 1 });
  const fired = (await journalOf(runtime.store, 's')).filter(({ timer }) => timer !== undefined);
  expect(fired).to.have.lengthOf(1);
  expect((await runtime.store.counts()).timers).to.equal(0);
}

/** Each of its timers is another way to ask for one. */
const child = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
  id: 'child',
  context: { seen: [] },
  on: { TICK: { actions: [assign({ seen: ({ context }) => [...context.seen, 'TICK'] }), sendParent({ type: 'CHILD_TICKED' })] } },
  initial: 'young',
  states: { young: { after: { 3_000: { target: 'old', actions: sendParent({ type: 'CHILD_OLD' }) } } }, old: {} },
});
const busy = setup({ types: { context: {} as { seen: string[] } }, actors: { child } }).createMachine({
  id: 'busy',
  context: { seen: [] },
  invoke: { src: 'child', id: 'kid', systemId: 'the-kid' },
  entry: [
    raise({ type: 'RAISED' }, { delay: 2_000 }),
    raise({ type: 'NEVER' }, { delay: 2_500, id: 'never' }),
    raise({ type: 'LATER' }, { delay: 9_000, id: 'later' }),
    sendTo('kid', { type: 'TICK' }, { delay: 4_000, id: 'tick' }),
    sendTo(({ self }) => self, { type: 'TO_SELF' }, { delay: 1_500 }),
  ],
  on: {
    CANCEL: { actions: cancel('never') },
    CANCEL_LATER: { actions: cancel('later') },
    '*': { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) },
  },
});
const busies: Kinds = { busy: { machine: busy, version: 1 } };

const nested = setup({ types: { context: {} as { fired: string[] } } }).createMachine({
  id: 'nested',
  context: { fired: [] },
  type: 'parallel',
  states: {
    restarting: {
      meta: { timers: 'restart' },
      initial: 'outer',
      states: {
        outer: { initial: 'inner', states: { inner: { after: { 5_000: { target: '#done-restarting' } } } } },
        done: { id: 'done-restarting', entry: assign({ fired: ({ context }) => [...context.fired, 'restarting'] }) },
      },
    },
    remaining: {
      initial: 'waiting',
      states: {
        waiting: { meta: { timers: 'remaining' }, after: { 5_000: 'done' } },
        done: { entry: assign({ fired: ({ context }) => [...context.fired, 'remaining'] }) },
      },
    },
    deadline: {
      initial: 'waiting',
      states: {
        waiting: { after: { 5_000: 'done' } },
        done: { entry: assign({ fired: ({ context }) => [...context.fired, 'deadline'] }) },
      },
    },
  },
  on: { PING: {} },
});

export const scenarios: readonly Scenario[] = [
  {
    name: 'an `after` fires at its deadline',
    agents: () => sleepers(),
    before: fourSeconds,
    downMs: 2_000,
    after: (runtime, world) => wakesAfter(4_000, runtime, world),
  },
  {
    name: 'an overdue `after` fires once, at once',
    agents: () => sleepers(),
    before: fourSeconds,
    downMs: 3_600_000,
    after: (runtime, world) => wakesAfter(0, runtime, world),
  },
  {
    name: 'with `remaining` the clock stands still while nobody is there',
    agents: () => sleepers('remaining'),
    before: fourSeconds,
    downMs: 3_600_000,
    after: (runtime, world) => wakesAfter(6_000, runtime, world),
  },
  {
    name: 'with `restart` the delay begins anew',
    agents: () => sleepers('restart'),
    before: fourSeconds,
    downMs: 3_600_000,
    after: (runtime, world) => wakesAfter(10_000, runtime, world),
  },
  {
    name: 'a timer that has fired does not fire again',
    agents: () => sleepers(),
    before: async (runtime, world) => {
      await runtime.spawn('sleeper', { id: 's' });
      await world.clock.advance(10_000);
      await durable(runtime.store, 's', 2);
    },
    after: (runtime, world) => wakesAfter(0, runtime, world),
  },
  {
    name: 'the nearest state says what its timers do',
    agents: () => ({ nested: { machine: nested, version: 1 } }),
    before: async (runtime, world) => {
      const agent = await runtime.spawn('nested', { id: 'n' });
      await world.clock.advance(1_000);
      await agent.send({ type: 'PING' } as never);
    },
    downMs: 3_000,
    after: async (runtime, world) => {
      const agent = runtime.agent('n');
      const fired = async (): Promise<unknown> => ((await agent.snapshot()).context as { fired: string[] }).fired;
      await world.clock.advance(999); // four seconds of the day, one less than five
      expect(await fired()).to.deep.equal([]);
      await world.clock.advance(1);
      expect(await fired()).to.deep.equal(['deadline']);
      await world.clock.advance(2_999);
      expect(await fired()).to.deep.equal(['deadline']);
      await world.clock.advance(1);
      expect(await fired()).to.deep.equal(['deadline', 'remaining']);
      await world.clock.advance(999);
      expect(await fired()).to.deep.equal(['deadline', 'remaining']);
      await world.clock.advance(1);
      expect(await fired()).to.deep.equal(['deadline', 'remaining', 'restarting']);
    },
  },
  {
    name: 'delayed raise, send to itself, to a child and from a child all fire, in order of time; a cancelled one does not',
    agents: () => busies,
    before: async (runtime, world) => {
      const agent = await runtime.spawn('busy', { id: 'b' });
      await world.clock.advance(1_000);
      await agent.send({ type: 'CANCEL' } as never);
    },
    downMs: 400,
    after: async (runtime, world) => {
      const agent = runtime.agent('b');
      await world.clock.advance(100);
      const seen = async (): Promise<unknown> => ((await agent.snapshot()).context as { seen: string[] }).seen;
      expect(await seen()).to.deep.equal(['TO_SELF']);
      await world.clock.advance(1_000);
      expect(await seen()).to.deep.equal(['TO_SELF', 'RAISED']);
      await world.clock.advance(1_500);
      expect(await seen()).to.deep.equal(['TO_SELF', 'RAISED', 'CHILD_OLD', 'CHILD_TICKED']);
      await agent.send({ type: 'CANCEL_LATER' } as never);
      await world.clock.advance(60_000);
      expect(await seen()).to.deep.equal(['TO_SELF', 'RAISED', 'CHILD_OLD', 'CHILD_TICKED']);
      const journal = await journalOf(runtime.store, 'b');
      expect(journal.filter(({ timer }) => timer !== undefined).map(({ to = '' }) => to)).to.deep.equal(['', '', 'kid', 'kid']);
    },
  },
  {
    name: 'what is overdue fires in order of its deadlines',
    agents: () => busies,
    before: async (runtime) => {
      const agent = await runtime.spawn('busy', { id: 'b' });
      await agent.send({ type: 'CANCEL' } as never);
    },
    downMs: 86_400_000,
    after: async (runtime, world) => {
      await world.clock.advance(0);
      const agent = runtime.agent('b');
      const { context } = await agent.waitFor((snapshot) => (snapshot.context as { seen: string[] }).seen.length === 5);
      expect((context as { seen: string[] }).seen).to.deep.equal(['TO_SELF', 'RAISED', 'CHILD_OLD', 'CHILD_TICKED', 'LATER']);
      const timers = (await journalOf(runtime.store, 'b')).filter(({ timer }) => timer !== undefined);
      expect(timers).to.have.lengthOf(5);
    },
  },
  {
    name: 'a timer set again under its id counts from then',
    agents: () => ({
      again: {
        version: 1,
        machine: setup({ types: { context: {} as { rang: number } } }).createMachine({
          id: 'again',
          context: { rang: 0 },
          on: {
            SET: { actions: raise({ type: 'RING' }, { delay: 5_000, id: 'bell' }) },
            RING: { actions: assign({ rang: ({ context }) => context.rang + 1 }) },
          },
        }),
      },
    }),
    before: async (runtime, world) => {
      const agent = await runtime.spawn('again', { id: 'a' });
      await agent.send({ type: 'SET' } as never);
      await world.clock.advance(3_000);
      await agent.send({ type: 'SET' } as never);
    },
    after: async (runtime, world) => {
      const agent = runtime.agent('a');
      await world.clock.advance(3_999);
      expect(await eventsOf(runtime.store, 'a')).to.deep.equal(['SET', 'SET']);
      await world.clock.advance(60_000);
      expect((await agent.snapshot()).context).to.deep.equal({ rang: 1 });
    },
  },
  {
    name: 'a timer of a state that was left does not fire',
    agents: () => ({
      leaving: {
        version: 1,
        machine: setup({}).createMachine({
          id: 'leaving',
          initial: 'a',
          states: { a: { after: { 1_000: 'late' }, on: { GO: 'b' } }, b: { on: { BACK: 'a' } }, late: {} },
        }),
      },
    }),
    before: async (runtime) => {
      const agent = await runtime.spawn('leaving', { id: 'l' });
      await agent.send({ type: 'GO' } as never);
    },
    downMs: 10_000,
    after: async (runtime, world) => {
      const agent = runtime.agent('l');
      await world.clock.advance(10_000);
      expect((await agent.snapshot()).value).to.equal('b');
      await agent.send({ type: 'BACK' } as never);
      await world.clock.advance(999);
      expect((await agent.snapshot()).value).to.equal('a');
      await world.clock.advance(1);
      await agent.waitFor((snapshot) => snapshot.value === 'late');
    },
  },
];
