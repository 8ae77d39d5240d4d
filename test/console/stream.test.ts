/** What pages are told as it happens, and what it costs the runtime: nothing when nobody looks, a bounded little when somebody does not read. */

import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { createRuntime, memory, type Runtime, type Store } from 'statewarden';
import { serveConsole, serveStore } from 'statewarden/console';
import { sqlite } from 'statewarden/sqlite';
import type * as api from '#src/console/api.js';
import { get, openStream } from './asking.js';
import { kinds, openFleet, until } from './fleet.js';
import { ownServer } from './own-server.js';

const counter = setup({
  types: {
    context: {} as { n: number; filler: string | string[] },
    events: {} as { type: 'INC' } | { type: 'GROW'; size: number } | { type: 'FILL'; with: number },
  },
}).createMachine({
  id: 'counter',
  context: { n: 0, filler: '' },
  initial: 'even',
  on: {
    GROW: { actions: assign({ filler: ({ event }) => 'x'.repeat(event.size) }) },
    FILL: { actions: assign({ filler: ({ event }) => Array.from({ length: 15 }, () => String(event.with).padEnd(3_900, 'x')) }) },
  },
  states: {
    even: { on: { INC: { target: 'odd', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
    odd: { on: { INC: { target: 'even', actions: assign({ n: ({ context }) => context.n + 1 }) } } },
  },
});

const knot = setup({ types: { context: {} as Record<string, unknown>, events: {} as { type: 'TIE' } | { type: 'NEXT' } } }).createMachine({
  id: 'knot',
  context: { apiKey: 'sk-live-0123456789abcdef' },
  on: {
    NEXT: {},
    TIE: {
      actions: assign(() => {
        const made: Record<string, unknown> = {};
        return Object.assign(made, { self: made });
      }),
    },
  },
});

async function openCounters(store: Store): Promise<Runtime> {
  return (await createRuntime({ store, agents: { ...kinds, counter: { machine: counter, version: 1 } } })) as unknown as Runtime;
}

const send = (runtime: Runtime, id: string, event: unknown): Promise<unknown> => runtime.agent(id).send(event as never);
const isListenedTo = (runtime: Runtime): boolean => (runtime.events$ as unknown as { source: { observed: boolean } }).source.observed;

describe('the stream of a console', () => {
  it('listens to the runtime only while a page is open', async () => {
    await using runtime = await openFleet(memory());
    const served = await serveConsole(runtime, { port: 0 });
    await get(served, '/api/agents');
    expect(isListenedTo(runtime)).to.equal(false);
    const stream = await openStream(served, 'topics=agents,counts');
    await stream.until('beat');
    expect(isListenedTo(runtime)).to.equal(true);
    expect(served.pages).to.equal(1);
    stream.close();
    await until('nobody listens', () => !isListenedTo(runtime));
    expect(served.pages).to.equal(0);
  });

  it('tells of the watched agent: every turn, once, in order, with its newest state', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-1' } as never);
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'agent=c-1');
    const first = await stream.until('agent');
    expect(first).to.deep.include({ id: 'c-1', sequenceNumber: 1, state: 'even', status: 'active', turns: [], skipped: 0 });
    for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 40 }, () => send(runtime, 'c-1', { type: 'INC' })));
    const last = await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 201);
    expect(last.state).to.equal('even');
    expect(last.context?.value).to.include({ n: 200 });
    const told = stream.events.flatMap((event) => (event.type === 'agent' ? event.turns : [])).map(({ sequenceNumber }) => sequenceNumber);
    const skipped = stream.events.reduce((sum, event) => sum + (event.type === 'agent' ? event.skipped : 0), 0);
    expect(told).to.deep.equal([...new Set(told)].sort((one, other) => one - other));
    expect(told.length + skipped).to.equal(200);
    stream.close();
  });

  it('begins with the context as it is in memory, not as an older checkpoint has it', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-1' } as never);
    for (let round = 0; round < 3; round += 1) await send(runtime, 'c-1', { type: 'INC' });
    expect((await runtime.store.lookup(['c-1']))[0]?.checkpointSequenceNumber).to.equal(1);
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'agent=c-1');
    const first = await stream.until('agent');
    expect(first).to.include({ sequenceNumber: 4, contextAt: 4 });
    expect(first.context?.value).to.include({ n: 3 });
    expect(await get<api.AgentDetail>(served, '/api/agents/c-1')).to.include({ sequenceNumber: 4, contextAt: 4 });
    stream.close();
    const atRest = await serveStore(runtime.store, { port: 0, storeName: 'memory', keepAlive: false });
    const detail = await get<api.AgentDetail>(atRest, '/api/agents/c-1');
    expect(detail).to.include({ sequenceNumber: 4, contextAt: 1 });
    expect(detail.context?.value).to.include({ n: 0 });
    await atRest.close();
  });

  it('makes no checkpoints of its own for an agent that is watched', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-1' } as never);
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'agent=c-1');
    await stream.until('agent');
    const checkpoint = async (): Promise<number> => (await runtime.store.lookup(['c-1']))[0]?.checkpointSequenceNumber ?? 0;
    const before = await checkpoint();
    for (let round = 0; round < 5; round += 1) await send(runtime, 'c-1', { type: 'INC' });
    await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 6);
    expect(await checkpoint()).to.equal(before);
    stream.close();
  });

  it('tells of agents whose state has changed, of counts, trees, people and dead letters', async () => {
    await using runtime = await openFleet(memory());
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'topics=agents,counts,tree,people,dead-letters,breakers');
    await stream.until('beat');
    await runtime.spawn('worker', { id: 'w-1' } as never);
    await send(runtime, 'w-1', { type: 'WORK' });
    const { agents } = await stream.until('agents', (event) => event.agents.some(({ state }) => state === 'working'));
    expect(agents.find(({ id }) => id === 'w-1')).to.include({ kind: 'worker', status: 'active', sequenceNumber: 2 });
    await stream.until('counts', ({ counts }) => counts.agents.active === 1);
    await runtime.spawn('lender', { id: 'l-1', input: { title: 'May I?' } } as never);
    await stream.until('people', ({ waiting }) => waiting === 1);
    await runtime.supervise({ id: 'team', strategy: 'one-for-one', children: [] } as never).catch(() => undefined);
    await runtime.agent('w-1').stop();
    await send(runtime, 'w-1', { type: 'WORK' }).catch(() => undefined);
    await stream.until('dead-letters', ({ count }) => count === 1);
    const page = await get<api.RuntimePage>(served, '/api/runtime');
    await until('a second is over', async () => ((await get<api.RuntimePage>(served, '/api/runtime')).series?.turns.length ?? 0) > 0);
    expect(page.series).to.have.keys([
      'at',
      'turns',
      'commits',
      'groupSize',
      'commitP50',
      'commitP99',
      'bytes',
      'checkpoints',
      'recoveries',
      'failures',
    ]);
    stream.close();
  });

  it('tells at most ten batches a second', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-1' } as never);
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'agent=c-1&topics=agents');
    await stream.until('agent');
    const began = performance.now();
    for (let round = 0; round < 300; round += 1) await send(runtime, 'c-1', { type: 'INC' });
    await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 301);
    const seconds = (performance.now() - began) / 1_000;
    const batches = stream.events.filter(({ type }) => type === 'agent').length - 1;
    expect(batches).to.be.at.most(Math.ceil(seconds * 10) + 2);
    stream.close();
  });

  it('cuts off a page that never reads, and frees what it held', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-0' } as never);
    const served = await serveConsole(runtime, { port: 0, stallMs: 300 });
    const sockets = Array.from({ length: 3 }, () => connect(served.port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.pause();
      socket.write(`GET /api/stream?agent=c-0 HTTP/1.1\r\nHost: 127.0.0.1:${String(served.port)}\r\n\r\n`);
    }
    await until('they are open', () => served.pages === 3);
    for (let turn = 0; served.pages > 0; turn += 1) {
      await send(runtime, 'c-0', { type: 'FILL', with: turn });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(served.pages).to.equal(0);
    expect(isListenedTo(runtime)).to.equal(false);
    const stream = await openStream(served, 'topics=agents');
    await stream.until('beat');
    stream.close();
    for (const socket of sockets) socket.destroy();
  });

  it('makes nothing more for a page that does not read, and holds no more than one batch', async () => {
    await using runtime = await openCounters(memory());
    await runtime.spawn('counter', { id: 'c-0' } as never);
    const served = await ownServer(runtime);
    const socket = connect(served.port, '127.0.0.1').on('error', () => undefined);
    socket.pause();
    socket.write(`GET /api/stream?agent=c-0&topics=agents,counts HTTP/1.1\r\nHost: 127.0.0.1:${String(served.port)}\r\n\r\n`);
    await until('it is open', () => served.hub.size === 1);
    let made = 0;
    const [client] = served.clients;
    if (client === undefined) throw new Error('no client');
    const compose = client.compose.bind(client);
    client.compose = async () => {
      made += 1;
      return compose();
    };
    const fill = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns; turn += 1) await send(runtime, 'c-0', { type: 'FILL', with: turn });
    };
    // What the system's own buffers take is written; then it stands still, although turns go on.
    for (let [stood, before] = [0, -1]; stood < 20; before = made) {
      await fill(5);
      await new Promise((resolve) => setTimeout(resolve, 100));
      stood = made === before ? stood + 1 : 0;
    }
    const [held, madeBefore] = [served.answers[0]?.writableLength ?? Infinity, made];
    await fill(500);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(made).to.equal(madeBefore);
    expect(served.answers[0]?.writableLength).to.equal(held);
    expect(held).to.be.below(400_000);
    socket.destroy();
    await until('it is let go', () => served.hub.size === 0);
    await served.close();
  });

  it('has room for so many pages and no more', async () => {
    await using runtime = await openFleet(memory());
    const served = await serveConsole(runtime, { port: 0, pages: 2 });
    const streams = [await openStream(served, 'topics=counts'), await openStream(served, 'topics=counts')];
    const refused = await openStream(served, 'topics=counts').catch((error: unknown) => (error as Error).message);
    expect(refused).to.match(/^503.*2 pages are open/);
    const unknown = await openStream(served, 'topics=weather').catch((error: unknown) => (error as Error).message);
    expect(unknown).to.match(/^400.*weather/);
    for (const stream of streams) stream.close();
  });

  it('ends its pages when the runtime closes', async () => {
    const runtime = await openFleet(memory());
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'topics=counts');
    await stream.until('beat');
    await runtime.close();
    expect(served.pages).to.equal(0);
  });

  it('follows an agent in a store that another one writes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'statewarden-console-'));
    try {
      const file = join(folder, 'agents.db');
      await using runtime = await openCounters(sqlite(file));
      await runtime.spawn('counter', { id: 'c-1' } as never);
      const store = await sqlite(file).open({ now: Date.now });
      const served = await serveStore(store, { port: 0, storeName: 'sqlite:agents.db' });
      const stream = await openStream(served, 'agent=c-1&topics=counts');
      await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 1);
      await send(runtime, 'c-1', { type: 'INC' });
      const { turns, state } = await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 2);
      expect([turns.map(({ type }) => type), state]).to.deep.equal([['INC'], 'odd']);
      stream.close();
      await served.close();
      await store.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('shows an agent as it was when its context would have gone in circles, for that turn is refused', async () => {
    await using runtime = await createRuntime({ store: memory(), agents: { knot: { machine: knot, version: 1 } } });
    const agent = await runtime.spawn('knot', { id: 'k-1' });
    const served = await serveConsole(runtime, { port: 0 });
    const stream = await openStream(served, 'agent=k-1');
    await stream.until('agent');
    const error = await agent.send({ type: 'TIE' }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'NOT_SERIALIZABLE', path: 'context.self.self' });
    const shown = { sequenceNumber: 1, status: 'active', context: { value: { apiKey: '…redacted' } } };
    expect(await get<api.AgentDetail>(served, '/api/agents/k-1')).to.deep.include(shown);
    await agent.send({ type: 'NEXT' });
    expect(await stream.until('agent', ({ sequenceNumber }) => sequenceNumber === 2)).to.deep.include({ status: 'active' });
    stream.close();
  });

  it('never sends a context of ten megabytes whole', async () => {
    await using runtime = await createRuntime({
      store: memory(),
      agents: { counter: { machine: counter, version: 1 } },
      limits: { eventBytes: 20_000_000 },
    });
    const agent = await runtime.spawn('counter', { id: 'c-1' });
    const served = await serveConsole(runtime, { port: 0 });
    await agent.send({ type: 'GROW', size: 10_000_000 });
    const response = await fetch(`${served.url}api/agents/c-1`);
    const text = await response.text();
    expect(text.length).to.be.below(100_000);
    expect((JSON.parse(text) as api.AgentDetail).context?.cut).to.deep.equal(['/filler']);
    const stream = await openStream(served, 'agent=c-1');
    expect(JSON.stringify(await stream.until('agent')).length).to.be.below(20_000);
    stream.close();
  });
});
