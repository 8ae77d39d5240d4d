import { expect } from 'chai';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assign, setup } from 'xstate';
import { createRuntime, memory, reply, type Store } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { failing, inFolder } from './failing.js';

const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'INC' } | { type: 'HOW_MANY' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    HOW_MANY: { actions: reply(({ context }) => context.count) },
  },
});
const open = (store: Store, name: string) =>
  createRuntime({ store, agents: { counter: { machine: counter, version: 1 } }, node: { name, spread: false } });

/** Each case on both stores: two runtimes on one memory store, two connections to one file. */
const stores: readonly (readonly [string, (work: (first: Store, second: Store) => Promise<void>) => Promise<void>])[] = [
  [
    'in memory',
    (work) => {
      const store = memory();
      return work(store, store);
    },
  ],
  ['in one SQLite file', (work) => inFolder((folder) => work(sqlite(join(folder, 'a.db')), sqlite(join(folder, 'a.db'))))],
];

for (const [place, withStores] of stores) {
  describe(`a second runtime on an agent that another one owns, ${place}`, () => {
    it('is told who holds it and until when', () =>
      withStores(async (one, two) => {
        await using first = await open(one, 'first');
        await first.spawn('counter', { id: 'c' });
        await using second = await open(two, 'second');
        const agent = second.agent<'counter'>('c');
        for (const call of [
          () => agent.snapshot(),
          () => agent.ask({ type: 'HOW_MANY' }),
          () => agent.stop(),
          () => agent.waitFor(() => true),
          () => new Promise((_, reject) => agent.snapshots$.subscribe({ error: reject })),
        ]) {
          const error = await failing('AGENT_OWNED', call);
          expect(error.disposition).to.equal('retry');
          expect(error.message).to.include(`process ${String(process.pid)}`);
          expect(error.hint).to.match(/until \d{4}-\d\d-\d\dT/);
        }
      }));

    it('sends through the mailbox: the owner takes the event, once', () =>
      withStores(async (one, two) => {
        await using first = await open(one, 'first');
        const owned = await first.spawn('counter', { id: 'c' });
        await using second = await open(two, 'second');
        const agent = second.agent<'counter'>('c');
        const counted = owned.waitFor((snapshot) => snapshot.context.count === 2, { timeoutMs: 5_000 });
        expect(await agent.send({ type: 'INC' })).to.deep.equal({ sequenceNumber: 0, duplicate: false });
        await agent.send({ type: 'INC' }, { messageId: 'm' });
        expect((await agent.send({ type: 'INC' }, { messageId: 'm' })).duplicate).to.equal(true);
        await counted;
        await sleep(20);
        expect((await owned.snapshot()).context.count).to.equal(2);
      }));

    it('finds it by spawn, which is idempotent, and does not take it', () =>
      withStores(async (one, two) => {
        await using first = await open(one, 'first');
        await first.spawn('counter', { id: 'c' });
        await using second = await open(two, 'second');
        const agent = await second.spawn('counter', { id: 'c' });
        await failing('AGENT_OWNED', () => agent.snapshot());
        expect((await first.agent<'counter'>('c').send({ type: 'INC' })).sequenceNumber).to.equal(2);
      }));

    it('has it as soon as the first one closes', () =>
      withStores(async (one, two) => {
        const first = await open(one, 'first');
        await (await first.spawn('counter', { id: 'c' })).send({ type: 'INC' });
        await using second = await open(two, 'second');
        await failing('AGENT_OWNED', () => second.agent('c').snapshot());
        await first.close();
        expect((await second.agent<'counter'>('c').snapshot()).context.count).to.equal(1);
        expect((await second.agent<'counter'>('c').send({ type: 'INC' })).sequenceNumber).to.equal(2 + 1);
      }));
  });
}
