/** Commits: creation, fence and sequence number, atomicity of each, order in a group. */

import assert from 'node:assert/strict';
import type { StatewardenError } from '../../core/errors.js';
import { applied, checkpoint, effect, message, operation, posted, segment, taken, timer, type StoreCase } from './scene.js';

export const commitCases: readonly StoreCase[] = [
  {
    title: 'makes a new agent with its first commit, held by the node that made it',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { state: '"idle"', checkpoint: checkpoint(1) });
      const [record] = await store.lookup(['a']);
      assert.deepEqual(record, {
        key,
        id: 'a',
        kind: 'counter',
        version: 1,
        status: 'active',
        sequenceNumber: 1,
        fence: 1,
        owner: store.node,
        checkpointSequenceNumber: 1,
        busy: false,
        supervisor: undefined,
        trace: undefined,
        suspect: undefined,
        outcome: undefined,
        state: '"idle"',
        archive: undefined,
        createdAt: scene.now,
        updatedAt: scene.now,
      });
      assert.deepEqual(await store.lookup([key, 'b']), [record, undefined]);
    },
  },
  {
    title: 'keeps whose child an agent is, the event it failed with, and that it is down',
    run: async (scene) => {
      const store = await scene.open();
      const create = { kind: 'counter', version: 1, input: undefined, supervisor: 'team', trace: '00-aa-bb-01' };
      await scene.create(store, 'a', { create });
      await applied(store, await scene.turn(store, 'a', { status: 'suspended', suspect: '{"name":"m"}', outcome: '"why"', busy: false }));
      const [down] = await store.lookup(['a']);
      const kept = { supervisor: 'team', trace: '00-aa-bb-01', status: 'suspended', suspect: '{"name":"m"}', outcome: '"why"' };
      assert.deepEqual({ ...down, ...kept }, down);
      await posted(store, message('a'));
      assert.deepEqual(await store.runnable({ after: 0, limit: 10 }), [], 'what waits for it does not bring it up');
      await applied(store, await scene.turn(store, 'a', { status: 'active' }));
      const [up] = await store.lookup(['a']);
      assert.deepEqual({ ...up, ...kept, status: 'active' }, up);
      assert.equal((await store.runnable({ after: 0, limit: 10 })).length, 1);
    },
  },
  {
    title: 'takes an agent that has ended as one that begins anew',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { status: 'done', outcome: '1' });
      await applied(store, await scene.turn(store, 'a', { status: 'active', outcome: 'null', checkpoint: checkpoint(2) }));
      await posted(store, message('a'));
      const [record] = await store.lookup(['a']);
      assert.deepEqual([record?.status, record?.outcome, record?.sequenceNumber], ['active', 'null', 2]);
      assert.deepEqual(await store.check(), []);
    },
  },
  {
    title: 'answers `exists` with the older record when the id is in use, and writes nothing',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const second = scene.birth(store, 'a', { create: { kind: 'other', version: 1, input: undefined }, timers: [timer('t', 1)] });
      const [outcome] = await store.commit([second]);
      assert.equal(outcome?.outcome, 'exists');
      assert.equal(outcome.outcome === 'exists' && outcome.record.key, key);
      assert.deepEqual(await store.heads([second.key]), [undefined]);
      assert.equal((await store.counts()).timers, 0);
    },
  },
  {
    title: 'makes an id once when two commits of one group want it',
    run: async (scene) => {
      const store = await scene.open();
      const outcomes = await store.commit([scene.birth(store, 'a'), scene.birth(store, 'a')]);
      assert.deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ['applied', 'exists'],
      );
    },
  },
  {
    title: 'refuses another sequence number than the stored one, naming what it has, and writes nothing',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      for (const expected of [0, 2]) {
        const commit = await scene.turn(store, 'a', {
          expected,
          sequenceNumber: expected + 1,
          timers: [timer('t', 1)],
          messages: [message('a')],
        });
        assert.deepEqual(await store.commit([commit]), [{ outcome: 'refused', fence: 1, sequenceNumber: 1 }]);
      }
      const counts = await store.counts();
      assert.deepEqual([counts.journalSegments, counts.timers, counts.mailbox], [1, 0, 0]);
      assert.deepEqual(await store.heads([key]), [{ fence: 1, sequenceNumber: 1 }]);
    },
  },
  {
    title: 'refuses another fence than the stored one, lower or higher',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      for (const fence of [0, 2]) {
        const [outcome] = await store.commit([await scene.turn(store, 'a', { fence })]);
        assert.deepEqual(outcome, { outcome: 'refused', fence: 1, sequenceNumber: 1 });
      }
    },
  },
  {
    title: 'refuses a commit of an agent that nobody made, and leaves the others’ journals alone',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const { create: _, ...commit } = scene.birth(store, 'ghost');
      assert.deepEqual(await store.commit([commit]), [{ outcome: 'refused', fence: 0, sequenceNumber: 0 }]);
      assert.deepEqual(await store.heads([commit.key]), [undefined]);
      assert.deepEqual(await store.journal(key, { after: 0, limit: 10 }), [segment(1)]);
    },
  },
  {
    title: 'refuses one commit of a group and applies the others, before and after it',
    run: async (scene) => {
      const store = await scene.open();
      for (const id of ['a', 'b', 'c']) await scene.create(store, id);
      const group = [
        await scene.turn(store, 'a'),
        await scene.turn(store, 'b', { fence: 9, messages: [message('a')] }),
        await scene.turn(store, 'c'),
      ];
      assert.deepEqual(
        (await store.commit(group)).map(({ outcome }) => outcome),
        ['applied', 'refused', 'applied'],
      );
      const records = await store.lookup(['a', 'b', 'c']);
      assert.deepEqual(
        records.map((record) => record?.sequenceNumber),
        [2, 1, 2],
      );
      assert.equal((await store.counts()).mailbox, 0);
    },
  },
  {
    title: 'refuses one plain turn among many, of agents that share nothing, and writes nothing of it',
    run: async (scene) => {
      const store = await scene.open();
      const ids = Array.from({ length: 20 }, (_, index) => `a-${String(index)}`);
      const keys = new Map<string, number>();
      for (const id of ids) keys.set(id, await scene.create(store, id));
      const group = [];
      for (const [index, id] of ids.entries()) {
        const more = { ...(index % 3 === 0 ? { busy: true } : {}), ...(id === 'a-13' ? { fence: 9 } : {}) };
        group.push(await scene.turn(store, id, { ...more, timers: [timer('t', 1)] }));
      }
      const outcomes = await store.commit(group);
      for (const [index, id] of ids.entries()) {
        assert.equal(outcomes[index]?.outcome, id === 'a-13' ? 'refused' : 'applied', id);
        const [record] = await store.lookup([id]);
        assert.equal(record?.sequenceNumber, id === 'a-13' ? 1 : 2, id);
        const journal = await store.journal(keys.get(id) as number, { after: 0, limit: 10 });
        assert.deepEqual(journal, id === 'a-13' ? [segment(1)] : [segment(1), segment(2)], id);
      }
      assert.equal((await store.counts()).timers, ids.length - 1);
    },
  },
  {
    title: 'applies several commits of one agent in a group, in order',
    run: async (scene) => {
      const store = await scene.open();
      const first = scene.birth(store, 'a');
      const { create: _, ...rest } = first;
      const outcomes = await store.commit([
        first,
        { ...rest, expected: 1, sequenceNumber: 3, segment: segment(2, 3) },
        { ...rest, expected: 3, sequenceNumber: 4, segment: segment(4) },
      ]);
      assert.deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ['applied', 'applied', 'applied'],
      );
      assert.deepEqual(await store.journal(first.key, { after: 0, limit: 10 }), [segment(1), segment(2, 3), segment(4)]);
    },
  },
  {
    title: 'refuses to take a message that is not waiting, that is taken, or that is another agent’s',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      await scene.create(store, 'b');
      const [position = 0] = await posted(store, message('a'));
      const refused = async (id: string, positions: number[]): Promise<void> => {
        const commit = await scene.turn(store, id, { taken: positions, timers: [timer('t', 1)] });
        assert.equal((await store.commit([commit]))[0]?.outcome, 'refused');
      };
      await refused('a', [position, position + 1]);
      await refused('b', [position]);
      assert.equal((await store.counts()).timers, 0);
      await applied(store, await scene.turn(store, 'a', { taken: [position] }));
      await refused('a', [position]);
    },
  },
  {
    title: 'settles effects without a turn',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { effects: [effect('1.0'), effect('1.1', { params: '{"x":1}' })], busy: true });
      const { segment: _, ...commit } = await scene.turn(store, 'a', { sequenceNumber: 1, effectsSettled: ['1.0'], busy: false });
      await applied(store, commit);
      assert.deepEqual((await store.inspect(key))?.effects, [effect('1.1', { params: '{"x":1}' })]);
      assert.deepEqual(await store.heads([key]), [{ fence: 1, sequenceNumber: 1 }]);
    },
  },
  {
    title: 'keeps status, outcome, state and busy until a commit changes them',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { state: '"one"', busy: true });
      await applied(store, await scene.turn(store, 'a'));
      const [before] = await store.lookup(['a']);
      assert.deepEqual([before?.status, before?.state, before?.busy], ['active', '"one"', true]);
      scene.now += 10;
      await applied(store, await scene.turn(store, 'a', { status: 'done', outcome: '42', state: '"two"', busy: false }));
      const [after] = await store.lookup(['a']);
      assert.deepEqual([after?.status, after?.outcome, after?.state, after?.busy], ['done', '42', '"two"', false]);
      assert.equal((after?.updatedAt ?? 0) - (after?.createdAt ?? 0), 10);
    },
  },
  {
    title: 'replaces the checkpoint, and gives the journal after it as the tail',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { checkpoint: checkpoint(1) });
      await applied(
        store,
        await scene.turn(store, 'a', { sequenceNumber: 3, segment: segment(2, 3), checkpoint: checkpoint(3, '{"big":"ü€😀"}') }),
      );
      await applied(store, await scene.turn(store, 'a'));
      await applied(store, await scene.turn(store, 'a'));
      const loaded = await taken(store, key);
      assert.equal(loaded.record.checkpointSequenceNumber, 3);
      assert.deepEqual(loaded.checkpoint, checkpoint(3, '{"big":"ü€😀"}'));
      assert.deepEqual(loaded.tail, [segment(4), segment(5)]);
      assert.equal((await store.counts()).checkpoints, 1);
    },
  },
  {
    title: 'gives a segment that the checkpoint stands in the middle of whole',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { sequenceNumber: 4, segment: segment(1, 4), checkpoint: checkpoint(2) });
      assert.deepEqual((await taken(store, key)).tail, [segment(1, 4)]);
    },
  },
  {
    title: 'upserts operations; gives the open ones and those settled after the checkpoint',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', {
        checkpoint: checkpoint(1),
        operations: [operation('o1'), operation('o2'), operation('o3')],
      });
      const settled = operation('o1', { status: 'succeeded', attempts: 1, outcome: '"ok"', settledIn: 2, settledAt: scene.now });
      const later = operation('o2', { status: 'failed', attempts: 2, outcome: '{"message":"no"}', settledIn: 3, settledAt: scene.now });
      await applied(store, await scene.turn(store, 'a', { operations: [settled], checkpoint: checkpoint(2) }));
      await applied(
        store,
        await scene.turn(store, 'a', { operations: [later, operation('o3', { attempts: 1, nextRetryAt: scene.now + 5 })] }),
      );
      const byId = <T extends { id: string }>(list: readonly T[]): T[] => [...list].sort((one, other) => (one.id < other.id ? -1 : 1));
      assert.deepEqual(byId((await taken(store, key)).operations), [later, operation('o3', { attempts: 1, nextRetryAt: scene.now + 5 })]);
      assert.deepEqual(
        byId(await store.operations(key)).map(({ id }) => id),
        ['o1', 'o2', 'o3'],
      );
      assert.equal((await store.counts()).openOperations, 1);
    },
  },
  {
    title: 'finds by user key the newest succeeded operation of an activity, else one of which nobody knows, whosever it is',
    run: async (scene) => {
      const store = await scene.open();
      const settled = (id: string, at: number, more = {}) =>
        operation(id, { userKey: 'k', status: 'succeeded', outcome: `"${id}"`, settledIn: 1, settledAt: at, ...more });
      await scene.create(store, 'a', { operations: [settled('o1', 10), settled('o2', 30), settled('o3', 40, { status: 'failed' })] });
      await scene.create(store, 'b', { operations: [settled('o1', 20, { outcome: '"b"' }), operation('o4', { userKey: 'k' })] });
      assert.deepEqual(await store.keyed('search', 'k'), settled('o2', 30));
      assert.equal(await store.keyed('search', 'other'), undefined);
      assert.equal(await store.keyed('write', 'k'), undefined);
      const doubtful = (id: string, status: 'held' | 'unknown' | 'started' | 'compensated', settledIn: number, settledAt?: number) =>
        operation(id, { userKey: 'd', status, settledIn, settledAt });
      const [held, unknown, later] = [doubtful('d1', 'held', 0), doubtful('d2', 'unknown', 1, 10), doubtful('d3', 'unknown', 1, 20)];
      await scene.create(store, 'c', { operations: [doubtful('d0', 'started', 0), doubtful('d4', 'compensated', 1, 90), held] });
      assert.deepEqual(await store.keyed('search', 'd'), held);
      await scene.create(store, 'd', { operations: [later, unknown] });
      assert.deepEqual(await store.keyed('search', 'd'), later);
      await scene.create(store, 'e', { operations: [settled('o9', 5, { userKey: 'd' })] });
      assert.deepEqual(await store.keyed('search', 'd'), settled('o9', 5, { userKey: 'd' }));
    },
  },
  {
    title: 'does not claim to know what became of a commit whose answer was lost: it is done, once, and reading back says so',
    needs: 'losing',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      await scene.create(store, 'b');
      const commit = await scene.turn(store, 'a', { messages: [message('b')], timers: [timer('t', 1)] });
      scene.fixture.loseAnswer?.();
      await assert.rejects(store.commit([commit]), ({ disposition }: StatewardenError) => disposition === 'retry');
      assert.deepEqual(await store.heads([key]), [{ fence: 1, sequenceNumber: 2 }]);
      assert.deepEqual(await store.commit([commit]), [{ outcome: 'refused', fence: 1, sequenceNumber: 2 }]);
      await applied(store, await scene.turn(store, 'a'));
      const counts = await store.counts();
      assert.deepEqual([counts.journalSegments, counts.mailbox, counts.timers], [4, 1, 1]);
    },
  },
];
