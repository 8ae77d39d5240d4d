/** Archived agents: what stays of them in the store, what is refused, and how they come back. */

import assert from 'node:assert/strict';
import type { AgentKey, OpenedStore, WholeAgent } from '../../persistence/store.js';
import { applied, message, operation, posted, segment, taken, timer, ttlMs, type StoreCase } from './scene.js';
import { everything, make, read, settled, stand } from './whole-agents.js';

async function archived(store: OpenedStore, key: AgentKey, pointer = '{"at":"x"}', artifacts = ['x']): Promise<WholeAgent> {
  const whole = await read(store, key);
  assert.deepEqual(await store.archive([{ ...stand(whole), archive: pointer, artifacts }]), ['archived']);
  return { ...whole, record: { ...whole.record, archive: pointer } };
}

export const archiveCases: readonly StoreCase[] = [
  {
    title: 'archives an agent: its record stays and says where, its journal, checkpoint and results are gone, those with a user key stay',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      await make(scene, store, 'other', everything);
      const whole = await read(store, key);
      await archived(store, key, 'pointer', ['x', 'result']);
      const record = { ...whole.record, fence: 2, owner: undefined, archive: 'pointer' };
      assert.deepEqual(await store.lookup(['a', key]), [record, record]);
      assert.deepEqual((await store.list({ prefix: 'a', limit: 2 }))[0], record);
      assert.deepEqual(await store.heads([key]), [{ fence: 2, sequenceNumber: 3 }]);
      const kept = [everything.operations?.[2]];
      assert.deepEqual(await read(store, key), {
        ...{ record, input: undefined, checkpoint: undefined, journal: [], timers: [], operations: kept, effects: [], mailbox: [] },
        ...{ marks: whole.marks, artifacts: ['result', 'x'] },
      });
      const inspected = await store.inspect('a');
      assert.deepEqual([inspected?.record, inspected?.checkpoint, inspected?.tail], [record, undefined, []]);
      assert.deepEqual(await store.journal(key, { after: 0, limit: 10 }), []);
      const counts = await store.counts();
      assert.deepEqual([counts.journalSegments, counts.checkpoints, counts.timers, counts.openOperations], [3, 1, 2, 1]);
      assert.deepEqual(await store.dueTimers({ before: 1_500, limit: 10 }).then((due) => due.map(({ agent }) => agent === key)), [false]);
      assert.deepEqual(await store.keyed('search', 'k').then((found) => found?.id), 'keyed');
      assert.deepEqual(await store.check(), []);
    },
  },
  {
    title: 'never gives an archived agent by `load`, to a node or an observer, nor takes it',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const active = await make(scene, one, 'active');
      const done = await make(scene, one, 'done', { status: 'done', outcome: '1' });
      await archived(one, active);
      await archived(one, done);
      await make(scene, one, 'here');
      const two = await scene.open('two');
      for (const store of [one, two, await scene.observe()]) {
        const [first, second] = await store.load(['active', done]);
        assert.equal(first?.outcome, 'archived');
        assert.equal(second?.outcome, 'archived');
        const records = await store.lookup(['active', 'done']);
        assert.deepEqual([first.outcome === 'archived' && first.record, second.outcome === 'archived' && second.record], records);
        assert.deepEqual(
          records.map((record) => [record?.fence, record?.owner, record?.sequenceNumber]),
          [
            [2, undefined, 3],
            [2, undefined, 3],
          ],
        );
      }
      await one.close();
      assert.deepEqual(
        (await two.load(['active', 'here', 'nobody'])).map(({ outcome }) => outcome),
        ['archived', 'loaded', 'absent'],
      );
    },
  },
  {
    title: 'refuses the commit of whoever had an agent that was archived, and a new one with its id',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a');
      const late = await scene.turn(store, 'a', { timers: [timer('t', 1)], operations: [operation('o')] });
      await archived(store, key);
      const before = await read(store, key);
      assert.deepEqual(await store.commit([late]), [{ outcome: 'refused', fence: 2, sequenceNumber: 3 }]);
      const [born] = await store.commit([scene.birth(store, 'a')]);
      assert.equal(born?.outcome, 'exists');
      assert.equal(born.outcome === 'exists' && born.record.archive, before.record.archive);
      assert.deepEqual(await read(store, key), before);
      assert.deepEqual(await store.check(), []);
    },
  },
  {
    title: 'archives nothing that stands otherwise, is busy, archived, or held by another live node',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await make(scene, one, 'a', { timers: [timer('t', 1)] });
      const busy = await make(scene, one, 'busy', { busy: true });
      const whole = await read(one, key);
      const order = { ...stand(whole), archive: 'p', artifacts: ['x'] };
      assert.deepEqual(await two.archive([order]), ['changed']);
      const wrong = [
        { ...order, fence: 2 },
        { ...order, sequenceNumber: 2 },
        { ...order, sequenceNumber: 4 },
        { ...stand(await read(one, busy)), archive: 'p', artifacts: ['y'] },
      ];
      assert.deepEqual(await one.archive([...wrong, { ...order, key: key + 99 }]), [...wrong.map(() => 'changed'), 'absent']);
      assert.deepEqual(await read(one, key), whole);
      assert.deepEqual(await one.hasArtifacts(['x', 'y']), [false, false]);
      assert.deepEqual(await one.archive([order, { ...order, fence: 2 }]), ['archived', 'changed']);
      assert.deepEqual((await one.lookup(['a']))[0]?.fence, 2);
    },
  },
  {
    title: 'archives and removes an agent that has ended although the node that had it lives, but not while it is busy',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const done = await make(scene, one, 'done', { status: 'done', outcome: '1' });
      const settling = await make(scene, one, 'settling', { status: 'done', outcome: '1', busy: true });
      const order = { ...stand(await read(two, settling)), lastMail: 0 };
      assert.deepEqual(await two.remove([order]), ['changed']);
      assert.deepEqual(await one.remove([order]), ['removed']);
      await archived(two, done);
      assert.deepEqual(await two.remove([{ ...stand(await read(two, done)), lastMail: 0 }]), ['removed']);
      assert.deepEqual(await one.list({ limit: 10 }), []);
    },
  },
  {
    title: 'takes mail for an archived agent: it is runnable, and what it has taken stays taken',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      const done = await make(scene, store, 'done', { status: 'done', ...{ marks: everything.marks ?? [] } });
      const [early] = await posted(store, message('a', { messageId: 'early' }));
      await archived(store, key);
      await archived(store, done);
      assert.deepEqual(await store.runnable({ after: 0, limit: 10 }), [key]);
      const [late] = await posted(store, message('a', { messageId: 'late' }));
      assert.deepEqual(
        (await store.mailbox(key, 0)).map(({ position }) => position),
        [early, late],
      );
      const again = await store.post(
        ['m1', 'm2', 'early', 'late'].map((messageId) => message('a', { messageId })),
        10,
      );
      assert.deepEqual(
        again.map((outcome) => outcome.outcome === 'duplicate' && outcome.sequenceNumber),
        [1, 2, 0, 0],
      );
      assert.equal(await store.mark(key, 'm2'), 2);
      const late2 = await store.post([message('done', { messageId: 'm1' }), message('done', { messageId: 'new' })], 10);
      assert.deepEqual(late2, [
        { outcome: 'duplicate', sequenceNumber: 1 },
        { outcome: 'dead-letter', reason: 'agent-ended' },
      ]);
    },
  },
  {
    title: 'brings an archived agent back as it was, with the mail that came meanwhile',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      const before = await read(store, key);
      const whole = await archived(store, key);
      const positions = await posted(store, message('a', { messageId: 'late' }));
      const wrong = { ...whole, record: { ...whole.record, archive: 'another' } };
      assert.equal(await store.restore(wrong), 'changed');
      assert.equal(await store.restore({ ...whole, record: { ...whole.record, archive: undefined } }), 'changed');
      assert.equal(await store.restore({ ...whole, record: { ...whole.record, key: key + 99 } }), 'absent');
      assert.deepEqual(await store.journal(key, { after: 0, limit: 10 }), []);
      assert.equal(await store.restore(whole), 'restored');
      assert.equal(await store.restore(whole), 'changed');
      const after = await read(store, key);
      assert.deepEqual(
        after.mailbox.map(({ position }) => position),
        positions,
      );
      const record = { ...before.record, fence: 2, owner: undefined };
      assert.deepEqual({ ...after, mailbox: [] }, { ...before, record });
      assert.deepEqual(await store.check(), []);
      const loaded = await taken(store, key);
      assert.deepEqual([loaded.record.fence, loaded.tail, loaded.mailbox.length], [3, [segment(3)], 1]);
      await applied(store, await scene.turn(store, 'a', { taken: positions }));
      assert.deepEqual(await store.check(), []);
      await archived(store, key, 'second');
      assert.equal(await store.restore(whole), 'changed');
    },
  },
  {
    title: 'keeps what was done to a result with a user key while its agent was archived',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', {
        operations: [operation('keyed', { ...settled, userKey: 'k', artifact: 'keyed' }), operation('plain', settled)],
      });
      const whole = await archived(store, key);
      assert.equal((await store.expire({ before: 2_000, limit: 10 })).expired, 1);
      assert.equal(await store.restore(whole), 'restored');
      const operations = new Map((await store.operations(key)).map(({ id, outcome }) => [id, outcome]));
      assert.deepEqual([operations.get('keyed'), operations.get('plain'), operations.size], [undefined, '1', 2]);
    },
  },
  {
    title: 'says that artifacts named by an archive are needed, until the agent is back or removed',
    run: async (scene) => {
      const store = await scene.open();
      const names = ['x', 'result', 'y'];
      const a = await make(scene, store, 'a');
      const b = await make(scene, store, 'b');
      const whole = await archived(store, a, 'p', ['x', 'result', 'x']);
      await archived(store, b, 'q', ['y', 'result']);
      assert.deepEqual(await store.hasArtifacts(names), [true, true, true]);
      await store.restore(whole);
      assert.deepEqual(await store.hasArtifacts(names), [false, true, true]);
      const [last] = await store.whole([b]);
      assert.deepEqual(await store.remove([{ ...stand(last as WholeAgent), lastMail: 0 }]), ['removed']);
      assert.deepEqual(await store.hasArtifacts(names), [false, false, false]);
      assert.deepEqual(await store.install([last as WholeAgent]), ['installed']);
      assert.deepEqual(await store.hasArtifacts(names), [false, true, true]);
      assert.equal((await store.load(['b']))[0]?.outcome, 'archived');
    },
  },
  {
    title: 'keeps archived agents, and what they name, over a restart',
    needs: 'durable',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      const whole = await archived(store, key);
      await store.close();
      scene.now += ttlMs;
      const again = await scene.open('again');
      assert.equal((await again.load(['a']))[0]?.outcome, 'archived');
      assert.deepEqual(await again.hasArtifacts(['x']), [true]);
      assert.equal(await again.restore(whole), 'restored');
      assert.deepEqual((await read(again, key)).journal, whole.journal);
    },
  },
];
