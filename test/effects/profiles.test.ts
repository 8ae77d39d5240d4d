import { expect } from 'chai';
import fc from 'fast-check';
import type { AnyActorLogic } from 'xstate';
import { activity, createRuntime, memory, TerminalError, type RetryProfile, type RuntimeEvent, type RuntimeOptions } from 'statewarden';
import { slidingWindowBreaker } from 'statewarden/breakers';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';
import { freely } from '#src/effects/caution.js';
import { classOf } from '#src/effects/failure-class.js';

const open = (work: AnyActorLogic, more: Partial<RuntimeOptions> = {}) =>
  createRuntime({ store: memory(), ...more, agents: { caller: { machine: caller(work), version: 1 } } });

/** When attempts of an activity that always fails are made, from the first on. */
async function attempts(
  profile: string | undefined,
  retry: RetryProfile,
  profiles: Readonly<Record<string, RetryProfile>> = {},
  forMs = 5_000,
) {
  const clock = new ManualClock();
  const at: number[] = [];
  const work = activity({
    name: 'work',
    run: () => {
      at.push(clock.now());
      throw new Error('busy');
    },
    ...(profile === undefined ? {} : { profile }),
    retry: { jitter: 'none', ...retry },
  });
  await using runtime = await open(work, { clock, profiles });
  const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
  await clock.advance(forMs);
  const result = await Promise.race([agent.result(), settled()]);
  return { result, at: at.map((time) => time - (at[0] ?? 0)) };
}

describe('a retry profile', () => {
  it('is `standard` unless an activity names another', async () => {
    const { at, result } = await attempts(undefined, {});
    expect(at).to.deep.equal([0, 100, 300, 700, 1_500]);
    expect(result).to.equal('busy');
    expect((await attempts('standard', {})).at).to.deep.equal(at);
  });

  it('says how often and how long critical and background work is tried', async () => {
    const critical = (await attempts('critical', {}, {}, 3_600_000)).at;
    expect(critical).to.have.length(50);
    expect((critical.at(-1) as number) - (critical.at(-2) as number)).to.equal(60_000);
    expect((await attempts('background', {}, {}, 15_000)).at).to.deep.equal([0, 1_000, 4_000, 13_000]);
  });

  it('may be the user’s own, or a built-in one changed; what the activity says itself goes before it', async () => {
    expect((await attempts('nightly', {}, { nightly: { attempts: 3, initialMs: 10 } })).at).to.deep.equal([0, 10, 30]);
    expect((await attempts(undefined, {}, { standard: { attempts: 2 } })).at).to.deep.equal([0, 100]);
    expect((await attempts('background', { attempts: 2, initialMs: 7 })).at).to.deep.equal([0, 7]);
  });

  it('begins no attempt after its deadline, and fails with what the last one failed with', async () => {
    const { at, result } = await attempts(undefined, { attempts: Infinity, deadlineMs: 1_500 });
    expect(at).to.deep.equal([0, 100, 300, 700]);
    expect(result).to.equal('busy');
  });

  it('aborts an attempt that runs into the deadline', async () => {
    const clock = new ManualClock();
    let reason: unknown;
    const work = activity({
      name: 'work',
      run: (_: unknown, { signal }) => {
        signal.addEventListener('abort', () => (reason = signal.reason));
        return new Promise(() => undefined);
      },
      retry: { deadlineMs: 500 },
    });
    await using runtime = await open(work, { clock });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await clock.advance(499);
    expect(reason).to.equal(undefined);
    await clock.advance(1);
    expect(await agent.result()).to.equal('activity "work" took longer than 500 ms');
    expect(reason).to.include({ code: 'TIMEOUT' });
  });

  it('ends who still waits for a breaker at the deadline', async () => {
    const clock = new ManualClock();
    const breaker = slidingWindowBreaker({ name: 'service' });
    const work = activity({ name: 'work', run: () => 1, breaker, retry: { deadlineMs: 1_000 } });
    await using runtime = await open(work, { clock });
    const told: object[] = [];
    runtime.events$.subscribe((event) => {
      if (event.type === 'activity' && event.phase === 'failed') told.push(event);
    });
    await runtime.breakers.isolate('service');
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    expect(await runtime.breakers.parked()).to.have.length(1);
    await clock.advance(1_000);
    expect(await agent.result()).to.equal('activity "work" was not done within 1000 ms');
    expect(await runtime.breakers.parked()).to.deep.equal([]);
    expect(told).to.have.length(1);
    expect(told[0]).to.include({ failure: 'transient', attempt: 0 }).and.not.to.have.property('durationMs');
  });

  it('counts the deadline from when the activity was asked for, also after a restart', async () => {
    const clock = new ManualClock();
    const store = memory();
    let calls = 0;
    const work = activity({
      name: 'work',
      run: () => {
        calls += 1;
        throw new Error('busy');
      },
      retry: { attempts: Infinity, initialMs: 600, factor: 1, jitter: 'none', deadlineMs: 1_000 },
    });
    const first = await open(work, { clock, store });
    await first.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await first.close();
    await clock.advance(2_000);
    await using second = await open(work, { clock, store });
    await clock.advance(10);
    expect(await second.agent('a').result()).to.equal('activity "work" was not done within 1000 ms');
    expect(calls).to.equal(1);
  });

  it('lets work of a higher priority have the next place', async () => {
    const order: unknown[] = [];
    const ends: (() => void)[] = [];
    const work = activity({
      name: 'work',
      concurrency: 1,
      run: (input: { readonly id: string }) => {
        order.push(input.id);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      priority: ({ id }) => (id.startsWith('h') ? 'high' : id.startsWith('l') ? 'low' : 'normal'),
    });
    await using runtime = await open(work);
    for (const id of ['first', 'l1', 'n1', 'h1', 'l2', 'h2', 'n2']) {
      await runtime.spawn('caller', { id, input: { id } });
      await settled();
    }
    while (ends.length > 0) {
      ends.shift()?.();
      await settled();
    }
    expect(order).to.deep.equal(['first', 'h1', 'h2', 'n1', 'n2', 'l1', 'l2']);
  });

  it('that is not there, or makes no sense, is refused before the store is touched', async () => {
    const named = (profile: string) => activity({ name: 'work', run: () => 1, profile });
    const untouched = { ...memory(), open: () => Promise.reject(new Error('the store was opened')) };
    const refusal = async (work: AnyActorLogic, profiles?: unknown): Promise<unknown> =>
      open(work, { store: untouched, ...(profiles === undefined ? {} : { profiles: profiles as never }) }).then(
        () => 'made',
        (error: unknown) => `${(error as Error).message} · ${(error as { hint?: string }).hint ?? ''}`,
      );
    expect(await refusal(named('critcal'))).to.match(/no profile "critcal" · Did you mean "critical"/);
    expect(await refusal(named('x'))).to.match(/There are critical, standard, background/);
    expect(await refusal(named('own'), { own: { attempts: 0 } })).to.match(/profiles\.own\.attempts is 0/);
    expect(await refusal(named('own'), { own: { deadlineMs: -1 } })).to.match(/profiles\.own\.deadlineMs is -1/);
    expect(await refusal(named('own'), { own: { priority: 'urgent' } })).to.match(/profiles\.own\.priority is "urgent" · Use one of high/);
    expect(await refusal(named('own'), { own: null })).to.match(/profiles\.own is null/);
    expect(await refusal(named('own'), [])).to.match(/profiles is \[\]/);
    const narrow = activity({ name: 'work', run: () => 1, profile: 'own', retry: { maximumMs: 5 } });
    expect(await refusal(narrow, { own: { initialMs: 10 } })).to.match(/activity "work": retry\.maximumMs is 5/);
    expect(() => activity({ name: 'work', run: () => 1, profile: '' })).to.throw(/profile is ""/);
    expect(() => activity({ name: 'work', run: () => 1, retry: { deadlineMs: 0 } })).to.throw(/retry\.deadlineMs is 0/);
    expect(() => activity({ name: 'work', run: () => 1, classify: 'transient' as never })).to.throw(/classify is string/);
  });
});

describe('a failed attempt', () => {
  const http = (status: number) => Object.assign(new Error(`status ${String(status)}`), { status });
  const grpc = (code: number) => Object.assign(new Error(`code ${String(code)}`), { code, details: 'said', metadata: {} });
  const system = (code: string) => Object.assign(new Error(code), { code });

  it('is transient, persistent or partial by what it failed with', () => {
    const byClass = {
      transient: [
        new Error('busy'),
        'text',
        http(429),
        http(503),
        http(409),
        grpc(8),
        Object.assign(new Error('exit'), { code: 3 }),
        system('ECONNREFUSED'),
        new TypeError('fetch', { cause: system('ENOTFOUND') }),
      ],
      persistent: [new TerminalError('no'), http(400), http(404), http(422), grpc(3), grpc(16)],
      partial: [
        http(500),
        http(502),
        http(504),
        grpc(14),
        grpc(4),
        system('ECONNRESET'),
        new TypeError('fetch', { cause: system('UND_ERR_SOCKET') }),
        Object.assign(new Error('late'), { name: 'TimeoutError' }),
      ],
    };
    for (const [expected, errors] of Object.entries(byClass)) {
      for (const error of errors) expect(classOf(error, { caution: freely }), String(error)).to.equal(expected);
    }
  });

  it('is what the user says, unless that is no class, or throws, or the error says itself that it is terminal', () => {
    expect(classOf(http(400), { caution: freely, classify: () => 'transient' })).to.equal('transient');
    expect(classOf(http(400), { caution: freely, classify: () => undefined })).to.equal('persistent');
    expect(classOf(http(500), { caution: freely, classify: () => 'nonsense' as never })).to.equal('partial');
    expect(
      classOf(http(500), {
        caution: freely,
        classify: () => {
          throw new Error('in the classifier');
        },
      }),
    ).to.equal('partial');
    expect(classOf(new TerminalError('no'), { caution: freely, classify: () => 'transient' })).to.equal('persistent');
  });

  it('has a class whatever was thrown', () => {
    fc.assert(
      fc.property(fc.anything(), (error) => {
        expect(classOf(error, { caution: freely })).to.be.oneOf(['transient', 'persistent', 'partial']);
      }),
    );
  });

  it('that cannot be looked at is tried again like any other', async () => {
    const hostile = new Proxy(new Error('proxy'), {
      get: (target, name) => {
        if (name === 'status' || name === 'retryAfterMs') throw new Error('not for you');
        return Reflect.get(target, name) as unknown;
      },
    });
    expect(classOf(hostile, { caution: freely })).to.equal('transient');
    let made = 0;
    const work = activity({
      name: 'work',
      run: () => {
        made += 1;
        if (made === 1) throw hostile;
        return 'done';
      },
      retry: { initialMs: 0 },
    });
    await using runtime = await open(work);
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    expect(await agent.result()).to.equal('done');
  });

  it('is not made again when it is persistent, and tells its class', async () => {
    const told: string[] = [];
    for (const [status, calls] of [
      [404, 1],
      [500, 3],
    ] as const) {
      let made = 0;
      const work = activity({
        name: 'work',
        run: () => {
          made += 1;
          throw http(status);
        },
        retry: { attempts: 3, initialMs: 0 },
      });
      await using runtime = await open(work);
      runtime.events$.subscribe((event: RuntimeEvent) => {
        if (event.type === 'activity' && event.failure !== undefined) told.push(`${event.phase} ${event.failure}`);
      });
      const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
      expect(await agent.result()).to.equal(`status ${String(status)}`);
      expect(made).to.equal(calls);
    }
    expect(told).to.deep.equal(['failed persistent', 'retrying partial', 'retrying partial', 'failed partial']);
  });

  it('waits as long as the service asks, a minute at the most', async () => {
    for (const [asked, waited] of [
      [5_000, 5_000],
      [3_600_000, 60_000],
    ] as const) {
      const clock = new ManualClock();
      const at: number[] = [];
      const work = activity({
        name: 'work',
        run: () => {
          at.push(clock.now());
          throw Object.assign(http(429), { retryAfterMs: asked });
        },
        retry: { attempts: 2, initialMs: 10 },
      });
      await using runtime = await open(work, { clock });
      await runtime.spawn('caller', { id: 'a', input: 1 });
      await clock.advance(120_000);
      expect((at[1] as number) - (at[0] as number)).to.equal(waited);
    }
  });
});
