import { expect } from 'chai';
import { assign, createActor, setup } from 'xstate';
import { createRuntime, memory, monitor, supervisor, type AgentRef, type Down, type Runtime, type Store } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { settled } from '../runtime/manual-clock.js';

const worker = setup({
  types: { events: {} as { type: 'DONE'; value: number } | { type: 'FAIL' }, context: {} as { value: number }, output: {} as number },
}).createMachine({
  id: 'worker',
  context: { value: 0 },
  initial: 'working',
  output: ({ context }) => context.value,
  states: {
    working: {
      on: {
        DONE: { target: 'done', actions: assign({ value: ({ event }) => event.value }) },
        FAIL: {
          actions: assign(() => {
            throw new RangeError('too much');
          }),
        },
      },
    },
    done: { type: 'final' },
  },
});

const watcher = setup({
  types: {
    context: {} as { of: string; down: Down<number> | undefined; failed: string | undefined },
    events: {} as { type: 'WATCH' } | { type: 'LEAVE' },
    input: {} as { of: string },
  },
  actors: { watch: monitor<number>() },
}).createMachine({
  id: 'watcher',
  context: ({ input }) => ({ of: input.of, down: undefined, failed: undefined }),
  initial: 'idle',
  states: {
    idle: { on: { WATCH: 'watching' } },
    watching: {
      invoke: {
        src: 'watch',
        input: ({ context }) => ({ id: context.of }),
        onDone: { target: 'told', actions: assign({ down: ({ event }) => event.output }) },
        onError: { target: 'told', actions: assign({ failed: ({ event }) => (event.error as Error).message }) },
      },
      on: { LEAVE: 'idle' },
    },
    told: {},
  },
});

const agents = { worker: { machine: worker, version: 1 }, watcher: { machine: watcher, version: 1 } } as const;
type Agents = typeof agents;
const open = (store: Store): Promise<Runtime<Agents>> => createRuntime({ store, agents });

async function watch(runtime: Runtime<Agents>, of: string, id = 'w'): Promise<void> {
  const agent = await runtime.spawn('watcher', { id, input: { of } });
  await agent.send({ type: 'WATCH' });
}

async function told(runtime: Runtime<Agents>, id = 'w'): Promise<Down<number> | string | undefined> {
  const { context } = await runtime.agent<'watcher'>(id).waitFor((snapshot) => snapshot.matches('told'), { timeoutMs: 5_000 });
  return context.down ?? context.failed;
}

describe('a monitor', () => {
  const ends: readonly { name: string; end: (runtime: Runtime<Agents>) => Promise<unknown>; down: object }[] = [
    {
      name: 'is done',
      end: (runtime) => runtime.agent<'worker'>('a').send({ type: 'DONE', value: 7 }),
      down: { id: 'a', status: 'done', output: 7 },
    },
    { name: 'was stopped', end: (runtime) => runtime.agent('a').stop(), down: { id: 'a', status: 'stopped' } },
    { name: 'has failed', end: (runtime) => runtime.agent<'worker'>('a').send({ type: 'FAIL' }), down: { id: 'a', status: 'error' } },
  ];
  for (const { name, end, down } of ends) {
    it(`tells that the other ${name}, then or before`, async () => {
      await using runtime = await open(memory());
      await runtime.spawn('worker', { id: 'a' });
      await watch(runtime, 'a');
      await settled();
      expect((await runtime.agent<'watcher'>('w').snapshot()).value).to.equal('watching');
      await end(runtime);
      const first = await told(runtime);
      expect(first).to.deep.include(down);
      await watch(runtime, 'a', 'late');
      const second = await told(runtime, 'late');
      for (const heard of [first, second] as Down[]) {
        if (heard.status === 'error')
          expect(heard.error).to.be.instanceOf(Error).and.to.include({ name: 'RangeError', message: 'too much' });
      }
    });

    it(`tells it across restarts of both (${name})`, async () => {
      const store = faultyStore(memory());
      {
        const runtime = await open(store);
        await runtime.spawn('worker', { id: 'a' });
        await watch(runtime, 'a');
        // The end of a process that was killed: nothing is written any more.
        store.decide(() => ({ fault: 'poison' }));
        await runtime.close({ graceMs: 0 });
        store.decide(undefined);
      }
      await using runtime = await open(store);
      await settled();
      expect((await runtime.agent<'watcher'>('w').snapshot()).value).to.equal('watching');
      await end(runtime);
      expect(await told(runtime)).to.deep.include(down);
    });

    it(`tells it of an agent of another node (${name})`, async () => {
      const store = memory();
      await using one = await open(store);
      await one.spawn('worker', { id: 'a' });
      await using other = await open(store);
      await watch(other, 'a');
      await settled();
      await end(one);
      expect(await told(other)).to.deep.include(down);
    });
  }

  it('tells that there is no such agent', async () => {
    await using runtime = await open(memory());
    await watch(runtime, 'nobody');
    expect(await told(runtime)).to.deep.equal({ id: 'nobody', status: 'unknown' });
  });

  it('ends with its state, and tells nothing then', async () => {
    await using runtime = await open(memory());
    const agent = await runtime.spawn('worker', { id: 'a' });
    await watch(runtime, 'a');
    const watching = runtime.agent<'watcher'>('w');
    await watching.send({ type: 'LEAVE' });
    await agent.send({ type: 'DONE', value: 1 });
    await settled();
    expect((await watching.snapshot()).value).to.equal('idle');
    expect((await runtime.store.counts()).openOperations).to.equal(0);
  });

  it('does not hold up the end of its runtime, and goes on in the next', async () => {
    const store = memory();
    {
      const runtime = await open(store);
      await runtime.spawn('worker', { id: 'a' });
      await watch(runtime, 'a');
      await settled();
      const closing = runtime.close({ graceMs: 60_000 });
      await closing;
    }
    await using runtime = await open(store);
    await runtime.agent<'worker'>('a').send({ type: 'DONE', value: 3 });
    expect(await told(runtime)).to.deep.equal({ id: 'a', status: 'done', output: 3 });
  });

  it('that meets the end while its runtime closes tells it in the next', async () => {
    const store = memory();
    {
      const runtime = await open(store);
      const agent = await runtime.spawn('worker', { id: 'a' });
      await watch(runtime, 'a');
      await settled();
      const sent = agent.send({ type: 'DONE', value: 9 });
      await Promise.all([runtime.close(), sent.catch(() => undefined)]);
    }
    await using runtime = await open(store);
    await runtime
      .agent<'worker'>('a')
      .send({ type: 'DONE', value: 9 })
      .catch(() => undefined);
    expect(await told(runtime)).to.deep.equal({ id: 'a', status: 'done', output: 9 });
  });

  it('waits for a parked agent until that is lifted and ends', async () => {
    const store = memory();
    {
      await using runtime = await open(store);
      await runtime.spawn('worker', { id: 'a' });
    }
    const changed = setup({}).createMachine({ id: 'worker', initial: 'other', states: { other: {} } });
    {
      await using runtime = await createRuntime({ store, agents: { ...agents, worker: { machine: changed, version: 1 } } });
      await runtime
        .agent('a')
        .snapshot()
        .catch(() => undefined);
      await watch(runtime as never, 'a');
      await settled();
      expect((await runtime.store.lookup(['a']))[0]?.status).to.equal('parked');
    }
    await using runtime = await open(store);
    await runtime.agent<'worker'>('a').send({ type: 'DONE', value: 5 });
    expect(await told(runtime)).to.deep.equal({ id: 'a', status: 'done', output: 5 });
  });

  it('asks for an id, and for a runtime', async () => {
    await using runtime = await open(memory());
    await watch(runtime, '');
    expect(await told(runtime)).to.equal(`monitor() was given {"id":""}: give its input as { id: 'the agent' }`);
    const actor = createActor(monitor(), { input: { id: 'a' } });
    const error = await new Promise<Error>((resolve) => {
      actor.subscribe({ error: (thrown) => resolve(thrown as Error) });
      actor.start();
    });
    expect(error).to.include({ code: 'BAD_INPUT', message: 'monitor() needs a runtime' });
  });

  const team = supervisor({ id: 'team', children: [{ id: 'a', kind: 'worker' }] });
  const fail = async (runtime: Pick<Runtime, 'deadLetters'>, a: AgentRef<typeof worker>): Promise<void> => {
    await a.send({ type: 'FAIL' }).catch(() => undefined);
    while ((await runtime.deadLetters.list()).length === 0) await settled();
  };

  it('tells that a supervised agent has failed, and nothing of what was before it began', async () => {
    await using runtime = await open(memory());
    await runtime.supervise(team);
    await watch(runtime, 'a', 'w1');
    await fail(runtime, runtime.agent<'worker'>('a'));
    const down = (await told(runtime, 'w1')) as Extract<Down<number>, { status: 'failed' }>;
    expect(down).to.deep.include({ id: 'a', status: 'failed', reason: 'assign' });
    expect(down.error.message).to.equal('agent "a" failed: too much');
    await new Promise((resolve) => setTimeout(resolve, 2));
    await watch(runtime, 'a', 'w2');
    await runtime.agent<'worker'>('a').send({ type: 'DONE', value: 5 });
    expect(await told(runtime, 'w2')).to.deep.include({ id: 'a', status: 'done', output: 5 });
  });

  it('tells of a failure that came and went while the one that watches was in no process', async () => {
    const store = memory();
    {
      await using runtime = await open(store);
      await runtime.supervise(team);
      await watch(runtime, 'a');
    }
    {
      await using runtime = await createRuntime({ store, agents: { worker: agents.worker } });
      await runtime.supervise(team);
      await fail(runtime, runtime.agent<'worker'>('a'));
    }
    await using runtime = await open(store);
    expect(await told(runtime)).to.deep.include({ id: 'a', status: 'failed', reason: 'assign' });
  });
});
