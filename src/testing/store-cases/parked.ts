/** Parked operations: which wait for a breaker, of which agents, and when they do no more. */

import assert from 'node:assert/strict';
import type { OpenedStore, ParkedPage } from '../../persistence/store.js';
import { applied, operation, taken, type StoreCase } from './scene.js';

async function parkedIn(store: OpenedStore, page: Partial<ParkedPage> = {}): Promise<string[]> {
  const found = await store.parked({ limit: 100, ...page });
  return found.map(({ agentId, operation: { id, parkedBy } }) => `${agentId} ${id} ${String(parkedBy)}`);
}

export const parkedCases: readonly StoreCase[] = [
  {
    title: 'finds parked operations of all agents, in order of agent and id, by breaker and by agent',
    run: async (scene) => {
      const store = await scene.open();
      const first = await scene.create(store, 'z', {
        operations: [operation('o2', { parkedBy: 'y' }), operation('o1', { parkedBy: 'x' }), operation('o3')],
      });
      const second = await scene.create(store, 'b', { operations: [operation('\u{1f600}', { parkedBy: 'x' })] });
      const third = await scene.create(store, 'a', {
        operations: [operation('\u{1f600}', { parkedBy: 'x%' }), operation('\uffff', { parkedBy: 'x' })],
      });
      const all = ['z o1 x', 'z o2 y', 'b \u{1f600} x', 'a \uffff x', 'a \u{1f600} x%'];
      assert.deepEqual(await parkedIn(store), all);
      assert.deepEqual(await parkedIn(store, { by: 'x' }), [all[0], all[2], all[3]]);
      assert.deepEqual(await parkedIn(store, { by: 'no such' }), []);
      assert.deepEqual(await parkedIn(store, { agents: [third, first, third, 12_345] }), [all[0], all[1], all[3], all[4]]);
      assert.deepEqual(await parkedIn(store, { agents: [first, second], by: 'x' }), [all[0], all[2]]);
      assert.deepEqual(await parkedIn(store, { agents: [] }), []);
      const [parked] = await store.parked({ limit: 1 });
      assert.deepEqual(parked, { agent: first, agentId: 'z', operation: operation('o1', { parkedBy: 'x' }) });
    },
  },
  {
    title: 'gives parked operations page by page',
    run: async (scene) => {
      const store = await scene.open();
      const keys: number[] = [];
      for (const id of ['a', 'b', 'c']) {
        const operations = ['o1', 'o2', 'o3'].map((name) => operation(name, { parkedBy: name === 'o2' ? 'y' : 'x' }));
        keys.push(await scene.create(store, id, { operations }));
      }
      const pages = async (page: Partial<ParkedPage>): Promise<string[][]> => {
        const found: string[][] = [];
        for (let after: ParkedPage['after'] = undefined; ;) {
          const next = await store.parked({ limit: 2, ...page, ...(after === undefined ? {} : { after }) });
          if (next.length === 0) return found;
          found.push(next.map(({ agentId, operation: { id } }) => `${agentId} ${id}`));
          const last = next.at(-1) as (typeof next)[number];
          after = { agent: last.agent, id: last.operation.id };
        }
      };
      assert.deepEqual(await pages({}), [['a o1', 'a o2'], ['a o3', 'b o1'], ['b o2', 'b o3'], ['c o1', 'c o2'], ['c o3']]);
      assert.deepEqual(await pages({ by: 'x' }), [
        ['a o1', 'a o3'],
        ['b o1', 'b o3'],
        ['c o1', 'c o3'],
      ]);
      assert.deepEqual(await pages({ by: 'x', agents: keys.slice(1) }), [
        ['b o1', 'b o3'],
        ['c o1', 'c o3'],
      ]);
    },
  },
  {
    title: 'parks an operation and lets it go by ordinary commits of its agent',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { operations: [operation('o')] });
      assert.deepEqual(await parkedIn(store), []);
      const commit = async (parkedBy: string | undefined): Promise<void> => {
        const turn = await scene.turn(store, 'a');
        const { segment: _, ...settling } = { ...turn, sequenceNumber: turn.expected, operations: [operation('o', { parkedBy })] };
        await applied(store, settling);
      };
      await commit('x');
      assert.deepEqual(await parkedIn(store), ['a o x']);
      assert.deepEqual((await taken(store, key)).operations, [operation('o', { parkedBy: 'x' })]);
      await commit('y');
      assert.deepEqual(await parkedIn(store, { by: 'x' }), []);
      assert.deepEqual(await parkedIn(store, { by: 'y' }), ['a o y']);
      await commit(undefined);
      assert.deepEqual(await parkedIn(store), []);
      assert.deepEqual(await store.operations(key), [operation('o')]);
      const [outcome] = await store.commit([
        { ...(await scene.turn(store, 'a')), fence: 9, operations: [operation('o', { parkedBy: 'x' })] },
      ]);
      assert.equal(outcome?.outcome, 'refused');
      assert.deepEqual(await parkedIn(store), []);
    },
  },
  {
    title: 'never has a settled operation wait for a breaker, whatever its record says',
    run: async (scene) => {
      const store = await scene.open();
      const settled = (id: string, status: 'succeeded' | 'failed' | 'cancelled') =>
        operation(id, { status, settledIn: 2, settledAt: scene.now, parkedBy: 'x' });
      const key = await scene.create(store, 'a', {
        operations: [operation('o1', { parkedBy: 'x' }), operation('o2', { parkedBy: 'x' }), operation('o3', { parkedBy: 'x' })],
      });
      const operations = [settled('o1', 'succeeded'), settled('o2', 'cancelled'), settled('new', 'failed')];
      await applied(store, await scene.turn(store, 'a', { operations }));
      assert.deepEqual(await parkedIn(store), ['a o3 x']);
      assert.deepEqual(await parkedIn(store, { by: 'x', agents: [key] }), ['a o3 x']);
      const found = (await store.operations(key)).map(({ id, parkedBy }) => [id, parkedBy]);
      assert.deepEqual(Object.fromEntries(found), { o1: undefined, o2: undefined, o3: 'x', new: undefined });
    },
  },
  {
    title: 'shows parked operations to observers, whoever holds their agents',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const other = await scene.open('other');
      await scene.create(one, 'a', { operations: [operation('o', { parkedBy: 'x' })] });
      await scene.create(other, 'b', { status: 'suspended', operations: [operation('o', { parkedBy: 'x' })] });
      const observer = await scene.observe();
      for (const store of [one, other, observer]) assert.deepEqual(await parkedIn(store, { by: 'x' }), ['a o x', 'b o x']);
    },
  },
  {
    title: 'has operations parked still after it is closed and opened',
    needs: 'durable',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { operations: [operation('o', { parkedBy: 'x' })] });
      await store.close();
      const again = await scene.open();
      assert.deepEqual(await parkedIn(again, { by: 'x' }), ['a o x']);
      assert.deepEqual(await again.check(), []);
    },
  },
];
