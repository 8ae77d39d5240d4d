import { expect } from 'chai';
import { firstValueFrom, lastValueFrom, take, toArray } from 'rxjs';
import { assign, emit, fromPromise, sendParent, sendTo, setup } from 'xstate';
import { activity, ask, createRuntime, memory, reply, spawnAgent, tell, TerminalError, type RuntimeEvent } from 'statewarden';

const counter = setup({
  types: {
    context: {} as { count: number },
    events: {} as { type: 'INC'; by?: number } | { type: 'STOP' } | { type: 'HOW_MANY' },
    input: {} as { from?: number } | undefined,
    output: {} as number,
    emitted: {} as { type: 'changed'; count: number },
  },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ count: input?.from ?? 0 }),
  initial: 'counting',
  states: {
    counting: {
      on: {
        INC: {
          actions: [
            assign({ count: ({ context, event }) => context.count + (event.by ?? 1) }),
            emit(({ context }) => ({ type: 'changed', count: context.count })),
          ],
        },
        HOW_MANY: { actions: reply(({ context }) => context.count) },
        STOP: 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
  output: ({ context }) => context.count,
});

const agents = { counter: { machine: counter, version: 1 } } as const;

describe('a runtime', () => {
  it('spawns an agent, takes its events in order and gives its result', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c-1', input: { from: 10 } });
    const receipts = await Promise.all([agent.send({ type: 'INC' }), agent.send({ type: 'INC', by: 5 })]);
    expect(receipts.map((receipt) => receipt.sequenceNumber)).to.deep.equal([2, 3]);
    expect((await agent.snapshot()).context.count).to.equal(16);
    await agent.send({ type: 'STOP' });
    expect(await agent.result()).to.equal(16);
  });

  it('takes a message id once, also after a restart', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const agent = await runtime.spawn('counter', { id: 'c-1' });
      expect(await agent.send({ type: 'INC' }, { messageId: 'm-1' })).to.deep.equal({ sequenceNumber: 2, duplicate: false });
      expect(await agent.send({ type: 'INC' }, { messageId: 'm-1' })).to.deep.equal({ sequenceNumber: 2, duplicate: true });
    }
    await using runtime = await createRuntime({ store, agents });
    const agent = runtime.agent<'counter'>('c-1');
    expect((await agent.send({ type: 'INC' }, { messageId: 'm-1' })).duplicate).to.equal(true);
    expect((await agent.snapshot()).context.count).to.equal(1);
  });

  it('answers questions from code', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c-1', input: { from: 3 } });
    expect(await agent.ask<number>({ type: 'HOW_MANY' })).to.equal(3);
  });

  it('shows committed snapshots, the current one first, and emitted events', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c-1' });
    const emitted = firstValueFrom(agent.emitted$);
    const seen = lastValueFrom(agent.snapshots$.pipe(take(3), toArray()));
    await agent.snapshot();
    await agent.send({ type: 'INC' });
    await agent.send({ type: 'INC' });
    expect((await seen).map((snapshot) => snapshot.context.count)).to.deep.equal([0, 1, 2]);
    expect(await emitted).to.deep.equal({ type: 'changed', count: 1 });
  });

  it('is idempotent in spawn and refuses another kind for the same id', async () => {
    const other = setup({}).createMachine({ id: 'other' });
    await using runtime = await createRuntime({ store: memory(), agents: { ...agents, other: { machine: other, version: 1 } } });
    const agent = await runtime.spawn('counter', { id: 'c-1', input: { from: 1 } });
    await agent.send({ type: 'INC' });
    const again = await runtime.spawn('counter', { id: 'c-1', input: { from: 7 } });
    expect((await again.snapshot()).context.count).to.equal(2);
    const error = await runtime.spawn('other', { id: 'c-1' }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'KIND_CONFLICT' });
  });

  it('runs activities with retries and hands outcomes to the machine', async () => {
    let calls = 0;
    const flaky = activity({
      name: 'flaky',
      run: (input: { n: number }) => {
        calls += 1;
        if (calls < 3) throw new Error('busy');
        return input.n * 2;
      },
      retry: { initialMs: 1, maximumMs: 2 },
    });
    const broken = activity({
      name: 'broken',
      run: (): number => {
        throw new TerminalError('never');
      },
    });
    const machine = setup({ types: { context: {} as { result: number; error: string } }, actors: { flaky, broken } }).createMachine({
      context: { result: 0, error: '' },
      initial: 'first',
      states: {
        first: {
          invoke: {
            src: 'flaky',
            input: { n: 21 },
            onDone: { target: 'second', actions: assign({ result: ({ event }) => event.output }) },
          },
        },
        second: {
          invoke: { src: 'broken', onError: { target: 'end', actions: assign({ error: ({ event }) => (event.error as Error).message }) } },
        },
        end: { type: 'final' },
      },
      output: ({ context }) => context,
    });
    const store = memory();
    await using runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
    const events: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => events.push(event));
    const agent = await runtime.spawn('flow', { id: 'f-1' });
    expect(await agent.result()).to.deep.equal({ result: 42, error: 'never' });
    expect(calls).to.equal(3);
    const phases = events.flatMap((event) => (event.type === 'activity' ? [`${event.activity} ${event.phase}`] : []));
    expect(phases).to.deep.equal([
      'flaky started',
      'flaky retrying',
      'flaky started',
      'flaky retrying',
      'flaky started',
      'flaky succeeded',
      'broken started',
      'broken failed',
    ]);
  });

  it('lets agents tell, spawn and ask each other', async () => {
    const worker = setup({ types: { events: {} as { type: 'WORK'; n: number } } }).createMachine({
      id: 'worker',
      initial: 'ready',
      states: {
        ready: {
          on: { WORK: { actions: [reply(({ event }) => event.n + 1), tell('boss', ({ event }) => ({ type: 'WORKED', n: event.n }))] } },
        },
      },
    });
    const boss = setup({
      types: { context: {} as { answer: number; worked: number }, events: {} as { type: 'WORKED'; n: number } },
      actors: { askWorker: ask<number>() },
    }).createMachine({
      id: 'boss',
      context: { answer: 0, worked: 0 },
      entry: spawnAgent('worker', { id: 'worker-1' }),
      type: 'parallel',
      states: {
        asking: {
          initial: 'on',
          states: {
            on: {
              invoke: {
                src: 'askWorker',
                input: { to: 'worker-1', event: { type: 'WORK', n: 1 } },
                onDone: { target: 'off', actions: assign({ answer: ({ event }) => event.output }) },
              },
            },
            off: { type: 'final' },
          },
        },
        told: {
          initial: 'no',
          states: {
            no: { on: { WORKED: { target: 'yes', actions: assign({ worked: ({ event }) => event.n }) } } },
            yes: { type: 'final' },
          },
        },
      },
      output: ({ context }) => context,
    });
    await using runtime = await createRuntime({
      store: memory(),
      agents: { boss: { machine: boss, version: 1 }, worker: { machine: worker, version: 1 } },
    });
    const agent = await runtime.spawn('boss', { id: 'boss' });
    expect(await agent.result()).to.deep.equal({ answer: 2, worked: 1 });
  });

  it('keeps sends inside the agent synchronous and in order', async () => {
    const child = setup({ types: { events: {} as { type: 'PING' } } }).createMachine({
      id: 'child',
      on: { PING: { actions: sendParent({ type: 'PONG' }) } },
    });
    const parent = setup({
      types: { context: {} as { log: string[] }, events: {} as { type: 'GO' } | { type: 'PONG' } },
      actors: { child },
    }).createMachine({
      context: { log: [] },
      invoke: { src: 'child', id: 'child' },
      on: {
        GO: {
          actions: [
            assign({ log: ({ context }) => [...context.log, 'go'] }),
            sendTo('child', { type: 'PING' }),
            sendTo('child', { type: 'PING' }),
          ],
        },
        PONG: { actions: assign({ log: ({ context }) => [...context.log, 'pong'] }) },
      },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { parent: { machine: parent, version: 1 } } });
    const agent = await runtime.spawn('parent', { id: 'p' });
    const { sequenceNumber } = await agent.send({ type: 'GO' });
    expect(sequenceNumber).to.equal(2);
    expect((await agent.snapshot()).context.log).to.deep.equal(['go', 'pong', 'pong']);
  });

  it('treats a plain promise as an activity of one attempt', async () => {
    const machine = setup({ actors: { fetch: fromPromise(async () => 'page') } }).createMachine({
      initial: 'loading',
      states: {
        loading: { invoke: { src: 'fetch', onDone: 'loaded' } },
        loaded: { type: 'final', output: ({ event }: { event: { output?: unknown } }) => event.output },
      },
      output: ({ event }) => (event as { output?: unknown }).output,
    });
    await using runtime = await createRuntime({ store: memory(), agents: { page: { machine, version: 1 } } });
    const agent = await runtime.spawn('page', { id: 'p' });
    expect(await agent.result()).to.equal('page');
  });
});
