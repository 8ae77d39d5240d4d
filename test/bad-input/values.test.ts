import { expect } from 'chai';
import { assign, emit, setup } from 'xstate';
import { activity, createRuntime, memory, spawnAgent, tell, type NotSerializableError, type RuntimeEvent } from 'statewarden';
import { failing } from './failing.js';

class Socket {
  readonly fd = 3;
}

const keeper = setup({
  types: {
    context: {} as { count: number; socket?: unknown },
    events: {} as { type: 'INC' } | { type: 'OPEN' } | { type: 'NEST' } | { type: 'BOTH' },
  },
}).createMachine({
  id: 'keeper',
  context: { count: 0 },
  on: {
    INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
    OPEN: { actions: assign({ socket: () => new Socket() }) },
    NEST: { actions: assign({ socket: () => ({ list: [{ open: () => 1 }] }) }) },
    BOTH: { actions: [assign({ socket: () => new Socket() }), emit({ type: 'never' } as never), tell('k2', { type: 'INC' })] },
  },
});
const agents = { keeper: { machine: keeper, version: 1, checkpoints: 'every-turn' as const } };

describe('a context that cannot be saved', () => {
  it('undoes the turn, says where in the context, and the agent goes on from before', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('keeper', { id: 'k' });
    await agent.send({ type: 'INC' });
    const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.send({ type: 'OPEN' }));
    expect(error.path).to.equal('context.socket');
    expect(error.message).to.equal('agent "k": context.socket is an instance of Socket, which cannot be saved');
    expect((await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.send({ type: 'NEST' }))).path).to.equal(
      'context.socket.list[0].open',
    );
    expect(await agent.send({ type: 'INC' })).to.deep.equal({ sequenceNumber: 3, duplicate: false });
    expect((await agent.snapshot()).context).to.deep.equal({ count: 2 });
  });

  it('lets nothing of the turn out: no message, no emitted event', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('keeper', { id: 'k' });
    const other = await runtime.spawn('keeper', { id: 'k2' });
    const effects: RuntimeEvent[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'effect' && effects.push(event)));
    await failing('NOT_SERIALIZABLE', () => agent.send({ type: 'BOTH' }));
    await agent.send({ type: 'INC' });
    expect((await other.snapshot()).context.count).to.equal(0);
    expect(effects).to.deep.equal([]);
  });

  it('is refused at its turn also when no checkpoint is due', async () => {
    await using runtime = await createRuntime({ store: memory(), agents: { keeper: { machine: keeper, version: 1 } } });
    const agent = await runtime.spawn('keeper', { id: 'k' });
    await agent.send({ type: 'INC' });
    for (let times = 0; times < 5; times += 1) {
      const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.send({ type: 'OPEN' }));
      expect(error.path).to.equal('context.socket');
    }
    expect((await agent.send({ type: 'INC' })).sequenceNumber).to.equal(3);
    expect((await agent.snapshot()).context).to.deep.equal({ count: 2 });
  });

  it('parks an agent that nobody sends to, instead of trying for ever, and tells who waits for its result', async () => {
    let calls = 0;
    const connect = activity({ name: 'connect', onUnknown: 'retry', run: () => (calls += 1) });
    const machine = setup({ actors: { connect }, types: { context: {} as { socket?: unknown } } }).createMachine({
      context: {},
      initial: 'connecting',
      states: {
        connecting: { invoke: { src: 'connect', onDone: { target: 'open', actions: assign({ socket: () => new Socket() }) } } },
        open: {},
      },
    });
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents: { flow: { machine, version: 1 } } });
      const agent = await runtime.spawn('flow', { id: 'f' });
      const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.result());
      expect(error.path).to.equal('context.socket');
      await failing('NOT_SERIALIZABLE', () => agent.send({ type: 'ANY' } as never));
      expect(calls).to.equal(3);
      expect((await runtime.store.lookup(['f']))[0]?.status).to.equal('parked');
    }
    const mended = setup({ actors: { connect }, types: { context: {} as { socket?: unknown } } }).createMachine({
      context: {},
      initial: 'connecting',
      states: {
        connecting: { invoke: { src: 'connect', onDone: { target: 'open', actions: assign({ socket: () => 3 }) } } },
        open: { type: 'final' },
      },
    });
    await using runtime = await createRuntime({ store, agents: { flow: { machine: mended, version: 1 } } });
    await runtime.agent('f').result();
  });

  it('is refused by spawn, which leaves nothing behind', async () => {
    const machine = setup({ types: { context: {} as { socket: Socket } } }).createMachine({ context: () => ({ socket: new Socket() }) });
    await using runtime = await createRuntime({ store: memory(), agents: { open: { machine, version: 1 }, ...agents } });
    const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => runtime.spawn('open', { id: 'o' }));
    expect(error.path).to.equal('context.socket');
    await failing('UNKNOWN_AGENT', () => runtime.agent('o').snapshot());
    await runtime.spawn('keeper', { id: 'o' }); // the id is free
    expect((await runtime.store.list({ limit: 10 })).map(({ id, kind }) => `${kind} ${id}`)).to.deep.equal(['keeper o']);
  });

  it('is told of a child machine with the child in the path', async () => {
    const child = setup({ types: { context: {} as { socket: Socket } } }).createMachine({ context: () => ({ socket: new Socket() }) });
    const parent = setup({ actors: { child } }).createMachine({ id: 'parent', invoke: { src: 'child', id: 'kid' } });
    await using runtime = await createRuntime({ store: memory(), agents: { parent: { machine: parent, version: 1 } } });
    const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => runtime.spawn('parent', { id: 'p' }));
    expect(error.path).to.equal('children.kid.snapshot.context.socket');
  });
});

describe('other values that cannot be saved', () => {
  const taker = setup({ types: { context: {} as { n: number }, input: {} as { call?: unknown } | undefined } }).createMachine({
    context: { n: 0 },
  });

  it('are refused as the input of spawn, saying where', async () => {
    await using runtime = await createRuntime({ store: memory(), agents: { taker: { machine: taker, version: 1 } } });
    const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () =>
      runtime.spawn('taker', { id: 't', input: { call: () => 1 } }),
    );
    expect(error.path).to.equal('input.call');
    expect(await runtime.store.list({ limit: 10 })).to.deep.equal([]);
    await runtime.spawn('taker', { id: 't', input: { call: new Map([[1, new Date(0)]]) } });
  });

  it('fail the machine that spawns with them', async () => {
    const machine = setup({ types: { events: {} as { type: 'GO' } } }).createMachine({
      on: { GO: { actions: spawnAgent('taker', { id: 't', input: Symbol('s') }) } },
    });
    await using runtime = await createRuntime({
      store: memory(),
      agents: { boss: { machine, version: 1 }, taker: { machine: taker, version: 1 } },
    });
    const agent = await runtime.spawn('boss', { id: 'b' });
    await agent.send({ type: 'GO' });
    const { cause } = await failing('AGENT_FAILED', () => agent.result());
    expect(cause).to.include({ name: 'NotSerializableError' });
    await failing('UNKNOWN_AGENT', () => runtime.agent('t').snapshot());
  });

  it('fail an activity as its result, which the machine sees in onError', async () => {
    const bad = activity({ name: 'bad', run: () => new Socket() });
    const machine = setup({ actors: { bad }, types: { context: {} as { error?: Error } } }).createMachine({
      context: {},
      initial: 'calling',
      states: {
        calling: {
          invoke: {
            src: 'bad',
            onDone: 'end',
            onError: { target: 'end', actions: assign({ error: ({ event }) => event.error as Error }) },
          },
        },
        end: { type: 'final' },
      },
      output: ({ context }) => context.error,
    });
    await using runtime = await createRuntime({ store: memory(), agents: { flow: { machine, version: 1 } } });
    const error = (await (await runtime.spawn('flow', { id: 'f' })).result()) as NotSerializableError;
    expect(error.message).to.equal('the result of activity "bad" is an instance of Socket, which cannot be saved');
  });

  it('fail the machine as the input of an activity', async () => {
    const call = activity({ name: 'call', run: (input: { socket: unknown }) => input });
    const machine = setup({ actors: { call }, types: { events: {} as { type: 'GO' } } }).createMachine({
      initial: 'idle',
      states: { idle: { on: { GO: 'calling' } }, calling: { invoke: { src: 'call', input: { socket: () => 1 } } } },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { flow: { machine, version: 1 } } });
    const agent = await runtime.spawn('flow', { id: 'f' });
    await agent.send({ type: 'GO' });
    const { cause } = await failing('AGENT_FAILED', () => agent.result());
    expect((cause as Error).message).to.equal('input of activity "call".socket is a function (socket), which cannot be saved');
  });

  it('make an agent end in error when they are its output', async () => {
    const machine = setup({}).createMachine({
      initial: 'end',
      states: { end: { type: 'final' } },
      output: () => ({ socket: new Socket() }),
    });
    await using runtime = await createRuntime({ store: memory(), agents: { end: { machine, version: 1 } } });
    const agent = await runtime.spawn('end', { id: 'e' });
    const { cause } = await failing('AGENT_FAILED', () => agent.result());
    expect(cause).to.include({ name: 'NotSerializableError', path: 'output.socket' });
  });

  it('are not lost when JSON would lose them: dates, maps, sets, big numbers, errors come back as they were', async () => {
    const store = memory();
    const value = { at: new Date(5), map: new Map([['k', new Set([1n])]]), none: undefined, nan: NaN, error: new RangeError('far') };
    const machine = setup({ types: { context: {} as { value: unknown }, input: {} as unknown } }).createMachine({
      context: ({ input }) => ({ value: input }),
    });
    const kinds = { keep: { machine, version: 1 } };
    {
      await using runtime = await createRuntime({ store, agents: kinds });
      await runtime.spawn('keep', { id: 'k', input: value });
    }
    await using runtime = await createRuntime({ store, agents: kinds });
    const kept = (await runtime.agent<'keep'>('k').snapshot()).context.value as typeof value;
    expect(kept.at).to.deep.equal(value.at);
    expect(kept.map).to.deep.equal(value.map);
    expect(kept).to.have.property('none', undefined);
    expect(kept.nan).to.be.NaN;
    expect(kept.error).to.be.instanceOf(RangeError).and.include({ message: 'far' });
  });
});
