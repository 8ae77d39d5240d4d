/** All agents of a store into another one: whatever it holds is there, runtimes are kept away meanwhile, and nobody runs an agent twice. */

import { expect } from 'chai';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { createRuntime, memory, reply, supervisor, type Store } from 'statewarden';
import { memoryArtifacts } from 'statewarden/artifacts';
import { encrypted } from 'statewarden/encryption';
import { cancelCopy, copyStore } from 'statewarden/moving';
import { sqlite } from 'statewarden/sqlite';
import { faultyStore } from 'statewarden/testing';
import { archiveAgents } from 'statewarden/tiers';
import { likeness } from '#src/persistence/moving/likeness.js';
import { movedError } from '#src/persistence/moving/mark.js';
import type { OpenedStore } from '#src/persistence/store.js';
import { failing, inFolder } from '../bad-input/failing.js';
import { ManualClock } from '../runtime/manual-clock.js';
import { testKeys } from './encryption/keys.js';

const box = setup({
  types: {
    context: {} as { taken: number[] },
    events: {} as { type: 'TAKE'; n: number } | { type: 'ASK' } | { type: 'WAIT' } | { type: 'END' },
  },
}).createMachine({
  id: 'box',
  context: { taken: [] },
  initial: 'open',
  on: {
    TAKE: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) },
    ASK: { actions: reply(({ context }) => context.taken.length) },
    END: '.ended',
  },
  states: { open: { on: { WAIT: 'waiting' } }, waiting: { after: { 60_000: 'late' } }, late: {}, ended: { type: 'final' } },
});
const agents = { box: { machine: box, version: 1 } };
const post = (to: string, n: number, messageId?: string) => ({
  ...{ to, messageId, event: `{"type":"TAKE","n":${String(n)}}`, from: undefined, replyTo: undefined, acceptedAt: 1 },
});

async function opened<T>(store: Store, work: (open: OpenedStore) => Promise<T>): Promise<T> {
  const open = await store.open({ now: Date.now });
  try {
    return await work(open);
  } finally {
    await open.close();
  }
}

/** By id, what is the same in every store. */
const likenesses = (store: Store): Promise<Record<string, string>> =>
  opened(store, async (open) => {
    const records = await open.list({ limit: 10_000 });
    const wholes = await open.whole(records.map(({ key }) => key));
    return Object.fromEntries(wholes.map((whole) => [whole?.record.id ?? '', whole === undefined ? '' : likeness(whole)]));
  });

/** Agents that run, wait, have ended, are archived; mail, dead letters, a supervisor, a budget. */
async function furnish(store: Store, artifacts = memoryArtifacts()): Promise<void> {
  {
    await using runtime = await createRuntime({ store, agents, budgets: { tokens: { limit: 5 } } });
    for (let n = 0; n < 120; n += 1) await (await runtime.spawn('box', { id: `box/${String(n)}` })).send({ type: 'TAKE', n });
    await runtime.agent<'box'>('box/1').send({ type: 'TAKE', n: 1_000 }, { messageId: 'once' });
    await runtime.agent<'box'>('box/2').send({ type: 'WAIT' });
    for (const id of ['box/3', 'box/4']) await runtime.agent<'box'>(id).send({ type: 'END' });
    await (await runtime.supervise(supervisor({ id: 'team' }))).spawn('box', { id: 'child' });
    await runtime.store.post([post('box/3', 1), post('nobody', 2, 'm')], 10);
  }
  const kept = await artifacts.open({ now: Date.now });
  await opened(store, async (open) => {
    await open.post([post('box/5', 7, 'waiting'), { ...post('box/6', 8), replyTo: 'code:1.1' }], 10);
    const { archived } = await archiveAgents({ store: open, artifacts: kept, now: Date.now, ids: ['box/4', 'box/7'] });
    expect(archived).to.deep.equal(['box/4', 'box/7']);
    await open.publish([{ topic: 'mine', author: 'a', data: '1', at: 1 }]);
  });
}

describe('moving house', () => {
  for (const title of ['memory() to sqlite()', 'sqlite() to sqlite()', 'sqlite() to memory()']) {
    it(`copies all that there is, from ${title}, and agents go on there`, () =>
      inFolder(async (folder) => {
        const make = (name: string): Store => (name.startsWith('memory') ? memory() : sqlite(join(folder, `${String(Math.random())}.db`)));
        const [from, to] = title.split(' to ').map(make) as [Store, Store];
        const artifacts = memoryArtifacts();
        await furnish(from, artifacts);
        const before = await likenesses(from);
        const seen: number[] = [];
        const report = await copyStore({ from, to, progress: (done) => void seen.push(done) });
        expect(report).to.deep.include({ agents: 123, unchanged: 0, deadLetters: 2 });
        expect(seen.at(-1)).to.equal(123);
        expect(await likenesses(to)).to.deep.equal(before);
        expect(await likenesses(from)).to.deep.equal(before);
        const letters = (store: Store) =>
          opened(store, async (open) =>
            (await open.deadLetters({ after: 0, limit: 10 })).map(({ position: _, ...letter }) => ({ ...letter, details: letter.details })),
          );
        expect(await letters(to)).to.deep.equal(await letters(from));
        await opened(to, async (open) => {
          expect(await open.check()).to.deep.equal([]);
          expect((await open.notes('mine')).length).to.equal(1);
          expect((await open.machines('box')).length).to.equal(1);
          expect(await open.lookup(['statewarden.copy'])).to.deep.equal([undefined]);
        });
        const archive = { artifacts: await artifacts.open({ now: Date.now }), everyMs: Infinity };
        await using runtime = await createRuntime({ store: to, agents, archive, budgets: { tokens: { limit: 5 } } });
        const box5 = await runtime.agent<'box'>('box/5').waitFor(({ context }) => context.taken.length === 2);
        expect(box5.context.taken).to.deep.equal([5, 7]);
        expect((await runtime.agent<'box'>('box/1').send({ type: 'TAKE', n: 1_000 }, { messageId: 'once' })).duplicate).to.equal(true);
        expect(await runtime.agent<'box'>('box/7').ask({ type: 'ASK' })).to.equal(1);
        expect((await runtime.agent<'box'>('box/4').snapshot()).status).to.equal('done');
        expect((await runtime.agent<'box'>('box/2').snapshot()).value).to.equal('waiting');
        await (await runtime.spawn('box', { id: 'new' })).send({ type: 'TAKE', n: 1 });
        expect(await runtime.store.check()).to.deep.equal([]);
      }));
  }

  it('goes on where it was stopped, with what has changed since, and says what was there', async () => {
    const from = memory();
    await furnish(from);
    const to = faultyStore(memory());
    to.plan('install', undefined, { fault: 'after' });
    await failing('STORE_UNAVAILABLE', () => copyStore({ from, to }));
    await opened(from, async (open) => {
      expect(await movedError(open)).to.equal(undefined);
      await open.post([post('box/10', 9), post('box/100', 9)], 10);
      const [record] = await open.lookup(['box/11']);
      expect(
        await open.remove([{ key: record?.key ?? 0, fence: record?.fence ?? 0, sequenceNumber: record?.sequenceNumber ?? 0, lastMail: 0 }]),
      ).to.deep.equal(['removed']);
    });
    const error = await failing('STORE_MOVED', () => createRuntime({ store: to, agents }));
    expect(error.message).to.include('not all agents');
    const report = await copyStore({ from, to });
    expect(report.agents).to.equal(122);
    expect(report.unchanged).to.be.within(60, 100);
    expect(await likenesses(to)).to.deep.equal(await likenesses(from));
    const again = await failing('COPY_FAILED', () => copyStore({ from, to }));
    expect(again.message).to.include('agents of its own');
  });

  it('finds what was not written as it was read', async () => {
    const from = memory();
    await furnish(from);
    const inner = memory();
    const bad: Store = {
      ...inner,
      open: async (options) => {
        const open = await inner.open(options);
        return Object.assign(open, {
          install: (wholes: Parameters<OpenedStore['install']>[0]) =>
            Object.getPrototypeOf(open).install.call(
              open,
              wholes.map((whole) => (whole.record.id === 'box/50' ? { ...whole, journal: whole.journal.slice(1) } : whole)),
            ) as ReturnType<OpenedStore['install']>,
        });
      },
    };
    const error = await failing('COPY_FAILED', () => copyStore({ from, to: bad }));
    expect(error.message).to.include('"box/50" is not in memory: as it was written');
  });

  it('copies archives and large results to another artifact store when it is told both', async () => {
    const [from, to, one, other] = [memory(), memory(), memoryArtifacts(), memoryArtifacts()];
    await furnish(from, one);
    const artifacts = { from: await one.open({ now: Date.now }), to: await other.open({ now: Date.now }) };
    expect((await copyStore({ from, to, artifacts, move: true })).artifacts).to.equal(2);
    await using runtime = await createRuntime({ store: to, agents, archive: { artifacts: artifacts.to } });
    expect(await runtime.agent<'box'>('box/7').ask({ type: 'ASK' })).to.equal(1);
  });

  it('moves the agents of a runtime that is up: it is sent home, loses nothing it has acknowledged, and none starts there again', () =>
    inFolder(async (folder) => {
      const [from, to] = [sqlite(join(folder, 'a.db')), sqlite(join(folder, 'b.db'))];
      await furnish(from);
      await using runtime = await createRuntime({ store: from, agents, node: { leaseMs: 300 } });
      const acknowledged: number[] = [];
      let error: unknown;
      const sending = (async () => {
        for (let n = 0; error === undefined; n += 1) {
          await runtime
            .agent<'box'>('box/0')
            .send({ type: 'TAKE', n }, { messageId: `live ${String(n)}` })
            .then(
              () => acknowledged.push(n),
              (thrown: unknown) => (error = thrown),
            );
        }
      })();
      const inUse = await failing('COPY_FAILED', () => copyStore({ from, to }));
      expect(inUse.hint).to.include('--move');
      expect(await runtime.agent<'box'>('box/9').ask({ type: 'ASK' })).to.equal(1);
      await copyStore({ from, to, move: true });
      await sending;
      expect(error).to.include({ code: 'STORE_MOVED' });
      expect(acknowledged.length).to.be.greaterThan(10);
      const told = await failing('STORE_MOVED', () => createRuntime({ store: from, agents }));
      expect(told.message).to.include('have moved to sqlite:').and.include('b.db');
      await using there = await createRuntime({ store: to, agents });
      const { taken } = (await there.agent<'box'>('box/0').snapshot()).context;
      expect(taken.slice(1)).to.deep.equal([...new Set(taken.slice(1))]);
      expect(taken).to.include.members(acknowledged);
      const moved = await failing('COPY_FAILED', () => copyStore({ from, to: memory(), move: true }));
      expect(moved.message).to.include('have moved to');
    })).timeout(20_000);

  it('refuses by its fence what a process still writes that slept through the move', async () => {
    const clock = new ManualClock();
    const [from, to] = [memory(), memory()];
    const lease = { name: 'sleeper', ttlMs: 1_000 };
    const sleeper = await from.open({ lease, now: () => clock.now() });
    const create = { kind: 'box', version: 1, input: undefined };
    await sleeper.commit([{ key: 2 ** 32 + 1, id: 'a', fence: 1, expected: 0, sequenceNumber: 0, at: 1, create }]);
    const late = { key: 2 ** 32 + 1, id: 'a', fence: 1, expected: 0, sequenceNumber: 0, at: 2, busy: true };
    await clock.advance(2_000);
    await copyStore({ from, to, move: true, clock });
    expect(await sleeper.commit([late])).to.deep.equal([{ outcome: 'refused', fence: 2, sequenceNumber: 0 }]);
    expect(await likenesses(to)).to.deep.equal(await likenesses(from));
  });

  it('lets a runtime that slept through the move take no agent anew', async () => {
    const clock = new ManualClock();
    const [from, to] = [memory(), memory()];
    // Its timers do not fire while it sleeps.
    const asleep = Object.assign(Object.create(clock) as ManualClock, {
      now: () => clock.now(),
      elapsed: () => clock.elapsed(),
      setTimeout: () => 0,
      clearTimeout: () => undefined,
    });
    const runtime = await createRuntime({ store: from, agents, clock: asleep, limits: { residentAgents: 1 } });
    for (const id of ['a', 'b', 'c']) await (await runtime.spawn('box', { id })).send({ type: 'TAKE', n: 1 });
    await clock.advance(10_000);
    await copyStore({ from, to, move: true, clock });
    for (const id of ['a', 'b', 'c']) {
      const told = await runtime
        .agent<'box'>(id)
        .send({ type: 'TAKE', n: 2 })
        .then(
          () => 'taken',
          (error: unknown) => (error as { code?: string }).code,
        );
      expect(told).to.be.oneOf(['STORE_MOVED', 'LEASE_LOST']);
    }
    expect((await failing('STORE_MOVED', () => runtime.agent<'box'>('a').snapshot())).hint).to.include('Open that one');
    await runtime.close({ graceMs: 0 });
    expect(await likenesses(from)).to.deep.equal(await likenesses(to));
  });

  it('waits no longer than it is told for a runtime that does not go, and can be called off', async () => {
    const [from, to] = [memory(), memory()];
    await furnish(from);
    const stubborn = await from.open({ lease: { name: 'stubborn', ttlMs: 1_000_000 }, now: Date.now });
    const error = await failing('COPY_FAILED', () => copyStore({ from, to, move: true, waitMs: 250 }));
    expect(error.message).to.match(/^memory: is still in use by node \d+, stubborn \(process/);
    await stubborn.close();
    expect((await failing('STORE_MOVED', () => createRuntime({ store: from, agents }))).hint).to.include('--cancel');
    await cancelCopy({ from, to });
    {
      await using runtime = await createRuntime({ store: from, agents });
      expect(await runtime.agent<'box'>('box/9').ask({ type: 'ASK' })).to.equal(1);
    }
    await copyStore({ from, to, move: true });
    expect((await failing('COPY_FAILED', () => cancelCopy({ from, to }))).message).to.include('may have run there');
  });

  it('refuses a store that is used, not empty, or itself', async () => {
    const [from, to] = [memory(), memory()];
    await furnish(from);
    await failing('COPY_FAILED', () => copyStore({ from, to: from }));
    await (await createRuntime({ store: to, agents })).close();
    const node = await to.open({ lease: { name: 'n', ttlMs: 1_000_000 }, now: Date.now });
    expect((await failing('COPY_FAILED', () => copyStore({ from, to }))).hint).to.include('until all agents have come');
    await node.close();
    await copyStore({ from, to });
    expect((await failing('COPY_FAILED', () => copyStore({ from, to }))).message).to.include('agents of its own');
  });

  it('is sealed anew in an encrypted store, with its own keys; without keys an encrypted one is not copied', async () => {
    const [plain, sealed, other, back] = [memory(), memory(), memory(), memory()];
    await furnish(plain);
    const [one, two] = [{ keys: testKeys('one') }, { keys: testKeys('two') }];
    await copyStore({ from: plain, to: encrypted(sealed, one) });
    await copyStore({ from: encrypted(sealed, one), to: encrypted(other, two) });
    await copyStore({ from: encrypted(other, two), to: back });
    expect(await likenesses(back)).to.deep.equal(await likenesses(plain));
    expect(await likenesses(encrypted(other, two))).to.deep.equal(await likenesses(plain));
    await failing('KEY_MISSING', () => copyStore({ from: sealed, to: memory() }));
    await using runtime = await createRuntime({ store: encrypted(other, two), agents });
    expect((await runtime.agent<'box'>('box/9').snapshot()).context).to.deep.equal({ taken: [9] });
  });
});
