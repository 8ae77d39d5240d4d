/** Agents as wholes: read, put in, removed. Nothing half done, nothing by accident. */

import assert from 'node:assert/strict';
import type { WholeAgent } from '../../persistence/store.js';
import { applied, checkpoint, message, posted, segment, taken, timer, type StoreCase } from './scene.js';
import { everything, make, read, sorted, stand } from './whole-agents.js';

export const wholeCases: readonly StoreCase[] = [
  {
    title: 'reads all that there is of an agent, taking nothing; an unknown key is undefined',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      const [position] = await posted(store, message('a', { messageId: 'm3', from: 'b', replyTo: 'r', trace: '00-aa-bb-01' }));
      const reader = await scene.observe();
      const [whole, absent] = await reader.whole([key, key + 99]);
      assert.equal(absent, undefined);
      assert.ok(whole !== undefined);
      const { record, ...rest } = sorted(whole);
      assert.deepEqual(record, (await store.lookup(['a']))[0]);
      assert.deepEqual([record.fence, record.owner, record.archive], [1, store.node, undefined]);
      assert.deepEqual(rest, {
        input: undefined,
        checkpoint: checkpoint(2),
        journal: [segment(1), segment(2), segment(3)],
        timers: [...(everything.timers ?? [])].reverse(),
        operations: [everything.operations?.[2], everything.operations?.[0], everything.operations?.[1]],
        effects: everything.effects,
        mailbox: [{ ...message('a', { messageId: 'm3', from: 'b', replyTo: 'r', trace: '00-aa-bb-01' }), position, agent: key }],
        marks: [
          { messageId: 'm1', sequenceNumber: 1 },
          { messageId: 'm2', sequenceNumber: 2 },
        ],
        artifacts: [],
      });
    },
  },
  {
    title: 'reads the input of an agent that has taken no turn, and puts it in with it',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      const child = { key: scene.key(store), id: 'child', kind: 'worker', version: 1, input: '{"n":1}' };
      await applied(store, await scene.turn(store, 'a', { spawns: [child] }));
      const whole = await read(store, child.key);
      assert.deepEqual([whole.input, whole.record.sequenceNumber, whole.journal], ['{"n":1}', 0, []]);
      assert.deepEqual(await store.remove([{ ...stand(whole), lastMail: 0 }]), ['removed']);
      assert.deepEqual(await store.install([whole]), ['installed']);
      assert.deepEqual(await store.runnable({ after: 0, limit: 10 }), [child.key]);
      assert.equal((await taken(store, 'child')).input, '{"n":1}');
    },
  },
  {
    title: 'puts in what was removed, as it was, held by nobody, and it goes on from there',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      await make(scene, store, 'other', everything);
      const positions = await posted(store, message('a', { messageId: 'm3' }), message('a'));
      const whole = await read(store, key);
      assert.deepEqual(await store.remove([{ ...stand(whole), lastMail: positions[1] ?? 0 }]), ['removed']);
      assert.deepEqual(await store.whole([key]), [undefined]);
      assert.deepEqual(await store.lookup(['a', key]), [undefined, undefined]);
      const { counts } = { counts: await store.counts() };
      assert.deepEqual([counts.journalSegments, counts.checkpoints, counts.mailbox, counts.timers, counts.openOperations], [3, 1, 0, 2, 1]);
      assert.equal(await store.mark(key, 'm1'), undefined);
      assert.deepEqual(await store.install([whole]), ['installed']);
      const back = await read(store, key);
      assert.deepEqual(
        back.mailbox.map(({ messageId, event, agent }) => [messageId, event, agent]),
        whole.mailbox.map(({ messageId, event, agent }) => [messageId, event, agent]),
      );
      assert.ok((back.mailbox[0]?.position ?? 0) < (back.mailbox[1]?.position ?? 0));
      assert.deepEqual({ ...back, mailbox: [] }, { ...whole, record: { ...whole.record, owner: undefined }, mailbox: [] });
      assert.deepEqual(await store.check(), []);
      const loaded = await taken(store, 'a');
      assert.deepEqual([loaded.record.fence, loaded.tail], [2, [segment(3)]]);
      await applied(store, await scene.turn(store, 'a', { taken: loaded.mailbox.map(({ position }) => position) }));
      assert.equal((await store.post([message('a', { messageId: 'm1' })], 10))[0]?.outcome, 'duplicate');
      assert.deepEqual(await store.check(), []);
    },
  },
  {
    title: 'puts in nothing of an agent whose id or key is taken, and the others all the same',
    run: async (scene) => {
      const store = await scene.open();
      const key = await make(scene, store, 'a', everything);
      const whole = await read(store, key);
      const record = { ...whole.record, key: scene.key(store) };
      const before = await store.counts();
      const outcomes = await store.install([
        { ...whole, record },
        { ...whole, record: { ...whole.record, id: 'b' } },
        { ...whole, record: { ...record, id: 'c' } },
        { ...whole, record: { ...record, key: scene.key(store), id: 'c' } },
      ]);
      assert.deepEqual(outcomes, ['exists', 'exists', 'installed', 'exists']);
      const after = await store.counts();
      assert.deepEqual([after.agents.active - before.agents.active, after.journalSegments, after.timers], [1, 6, 4]);
      assert.deepEqual(
        (await store.list({ limit: 10 })).map(({ id }) => id),
        ['a', 'c'],
      );
      assert.deepEqual(await read(store, key), whole);
    },
  },
  {
    title: 'removes nothing that stands otherwise, has more mail, or is held by another live node',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await make(scene, one, 'a');
      const [first, second] = await posted(one, message('a'), message('a'));
      const whole = await read(one, key);
      const order = { ...stand(whole), lastMail: second ?? 0 };
      assert.deepEqual(await two.remove([order]), ['changed']);
      assert.deepEqual(await (await scene.observe()).remove([order]), ['changed']);
      const wrong = [
        { ...order, fence: 2 },
        { ...order, fence: 0 },
        { ...order, sequenceNumber: 2 },
        { ...order, sequenceNumber: 4 },
        { ...order, lastMail: first ?? 0 },
        { ...order, lastMail: 0 },
      ];
      assert.deepEqual(await one.remove([...wrong, { ...order, key: key + 99 }]), [...wrong.map(() => 'changed'), 'absent']);
      assert.deepEqual(await read(one, key), whole);
      await one.close();
      assert.deepEqual(await two.remove([order, order]), ['removed', 'absent']);
      assert.deepEqual(await two.lookup(['a']), [undefined]);
    },
  },
  {
    title: 'refuses the commit of whoever had an agent that was removed, and writes nothing of it',
    run: async (scene) => {
      const store = await scene.open();
      await make(scene, store, 'a');
      const late = await scene.turn(store, 'a', { timers: [timer('t', 1)], messages: [message('a')] });
      const [whole] = await store.whole([late.key]);
      await store.remove([{ ...stand(whole as WholeAgent), lastMail: 0 }]);
      assert.deepEqual(await store.commit([late]), [{ outcome: 'refused', fence: 0, sequenceNumber: 0 }]);
      const counts = await store.counts();
      assert.deepEqual([counts.journalSegments, counts.timers, counts.deadLetters, counts.agents.active], [0, 0, 0, 0]);
      await scene.create(store, 'a');
      assert.deepEqual(await store.check(), []);
    },
  },
  {
    title: 'tells nodes of mail that is put in with an agent',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await make(scene, two, 'a');
      const positions = await posted(two, message('a'));
      const whole = await read(two, key);
      assert.deepEqual(await two.remove([{ ...stand(whole), lastMail: positions[0] ?? 0 }]), ['removed']);
      const heard = new Promise<readonly number[]>((resolve) => one.onForeignMail(resolve));
      await two.install([whole]);
      assert.deepEqual(await heard, [key]);
    },
  },
];
