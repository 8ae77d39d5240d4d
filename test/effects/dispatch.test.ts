import { expect } from 'chai';
import fc from 'fast-check';
import {
  activity,
  createRuntime,
  DispatchError,
  inProcess,
  memory,
  type ActivityDefinition,
  type Dispatcher,
  type RetryProfile,
  type RuntimeEvent,
  type RuntimeOptions,
  type Store,
  type WakeTask,
} from 'statewarden';
import { parseWakeTask, wakeTask } from '#src/effects/dispatch.js';
import { failing } from '../bad-input/failing.js';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

type DispatchEvent = Extract<RuntimeEvent, { type: 'dispatch' }>;

/** A queue that keeps what it is given, and refuses as often as a test says. */
class Queue implements Dispatcher {
  readonly tasks: WakeTask[] = [];
  calls = 0;
  closed = 0;
  refuse: (nth: number) => Error | undefined = () => undefined;
  readonly dispatch = (task: WakeTask): Promise<void> => {
    this.calls += 1;
    const error = this.refuse(this.calls);
    if (error !== undefined) return Promise.reject(error);
    this.tasks.push(task);
    return Promise.resolve();
  };
  close(): void {
    this.closed += 1;
  }
}

const slow: RetryProfile = { attempts: 4, initialMs: 10_000, maximumMs: 60_000, jitter: 'none', queue: 'slow' };

interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly queue: Queue;
  readonly events: DispatchEvent[];
  attempts: number;
  open(definition?: Partial<ActivityDefinition<unknown, unknown>>, more?: Partial<RuntimeOptions>): ReturnType<typeof createRuntime>;
}

function world(): World {
  const one: World = {
    clock: new ManualClock(),
    store: memory(),
    queue: new Queue(),
    events: [],
    attempts: 0,
    open: async (definition = {}, more = {}) => {
      const run = (_: unknown, { attempt }: { readonly attempt: number }): string => {
        one.attempts += 1;
        if (attempt < 3) throw new Error('busy');
        return 'done';
      };
      const work = activity({ name: 'work', run, onUnknown: 'retry', profile: 'slow', ...definition });
      const { clock, store, queue } = one;
      const agents = { caller: { machine: caller(work), version: 1 } };
      const runtime = await createRuntime({ store, clock, dispatcher: queue, profiles: { slow }, ...more, agents });
      runtime.events$.subscribe((event) => void (event.type === 'dispatch' && one.events.push(event)));
      return runtime as never;
    },
  };
  return one;
}

describe('a dispatcher', () => {
  it('gets a wake-up call for each retry of a profile with a queue, once its timer is durable', async () => {
    const one = world();
    let durable: boolean | undefined;
    const { dispatch } = one.queue;
    const watching: Dispatcher = {
      dispatch: async (task) => {
        const [record] = await runtime.store.lookup([task.agentId]);
        const [line] = await runtime.store.operations(record?.key ?? 0);
        durable = (durable ?? true) && line?.nextRetryAt === task.at && line.attempts === task.attempt - 1;
        await dispatch(task);
      },
    };
    const runtime = await one.open({}, { dispatcher: watching });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    const began = one.clock.now();
    await settled();
    expect(one.queue.tasks).to.have.length(1);
    await one.clock.advance(10_000);
    expect(one.queue.tasks.map(({ agentId, attempt, at, queue }) => [agentId, attempt, at - began, queue])).to.deep.equal([
      ['a', 2, 10_000, 'slow'],
      ['a', 3, 30_000, 'slow'],
    ]);
    expect(durable).to.equal(true);
    expect(one.events.map(({ name, error }) => [name, error])).to.deep.equal(one.queue.tasks.map(({ name }) => [name, undefined]));
    // The process is up: its timers do the same, and nobody has called.
    await one.clock.advance(20_000);
    expect(await agent.result()).to.equal('done');
    await runtime.close();
  });

  it('gets nothing for a wait below its minimum, for a profile without a queue, and when there is none', async () => {
    for (const more of [
      { definition: { retry: { initialMs: 4_999 } } },
      { definition: { profile: 'standard', retry: { initialMs: 10_000, jitter: 'none' } } },
      { definition: {}, runtime: { dispatcher: inProcess } },
    ] as const) {
      const one = world();
      const runtime = await one.open(more.definition, 'runtime' in more ? more.runtime : {});
      await runtime.spawn('caller', { id: 'a', input: 1 });
      await settled();
      expect(one.attempts).to.equal(1);
      expect(one.queue.calls).to.equal(0);
      await runtime.close();
    }
    const one = world();
    const runtime = await one.open({ retry: { initialMs: 200 } }, { dispatcher: Object.assign(one.queue, { minimumMs: 200 }) });
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    expect(one.queue.tasks).to.have.length(1);
    await runtime.close();
  });

  it('that fails is tried again, told of when it fails for good, and the timer fires all the same', async () => {
    const one = world();
    one.queue.refuse = (nth) => (nth < 3 ? new Error('away') : undefined);
    const runtime = await one.open();
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await one.clock.advance(9_000);
    expect([one.queue.calls, one.queue.tasks.length]).to.deep.equal([3, 1]);
    expect(one.events.map(({ error }) => error)).to.deep.equal([undefined]);
    one.queue.refuse = () => new Error('away');
    await one.clock.advance(5_000);
    expect(one.queue.calls).to.equal(3 + 4);
    expect(one.events.map(({ error, queue, dueAt }) => [error?.message, queue, dueAt]).at(-1)).to.deep.equal([
      'away',
      'slow',
      1_000_000 + 30_000,
    ]);
    await one.clock.advance(20_000);
    expect(await agent.result()).to.equal('done');
    await runtime.close();
  });

  it('is not asked twice what it refuses for good', async () => {
    const one = world();
    one.queue.refuse = () => new DispatchError('no such queue', { hint: 'Make it first, with ensureQueue().', disposition: 'terminal' });
    const runtime = await one.open();
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await one.clock.advance(5_000);
    expect(one.queue.calls).to.equal(1);
    expect(one.events).to.have.length(1);
    expect(one.events[0]?.error).to.include({ code: 'DISPATCH_FAILED' });
    await runtime.close();
  });

  it('gets a call also for the next question about what nobody knows', async () => {
    const one = world();
    const asked: number[] = [];
    const runtime = await one.open({
      onUnknown: 'reconcile',
      run: () => Promise.reject(Object.assign(new Error('cut'), { code: 'ECONNRESET' })),
      reconcile: (_, __, { attempt }) => {
        asked.push(attempt);
        if (attempt === 1) throw new Error('busy');
        return { outcome: 'done', result: 'done' };
      },
    });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    expect(asked).to.deep.equal([1]);
    expect(one.queue.tasks.map(({ at }) => at - one.clock.now())).to.deep.equal([10_000]);
    await one.clock.advance(10_000);
    expect(await agent.result()).to.equal('done');
    await runtime.close();
  });

  it('gets the same name again from whoever comes back to the wait', async () => {
    const one = world();
    const first = await one.open();
    await first.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await first.close();
    const second = await one.open();
    await second.agent('a').send({ type: 'NOTHING' } as never);
    await settled();
    expect(one.queue.tasks).to.have.length(2);
    expect(one.queue.tasks[1]).to.deep.equal(one.queue.tasks[0]);
    await second.close();
  });

  it('is closed with its runtime, after what was on its way', async () => {
    const one = world();
    let arrive: (value?: unknown) => void = () => undefined;
    const order: string[] = [];
    const dispatcher: Dispatcher = {
      dispatch: () => new Promise((resolve) => (arrive = resolve)).then(() => void order.push('arrived')),
      close: () => void order.push('closed'),
    };
    const runtime = await one.open({}, { dispatcher });
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    const closing = runtime.close();
    await settled();
    expect(order).to.deep.equal([]);
    arrive();
    await closing;
    expect(order).to.deep.equal(['arrived', 'closed']);
  });

  it('that does not come to an end holds a runtime up for no longer than its grace; one that cannot be closed harms nothing', async () => {
    const one = world();
    const runtime = await one.open(
      {},
      { dispatcher: { dispatch: () => new Promise(() => undefined), close: () => Promise.reject(new Error('no')) } },
    );
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    const closing = runtime.close({ graceMs: 500 });
    await one.clock.advance(500);
    await closing;
  });

  for (const dispatcher of [
    null,
    {},
    { dispatch: 'x' },
    { dispatch: () => undefined, minimumMs: -1 },
    { dispatch: () => undefined, minimumMs: 'x' },
  ]) {
    it(`is refused when it is ${JSON.stringify(dispatcher)}`, async () => {
      await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: {}, dispatcher: dispatcher as never }));
    });
  }

  for (const queue of ['', 'a b', 'q'.repeat(101), 7, null]) {
    it(`has no queue named ${JSON.stringify(queue).slice(0, 20)}`, async () => {
      await failing('BAD_INPUT', () => createRuntime({ store: memory(), agents: {}, profiles: { slow: { queue: queue as never } } }));
      await failing('BAD_INPUT', () => Promise.resolve(activity({ name: 'work', run: () => 1, retry: { queue: queue as never } })));
    });
  }
});

describe('a wake-up call', () => {
  const some = { agentId: 'a', operationId: 'a:calling:1', attempt: 2, at: 1_700_000_000_000, queue: 'slow' };

  it('has a name that is the same for the same wait, another for any other, and that every queue can take', () => {
    const id = fc.string({ minLength: 1, maxLength: 600, unit: 'grapheme' });
    fc.assert(
      fc.property(id, id, fc.nat(), fc.nat(), (agentId, other, at, later) => {
        const { name } = wakeTask({ ...some, agentId, at });
        expect(name).to.match(/^[A-Za-z0-9-]{1,500}$/);
        expect(wakeTask({ ...some, agentId, at, attempt: 9 }).name).to.equal(name);
        if (other !== agentId) expect(wakeTask({ ...some, agentId: other, at }).name).to.not.equal(name);
        if (later !== at) expect(wakeTask({ ...some, agentId, at: later }).name).to.not.equal(name);
      }),
    );
    // In order of time they would all go to one place of the queue.
    const begins = new Set(Array.from({ length: 64 }, (_, nth) => wakeTask({ ...some, at: some.at + nth }).name.slice(0, 1)));
    expect(begins.size).to.be.greaterThan(8);
  });

  it('is what it was after its way as JSON', () => {
    const task = wakeTask(some);
    expect(parseWakeTask(JSON.stringify(task))).to.deep.equal(task);
    expect(parseWakeTask(JSON.stringify({ ...task, more: 1 }))).to.deep.equal(task);
  });

  it('is told from anything else', async () => {
    const task = wakeTask(some);
    const bodies = [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      ...Object.keys(task).map((key) => JSON.stringify({ ...task, [key]: undefined })),
      ...Object.keys(task).map((key) => JSON.stringify({ ...task, [key]: '' })),
      JSON.stringify({ ...task, name: 'a/b' }),
      JSON.stringify({ ...task, attempt: 0 }),
      JSON.stringify({ ...task, at: 1.5 }),
      JSON.stringify({ ...task, at: -1 }),
      JSON.stringify({ ...task, queue: 'a b' }),
    ];
    for (const body of bodies) await failing('BAD_INPUT', () => parseWakeTask(body));
  });
});
