import { expect } from 'chai';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { assign, emit, setup, type AnyMachineSnapshot } from 'xstate';
import { activity, createRuntime, memory, reply, spawnAgent, tell, type RuntimeEvent } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { ManualClock, settled } from './manual-clock.js';

const counter = setup({
  types: {
    context: {} as { count: number },
    events: {} as { type: 'INC' } | { type: 'END' } | { type: 'FAIL' } | { type: 'SHOUT' },
    output: {} as { total: number },
    emitted: {} as { type: 'shouted'; count: number },
  },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  initial: 'on',
  states: {
    on: {
      on: {
        INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
        SHOUT: { actions: emit(({ context }) => ({ type: 'shouted', count: context.count })) },
        FAIL: {
          actions: assign(() => {
            throw new RangeError('too far');
          }),
        },
        END: 'off',
      },
    },
    off: { type: 'final' },
  },
  output: ({ context }) => ({ total: context.count }),
});
const agents = { counter: { machine: counter, version: 1 } };

describe('snapshots$', () => {
  it('shows the current committed snapshot first, then each turn’s, and completes when the agent ends', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.send({ type: 'INC' });
    const seen = lastValueFrom(agent.snapshots$.pipe(toArray()));
    await agent.snapshot();
    await settled();
    await Promise.all([agent.send({ type: 'INC' }), agent.send({ type: 'INC' }), agent.send({ type: 'END' })]);
    expect((await seen).map((snapshot) => [snapshot.status, snapshot.context.count])).to.deep.equal([
      ['active', 1],
      ['active', 2],
      ['active', 3],
      ['done', 3],
    ]);
  });

  it('shows nothing that is not committed', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const counts: number[] = [];
    agent.snapshots$.subscribe((snapshot) => counts.push(snapshot.context.count));
    await agent.snapshot();
    await settled();
    let open: () => void = () => undefined;
    store.plan('commit', { fault: 'delay', until: new Promise<void>((resolve) => (open = resolve)) });
    const sent = agent.send({ type: 'INC' });
    await settled();
    expect(counts).to.deep.equal([0]);
    open();
    await sent;
    expect(counts).to.deep.equal([0, 1]);
  });

  it('shows only what comes back after a crash: a checkpoint covers it first', async () => {
    const store = memory();
    await using runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.send({ type: 'INC' });
    const [before] = await runtime.store.lookup(['c']);
    expect(before?.checkpointSequenceNumber).to.equal(1); // only journaled so far
    await firstValueFrom(agent.snapshots$);
    const [after] = await runtime.store.lookup(['c']);
    expect(after?.checkpointSequenceNumber).to.equal(2);
  });

  it('shows the last snapshot of an agent that has ended, then completes', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c' });
      await agent.send({ type: 'INC' });
      await agent.send({ type: 'END' });
    }
    await using runtime = await createRuntime({ store, agents });
    const [snapshot, ...more] = await lastValueFrom(runtime.agent<'counter'>('c').snapshots$.pipe(toArray()));
    expect(more).to.deep.equal([]);
    expect([snapshot?.status, snapshot?.value, snapshot?.context.count]).to.deep.equal(['done', 'off', 1]);
  });

  it('serves many watchers, who may leave at any time', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const seen: number[][] = [[], [], []];
    const subscriptions = seen.map((list) => agent.snapshots$.subscribe((snapshot) => list.push(snapshot.context.count)));
    await agent.snapshot();
    await settled();
    await agent.send({ type: 'INC' });
    subscriptions[1]?.unsubscribe();
    await agent.send({ type: 'INC' });
    expect(seen).to.deep.equal([
      [0, 1, 2],
      [0, 1],
      [0, 1, 2],
    ]);
  });
});

describe('emitted$', () => {
  it('gives what the machine emits once it is committed, and completes at the end', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const emitted = lastValueFrom(agent.emitted$.pipe(toArray()));
    await settled();
    await agent.send({ type: 'SHOUT' });
    await agent.send({ type: 'INC' });
    await agent.send({ type: 'SHOUT' });
    await agent.send({ type: 'END' });
    expect(await emitted).to.deep.equal([
      { type: 'shouted', count: 0 },
      { type: 'shouted', count: 1 },
    ]);
  });
});

describe('waitFor', () => {
  it('resolves at once when the current snapshot is as wanted, else with the first that is', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    expect((await agent.waitFor((snapshot) => snapshot.context.count === 0)).context.count).to.equal(0);
    const waiting = agent.waitFor((snapshot) => snapshot.context.count >= 2);
    await settled();
    for (let n = 0; n < 4; n += 1) await agent.send({ type: 'INC' });
    expect((await waiting).context.count).to.equal(2);
  });

  it('rejects after timeoutMs', async () => {
    const clock = new ManualClock();
    await using runtime = await createRuntime({ store: memory(), agents, clock });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const waiting = failing('TIMEOUT', () => agent.waitFor(() => false, { timeoutMs: 500 }));
    await clock.advance(500);
    expect((await waiting).message).to.equal('agent "c" was not as wanted within 500 ms');
  });

  it('rejects when the agent ends before', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const waiting = failing('AGENT_STOPPED', () => agent.waitFor((snapshot) => snapshot.context.count === 9));
    await settled();
    await agent.send({ type: 'END' });
    await waiting;
    await failing('AGENT_STOPPED', () => agent.waitFor((snapshot) => snapshot.context.count === 9));
    expect((await agent.waitFor((snapshot) => snapshot.status === 'done')).output).to.deep.equal({ total: 0 });
  });

  it('rejects with what the predicate throws', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const thrown = new Error('predicate');
    const error: unknown = await agent
      .waitFor(() => {
        throw thrown;
      })
      .catch((caught: unknown) => caught);
    expect(error).to.equal(thrown);
  });
});

describe('result', () => {
  it('is given whenever it is asked for: before the end, after it, after a restart', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c' });
      const early = agent.result();
      await agent.send({ type: 'INC' });
      await agent.send({ type: 'END' });
      expect(await early).to.deep.equal({ total: 1 });
      expect(await agent.result()).to.deep.equal({ total: 1 });
    }
    await using runtime = await createRuntime({ store, agents });
    expect(await runtime.agent<'counter'>('c').result()).to.deep.equal({ total: 1 });
  });

  it('rejects with what the machine threw, also after a restart', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c' });
      const early = failing('AGENT_FAILED', () => agent.result());
      await agent.send({ type: 'FAIL' });
      expect((await early).cause).to.be.instanceOf(RangeError);
    }
    await using runtime = await createRuntime({ store, agents });
    const error = await failing('AGENT_FAILED', () => runtime.agent('c').result());
    expect(error.message).to.equal('agent "c" failed: too far');
    expect(error.cause).to.be.instanceOf(RangeError).and.include({ message: 'too far' });
    const snapshot = (await runtime.agent('c').snapshot()) as AnyMachineSnapshot;
    expect([snapshot.status, (snapshot.error as Error).message]).to.deep.equal(['error', 'too far']);
  });

  it('rejects for an agent that was stopped', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const early = failing('AGENT_STOPPED', () => agent.result());
    await agent.stop();
    await early;
    await failing('AGENT_STOPPED', () => agent.result());
    await agent.stop(); // stopping again is nothing
    expect((await agent.snapshot()).status).to.equal('stopped');
  });
});

describe('events$', () => {
  it('tells every turn, commit, checkpoint, activity and effect, with times', async () => {
    const clock = new ManualClock();
    const noted = activity({ name: 'noted', run: () => 1 });
    const machine = setup({
      actors: { noted },
      types: { events: {} as { type: 'GO' } },
      actions: { ring: () => undefined },
      delays: { soon: 10 },
    }).createMachine({
      id: 'm',
      initial: 'idle',
      states: {
        idle: {
          on: {
            GO: {
              target: 'calling',
              actions: ['ring', tell('c', { type: 'INC' }), emit({ type: 'e' }), spawnAgent('counter', { id: 'spawned' }), reply(1)],
            },
          },
        },
        calling: { invoke: { src: 'noted', onDone: 'waiting' } },
        waiting: { after: { soon: 'end' } },
        end: { type: 'final' },
      },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { ...agents, m: { machine, version: 1 } }, clock });
    await runtime.spawn('counter', { id: 'c' });
    const events: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => events.push(event));
    const agent = await runtime.spawn('m', { id: 'a' });
    expect(await agent.ask({ type: 'GO' })).to.equal(1);
    await clock.advance(20);
    await agent.result();
    const told = (type: RuntimeEvent['type'], id = 'a') =>
      events.filter((event) => event.type === type && (!('agentId' in event) || event.agentId === id));
    expect(told('spawned')).to.have.lengthOf(1);
    expect(told('turn').map((event) => (event as { event: string }).event)).to.deep.equal([
      'xstate.init',
      'GO',
      'activity noted',
      'xstate.after.soon.m.waiting',
    ]);
    expect(told('turn').map((event) => (event as { sequenceNumber: number }).sequenceNumber)).to.deep.equal([1, 2, 3, 4]);
    expect(told('activity').map((event) => (event as { phase: string }).phase)).to.deep.equal(['started', 'succeeded']);
    const effects = told('effect').map((event) => `${(event as { effect: string }).effect} ${(event as { name: string }).name}`);
    expect(effects).to.have.members([
      'message INC',
      'spawn counter',
      'reply GO',
      'emit e',
      'action ring',
      'timer #xstate.after.soon.m.waiting',
    ]);
    expect(told('checkpoint').length).to.be.at.least(3);
    expect(told('ended').map((event) => (event as { status: string }).status)).to.deep.equal(['done']);
    expect(told('spawned', 'spawned')).to.have.lengthOf(1);
    for (const event of events) {
      expect(event.at).to.be.at.least(1_000_000);
      if ('durationMs' in event) expect(event.durationMs).to.be.at.least(0);
    }
    const sum = events.reduce((total, event) => total + (event.type === 'commit' ? event.turns : 0), 0);
    expect(sum).to.equal(events.filter(({ type }) => type === 'turn').length);
  });

  it('tells recoveries: from which checkpoint, how many turns were run again', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c' });
      for (let n = 0; n < 5; n += 1) await agent.send({ type: 'INC' });
    }
    await using runtime = await createRuntime({ store, agents });
    const events: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => events.push(event));
    await runtime.agent('c').snapshot();
    const recovery = events.find((event) => event.type === 'recovery');
    expect(recovery).to.include({ agentId: 'c', kind: 'counter', fromSequenceNumber: 1, replayedTurns: 5, outcome: 'resumed' });
    expect(recovery?.durationMs).to.be.at.least(0);
  });

  it('tells dead letters', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.stop();
    const events: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => events.push(event));
    await failing('DEAD_LETTER', () => agent.send({ type: 'INC' }));
    expect(events.find((event) => event.type === 'dead-letter')).to.include({ to: 'c', reason: 'agent-ended', event: '{"type":"INC"}' });
  });

  it('completes when the runtime is closed', async () => {
    const runtime = await createRuntime({ store: memory(), agents });
    const done = lastValueFrom(runtime.events$.pipe(toArray()));
    await runtime.close();
    await done;
  });

  it('does not let a listener that throws harm the runtime', async () => {
    const reported: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => reported.push(error));
    try {
      await using runtime = await createRuntime({ store: memory(), agents });
      runtime.events$.subscribe(() => {
        throw new Error('listener');
      });
      const agent = await runtime.spawn('counter', { id: 'c' });
      for (let n = 0; n < 3; n += 1) await agent.send({ type: 'INC' });
      expect((await agent.snapshot()).context.count).to.equal(3);
      await new Promise((resolve) => setTimeout(resolve, 5)); // rxjs reports such an error from a timer
      expect(reported.length).to.be.greaterThan(0);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});
