import { expect } from 'chai';
import { setup } from 'xstate';
import { activity, createRuntime, memory } from 'statewarden';
import { memoryArtifacts } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import { failing } from './failing.js';

const machine = setup({ types: { events: {} as { type: 'GO' } } }).createMachine({});
const agents = { plain: { machine, version: 1 }, other: { machine: setup({}).createMachine({}), version: 1 } } as const;
const run = (): number => 1;

describe('an option that cannot be used', () => {
  const runtimes: readonly (readonly [string, object | undefined, string])[] = [
    ['no options', undefined, 'needs a store'],
    ['no store', { agents }, 'needs a store'],
    ['a path in place of the store', { agents, store: './agents.db' }, 'needs a store'],
    ['no agents', { store: memory() }, 'needs the kinds of agents'],
    ['a limit of 0', { store: memory(), agents, limits: { mailbox: 0 } }, 'limits.mailbox is 0'],
    ['a negative limit', { store: memory(), agents, limits: { residentAgents: -5 } }, 'limits.residentAgents is -5'],
    ['a limit that is no number', { store: memory(), agents, limits: { eventBytes: 'large' } }, 'limits.eventBytes is large'],
    ['a limit that is NaN', { store: memory(), agents, limits: { uncommittedTurns: NaN } }, 'limits.uncommittedTurns is NaN'],
    ['a lease that is too short', { store: memory(), agents, node: { leaseMs: 5 } }, 'node.leaseMs is 5'],
    ['a checkpoint threshold that is negative', { store: memory(), agents, checkpoints: { everyMs: -1 } }, 'everyMs is -1'],
    ['results that are no object', { store: memory(), agents, results: 7 }, 'results is 7'],
    ['an artifact store that is a path', { store: memory(), agents, results: { artifacts: './artifacts' } }, 'is no artifact store'],
    ['an artifact store that is null', { store: memory(), agents, results: { artifacts: null } }, 'is no artifact store'],
    ['an artifact store that is not opened', { store: memory(), agents, results: { artifacts: memoryArtifacts() } }, 'is not opened'],
    ['a result size that is negative', { store: memory(), agents, results: { maximumBytes: -1 } }, 'results.maximumBytes is -1'],
    ['a result size of 0', { store: memory(), agents, results: { maximumBytes: 0 } }, 'results.maximumBytes is 0'],
    ['a result size that is no number', { store: memory(), agents, results: { inlineBytes: '64k' } }, 'results.inlineBytes is 64k'],
    [
      'results kept inline that are too large',
      { store: memory(), agents, results: { inlineBytes: 9, maximumBytes: 8 } },
      'inlineBytes is 9',
    ],
    ['a lifetime of 0', { store: memory(), agents, results: { lifetimeMs: 0 } }, 'results.lifetimeMs is 0'],
    ['sweeps without a rest', { store: memory(), agents, results: { sweepMs: 10 } }, 'results.sweepMs is 10'],
    ['a grace that is NaN', { store: memory(), agents, results: { graceMs: NaN } }, 'results.graceMs is NaN'],
    ['reachable without artifacts', { store: memory(), agents, results: { reachable: () => [] } }, 'there are no artifacts'],
  ];
  for (const [name, options, message] of runtimes) {
    it(`is refused by createRuntime: ${name}`, async () => {
      expect((await failing('BAD_INPUT', () => createRuntime(options as never))).message).to.include(message);
    });
  }

  const activities: readonly (readonly [string, object | undefined, string])[] = [
    ['no definition', undefined, 'activity() needs a name'],
    ['no name', { run }, 'activity() needs a name'],
    ['an empty name', { name: '', run }, 'activity() needs a name'],
    ['no run', { name: 'a' }, 'activity "a": run is undefined'],
    ['a timeout of 0', { name: 'a', run, timeoutMs: 0 }, 'activity "a": timeoutMs is 0'],
    ['a concurrency of 0', { name: 'a', run, concurrency: 0 }, 'activity "a": concurrency is 0'],
    ['a concurrency that is no whole number', { name: 'a', run, concurrency: 1.5 }, 'activity "a": concurrency is 1.5'],
    ['no attempts', { name: 'a', run, retry: { attempts: 0 } }, 'activity "a": retry.attempts is 0'],
    ['a negative delay', { name: 'a', run, retry: { initialMs: -1 } }, 'activity "a": retry.initialMs is -1'],
    ['a longest delay under the first', { name: 'a', run, retry: { initialMs: 10, maximumMs: 5 } }, 'activity "a": retry.maximumMs is 5'],
    ['a factor under 1', { name: 'a', run, retry: { factor: 0.5 } }, 'activity "a": retry.factor is 0.5'],
    ['an unknown jitter', { name: 'a', run, retry: { jitter: 'half' } }, 'activity "a": retry.jitter is half'],
    ['a key that is no function', { name: 'a', run, key: 'id' }, 'activity "a": key is id'],
  ];
  for (const [name, definition, message] of activities) {
    it(`is refused by activity: ${name}`, async () => {
      expect((await failing('BAD_INPUT', () => activity(definition as never))).message).to.include(message);
    });
  }

  for (const path of ['', ':memory:', undefined, 7]) {
    it(`is refused by sqlite: ${JSON.stringify(path) ?? 'no path'} as the path`, async () => {
      await failing('BAD_INPUT', () => sqlite(path as string));
    });
  }
});

describe('a spawn that cannot be done', () => {
  it('is refused for a kind that is not registered, naming those that are', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const error = await failing('UNKNOWN_KIND', () => runtime.spawn('plane' as 'plain', { id: 'p' }));
    expect(error.message).to.include('"plane"');
    expect(error.hint).to.include('"plain", "other"');
  });

  it('is refused when the id is in use with another kind, in memory, at rest, and while it is being made', async () => {
    const store = memory();
    {
      await using runtime = await createRuntime({ store, agents });
      const making = runtime.spawn('plain', { id: 'p' });
      await failing('KIND_CONFLICT', () => runtime.spawn('other', { id: 'p' }));
      await making;
      const error = await failing('KIND_CONFLICT', () => runtime.spawn('other', { id: 'p' }));
      expect(error.message).to.equal('agent "p" exists and is a "plain", not a "other"');
    }
    await using runtime = await createRuntime({ store, agents });
    await failing('KIND_CONFLICT', () => runtime.spawn('other', { id: 'p' }));
    await runtime.spawn('plain', { id: 'p' });
    expect(await runtime.agent<'plain'>('p').send({ type: 'GO' })).to.deep.equal({ sequenceNumber: 2, duplicate: false });
  });

  for (const id of ['', 'a\nb', 'x'.repeat(513), undefined, 5, null]) {
    it(`is refused when the id is ${JSON.stringify(id)?.slice(0, 12) ?? 'missing'}`, async () => {
      await using runtime = await createRuntime({ store: memory(), agents });
      await failing('BAD_INPUT', () => runtime.spawn('plain', { id: id as string }));
      await failing('BAD_INPUT', () => runtime.agent(id as string));
    });
  }

  it('is refused when there are no options', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    await failing('BAD_INPUT', () => (runtime.spawn as unknown as (kind: string) => Promise<unknown>)('plain'));
  });
});

describe('a call after close', () => {
  it('is refused with RUNTIME_CLOSED, whatever it is', async () => {
    const runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('plain', { id: 'p' });
    await runtime.close();
    for (const call of [
      () => runtime.spawn('plain', { id: 'q' }),
      () => agent.send({ type: 'GO' }),
      () => agent.send({ type: 'GO' }, { messageId: 'm' }),
      () => agent.ask({ type: 'GO' }),
      () => agent.snapshot(),
      () => agent.result(),
      () => agent.stop(),
      () => agent.waitFor(() => true),
      () => new Promise((_, reject) => agent.snapshots$.subscribe({ error: reject })),
      () => new Promise((_, reject) => agent.emitted$.subscribe({ error: reject })),
    ]) {
      await failing('RUNTIME_CLOSED', call);
    }
    await runtime.close(); // closing again is nothing
  });

  it('rejects who waits when it is closed', async () => {
    const runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('plain', { id: 'p' });
    const waiting = [() => agent.result(), () => agent.waitFor(() => false), () => agent.ask({ type: 'GO' })].map((call) =>
      failing('RUNTIME_CLOSED', call),
    );
    await agent.snapshot();
    await runtime.close();
    await Promise.all(waiting);
  });
});
