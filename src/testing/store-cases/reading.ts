/** Reading: lists, journals, machines, counts, and what a restart and a check find. */

import assert from 'node:assert/strict';
import { applied, checkpoint, effect, message, operation, posted, segment, taken, timer, type Scene, type StoreCase } from './scene.js';

export const readingCases: readonly StoreCase[] = [
  {
    title: 'lists agents in order of id, by kind, status and prefix, page by page',
    run: async (scene) => {
      const store = await scene.open();
      for (const id of ['b/2', 'a_1', 'b/1', 'a%']) await scene.create(store, id);
      await scene.create(store, 'b/3', { status: 'done', create: { kind: 'other', version: 1, input: undefined } });
      const ids = async (filter: object): Promise<string[]> => (await store.list({ limit: 10, ...filter })).map(({ id }) => id);
      assert.deepEqual(await ids({}), ['a%', 'a_1', 'b/1', 'b/2', 'b/3']);
      assert.deepEqual(await ids({ prefix: 'b/' }), ['b/1', 'b/2', 'b/3']);
      assert.deepEqual(await ids({ prefix: 'a%' }), ['a%']);
      assert.deepEqual(await ids({ prefix: 'a_' }), ['a_1']);
      assert.deepEqual(await ids({ kind: 'other' }), ['b/3']);
      assert.deepEqual(await ids({ status: 'active', after: 'a_1', limit: 1 }), ['b/1']);
    },
  },
  {
    title: 'gives the journal in order, page by page',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { sequenceNumber: 3, segment: segment(1, 3) });
      for (let turn = 0; turn < 3; turn += 1) await applied(store, await scene.turn(store, 'a'));
      assert.deepEqual(await store.journal(key, { after: 0, limit: 2 }), [segment(1, 3), segment(4)]);
      assert.deepEqual(await store.journal(key, { after: 4, limit: 10 }), [segment(5), segment(6)]);
      assert.deepEqual(await store.journal(key, { after: 6, limit: 10 }), []);
    },
  },
  {
    title: 'remembers each machine once, as it was saved last',
    run: async (scene) => {
      const store = await scene.open();
      const machine = { kind: 'counter', version: 1, schema: 'h1', definition: '{"id":"counter"}' };
      await store.saveMachines([machine, { ...machine, version: 2 }, { ...machine, kind: 'other' }]);
      await store.saveMachines([{ ...machine, definition: '{}' }]);
      assert.equal((await store.machines()).length, 3);
      const counters = [...(await store.machines('counter'))].sort((one, other) => one.version - other.version);
      assert.deepEqual(counters, [
        { ...machine, definition: '{}' },
        { ...machine, version: 2 },
      ]);
    },
  },
  {
    title: 'counts what it holds',
    run: async (scene) => {
      const store = await scene.open();
      await populate(scene, store);
      const { bytes, ...counts } = await store.counts();
      assert.ok(bytes > 0);
      assert.deepEqual(counts, {
        agents: { active: 1, done: 1, error: 0, stopped: 0, parked: 0, suspended: 0 },
        journalSegments: 3,
        checkpoints: 1,
        mailbox: 1,
        timers: 1,
        openOperations: 1,
        unsettledEffects: 1,
        deadLetters: 1,
      });
    },
  },
  {
    title: 'has everything again after it is closed and opened',
    needs: ['durable', 'moved-time'],
    run: async (scene) => {
      const store = await scene.open();
      const key = await populate(scene, store);
      const before = await taken(store, key);
      const letters = await store.deadLetters({ after: 0, limit: 10 });
      const closedAt = scene.now;
      await store.close();
      scene.now += 50;
      const again = await scene.open();
      const after = await taken(again, key);
      assert.deepEqual(after, { ...before, record: { ...before.record, fence: 2, owner: again.node }, downSince: closedAt });
      assert.deepEqual(await again.deadLetters({ after: 0, limit: 10 }), letters);
      assert.deepEqual(await again.check(), []);
    },
  },
  {
    title: 'never gives a mailbox position again, also after a restart',
    needs: 'durable',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      const [first = 0] = await posted(store, message('a'));
      await applied(store, await scene.turn(store, 'a', { taken: [first] }));
      await store.close();
      const again = await scene.open();
      const [second = 0] = await posted(again, message('a'));
      assert.ok(second > first);
    },
  },
  {
    title: 'finds nothing wrong in a sound store, and says how far it is',
    run: async (scene) => {
      const store = await scene.open();
      await populate(scene, store);
      const progress: (readonly [number, number])[] = [];
      assert.deepEqual(await store.check((done, total) => progress.push([done, total])), []);
      assert.deepEqual(progress.at(-1), [2, 2]);
    },
  },
  {
    title: 'finds a gap in a journal',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      await applied(store, await scene.turn(store, 'a', { sequenceNumber: 4, segment: segment(3, 4) }));
      const faults = await store.check();
      assert.equal(faults.length, 1);
      assert.match(faults[0] ?? '', /"a".*2/);
    },
  },
  ...(['journal', 'checkpoint'] as const).map((what): StoreCase => ({
    title: `finds a ${what} that was changed behind its back`,
    needs: 'corrupt',
    run: async (scene) => {
      const store = await scene.open();
      const key = await populate(scene, store);
      await store.close();
      await scene.fixture.corrupt?.(what, key);
      const faults = await (await scene.observe()).check();
      assert.equal(faults.length, 1);
      assert.match(faults[0] ?? '', new RegExp(`"a".*${what}.*checksum`));
    },
  })),
];

/** One agent with something of everything, one that has ended. */
async function populate(scene: Scene, store: Awaited<ReturnType<Scene['open']>>): Promise<number> {
  const key = await scene.create(store, 'a', {
    checkpoint: checkpoint(1),
    timers: [timer('t', scene.now + 10)],
    operations: [operation('o'), operation('p', { status: 'succeeded', outcome: '1', settledIn: 1, settledAt: scene.now })],
    effects: [effect('1.0', { params: '1', context: '{}' })],
    marks: [{ messageId: 'm', sequenceNumber: 1 }],
    state: '"on"',
    busy: true,
  });
  await applied(store, await scene.turn(store, 'a'));
  await scene.create(store, 'ended', { status: 'done', outcome: '"bye"' });
  await posted(store, message('a', { messageId: 'n', from: 'ended' }));
  await store.post([message('ended')], 10);
  return key;
}
