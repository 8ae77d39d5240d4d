import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { activity, createRuntime, memory, spawnAgent, StorePoisonedError, tell, type RuntimeEvent } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from './manual-clock.js';

const counter = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'INC' } | { type: 'TELL' } | { type: 'SPAWN' } },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    TELL: { actions: tell('other', { type: 'INC' }) },
    SPAWN: { actions: [spawnAgent('counter', { id: 'new' }), tell('new', { type: 'INC' })] },
  },
});
const agents = { counter: { machine: counter, version: 1 } };

describe('a store that is away for a while', () => {
  it('is waited for: the turn is committed when it is back, and the sender only sees that it took long', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const states: string[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'store' && states.push(event.state)));
    store.plan('commit', { fault: 'before' }, { fault: 'before' });
    expect(await agent.send({ type: 'INC' })).to.deep.equal({ sequenceNumber: 2, duplicate: false });
    expect(states).to.deep.equal(['unavailable', 'available']);
    expect((await agent.snapshot()).context.count).to.equal(1);
  });

  it('is tried again after waits that grow to a second', async () => {
    const clock = new ManualClock();
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents, clock });
    const agent = await runtime.spawn('counter', { id: 'c' });
    let away = true;
    store.decide((method) => (away && (method === 'commit' || method === 'heads') ? { fault: 'before' } : undefined));
    const sent = agent.send({ type: 'INC' });
    await clock.advance(60_000);
    const tried = store.calls('heads');
    expect(tried).to.be.within(60, 70); // 10, 20, 40 … ms, then one a second
    away = false;
    await clock.advance(1_000);
    expect((await sent).sequenceNumber).to.equal(2);
  });

  it('lets nothing out while it is away: no effect, no emitted event, no receipt', async () => {
    const clock = new ManualClock();
    const store = faultyStore(memory());
    let calls = 0;
    const call = activity({ name: 'call', run: () => (calls += 1) });
    const machine = setup({ actors: { call }, types: { events: {} as { type: 'GO' } } }).createMachine({
      initial: 'idle',
      states: { idle: { on: { GO: 'calling' } }, calling: { invoke: { src: 'call', onDone: 'done' } }, done: { type: 'final' } },
    });
    await using runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } }, clock });
    const agent = await runtime.spawn('flow', { id: 'f' });
    let away = true;
    store.decide((method) => (away && (method === 'commit' || method === 'heads') ? { fault: 'before' } : undefined));
    const sent = agent.send({ type: 'GO' });
    await clock.advance(5_000);
    expect(calls).to.equal(0);
    away = false;
    await clock.advance(1_000);
    await sent;
    await agent.result();
    expect(calls).to.equal(1);
  });
});

describe('a reply that is lost', () => {
  it('is read back, never assumed: the turn is there once', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    store.plan('commit', { fault: 'after' });
    expect(await agent.send({ type: 'INC' })).to.deep.equal({ sequenceNumber: 2, duplicate: false });
    expect((await agent.send({ type: 'INC' })).sequenceNumber).to.equal(3);
    expect((await agent.snapshot()).context.count).to.equal(2);
    expect(await runtime.store.check()).to.deep.equal([]);
  });

  it('loses no message that went with it, and none is taken twice', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const other = await runtime.spawn('counter', { id: 'other' });
    const agent = await runtime.spawn('counter', { id: 'c' });
    for (let n = 0; n < 5; n += 1) {
      store.plan('commit', { fault: 'after' });
      await agent.send({ type: 'TELL' });
    }
    await other.waitFor((snapshot) => snapshot.context.count >= 5, { timeoutMs: 5_000 });
    await settled();
    expect((await other.snapshot()).context.count).to.equal(5);
  });

  it('loses no agent that it made', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    store.plan('commit', { fault: 'after' });
    const agent = await runtime.spawn('counter', { id: 'c' });
    store.plan('commit', { fault: 'after' });
    await agent.send({ type: 'SPAWN' });
    const made = runtime.agent<'counter'>('new');
    await made.waitFor((snapshot) => snapshot.context.count === 1, { timeoutMs: 5_000 });
    expect((await made.send({ type: 'INC' })).duplicate).to.equal(false);
  });

  it('and many of them, among failures, lose nothing and double nothing', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const refs = await Promise.all(['a', 'b', 'c'].map((id) => runtime.spawn('counter', { id })));
    let call = 0;
    store.decide((method) => {
      if (method !== 'commit' && method !== 'heads') return undefined;
      call += 1;
      return call % 3 === 0 ? { fault: 'after' } : call % 5 === 0 ? { fault: 'before' } : undefined;
    });
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(refs.flatMap((agent) => Array.from({ length: 40 }, () => agent.send({ type: 'INC' }))));
    }
    store.decide(undefined);
    for (const agent of refs) expect((await agent.snapshot()).context.count).to.equal(240);
  });
});

describe('a store that fails for good', () => {
  it('stops the runtime: everything that waits and everything new rejects with the cause; what was acknowledged is there', async () => {
    const inner = memory();
    const store = faultyStore(inner);
    const cause = new StorePoisonedError('fsync failed', { hint: 'Look at the disk.', cause: new Error('EIO') });
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c' });
      const other = await runtime.spawn('counter', { id: 'other' });
      await agent.send({ type: 'INC' });
      const events: RuntimeEvent[] = [];
      runtime.events$.subscribe((event) => events.push(event));
      const waiting = [
        () => agent.result(),
        () => other.waitFor(() => false),
        () => agent.ask({ type: 'INC' }),
        () => new Promise((_, reject) => other.snapshots$.subscribe({ error: reject })),
      ].map((call) => failing('STORE_POISONED', call));
      await other.snapshot();
      await settled();
      store.plan('commit', { fault: 'poison', error: cause });
      const errors = await Promise.all([1, 2, 3].map(() => failing('STORE_POISONED', () => agent.send({ type: 'INC' }))));
      expect(errors.every((error) => error === cause)).to.equal(true);
      await Promise.all(waiting);
      for (const call of [
        () => agent.send({ type: 'INC' }),
        () => other.send({ type: 'INC' }, { messageId: 'm' }),
        () => runtime.spawn('counter', { id: 'd' }),
        () => agent.snapshot(),
        () => other.result(),
        () => other.stop(),
      ]) {
        expect(await failing('STORE_POISONED', call)).to.equal(cause);
      }
      expect(events.filter((event) => event.type === 'store').map((event) => [event.state, event.error])).to.deep.equal([
        ['poisoned', cause],
      ]);
    }
    await using runtime = await createRuntime({ store: inner, agents });
    const { context } = await runtime.agent<'counter'>('c').snapshot();
    expect(context.count).to.be.at.least(1); // INC acknowledged; the question's own INC was on its way
  });

  it('takes an error that it does not know for the worst', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const cause = new TypeError('cannot read properties of undefined');
    store.plan('commit', { fault: 'before', error: cause });
    const error = await failing('STORE_POISONED', () => agent.send({ type: 'INC' }));
    expect(error.cause).to.equal(cause);
  });

  it('runs no activity any more', async () => {
    const store = faultyStore(memory());
    let aborted: unknown;
    const call = activity({
      name: 'call',
      run: (_: undefined, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject((aborted = signal.reason)))),
    });
    const machine = setup({ actors: { call }, types: { events: {} as { type: 'ANY' } } }).createMachine({ invoke: { src: 'call' } });
    await using runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    const agent = await runtime.spawn('flow', { id: 'f' });
    await settled();
    store.plan('commit', { fault: 'poison' });
    await failing('STORE_POISONED', () => agent.send({ type: 'ANY' }));
    expect(aborted).to.include({ code: 'CANCELLED' });
  });
});
