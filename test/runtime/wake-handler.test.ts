import { expect } from 'chai';
import { join } from 'node:path';
import { setup, type AnyActorLogic } from 'xstate';
import {
  activity,
  createRuntime,
  memory,
  supervisor,
  wakeHandler,
  type ActivityDefinition,
  type Dispatcher,
  type RetryProfile,
  type Runtime,
  type RuntimeOptions,
  type Store,
  type WakeHandlerOptions,
  type WakeTask,
} from 'statewarden';
import { consecutiveBreaker } from 'statewarden/breakers';
import { sqlite } from 'statewarden/sqlite';
import { faultyStore } from 'statewarden/testing';
import { wakeTask } from '#src/effects/dispatch.js';
import { failing, inFolder } from '../bad-input/failing.js';
import { until } from '../gateway/service.js';
import { caller } from './caller.js';
import { ManualClock, settled } from './manual-clock.js';

/** Time passes and nothing fires, as for a process that gets no processor between requests. */
class StandingClock extends ManualClock {
  #skipped = 0;

  override now(): number {
    return super.now() + this.#skipped;
  }

  override elapsed(): number {
    return super.elapsed() + this.#skipped;
  }

  skip(ms: number): void {
    this.#skipped += ms;
  }
}

const slow: RetryProfile = { attempts: 4, initialMs: 10_000, maximumMs: 60_000, jitter: 'none', queue: 'slow' };

class World {
  readonly clock = new StandingClock();
  readonly store: Store;
  readonly tasks: WakeTask[] = [];
  readonly attempts: number[] = [];
  /** What an attempt comes to. */
  act: (attempt: number) => unknown = (attempt) => {
    if (attempt < 3) throw new Error('busy');
    return 'done';
  };
  dispatch: Dispatcher['dispatch'] = (task) => Promise.resolve(void this.tasks.push(task));

  constructor(store: Store = memory()) {
    this.store = store;
  }

  work(definition: Partial<ActivityDefinition<unknown, unknown>> = {}) {
    const run = (_: unknown, { attempt }: { readonly attempt: number }): unknown => {
      this.attempts.push(attempt);
      return this.act(attempt);
    };
    return activity({ name: 'work', run, onUnknown: 'retry', profile: 'slow', ...definition });
  }

  async open(work: AnyActorLogic = this.work(), more: Partial<RuntimeOptions> = {}): Promise<Runtime> {
    const { clock, store } = this;
    const dispatcher: Dispatcher = { dispatch: (task) => this.dispatch(task) };
    const agents = { caller: { machine: caller(work), version: 1 } };
    return (await createRuntime({ store, clock, dispatcher, profiles: { slow }, agents, ...more })) as unknown as Runtime;
  }

  /** The first attempt has failed, and its call is in the queue. */
  async waiting(runtime: Runtime, id = 'a'): Promise<WakeTask> {
    await runtime.spawn('caller', { id, input: 1 });
    await until(() => this.tasks.length > 0, 'the call is in the queue');
    expect(this.attempts).to.deep.equal([1]);
    return this.tasks.at(-1)!;
  }
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Record<string, unknown>;
}

async function call(runtime: Pick<Runtime, 'wake'>, body: unknown, options?: WakeHandlerOptions): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await wakeHandler(runtime, options)(new Request('http://agents.example/wake', { method: 'POST', body: text }));
  expect(response.headers.get('content-type')).to.equal('application/json');
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    body: (await response.json()) as Record<string, unknown>,
  };
}

describe('the handler of wake-up calls', () => {
  it('has the attempt made that is due, without the runtime’s own timers, and answers when what came of it is durable', async () => {
    const one = new World();
    await using runtime = await one.open();
    const first = await one.waiting(runtime);
    one.clock.skip(10_000);
    await settled();
    expect(one.attempts, 'no timer has fired').to.deep.equal([1]);
    const waits = await call(runtime, first);
    expect(waits).to.deep.equal({ status: 200, retryAfter: null, body: { outcome: 'waiting', nextAttemptAt: one.clock.now() + 20_000 } });
    expect(one.attempts).to.deep.equal([1, 2]);
    expect(one.tasks, 'the next call was in the queue before the answer').to.have.length(2);
    one.clock.skip(20_000);
    expect((await call(runtime, one.tasks[1])).body).to.deep.equal({ outcome: 'gone', agent: 'ended' });
    expect(await runtime.agent('a').result()).to.equal('done');
    expect(one.attempts).to.deep.equal([1, 2, 3]);
  });

  it('brings the agent back that no process has, from a file', () =>
    inFolder(async (folder) => {
      const one = new World(sqlite(join(folder, 'agents.db')));
      const first = await one.open();
      const task = await one.waiting(first);
      await first.close();
      one.clock.skip(3_000);
      await using second = await one.open();
      expect(one.attempts).to.deep.equal([1]);
      one.clock.skip(7_000);
      expect(await call(second, task)).to.deep.include({
        status: 200,
        body: { outcome: 'waiting', nextAttemptAt: one.clock.now() + 20_000 },
      });
      expect(one.attempts).to.deep.equal([1, 2]);
    }));

  it('makes one attempt for a call that comes twice, at once or later', async () => {
    const one = new World();
    await using runtime = await one.open();
    const task = await one.waiting(runtime);
    one.clock.skip(10_000);
    const answers = await Promise.all([call(runtime, task), call(runtime, task)]);
    expect(answers.map(({ status, body }) => [status, body['outcome']])).to.deep.equal([
      [200, 'waiting'],
      [200, 'waiting'],
    ]);
    expect((await call(runtime, task)).body).to.include({ outcome: 'waiting' });
    expect(one.attempts).to.deep.equal([1, 2]);
  });

  it('says of an agent that cannot be woken that it is gone, with a status that ends the calls', async () => {
    const one = new World();
    await using runtime = await one.open();
    const task = wakeTask({ agentId: 'nobody', operationId: 'nobody:calling:1', attempt: 2, at: 1, queue: 'slow' });
    expect(await call(runtime, task)).to.deep.equal({ status: 200, retryAfter: null, body: { outcome: 'gone', agent: 'absent' } });
    const stopped = await one.waiting(runtime);
    await runtime.agent('a').stop();
    expect(await call(runtime, stopped)).to.deep.include({ status: 200, body: { outcome: 'gone', agent: 'ended' } });
  });

  it('leaves an agent alone whose supervisor has it down', async () => {
    const one = new World();
    await using runtime = await one.open();
    const team = await runtime.supervise(supervisor({ id: 'team', children: [{ id: 'a', kind: 'caller', input: 1 }] }) as never);
    await settled();
    const task = one.tasks.at(-1)!;
    expect(task.agentId).to.equal('a');
    await team.shutdown();
    one.clock.skip(10_000);
    expect(await call(runtime, task)).to.deep.include({ status: 200, body: { outcome: 'gone', agent: 'suspended' } });
    expect(one.attempts).to.deep.equal([1]);
  });

  it('says that an operation is over whose state was left', async () => {
    const one = new World();
    await using runtime = await one.open();
    const task = await one.waiting(runtime);
    await runtime.agent('a').send({ type: 'LEAVE' } as never);
    expect(await call(runtime, task)).to.deep.include({ status: 200, body: { outcome: 'settled' } });
  });

  it('has the queue call again while another node that is up has the agent, and takes it over when that is gone', async () => {
    const one = new World();
    const first = await one.open(undefined, { node: { name: 'first' } });
    const task = await one.waiting(first);
    await using second = await one.open(undefined, { node: { name: 'second' } });
    one.clock.skip(1_000);
    const refused = await call(second, task);
    expect(refused).to.deep.equal({ status: 503, retryAfter: '5', body: { outcome: 'elsewhere', node: 'first' } });
    one.clock.skip(9_000); // its lease is over: nothing has said that it lives
    expect((await call(second, task)).body).to.include({ outcome: 'waiting' });
    expect(one.attempts).to.deep.equal([1, 2]);
    await first.close({ graceMs: 0 }).catch(() => undefined);
  });

  it('has the queue call again while the store is away, and when it ends', async () => {
    const store = faultyStore(memory());
    const one = new World(store);
    const first = await one.open();
    const task = await one.waiting(first);
    await first.close();
    const runtime = await one.open();
    store.decide((method) => (method === 'load' ? { fault: 'before' } : undefined));
    const away = await call(runtime, task);
    expect([away.status, away.retryAfter, away.body['code']]).to.deep.equal([503, '5', 'STORE_UNAVAILABLE']);
    // It can be read and not written.
    store.decide((method) => (method === 'commit' || method === 'heads' ? { fault: 'before' } : undefined));
    one.clock.skip(10_000);
    const unwritten = call(runtime, task, { waitMs: 100 });
    await one.clock.advance(3_000);
    expect(await unwritten).to.deep.include({ status: 503, body: { outcome: 'unwritten' } });
    store.decide(undefined);
    await one.clock.advance(2_000);
    await runtime.close();
    const closed = await call(runtime, task);
    expect([closed.status, closed.body['code']]).to.deep.equal([503, 'RUNTIME_CLOSED']);
  });

  it('has the queue call again for an agent that only another version of its machine can bring back', async () => {
    const one = new World();
    const first = await one.open();
    const task = await one.waiting(first);
    await first.close();
    const other = setup({}).createMachine({ id: 'caller', initial: 'elsewhere', states: { elsewhere: {} } });
    await using runtime = await one.open(undefined, { agents: { caller: { machine: other, version: 1 } } });
    const answer = await call(runtime, task);
    expect([answer.status, answer.body['outcome'], answer.body['code']]).to.deep.equal([503, 'unfit', 'SNAPSHOT_VERSION']);
  });

  it('says 202 when an attempt takes longer than can be waited, and lets it go on', async () => {
    const one = new World();
    let end: (value: unknown) => void = () => undefined;
    await using runtime = await one.open();
    const task = await one.waiting(runtime);
    one.act = () => new Promise((resolve) => (end = resolve));
    one.clock.skip(10_000);
    const answer = call(runtime, task, { waitMs: 2_000 });
    await one.clock.advance(2_000);
    expect(await answer).to.deep.equal({ status: 202, retryAfter: null, body: { outcome: 'running' } });
    end('late');
    expect(await runtime.agent('a').result()).to.equal('late');
  });

  it('waits a little for what is not quite due by its own clock, and has what is far from due called again', async () => {
    const one = new World();
    await using runtime = await one.open();
    const task = await one.waiting(runtime);
    const early = await call(runtime, task, { waitMs: 2_000 });
    expect(early).to.deep.equal({ status: 503, retryAfter: '10', body: { outcome: 'early', inMs: 10_000 } });
    one.clock.skip(9_000);
    const answer = call(runtime, task, { waitMs: 2_000 });
    await one.clock.advance(1_000);
    expect((await answer).body).to.include({ outcome: 'waiting' });
    expect(one.attempts).to.deep.equal([1, 2]);
  });

  it('waits also for short retries, and for what the agent does next', async () => {
    const one = new World();
    const work = one.work();
    const next = activity({ name: 'next', run: () => new Promise((resolve) => one.clock.setTimeout(() => resolve('also'), 1_500)) });
    const machine = setup({ actors: { work, next } }).createMachine({
      id: 'caller',
      initial: 'first',
      states: {
        first: { invoke: { src: 'work', onDone: 'second', onError: 'second' } },
        second: { invoke: { src: 'next', onDone: 'third' } },
        third: {},
      },
    });
    await using runtime = await one.open(undefined, { agents: { caller: { machine, version: 1 } } });
    one.act = (attempt) => {
      // Only the first wait is worth a call: the service says of the second that it will be short.
      throw Object.assign(new Error('busy'), { retryAfterMs: attempt === 1 ? 10_000 : 0 });
    };
    await runtime.spawn('caller', { id: 'a', input: 1 } as never);
    await settled();
    one.clock.skip(10_000);
    let answered = false;
    one.act = () => 'done';
    const answer = call(runtime, one.tasks[0]).finally(() => (answered = true));
    await one.clock.advance(1_400);
    expect(answered).to.equal(false);
    await one.clock.advance(200);
    expect((await answer).body).to.deep.equal({ outcome: 'settled' });
    expect((await runtime.agent('a').snapshot()).value).to.equal('third');
  });

  it('waits out what is too short for the queue', async () => {
    const one = new World();
    const work = one.work({ retry: { initialMs: 4_000, factor: 1 } });
    await using runtime = await one.open(work);
    await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    expect(one.tasks).to.deep.equal([]);
    const [record] = await runtime.store.lookup(['a']);
    const [line] = await runtime.store.operations(record?.key ?? 0);
    one.clock.skip(4_000);
    const task = wakeTask({ agentId: 'a', operationId: line?.id ?? '', attempt: 2, at: one.clock.now(), queue: 'slow' });
    const answer = call(runtime, task);
    await one.clock.advance(3_900);
    expect(one.attempts).to.deep.equal([1, 2]);
    await one.clock.advance(200);
    expect((await answer).body).to.deep.equal({ outcome: 'gone', agent: 'ended' });
    expect(one.attempts).to.deep.equal([1, 2, 3]);
  });

  it('has the queue call again when it would not take the next call, and puts that anew', async () => {
    const one = new World();
    await using runtime = await one.open();
    const task = await one.waiting(runtime);
    const { dispatch } = one;
    one.dispatch = () => Promise.reject(new Error('away'));
    one.clock.skip(10_000);
    const answer = call(runtime, task);
    await one.clock.advance(5_000);
    const refused = await answer;
    expect([refused.status, refused.retryAfter, refused.body['outcome']]).to.deep.equal([503, '5', 'undispatched']);
    one.dispatch = dispatch;
    const again = await call(runtime, task);
    expect([again.status, again.body['outcome']]).to.deep.equal([200, 'waiting']);
    expect(one.tasks).to.have.length(2);
    expect(one.attempts).to.deep.equal([1, 2]);
  });

  it('says that a person is waited for', async () => {
    const one = new World();
    const work = one.work({ onUnknown: 'hold' });
    await using runtime = await one.open(work);
    one.act = () => {
      throw Object.assign(new Error('busy'), { code: 'ECONNREFUSED' });
    };
    const task = await one.waiting(runtime);
    one.act = () => {
      throw Object.assign(new Error('cut'), { code: 'ECONNRESET' });
    };
    one.clock.skip(10_000);
    expect(await call(runtime, task)).to.deep.include({ status: 200, body: { outcome: 'held' } });
    expect(await runtime.holds.list()).to.have.length(1);
  });

  it('has the queue call again for what waits for a breaker', async () => {
    const one = new World();
    const work = one.work({ breaker: consecutiveBreaker({ name: 'api', failures: 5 }) });
    await using runtime = await one.open(work);
    const task = await one.waiting(runtime);
    await runtime.breakers.isolate('api');
    one.clock.skip(10_000);
    const answer = call(runtime, task, { waitMs: 1_000 });
    await one.clock.advance(1_000);
    expect(await answer).to.deep.equal({ status: 503, retryAfter: '5', body: { outcome: 'refused', breaker: 'api' } });
    expect(one.attempts).to.deep.equal([1]);
  });

  it('answers what is no call with 400, what is not authenticated with 401, another method with 405', async () => {
    const one = new World();
    await using runtime = await one.open();
    for (const body of ['', '{', 'null', '{"agentId":"a"}', 'x'.repeat(70_000)]) {
      const { status, body: told } = await call(runtime, body);
      expect([status, told['code']]).to.deep.equal([400, 'BAD_INPUT']);
      expect(told['hint']).to.be.a('string');
    }
    const task = await one.waiting(runtime);
    one.clock.skip(10_000);
    const denied = await call(runtime, task, { authenticate: (request) => request.headers.has('authorization') });
    expect(denied.status).to.equal(401);
    const broken = await call(runtime, task, { authenticate: () => Promise.reject(new Error('no keys')) });
    expect([broken.status, broken.body['error']]).to.deep.equal([503, 'no keys']);
    const get = await wakeHandler(runtime)(new Request('http://agents.example/wake'));
    expect([get.status, get.headers.get('allow')]).to.deep.equal([405, 'POST']);
    expect(one.attempts).to.deep.equal([1]);
    expect((await call(runtime, task, { authenticate: () => true })).status).to.equal(200);
  });

  it('refuses options that cannot be meant', async () => {
    const one = new World();
    await using runtime = await one.open();
    await failing('BAD_INPUT', () => wakeHandler(undefined as never));
    await failing('BAD_INPUT', () => wakeHandler(runtime, { authenticate: 'yes' as never }));
    for (const waitMs of [-1, NaN, Infinity, 'x']) {
      await failing('BAD_INPUT', () => wakeHandler(runtime, { waitMs: waitMs as number }));
      await failing('BAD_INPUT', () => runtime.wake({} as never, { waitMs: waitMs as number }));
    }
  });
});
