/** Results in the ledger: which artifacts they name, and how old ones are taken away. */

import assert from 'node:assert/strict';
import type { OperationRecord } from '../../persistence/operations.js';
import type { ExpiryPage, OpenedStore } from '../../persistence/store.js';
import { applied, checkpoint, operation, type StoreCase } from './scene.js';

const ended = (id: string, more: Partial<OperationRecord> = {}): OperationRecord =>
  operation(id, { status: 'succeeded', outcome: `"${id}"`, settledIn: 1, settledAt: 1_000, ...more });

/** Looks through the whole ledger, part by part; resolves to how many were taken in each. */
async function expireAll(store: OpenedStore, before: number, limit = 1_000): Promise<number[]> {
  const counts: number[] = [];
  for (let after: ExpiryPage['after'] = undefined; ;) {
    const { expired, next } = await store.expire({ before, limit, ...(after === undefined ? {} : { after }) });
    counts.push(expired);
    if (next === undefined) return counts;
    after = next;
  }
}

async function left(store: OpenedStore, key: number): Promise<string[]> {
  return (await store.operations(key))
    .filter(({ outcome }) => outcome !== undefined)
    .map(({ id }) => id)
    .sort();
}

export const resultCases: readonly StoreCase[] = [
  {
    title: 'says of each artifact whether an operation names it, whosever and however it stands',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { operations: [ended('o1', { artifact: 'one' }), ended('o2', { artifact: 'both' }), ended('o3')] });
      await scene.create(store, 'b', {
        operations: [ended('o1', { artifact: 'both' }), ended('o2', { artifact: 'undone', status: 'compensated' })],
      });
      assert.deepEqual(await store.hasArtifacts([]), []);
      const names = ['undone', 'none', 'both', 'one', 'one', '', 'on', 'o1'];
      assert.deepEqual(await store.hasArtifacts(names), [true, false, true, true, true, false, false, false]);
    },
  },
  {
    title: 'names an artifact for as long as the last operation that does, which may get it in a commit of its own',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { operations: [ended('o1', { artifact: 'x' })] });
      await scene.create(store, 'b', { operations: [operation('o1')] });
      await applied(store, await scene.turn(store, 'b', { operations: [ended('o1', { artifact: 'x' })] }));
      await applied(store, await scene.turn(store, 'a', { operations: [ended('o1')] }));
      assert.deepEqual(await store.hasArtifacts(['x']), [true]);
      await applied(store, await scene.turn(store, 'b', { operations: [ended('o1')] }));
      assert.deepEqual(await store.hasArtifacts(['x']), [false]);
      const [refused] = await store.commit([{ ...(await scene.turn(store, 'b')), fence: 9, operations: [ended('o1', { artifact: 'x' })] }]);
      assert.equal(refused?.outcome, 'refused');
      assert.deepEqual(await store.hasArtifacts(['x']), [false]);
    },
  },
  {
    title: 'takes old results that the checkpoint covers, with their artifacts, and nothing else of the operation',
    run: async (scene) => {
      const store = await scene.open();
      const old = ended('old', { artifact: 'x', userKey: 'k', resolutions: '[]' });
      const key = await scene.create(store, 'a', {
        checkpoint: checkpoint(1),
        operations: [old, ended('young', { settledAt: 2_000 }), ended('failed', { status: 'failed', outcome: '"why"' })],
      });
      await applied(store, await scene.turn(store, 'a', { operations: [ended('after', { settledIn: 2 })] }));
      assert.deepEqual(await expireAll(store, 1_000), [0]);
      assert.deepEqual(await expireAll(store, 2_000), [2]);
      assert.deepEqual(await left(store, key), ['after', 'young']);
      const found = (await store.operations(key)).find(({ id }) => id === 'old');
      assert.deepEqual(found, { ...old, outcome: undefined, artifact: undefined });
      assert.deepEqual(await store.hasArtifacts(['x']), [false]);
      assert.deepEqual(await expireAll(store, 2_000), [0]);
      await applied(store, await scene.turn(store, 'a', { checkpoint: checkpoint(3) }));
      assert.deepEqual(await expireAll(store, Infinity), [2]);
      assert.deepEqual(await left(store, key), []);
    },
  },
  {
    title: 'takes nothing from operations that are open, held or unknown, or of an agent without a checkpoint',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', {
        checkpoint: checkpoint(1),
        operations: [
          operation('open', { outcome: '"last error"', attempts: 1, nextRetryAt: 1 }),
          operation('started', { status: 'started', outcome: '"last error"' }),
          operation('held', { status: 'held', outcome: '"why"' }),
          ended('unknown', { status: 'unknown' }),
        ],
      });
      const bare = await scene.create(store, 'b', { operations: [ended('o1')] });
      assert.deepEqual(await expireAll(store, Infinity), [0]);
      assert.deepEqual(await left(store, key), ['held', 'open', 'started', 'unknown']);
      assert.deepEqual(await left(store, bare), ['o1']);
    },
  },
  {
    title: 'takes nothing from a saga that could still be undone, and all once it is undone or its agent has ended',
    run: async (scene) => {
      const store = await scene.open();
      const step = (id: string, saga: string, more: Partial<OperationRecord> = {}): OperationRecord => ended(id, { saga, ...more });
      const key = await scene.create(store, 'a', {
        checkpoint: checkpoint(1),
        operations: [
          step('s1', 's', { artifact: 'x' }),
          step('s2', 's', { status: 'failed' }),
          step('t1', 't', { status: 'compensated' }),
          step('undo t1', 't', { compensates: 't1' }),
          ended('plain'),
        ],
      });
      // Another agent's saga of the same name is another saga.
      await scene.create(store, 'b', { checkpoint: checkpoint(1), operations: [step('t1', 't')] });
      assert.deepEqual(await expireAll(store, Infinity), [3]);
      assert.deepEqual(await left(store, key), ['s1', 's2']);
      await applied(store, await scene.turn(store, 'a', { operations: [step('s1', 's', { status: 'compensated', artifact: 'x' })] }));
      assert.deepEqual(await expireAll(store, Infinity), [2]);
      const [other] = await store.lookup(['b']);
      assert.deepEqual(await left(store, other?.key ?? 0), ['t1']);
      await applied(store, await scene.turn(store, 'b', { status: 'done', checkpoint: checkpoint(2) }));
      assert.deepEqual(await expireAll(store, Infinity), [1]);
    },
  },
  {
    title: 'looks for old results part by part, in order of agent and operation, each once',
    run: async (scene) => {
      const store = await scene.open();
      for (const id of ['z', 'a']) {
        const operations = ['\u{1f600}', '\uffff', 'o', 'o2'].map((name) => ended(name));
        await scene.create(store, id, { checkpoint: checkpoint(1), operations: [...operations, operation('open')] });
      }
      assert.deepEqual(await expireAll(store, Infinity, 3), [2, 3, 2, 1]);
      assert.deepEqual(await expireAll(store, Infinity, 3), [0, 0, 0, 0]);
      assert.deepEqual(await expireAll(store, Infinity, 5), [0, 0, 0]);
    },
  },
  {
    title: 'finds by user key no result that was taken, but one that is left',
    run: async (scene) => {
      const store = await scene.open();
      const keyed = (id: string, more: Partial<OperationRecord> = {}): OperationRecord => ended(id, { userKey: 'k', ...more });
      await scene.create(store, 'a', { checkpoint: checkpoint(1), operations: [keyed('o1'), keyed('o2', { settledAt: 500 })] });
      const later = keyed('o3', { settledAt: 200 });
      await scene.create(store, 'b', { operations: [later] });
      await expireAll(store, Infinity);
      assert.deepEqual(await store.keyed('search', 'k'), later);
      await applied(store, await scene.turn(store, 'b', { checkpoint: checkpoint(2) }));
      await expireAll(store, Infinity);
      assert.equal(await store.keyed('search', 'k'), undefined);
    },
  },
  {
    title: 'takes results of agents that another node holds, which goes on as before',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const other = await scene.open('other');
      const key = await scene.create(one, 'a', { checkpoint: checkpoint(1), operations: [ended('o1')] });
      assert.deepEqual(await expireAll(other, Infinity), [1]);
      await applied(one, await scene.turn(one, 'a', { operations: [ended('o2', { settledIn: 2 })] }));
      assert.deepEqual(await left(one, key), ['o2']);
    },
  },
];
