import { expect } from 'chai';
import { assign, fromCallback, setup } from 'xstate';
import { activity, createRuntime, memory, tell, type RuntimeEvent } from 'statewarden';
import { ManualClock, settled } from './manual-clock.js';

const counter = setup({
  types: {
    context: {} as { count: number; rang: boolean },
    events: {} as { type: 'INC' } | { type: 'TELL'; to: string } | { type: 'SET' } | { type: 'RING' },
  },
}).createMachine({
  id: 'counter',
  context: { count: 0, rang: false },
  initial: 'quiet',
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    TELL: { actions: tell(({ event }) => event.to, { type: 'INC' }) },
  },
  states: { quiet: { on: { SET: 'armed' } }, armed: { after: { 60_000: { target: 'quiet', actions: assign({ rang: true }) } } } },
});
const agents = { counter: { machine: counter, version: 1 } };

describe('passivation', () => {
  it('keeps at most so many agents in memory, and loses nothing of the others', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { residentAgents: 10 } });
    const out = new Set<string>();
    runtime.events$.subscribe((event) => {
      if (event.type === 'passivated') out.add(event.agentId);
      if (event.type === 'recovery') out.delete(event.agentId);
    });
    const ids = Array.from({ length: 200 }, (_, n) => `c-${String(n)}`);
    for (const id of ids) await (await runtime.spawn('counter', { id })).send({ type: 'INC' });
    for (const id of ids) await runtime.agent<'counter'>(id).send({ type: 'INC' });
    await settled();
    expect(200 - out.size).to.be.at.most(10 + 1);
    for (const id of ids) expect((await runtime.agent<'counter'>(id).snapshot()).context.count).to.equal(2);
  });

  it('passivates the least recently used first', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { residentAgents: 3 } });
    const left: string[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'passivated' && left.push(event.agentId)));
    const spawn = (id: string) => runtime.spawn('counter', { id });
    const [a, b] = [await spawn('a'), await spawn('b')];
    await spawn('c');
    await a.send({ type: 'INC' });
    await spawn('d');
    expect(left).to.deep.equal(['b']);
    await a.snapshot(); // looking at it is using it
    await b.send({ type: 'INC' });
    await spawn('e');
    expect(left).to.deep.equal(['b', 'c', 'd']);
  });

  it('keeps those in use when many others come and go', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { residentAgents: 200 } });
    const left: string[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'passivated' && left.push(event.agentId)));
    const favourite = await runtime.spawn('counter', { id: 'favourite' });
    for (let n = 0; n < 1_000; n += 1) {
      await runtime.spawn('counter', { id: `c-${String(n)}` });
      await favourite.send({ type: 'INC' });
    }
    expect(left).to.have.lengthOf.within(800, 810);
    expect(left).to.not.include('favourite');
  });

  it('wakes an agent that another one tells something', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { residentAgents: 1 } });
    await runtime.spawn('counter', { id: 'sleeper' });
    const events: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => events.push(event));
    const teller = await runtime.spawn('counter', { id: 'teller' });
    await runtime.spawn('counter', { id: 'other' });
    await runtime.spawn('counter', { id: 'another' });
    expect(events.some((event) => event.type === 'passivated' && event.agentId === 'sleeper')).to.equal(true);
    await teller.send({ type: 'TELL', to: 'sleeper' });
    await settled();
    expect(events.some((event) => event.type === 'recovery' && event.agentId === 'sleeper' && event.outcome === 'resumed')).to.equal(true);
    expect((await runtime.agent<'counter'>('sleeper').snapshot()).context.count).to.equal(1);
  });

  it('wakes an agent whose timer is due, and costs one real timer for all', async () => {
    const clock = new ManualClock();
    await using runtime = await createRuntime({ store: memory(), agents, clock, limits: { residentAgents: 3 } });
    for (let n = 0; n < 50; n += 1) await (await runtime.spawn('counter', { id: `c-${String(n)}` })).send({ type: 'SET' });
    expect(clock.armed).to.be.at.most(3); // the timers', the heartbeat's, and that of the look at what others leave
    await clock.advance(59_999);
    expect((await runtime.agent<'counter'>('c-7').snapshot()).context.rang).to.equal(false);
    await clock.advance(1);
    for (let n = 0; n < 50; n += 1) {
      const snapshot = await runtime.agent<'counter'>(`c-${String(n)}`).snapshot();
      expect([snapshot.value, snapshot.context.rang]).to.deep.equal(['quiet', true]);
    }
  });

  it('leaves alone an agent with an activity under way, a running callback, or a watcher', async () => {
    let finish: () => void = () => undefined;
    const slow = activity({ name: 'slow', run: () => new Promise<void>((resolve) => (finish = resolve)) });
    const calling = setup({ actors: { slow } }).createMachine({ invoke: { src: 'slow' } });
    const listening = setup({ actors: { listen: fromCallback(() => () => undefined) } }).createMachine({ invoke: { src: 'listen' } });
    await using runtime = await createRuntime({
      store: memory(),
      agents: { ...agents, calling: { machine: calling, version: 1 }, listening: { machine: listening, version: 1 } },
      limits: { residentAgents: 1 },
    });
    const left = new Set<string>();
    runtime.events$.subscribe((event) => {
      if (event.type === 'passivated') left.add(event.agentId);
      if (event.type === 'recovery') left.delete(event.agentId);
    });
    await runtime.spawn('calling', { id: 'calling' });
    await runtime.spawn('listening', { id: 'listening' });
    const watched = await runtime.spawn('counter', { id: 'watched' });
    const watcher = watched.snapshots$.subscribe();
    await watched.snapshot();
    for (let n = 0; n < 60; n += 1) await runtime.spawn('counter', { id: `c-${String(n)}` });
    expect([...left].filter((id) => !id.startsWith('c-'))).to.deep.equal([]);
    expect(left.size).to.be.greaterThan(50);
    watcher.unsubscribe();
    finish();
    await settled();
    for (let n = 60; n < 160; n += 1) await runtime.spawn('counter', { id: `c-${String(n)}` });
    expect(left.has('watched')).to.equal(true);
    expect(left.has('calling')).to.equal(true);
    expect(left.has('listening')).to.equal(false);
  });

  it('takes a message id once, also when the agent was passivated in between', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { residentAgents: 1 } });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.send({ type: 'INC' }, { messageId: 'm' });
    for (let n = 0; n < 5; n += 1) await runtime.spawn('counter', { id: `c-${String(n)}` });
    expect(await agent.send({ type: 'INC' }, { messageId: 'm' })).to.deep.equal({ sequenceNumber: 2, duplicate: true });
  });
});
