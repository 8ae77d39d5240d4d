/** Mailboxes: posting, duplicates, caps, messages and spawns in commits, dead letters, marks. */

import assert from 'node:assert/strict';
import { applied, message, posted, segment, taken, type StoreCase } from './scene.js';

export const mailboxCases: readonly StoreCase[] = [
  {
    title: 'keeps posted messages in order, with all they carry',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const full = message('a', {
        messageId: 'm',
        event: '{"type":"Ä"}',
        from: 'b',
        replyTo: 'somewhere',
        acceptedAt: scene.now,
        trace: '00-aa-bb-01',
      });
      const positions = await posted(store, message('a'), full, message('a'));
      assert.deepEqual(
        [...positions].sort((one, other) => one - other),
        positions,
      );
      const mailbox = await store.mailbox(key, 0);
      assert.deepEqual(
        mailbox.map(({ position }) => position),
        positions,
      );
      assert.deepEqual(mailbox[1], { ...full, position: positions[1], agent: key });
      assert.deepEqual(await store.mailbox(key, positions[1] ?? 0), mailbox.slice(2));
      assert.deepEqual((await taken(store, key)).mailbox, mailbox);
    },
  },
  {
    title: 'accepts a message id once while it waits, and tells its turn once it is taken',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      await scene.create(store, 'b');
      const twice = await store.post([message('a', { messageId: 'm' }), message('a', { messageId: 'm' })], 10);
      assert.deepEqual(twice[1], { outcome: 'duplicate', sequenceNumber: 0 });
      assert.equal((await store.post([message('b', { messageId: 'm' })], 10))[0]?.outcome, 'accepted');
      const [first] = await store.mailbox(key, 0);
      await applied(store, await scene.turn(store, 'a', { taken: [first?.position ?? 0], marks: [{ messageId: 'm', sequenceNumber: 2 }] }));
      assert.deepEqual(await store.post([message('a', { messageId: 'm' })], 10), [{ outcome: 'duplicate', sequenceNumber: 2 }]);
      assert.equal(await store.mark(key, 'm'), 2);
      assert.equal(await store.mark(key, 'n'), undefined);
    },
  },
  {
    title: 'remembers message ids that came without a mailbox, also when the agent has ended',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a', { marks: [{ messageId: 'direct', sequenceNumber: 1 }] });
      assert.deepEqual(await store.post([message('a', { messageId: 'direct' })], 10), [{ outcome: 'duplicate', sequenceNumber: 1 }]);
      assert.deepEqual((await taken(store, key)).marks, [{ messageId: 'direct', sequenceNumber: 1 }]);
      await applied(store, await scene.turn(store, 'a', { status: 'done', outcome: '1' }));
      assert.deepEqual(await store.post([message('a', { messageId: 'direct' })], 10), [{ outcome: 'duplicate', sequenceNumber: 1 }]);
      assert.equal((await store.counts()).deadLetters, 0);
    },
  },
  {
    title: 'gives the newest 1,024 marks and says whether there are older ones',
    run: async (scene) => {
      const store = await scene.open();
      const marks = Array.from({ length: 1_024 }, (_, index) => ({ messageId: `m-${String(index + 1)}`, sequenceNumber: index + 1 }));
      const key = await scene.create(store, 'a', { sequenceNumber: 1_024, segment: segment(1, 1_024), marks });
      const exact = await taken(store, key);
      assert.deepEqual([exact.marks.length, exact.marksComplete], [1_024, true]);
      await applied(store, await scene.turn(store, 'a', { marks: [{ messageId: 'last', sequenceNumber: 1_025 }] }));
      const more = await taken(store, key);
      assert.deepEqual([more.marks.length, more.marksComplete], [1_024, false]);
      const known = new Set(more.marks.map(({ messageId }) => messageId));
      assert.deepEqual([known.has('last'), known.has('m-2'), known.has('m-1')], [true, true, false]);
      assert.equal(await store.mark(key, 'm-1'), 1);
    },
  },
  {
    title: 'refuses posts to a mailbox that holds as many as it may, until one is taken',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const outcomes = await store.post([message('a'), message('a', { messageId: 'm' }), message('a')], 2);
      assert.deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ['accepted', 'accepted', 'full'],
      );
      assert.deepEqual(await store.post([message('a', { messageId: 'm' })], 2), [{ outcome: 'duplicate', sequenceNumber: 0 }]);
      const [first] = await store.mailbox(key, 0);
      await applied(store, await scene.turn(store, 'a', { taken: [first?.position ?? 0] }));
      assert.equal((await store.post([message('a')], 2))[0]?.outcome, 'accepted');
    },
  },
  {
    title: 'keeps posts that nobody can take as dead letters, with the reason',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'ended', { status: 'done', outcome: '1' });
      const outcomes = await store.post([message('nobody', { from: 'b', event: '{"type":"X"}' }), message('ended')], 10);
      assert.deepEqual(outcomes, [
        { outcome: 'dead-letter', reason: 'no-such-agent' },
        { outcome: 'dead-letter', reason: 'agent-ended' },
      ]);
      const letters = await store.deadLetters({ after: 0, limit: 10 });
      const [first] = letters;
      assert.deepEqual(first, {
        position: first?.position,
        to: 'nobody',
        messageId: undefined,
        event: '{"type":"X"}',
        from: 'b',
        reason: 'no-such-agent',
        details: undefined,
        at: scene.now,
      });
      assert.deepEqual(
        letters.map(({ to, reason }) => [to, reason]),
        [
          ['nobody', 'no-such-agent'],
          ['ended', 'agent-ended'],
        ],
      );
      assert.deepEqual(await store.deadLetters({ after: first?.position ?? 0, limit: 10 }), letters.slice(1));
      assert.equal((await store.deadLetters({ after: 0, limit: 1 })).length, 1);
    },
  },
  {
    title: 'accepts messages for a parked agent',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a', { status: 'parked', outcome: '"why"' });
      await posted(store, message('a'));
    },
  },
  {
    title: 'turns what waits for an agent into dead letters when it ends, but for what it takes',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const [first = 0] = await posted(store, message('a', { event: '1' }), message('a', { event: '2' }), message('a', { event: '3' }));
      const details = '{"message":"why"}';
      const own = { to: 'a', messageId: undefined, event: '0', from: undefined, reason: 'not-understood', details, at: scene.now };
      await applied(store, await scene.turn(store, 'a', { status: 'stopped', taken: [first], deadLetters: [own] }));
      const letters = await store.deadLetters({ after: 0, limit: 10 });
      assert.equal(letters.find(({ event }) => event === '0')?.details, details);
      assert.deepEqual(letters.map(({ event, reason }) => `${event} ${reason}`).sort(), [
        '0 not-understood',
        '2 agent-ended',
        '3 agent-ended',
      ]);
      assert.deepEqual(await store.mailbox(key, 0), []);
    },
  },
  {
    title: 'makes no dead letter of what its sender keeps',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      await posted(store, message('a', { event: '1', replyTo: 'mail:1 b' }), message('a', { event: '2', replyTo: 'agent:1 b' }));
      await applied(store, await scene.turn(store, 'a', { status: 'stopped' }));
      const late = message('a', { event: '3', replyTo: 'mail:2 b' });
      assert.deepEqual(await store.post([late], Infinity), [{ outcome: 'dead-letter', reason: 'agent-ended' }]);
      const letters = await store.deadLetters({ after: 0, limit: 10 });
      assert.deepEqual(
        letters.map(({ event }) => event),
        ['2'],
      );
    },
  },
  {
    title: 'keeps dead letters with all that was known, and gives those of one receiver',
    run: async (scene) => {
      const store = await scene.open();
      await store.post([message('x', { messageId: 'm', from: 'b', event: '{"type":"Ä"}' }), message('y')], 10);
      const [first, second] = await store.deadLetters({ after: 0, limit: 10 });
      const reason = 'no-such-agent';
      const rest = { messageId: 'm', event: '{"type":"Ä"}', from: 'b', reason, details: undefined, at: scene.now };
      assert.deepEqual(first, { position: first?.position, to: 'x', ...rest });
      assert.deepEqual(await store.deadLetters({ after: 0, limit: 10, to: 'y' }), [second]);
      assert.deepEqual(await store.deadLetters({ after: first?.position ?? 0, limit: 10 }), [second]);
    },
  },
  {
    title: 'redrives a dead letter once, into the mailbox it was for',
    run: async (scene) => {
      const store = await scene.open();
      await store.post([message('a', { messageId: 'm', from: 'b' })], 10);
      const [letter] = await store.deadLetters({ after: 0, limit: 10 });
      const position = letter?.position ?? 0;
      assert.deepEqual(await store.redrive([position], undefined, 10), [{ outcome: 'kept', reason: 'no-such-agent' }]);
      assert.equal((await store.counts()).deadLetters, 1);
      const key = await scene.create(store, 'a');
      const [outcome, again] = await store.redrive([position, position], undefined, 10);
      const [mail] = await store.mailbox(key, 0);
      assert.deepEqual(mail, {
        ...message('a', { messageId: 'm', from: 'b', acceptedAt: scene.now }),
        position: mail?.position,
        agent: key,
      });
      assert.deepEqual(outcome, { outcome: 'redriven', position: mail?.position, agent: key });
      assert.deepEqual(again, { outcome: 'absent' });
      assert.deepEqual(await store.redrive([position], undefined, 10), [{ outcome: 'absent' }]);
      const counts = await store.counts();
      assert.deepEqual([counts.mailbox, counts.deadLetters], [1, 0]);
    },
  },
  {
    title: 'keeps a dead letter that cannot be redriven, and drops one whose message id was accepted',
    run: async (scene) => {
      const store = await scene.open();
      await store.post([message('b'), message('b', { messageId: 'taken' }), message('b', { messageId: 'waits' })], 10);
      const letters = (await store.deadLetters({ after: 0, limit: 10 })).map(({ position }) => position);
      await scene.create(store, 'ended');
      await applied(store, await scene.turn(store, 'ended', { status: 'done' }));
      assert.deepEqual(await store.redrive(letters.slice(0, 1), 'ended', 10), [{ outcome: 'kept', reason: 'agent-ended' }]);
      await scene.create(store, 'full');
      await posted(store, message('full'));
      assert.deepEqual(await store.redrive(letters.slice(0, 1), 'full', 1), [{ outcome: 'kept', reason: 'mailbox-full' }]);
      await scene.create(store, 'b', { marks: [{ messageId: 'taken', sequenceNumber: 1 }] });
      await posted(store, message('b', { messageId: 'waits' }));
      const outcomes = await store.redrive(letters, undefined, 10);
      assert.equal(outcomes[0]?.outcome, 'redriven');
      assert.deepEqual(outcomes.slice(1), [
        { outcome: 'duplicate', sequenceNumber: 1 },
        { outcome: 'duplicate', sequenceNumber: 0 },
      ]);
      const counts = await store.counts();
      assert.deepEqual([counts.mailbox, counts.deadLetters], [3, 0]);
    },
  },
  {
    title: 'redrives for observers too, and into another agent’s mailbox',
    needs: 'shared',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'b');
      await store.post([message('a')], 10);
      const [letter] = await store.deadLetters({ after: 0, limit: 10 });
      const observer = await scene.observe();
      assert.equal((await observer.redrive([letter?.position ?? 0], 'b', 10))[0]?.outcome, 'redriven');
      assert.equal((await store.mailbox(key, 0))[0]?.to, 'b');
    },
  },
  {
    title: 'discards dead letters, and counts them',
    run: async (scene) => {
      const store = await scene.open();
      await store.post([message('x'), message('x'), message('x')], 10);
      const letters = (await store.deadLetters({ after: 0, limit: 10 })).map(({ position }) => position);
      assert.equal(await store.discard([letters[0] ?? 0, letters[2] ?? 0, letters[2] ?? 0, 1e9]), 2);
      assert.deepEqual(
        (await store.deadLetters({ after: 0, limit: 10 })).map(({ position }) => position),
        [letters[1]],
      );
    },
  },
  {
    title: 'posts a commit’s messages with it, and says what became of each',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      const b = await scene.create(store, 'b');
      const ping = message('b', { messageId: 'm', from: 'a' });
      const { messages } = await applied(store, await scene.turn(store, 'a', { messages: [ping, ping, message('nobody')] }));
      const [mail] = await store.mailbox(b, 0);
      assert.deepEqual(messages, [
        { outcome: 'accepted', position: mail?.position, agent: b },
        { outcome: 'duplicate', sequenceNumber: 0 },
        { outcome: 'dead-letter', reason: 'no-such-agent' },
      ]);
    },
  },
  {
    title: 'posts to an agent that ends later in the group, and buries for one that ended earlier in it',
    run: async (scene) => {
      const store = await scene.open();
      for (const id of ['a', 'b', 'c']) await scene.create(store, id);
      const [first] = await store.commit([
        await scene.turn(store, 'a', { messages: [message('b')] }),
        await scene.turn(store, 'b', { status: 'done', messages: [message('b')] }),
        await scene.turn(store, 'c', { messages: [message('b')] }),
      ]);
      assert.equal(first?.outcome === 'applied' && first.messages[0]?.outcome, 'accepted');
      const counts = await store.counts();
      assert.deepEqual([counts.mailbox, counts.deadLetters], [0, 3]);
    },
  },
  {
    title: 'makes a spawned agent that nobody holds, before the commit’s messages are posted',
    run: async (scene) => {
      const store = await scene.open();
      await scene.create(store, 'a');
      const child = { key: scene.key(store), id: 'child', kind: 'worker', version: 3, input: '{"n":1}', trace: '00-aa-bb-01' };
      const { spawned, messages } = await applied(store, await scene.turn(store, 'a', { spawns: [child], messages: [message('child')] }));
      assert.deepEqual(
        spawned.map(({ key, kind, version, sequenceNumber, owner, trace }) => ({ key, kind, version, sequenceNumber, owner, trace })),
        [{ key: child.key, kind: 'worker', version: 3, sequenceNumber: 0, owner: undefined, trace: '00-aa-bb-01' }],
      );
      assert.equal(messages[0]?.outcome, 'accepted');
      assert.deepEqual(await store.runnable({ after: 0, limit: 10 }), [child.key]);
      const loaded = await taken(store, 'child');
      assert.deepEqual([loaded.input, loaded.checkpoint, loaded.tail, loaded.mailbox.length], ['{"n":1}', undefined, [], 1]);
      assert.deepEqual([loaded.record.owner, loaded.downSince], [store.node, undefined]);
    },
  },
  {
    title: 'answers a spawn of an id in use with the older record, whatever its kind',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'old');
      const spawn = { key: scene.key(store), id: 'old', kind: 'worker', version: 1, input: undefined };
      await scene.create(store, 'a');
      const { spawned } = await applied(store, await scene.turn(store, 'a', { spawns: [spawn] }));
      assert.deepEqual(
        spawned.map((record) => [record.key, record.kind]),
        [[key, 'counter']],
      );
      assert.deepEqual(await store.heads([spawn.key]), [undefined]);
    },
  },
];
