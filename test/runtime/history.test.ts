/** An agent's past: run again from its journal, it comes to what was, does nothing, and says so where it did not. */

import { expect } from 'chai';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, createActor, sendTo, setup, type StateValue } from 'xstate';
import { activity, createRuntime, memory, spawnAgent, tell } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { settled, SimulatedClock } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';

const calls: string[] = [];
const fetch = activity({
  name: 'fetch',
  run: async (input: { topic: string }) => {
    calls.push(`fetch ${input.topic}`);
    return `found ${input.topic}`;
  },
});
const child = setup({ types: { context: {} as { n: number } } }).createMachine({
  id: 'child',
  context: { n: 0 },
  on: { UP: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});
const worker = setup({
  types: {
    context: {} as { topic: string; found: string[] },
    input: {} as { topic: string },
    events: {} as { type: 'AGAIN'; topic: string } | { type: 'STOP' } | { type: 'UP' },
    output: {} as string[],
  },
  actors: { fetch, child },
  actions: { note: () => void calls.push('note') },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ topic: input.topic, found: [] }),
  initial: 'working',
  invoke: { src: 'child', id: 'kid' },
  on: { UP: { actions: sendTo('kid', { type: 'UP' }) } },
  states: {
    working: {
      tags: 'busy',
      invoke: {
        src: 'fetch',
        input: ({ context }) => ({ topic: context.topic }),
        onDone: { target: 'resting', actions: assign({ found: ({ context, event }) => [...context.found, event.output] }) },
      },
    },
    resting: {
      entry: ['note', tell('log', { type: 'RESTS' }), spawnAgent('log', { id: 'log' })],
      after: { 1_000: { target: 'bored' } },
      on: { AGAIN: { target: 'working', actions: assign({ topic: ({ event }) => event.topic }) } },
    },
    bored: { on: { AGAIN: { target: 'working', actions: assign({ topic: ({ event }) => event.topic }) }, STOP: 'over' } },
    over: { type: 'final' },
  },
  output: ({ context }) => context.found,
});
const log = setup({}).createMachine({ id: 'log' });
const agents = { worker: { machine: worker, version: 1 }, log: { machine: log, version: 1 } };

describe('the past of an agent', () => {
  let clock: SimulatedClock;
  beforeEach(() => {
    calls.length = 0;
    clock = new SimulatedClock({ now: 1_000_000 });
  });

  it('has every turn with where it led and what it asked for, and does nothing of it again', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, clock });
    const agent = await runtime.spawn('worker', { id: 'w', input: { topic: 'fsync' } });
    await settled();
    await agent.send({ type: 'UP' });
    await clock.advance(1_000);
    await agent.send({ type: 'AGAIN', topic: 'wal' });
    await settled();
    await clock.advance(1_000);
    await agent.send({ type: 'STOP' }, { messageId: 'm-1' });
    expect(await agent.result()).to.deep.equal(['found fsync', 'found wal']);
    const did = [...calls];

    const { turns, more, exact } = await agent.history();
    expect({ more, exact }).to.deep.equal({ more: false, exact: true });
    expect(turns.map(({ sequenceNumber, value, status, tags }) => [sequenceNumber, value, status, tags])).to.deep.equal([
      [1, 'working', 'active', ['busy']],
      [2, 'resting', 'active', []],
      [3, 'resting', 'active', []],
      [4, 'bored', 'active', []],
      [5, 'working', 'active', ['busy']],
      [6, 'resting', 'active', []],
      [7, 'bored', 'active', []],
      [8, 'over', 'done', []],
    ]);
    expect(turns[0]?.asked.operations.map(({ activity: name, path }) => [name, path])).to.deep.equal([['fetch', '0.worker.working']]);
    expect(turns[1]?.asked).to.deep.equal({
      operations: [],
      timers: [{ id: '#xstate.after.1000.worker.resting', delayMs: 1_000 }],
      timersCleared: [],
      messages: [{ to: 'log', event: '{"type":"RESTS"}' }],
      spawns: [{ id: 'log', kind: 'log' }],
      actions: ['note'],
    });
    expect(turns[7]?.entry).to.include({ id: 'm-1', seq: 8 });
    expect(turns[3]?.entry.timer).to.equal('#xstate.after.1000.worker.resting');

    const { turns: some, more: others } = await agent.history({ after: 2, limit: 3 });
    expect([some.map(({ sequenceNumber }) => sequenceNumber), others]).to.deep.equal([[3, 4, 5], true]);
    const { context, value, snapshot } = await agent.at(3);
    expect({ context, value }).to.deep.equal({ context: { topic: 'fsync', found: ['found fsync'] }, value: 'resting' });
    expect(snapshot['children']).to.have.nested.property('kid.snapshot.context.n', 1);
    expect((await agent.at(2)).snapshot['children']).to.have.nested.property('kid.snapshot.context.n', 0);
    await settled();
    expect(calls).to.deep.equal(did);
    expect(await runtime.store.counts()).to.deep.include({ timers: 0, mailbox: 0 });
  });

  it('is there while the agent lives, and does not disturb it', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, clock });
    const agent = await runtime.spawn('worker', { id: 'w', input: { topic: 'a' } });
    await settled();
    const all = await Promise.all([agent.history(), agent.send({ type: 'UP' }), agent.history(), agent.at(1)]);
    expect(all[0].turns.length).to.be.at.least(2);
    expect((await agent.history()).turns.at(-1)?.entry.event).to.deep.equal({ type: 'UP' });
    expect((await agent.snapshot()).value).to.equal('resting');
  });

  it('says so when it came out differently', async () => {
    let chance = 0;
    const dicing = setup({ types: { context: {} as { n: number } } }).createMachine({
      id: 'dicing',
      context: () => ({ n: (chance += 1) }),
      on: { ROLL: { actions: assign({ n: () => (chance += 1) }) } },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { dicing: { machine: dicing, version: 1 } } });
    const agent = await runtime.spawn('dicing', { id: 'd' });
    await agent.send({ type: 'ROLL' });
    await agent.snapshot(); // which makes a checkpoint
    expect((await agent.history()).exact).to.equal(false);
    expect((await agent.at(2)).exact).to.equal(false);
    expect((await agent.at(1)).exact).to.equal(undefined);
    expect((await agent.history({ limit: 1 })).exact).to.equal(undefined);
  });

  it('follows an outcome whose call came out with another input', async () => {
    let chance = 0;
    const asking = setup({ actors: { fetch } }).createMachine({
      id: 'asking',
      initial: 'a',
      states: { a: { invoke: { src: 'fetch', input: () => ({ topic: String((chance += 1)) }), onDone: 'b' } }, b: {} },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { asking: { machine: asking, version: 1 } } });
    const agent = await runtime.spawn('asking', { id: 'x' });
    await agent.waitFor(({ value }) => value === 'b');
    expect((await agent.history()).turns.map(({ value }) => value)).to.deep.equal(['a', 'b']);
  });

  it('is that of an archived agent too, and of results that are artifacts', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'statewarden-history-'));
    const artifacts = await files(folder).open({ now: () => clock.now() });
    try {
      const big = activity({ name: 'big', run: async () => 'x'.repeat(100_000) });
      const reading = setup({ types: { context: {} as { length: number } }, actors: { big } }).createMachine({
        id: 'reading',
        context: { length: 0 },
        initial: 'a',
        states: {
          a: { invoke: { src: 'big', onDone: { target: 'b', actions: assign({ length: ({ event }) => event.output.length }) } } },
          b: { type: 'final' },
        },
      });
      const store = memory();
      await using runtime = await createRuntime({
        store,
        clock,
        agents: { reading: { machine: reading, version: 1 } },
        results: { artifacts, inlineBytes: 1_000 },
        archive: { artifacts, finishedAfterMs: 1_000, everyMs: 1_000 },
      });
      const agent = await runtime.spawn('reading', { id: 'r' });
      await agent.result();
      expect((await agent.at(2)).context).to.deep.equal({ length: 100_000 });
      const archived = async (): Promise<boolean> => (await runtime.store.lookup(['r']))[0]?.archive !== undefined;
      for (let tries = 0; tries < 200 && !(await archived()); tries += 1) {
        await clock.advance(60_000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      expect(await archived()).to.equal(true);
      expect((await agent.history()).turns.map(({ value }) => value)).to.deep.equal(['a', 'b']);
      expect(await archived()).to.equal(true);
    } finally {
      await artifacts.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('cannot be told of nobody, of no such turn, and without the code', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents, clock });
      const agent = await runtime.spawn('worker', { id: 'w', input: { topic: 'a' } });
      await failing('UNKNOWN_AGENT', () => runtime.agent('nobody').history());
      await failing('BAD_INPUT', () => agent.at(99));
      for (const bad of [0, 1.5, NaN, '2']) await failing('BAD_INPUT', () => agent.at(bad as number));
      await failing('BAD_INPUT', () => agent.history({ limit: 0 }));
    }
    await using runtime = await createRuntime({ store, agents: { log: agents.log }, clock });
    await failing('UNKNOWN_KIND', () => runtime.agent('w').history());
  });

  it('comes to what XState comes to, for any events', async () => {
    const events = fc.array(fc.constantFrom('A' as const, 'B' as const, 'C' as const), { maxLength: 30 });
    const machine = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
      id: 'm',
      context: { seen: [] },
      type: 'parallel',
      on: { C: { actions: assign({ seen: ({ context }) => [...context.seen, 'C'] }) } },
      states: {
        one: { initial: 'x', states: { x: { on: { A: 'y' } }, y: { on: { A: 'x', B: 'x' } } } },
        two: {
          initial: 'x',
          states: {
            x: { on: { B: { target: 'y', actions: assign({ seen: ({ context }) => [...context.seen, 'B'] }) } } },
            y: { on: { A: 'x' } },
          },
        },
      },
    });
    await fc.assert(
      fc.asyncProperty(events, async (types) => {
        await using runtime = await createRuntime({ store: memory(), agents: { m: { machine, version: 1 } } });
        const agent = await runtime.spawn('m', { id: 'm' });
        const plain = createActor(machine).start();
        const values: StateValue[] = [plain.getSnapshot().value];
        for (const type of types) {
          plain.send({ type });
          values.push(plain.getSnapshot().value);
        }
        await Promise.all(types.map((type) => agent.send({ type })));
        const { turns } = await agent.history();
        expect(turns.map(({ value }) => value)).to.deep.equal(values);
        expect((await agent.at(turns.length)).context).to.deep.equal(plain.getSnapshot().context);
      }),
      { numRuns: 30 },
    );
  });
});
