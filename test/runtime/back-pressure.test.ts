import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, memory, tell, type RuntimeEvent } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { settled } from './manual-clock.js';

const counter = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'INC' } | { type: 'TELL'; to: string; times: number } },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    TELL: { actions: tell(({ event }) => event.to, { type: 'INC' }) },
  },
});
const agents = { counter: { machine: counter, version: 1 } };

async function outcomeOf(sent: Promise<unknown>): Promise<string> {
  try {
    await sent;
    return 'taken';
  } catch (error) {
    const { code, disposition } = error as { code: string; disposition: string };
    return `${code} ${disposition}`;
  }
}

/** A gate that a test opens. */
function gate(): { readonly closed: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open };
}

describe('a store that is slow', () => {
  it('bounds how far an agent is ahead of it, and loses nothing', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents, limits: { uncommittedTurns: 50 } });
    const agent = await runtime.spawn('counter', { id: 'c' });
    let turns = 0;
    runtime.events$.subscribe((event) => void (event.type === 'turn' && (turns += 1)));
    const { closed, open } = gate();
    store.plan('commit', { fault: 'delay', until: closed });
    const sent = Array.from({ length: 1_000 }, () => agent.send({ type: 'INC' }));
    await settled();
    expect(turns).to.equal(50);
    open();
    const receipts = await Promise.all(sent);
    expect(receipts.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal(Array.from({ length: 1_000 }, (_, n) => n + 2));
    expect((await agent.snapshot()).context.count).to.equal(1_000);
  });

  it('does not hold up other agents’ turns: each has its own bound', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents, limits: { uncommittedTurns: 5 } });
    const one = await runtime.spawn('counter', { id: 'one' });
    const two = await runtime.spawn('counter', { id: 'two' });
    const turns: Record<string, number> = { one: 0, two: 0 };
    runtime.events$.subscribe((event) => {
      if (event.type === 'turn') turns[event.agentId] = (turns[event.agentId] ?? 0) + 1;
    });
    const { closed, open } = gate();
    store.plan('commit', { fault: 'delay', until: closed });
    const sent = [
      ...Array.from({ length: 20 }, () => one.send({ type: 'INC' })),
      ...Array.from({ length: 3 }, () => two.send({ type: 'INC' })),
    ];
    await settled();
    expect(turns).to.deep.equal({ one: 5, two: 3 });
    open();
    await Promise.all(sent);
  });

  it('refuses what is over the mailbox cap, and takes all the rest', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents, limits: { uncommittedTurns: 10, mailbox: 20 } });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const { closed, open } = gate();
    store.plan('commit', { fault: 'delay', until: closed });
    const sent = Array.from({ length: 40 }, () => outcomeOf(agent.send({ type: 'INC' })));
    await settled();
    open();
    const outcomes = await Promise.all(sent);
    expect(outcomes.slice(0, 30)).to.deep.equal(Array.from({ length: 30 }, () => 'taken'));
    expect(outcomes.slice(30)).to.deep.equal(Array.from({ length: 10 }, () => 'MAILBOX_FULL retry'));
    expect((await agent.snapshot()).context.count).to.equal(30);
  });

  it('refuses a post over the mailbox cap when another node holds the agent', async () => {
    const store = memory();
    const stuck = faultyStore(store);
    await using first = await createRuntime({ store: stuck, agents, limits: { uncommittedTurns: 1 } });
    const owned = await first.spawn('counter', { id: 'c' });
    await using second = await createRuntime({ store, agents, limits: { mailbox: 3 } });
    const { closed, open } = gate();
    stuck.plan('commit', { fault: 'delay', until: closed });
    const first3 = owned.send({ type: 'INC' });
    const agent = second.agent<'counter'>('c');
    for (let n = 0; n < 3; n += 1) await agent.send({ type: 'INC' });
    await failing('MAILBOX_FULL', () => agent.send({ type: 'INC' }));
    open();
    await first3;
    await owned.waitFor((snapshot) => snapshot.context.count === 4, { timeoutMs: 2_000 });
  });

  it('does not reorder what one sender sends', async () => {
    const store = faultyStore(memory());
    const log = setup({ types: { context: {} as { seen: number[] }, events: {} as { type: 'N'; n: number } } }).createMachine({
      context: { seen: [] },
      on: { N: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) } },
    });
    const relay = setup({ types: { events: {} as { type: 'N'; n: number } } }).createMachine({
      on: { N: { actions: tell('log', ({ event }) => event) } },
    });
    await using runtime = await createRuntime({
      store,
      agents: { log: { machine: log, version: 1 }, relay: { machine: relay, version: 1 } },
      limits: { uncommittedTurns: 3 },
    });
    await runtime.spawn('log', { id: 'log' });
    const relayed = await runtime.spawn('relay', { id: 'relay' });
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    await Promise.all(numbers.map((n) => relayed.send({ type: 'N', n })));
    const { context } = await runtime.agent<'log'>('log').waitFor((snapshot) => snapshot.context.seen.length === 200, { timeoutMs: 5_000 });
    expect(context.seen).to.deep.equal(numbers);
  });
});

describe('group commit', () => {
  it('grows its groups while the store is busy', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const commits: Extract<RuntimeEvent, { type: 'commit' }>[] = [];
    const refs = await Promise.all(Array.from({ length: 100 }, (_, n) => runtime.spawn('counter', { id: `c-${String(n)}` })));
    runtime.events$.subscribe((event) => void (event.type === 'commit' && commits.push(event)));
    await refs[0]?.send({ type: 'INC' });
    expect(commits).to.have.lengthOf(1);
    expect(commits[0]).to.include({ agents: 1, turns: 1 }); // a lone commit waits for nobody
    commits.length = 0;
    const { closed, open } = gate();
    store.plan('commit', { fault: 'delay', until: closed });
    const first = refs[0]?.send({ type: 'INC' });
    await settled();
    const rest = refs.flatMap((agent) => [agent.send({ type: 'INC' }), agent.send({ type: 'INC' })]);
    await settled();
    open();
    await Promise.all([first, ...rest]);
    expect(commits.map(({ turns }) => turns)).to.deep.equal([1, 200]);
    expect(commits[1]).to.include({ agents: 100 });
    expect(commits[1]?.bytes).to.be.greaterThan(200 * 10);
    expect(commits[1]?.durationMs).to.be.a('number').and.at.least(0);
  });

  it('seals further groups while the store works on the first, when much waits', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const counters = await Promise.all(['c', 'd'].map((id) => runtime.spawn('counter', { id })));
    const { closed, open } = gate();
    store.plan('commit', { fault: 'delay', until: closed });
    const before = store.calls('commit');
    const sent = counters.flatMap((agent) => Array.from({ length: 900 }, () => agent.send({ type: 'INC' })));
    await settled();
    expect(store.calls('commit') - before).to.be.greaterThan(1);
    open();
    const receipts = await Promise.all(sent);
    for (const [index, agent] of counters.entries()) {
      expect((await agent.snapshot()).context.count).to.equal(900);
      // Whoever shares a promise gets a receipt of their own.
      const own = receipts.slice(index * 900, (index + 1) * 900).map(({ sequenceNumber }) => sequenceNumber);
      expect(own).to.deep.equal(Array.from({ length: 900 }, (_, turn) => turn + 2));
    }
  });
});
