import { expect } from 'chai';
import type { Observable } from 'rxjs';
import { assign, setup } from 'xstate';
import { activity, createRuntime, memory } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { settled } from './manual-clock.js';

const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'INC' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { INC: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});
const agents = { counter: { machine: counter, version: 1 } };

/** A machine that calls `work` and ends with its result. */
const flowOf = (run: (signal: AbortSignal) => Promise<string>) =>
  setup({
    actors: { work: activity({ name: 'work', onUnknown: 'retry', run: (_: undefined, { signal }) => run(signal) }) },
    types: { context: {} as { result: string }, output: {} as string },
  }).createMachine({
    context: { result: '' },
    initial: 'calling',
    states: {
      calling: { invoke: { src: 'work', onDone: { target: 'end', actions: assign({ result: ({ event }) => event.output }) } } },
      end: { type: 'final' },
    },
    output: ({ context }) => context.result,
  });

describe('closing a runtime', () => {
  it('makes everything durable that was accepted', async () => {
    const inner = memory();
    const store = faultyStore(inner);
    const runtime = await createRuntime({ store, agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    store.plan('commit', { fault: 'delay', until: settled() });
    const sent = Array.from({ length: 500 }, () => agent.send({ type: 'INC' }));
    await runtime.close();
    const receipts = await Promise.all(sent);
    expect(receipts.at(-1)?.sequenceNumber).to.equal(501);
    await using again = await createRuntime({ store: inner, agents });
    expect((await again.agent<'counter'>('c').snapshot()).context.count).to.equal(500);
  });

  it('lets running activities end and records what they gave', async () => {
    const store = memory();
    let calls = 0;
    const machine = flowOf(async () => {
      calls += 1;
      await settled(50);
      return 'done';
    });
    const runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    await runtime.spawn('flow', { id: 'f' });
    await settled(2);
    await runtime.close();
    await using again = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    expect(await again.agent<'flow'>('f').result()).to.equal('done');
    expect(calls).to.equal(1);
  });

  it('aborts those that do not end in time; they run again at the next start', async () => {
    const store = memory();
    let calls = 0;
    let reason: unknown;
    const machine = flowOf((signal) => {
      calls += 1;
      if (calls > 1) return Promise.resolve('second');
      signal.addEventListener('abort', () => (reason = signal.reason));
      return new Promise(() => undefined);
    });
    const runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    await runtime.spawn('flow', { id: 'f' });
    await settled(2);
    await runtime.close({ graceMs: 10 });
    expect(reason).to.include({ code: 'CANCELLED' });
    await using again = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    expect(await again.agent<'flow'>('f').result()).to.equal('second');
  });

  it('gives its agents to whoever opens the store next, at once', async () => {
    const store = memory();
    const runtime = await createRuntime({ store, agents });
    await runtime.spawn('counter', { id: 'c' });
    await runtime.close();
    await using again = await createRuntime({ store, agents });
    await again.agent<'counter'>('c').send({ type: 'INC' });
  });

  it('completes what is watched', async () => {
    const runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const ends = [agent.snapshots$, agent.emitted$, runtime.events$].map(
      (stream: Observable<unknown>) => new Promise<void>((complete, error) => stream.subscribe({ complete, error })),
    );
    await settled();
    await runtime.close();
    await Promise.all(ends);
  });

  it('is what `await using` does at the end of its block, also when the block throws', async () => {
    const store = memory();
    let kept: { send(event: { type: 'INC' }): Promise<unknown> } | undefined;
    await (async () => {
      await using runtime = await createRuntime({ store, agents });
      kept = await runtime.spawn('counter', { id: 'c' });
      throw new Error('out');
    })().catch(() => undefined);
    await failing('RUNTIME_CLOSED', () => kept?.send({ type: 'INC' }));
  });

  it('happens once, however often it is asked for', async () => {
    const store = faultyStore(memory());
    const runtime = await createRuntime({ store, agents });
    expect(runtime.close()).to.equal(runtime.close());
    await runtime.close();
  });
});

describe('stopping an agent', () => {
  it('is durable when it resolves', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      await (await runtime.spawn('counter', { id: 'c' })).stop();
      expect((await runtime.store.lookup(['c']))[0]?.status).to.equal('stopped');
    }
    await using runtime = await createRuntime({ store, agents });
    await failing('AGENT_STOPPED', () => runtime.agent('c').result());
  });

  it('comes after the events sent before it', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const sent = [agent.send({ type: 'INC' }), agent.send({ type: 'INC' })];
    await agent.stop();
    await Promise.all(sent);
    expect((await agent.snapshot()).context.count).to.equal(2);
  });

  it('leaves its id in use: spawning it again gives the ended agent', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    await (await runtime.spawn('counter', { id: 'c' })).stop();
    const again = await runtime.spawn('counter', { id: 'c' });
    await failing('DEAD_LETTER', () => again.send({ type: 'INC' }));
  });
});
