/** Who may write: leases, takeover, fences against zombies, what runs next, mail from others. */

import assert from 'node:assert/strict';
import { RuntimeClosedError } from '../../core/errors.js';
import { applied, message, posted, taken, timer, ttlMs, type StoreCase } from './scene.js';

export const ownershipCases: readonly StoreCase[] = [
  {
    title: 'keeps the fence when a node loads what it holds',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const loaded = await taken(store, key);
      assert.deepEqual([loaded.record.fence, loaded.record.owner, loaded.downSince], [1, store.node, undefined]);
      assert.equal((await store.load(['nobody']))[0]?.outcome, 'absent');
    },
  },
  {
    title: 'numbers nodes by opening, and gives an observer 0',
    needs: 'moved-time',
    run: async (scene) => {
      const first = await scene.open('first');
      await first.close();
      const second = await scene.open('second');
      assert.ok(second.node > first.node && first.node > 0);
      assert.equal((await scene.observe()).node, 0);
      const nodes = await second.nodes();
      assert.deepEqual(
        nodes.map(({ node, name, openedAt, expiresAt }) => ({ node, name, openedAt, expiresAt })),
        [{ node: second.node, name: 'second', openedAt: scene.now, expiresAt: scene.now + ttlMs }],
      );
    },
  },
  {
    title: 'gives a live node’s agents to nobody else',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      await scene.create(one, 'a', { busy: true, timers: [timer('t', scene.now)] });
      const [outcome] = await two.load(['a']);
      assert.equal(outcome?.outcome, 'owned');
      assert.deepEqual(outcome.outcome === 'owned' && [outcome.record.fence, outcome.node.name], [1, 'one']);
      assert.deepEqual(await two.runnable({ after: 0, limit: 10 }), []);
      assert.deepEqual(await two.dueTimers({ before: scene.now + 1, limit: 10 }), []);
      await applied(one, await scene.turn(one, 'a'));
    },
  },
  {
    title: 'gives them at once when the node closes, with the time it closed',
    needs: ['shared', 'moved-time'],
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await scene.create(one, 'a', { busy: true, timers: [timer('t', scene.now)] });
      scene.now += 100;
      await one.close();
      assert.deepEqual(await two.runnable({ after: 0, limit: 10 }), [key]);
      assert.deepEqual(await two.dueTimers({ before: scene.now, limit: 10 }), [{ agent: key, id: 't', dueAt: scene.now - 100 }]);
      scene.now += 100;
      const loaded = await taken(two, key);
      assert.deepEqual([loaded.record.fence, loaded.record.owner, loaded.downSince], [2, two.node, scene.now - 100]);
    },
  },
  {
    title:
      'gives up agents that it is told to, and no other node’s; what their holder of before still writes is refused once another has them',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await scene.create(one, 'a', { busy: true, timers: [timer('t', scene.now)] });
      const other = await scene.create(two, 'theirs', { busy: true });
      await scene.create(one, 'kept', { busy: true });
      const late = await scene.turn(one, 'a');
      assert.deepEqual(await one.runnable({ after: 0, limit: 10, unheld: true }), []);
      await one.release([key, other, 4_000_000_000]);
      assert.deepEqual(
        (await one.lookup(['a', 'theirs'])).map((record) => [record?.owner, record?.fence]),
        [
          [undefined, 1],
          [two.node, 1],
        ],
      );
      for (const store of [one, two]) {
        assert.deepEqual(await store.runnable({ after: 0, limit: 10, unheld: true }), [key]);
        assert.deepEqual(await store.dueTimers({ before: scene.now + 1, limit: 10 }), [{ agent: key, id: 't', dueAt: scene.now }]);
      }
      const loaded = await taken(two, 'a');
      assert.deepEqual([loaded.record.owner, loaded.record.fence, loaded.downSince], [two.node, 2, undefined]);
      assert.deepEqual(await one.commit([late]), [{ outcome: 'refused', fence: 2, sequenceNumber: 1 }]);
      assert.equal((await one.load(['a']))[0]?.outcome, 'owned');
      await applied(two, await scene.turn(two, 'a'));
      await one.release([]);
    },
  },
  {
    title: 'takes over from a node whose lease ran out, and refuses what the zombie still writes',
    needs: ['shared', 'moved-time'],
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const key = await scene.create(one, 'a');
      await scene.create(one, 'b');
      const late = await scene.turn(one, 'a', { messages: [message('b')], timers: [timer('t', 1)] });
      const seen = scene.now;
      scene.now += ttlMs + 1;
      const loaded = await taken(two, 'a');
      assert.deepEqual([loaded.record.fence, loaded.downSince], [2, seen]);
      assert.deepEqual(await one.commit([late]), [{ outcome: 'refused', fence: 2, sequenceNumber: 1 }]);
      const counts = await two.counts();
      assert.deepEqual([counts.journalSegments, counts.mailbox, counts.timers], [2, 0, 0]);
      assert.equal(await one.heartbeat(), false);
      await applied(two, await scene.turn(two, 'a'));
      assert.deepEqual(await two.heads([key]), [{ fence: 2, sequenceNumber: 2 }]);
    },
  },
  {
    title: 'keeps a lease alive by heartbeats, and revives one that ran out unnoticed',
    needs: ['shared', 'moved-time'],
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      await scene.create(one, 'a');
      scene.now += ttlMs - 1;
      assert.equal(await one.heartbeat(), true);
      scene.now += ttlMs - 1;
      assert.equal((await two.load(['a']))[0]?.outcome, 'owned');
      scene.now += 10;
      assert.deepEqual((await two.nodes()).map(({ name }) => name).includes('one'), false);
      assert.equal(await one.heartbeat(), true);
      assert.equal((await two.load(['a']))[0]?.outcome, 'owned');
      await applied(one, await scene.turn(one, 'a'));
    },
  },
  {
    title: 'loads many at once, each on its own terms',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      await scene.create(one, 'gone');
      await one.close();
      const two = await scene.open('two');
      await scene.create(two, 'other');
      const three = await scene.open('three');
      await scene.create(three, 'own');
      await scene.create(three, 'done', { status: 'done' });
      const outcomes = await three.load(['gone', 'other', 'own', 'done', 'absent']);
      assert.deepEqual(
        outcomes.map(({ outcome }) => outcome),
        ['loaded', 'owned', 'loaded', 'loaded', 'absent'],
      );
    },
  },
  {
    title: 'reads a finished agent without taking it, unless it is busy',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      await scene.create(one, 'done', { status: 'done', outcome: '1' });
      await scene.create(one, 'settling', { status: 'done', outcome: '1', busy: true });
      const two = await scene.open('two');
      assert.equal((await taken(two, 'done')).record.owner, one.node);
      assert.equal((await two.load(['settling']))[0]?.outcome, 'owned');
      await one.close();
      const [done, settling] = [await taken(two, 'done'), await taken(two, 'settling')];
      assert.deepEqual([done.record.fence, settling.record.fence], [1, 2]);
      assert.equal(settling.record.owner, two.node);
    },
  },
  {
    title: 'lists what can run in order of key, page by page: busy, with mail, just spawned',
    run: async (scene) => {
      const store = await scene.open();
      const idle = await scene.create(store, 'idle');
      const busy = await scene.create(store, 'busy', { busy: true });
      const settling = await scene.create(store, 'settling', { status: 'done', busy: true });
      const mailed = await scene.create(store, 'mailed');
      const parked = await scene.create(store, 'parked', { status: 'parked' });
      await posted(store, message('mailed'), message('mailed'), message('parked'));
      const spawned = { key: scene.key(store), id: 'spawned', kind: 'worker', version: 1, input: undefined };
      await applied(store, await scene.turn(store, 'idle', { spawns: [spawned] }));
      const all = await store.runnable({ after: 0, limit: 10 });
      assert.deepEqual(all, [busy, settling, mailed, spawned.key]);
      assert.deepEqual(await store.runnable({ after: 0, limit: 2 }), all.slice(0, 2));
      assert.deepEqual(await store.runnable({ after: settling, limit: 10 }), all.slice(2));
      assert.ok(!all.includes(idle) && !all.includes(parked));
    },
  },
  {
    title: 'gives the earliest timers due before a time; upserts and clears them',
    run: async (scene) => {
      const store = await scene.open();
      const at = scene.now;
      const a = await scene.create(store, 'a', { timers: [timer('late', at + 30), timer('soon', at + 10)] });
      const b = await scene.create(store, 'b', {
        timers: [timer('middle', at + 20, { policy: 'restart', target: 'child', delayMs: 0.5 })],
      });
      const due = async (before: number, limit = 10): Promise<string[]> => (await store.dueTimers({ before, limit })).map(({ id }) => id);
      assert.deepEqual(await store.dueTimers({ before: at + 21, limit: 10 }), [
        { agent: a, id: 'soon', dueAt: at + 10 },
        { agent: b, id: 'middle', dueAt: at + 20 },
      ]);
      assert.deepEqual(await due(at + 20), ['soon']);
      assert.deepEqual(await due(at + 100, 1), ['soon']);
      assert.deepEqual((await taken(store, b)).timers, [timer('middle', at + 20, { policy: 'restart', target: 'child', delayMs: 0.5 })]);
      await applied(store, await scene.turn(store, 'a', { timersCleared: ['soon', 'unknown'], timers: [timer('late', at + 5)] }));
      assert.deepEqual(await due(at + 100), ['late', 'middle']);
      await applied(store, await scene.turn(store, 'a', { timersCleared: 'all', timers: [timer('new', at + 40)] }));
      assert.deepEqual(await due(at + 100), ['middle', 'new']);
    },
  },
  {
    title: 'tells a node of mail that others post or send to agents that are free or its own',
    needs: 'shared',
    run: async (scene) => {
      const one = await scene.open('one');
      const two = await scene.open('two');
      const own = await scene.create(one, 'own');
      await scene.create(two, 'theirs');
      const heard = new Set<number>();
      let wake = (): void => undefined;
      one.onForeignMail((agents) => {
        for (const agent of agents) heard.add(agent);
        wake();
      });
      const hears = async (key: number): Promise<void> => {
        while (!heard.has(key)) await new Promise<void>((resolve) => (wake = resolve));
      };
      await posted(await scene.observe(), message('theirs'), message('own'));
      await hears(own);
      const child = { key: scene.key(two), id: 'child', kind: 'worker', version: 1, input: undefined };
      await applied(two, await scene.turn(two, 'theirs', { spawns: [child], messages: [message('child')] }));
      await hears(child.key);
      assert.deepEqual([...heard], [own, child.key]);
    },
  },
  {
    title: 'lets an observer read and post, and nothing more',
    run: async (scene) => {
      const store = await scene.open();
      const key = await scene.create(store, 'a');
      const observer = await scene.observe();
      await posted(observer, message('a'));
      assert.equal((await observer.inspect('a'))?.mailbox.length, 1);
      assert.equal((await observer.inspect(key))?.record.id, 'a');
      assert.equal(await observer.inspect('nobody'), undefined);
      assert.equal((await taken(observer, 'a')).record.owner, store.node);
      await assert.rejects(observer.commit([await scene.turn(observer, 'a')]));
      assert.deepEqual(await store.heads([key]), [{ fence: 1, sequenceNumber: 1 }]);
      await observer.close();
      assert.equal((await store.nodes()).length, 1);
    },
  },
  {
    title: 'closes twice without complaint, after what was asked before, and answers nothing more',
    run: async (scene) => {
      const store = await scene.open();
      const key = scene.birth(store, 'a');
      const under = store.commit([key]);
      await Promise.all([store.close(), store.close()]);
      assert.equal((await under)[0]?.outcome, 'applied');
      await store.close();
      for (const call of [
        () => store.commit([]),
        () => store.lookup(['a']),
        () => store.post([message('a')], 1),
        () => store.heartbeat(),
      ]) {
        await assert.rejects(call(), RuntimeClosedError);
      }
    },
  },
];
