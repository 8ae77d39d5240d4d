/**
 * Effects as the outside sees them (I2, I3): how often an activity's `run` or a named action is called, with what, and when, through failures of
 * their own, of the store and of the process.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import sinon from 'sinon';
import { assign, setup } from 'xstate';
import { activity, memory, type ActivityContext, type RetryPolicy } from 'statewarden';
import { backoffMs, standardRetry } from '#src/effects/retry.js';
import { Lives, type Ending } from './lives.js';
import { runs, timeoutMs } from './runs.js';

type Run = (input: { readonly query: string }, context: ActivityContext) => Promise<number>;

/** Chance that always says the same, ids that count. */
function chance(value: number): { next: () => number; id: () => string } {
  let ids = 0;
  return { next: () => value, id: () => `id-${String((ids += 1))}` };
}

const retry: fc.Arbitrary<RetryPolicy> = fc
  .record({
    attempts: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
    initialMs: fc.integer({ min: 30, max: 500 }), // so that there is a time before: no wait at all is tried in retry.test.ts
    moreMs: fc.integer({ min: 0, max: 5_000 }),
    factor: fc.constantFrom(1, 1.5, 2, 3),
    jitter: fc.constantFrom('full' as const, 'none' as const),
  })
  .map(({ moreMs, ...given }) => ({ ...given, maximumMs: given.initialMs + moreMs }));

interface Failure {
  /** Of the process, while the next attempt is waited for. */
  readonly restart: Ending | undefined;
  readonly downMs: number;
}

const failure: fc.Arbitrary<Failure> = fc.record({
  restart: fc.option(fc.constantFrom<Ending[]>('closed', 'cut', 'killed'), { nil: undefined, freq: 2 }),
  downMs: fc.nat(3_000),
});

async function attempts(policy: RetryPolicy, failures: readonly Failure[], draw: number): Promise<void> {
  const times: number[] = [];
  const run = sinon.spy(async (): Promise<number> => {
    times.push(lives.clock.now());
    if (run.callCount <= failures.length) throw new Error(`busy ${String(run.callCount)}`);
    return 42;
  }) as unknown as sinon.SinonSpy<Parameters<Run>, ReturnType<Run>>;
  const machine = setup({
    types: { context: {} as { result: number; message: string } },
    actors: {
      search: activity({ name: 'search', onUnknown: 'retry', run: ((input, context) => run(input, context)) as Run, retry: policy }),
    },
  }).createMachine({
    id: 'searcher',
    context: { result: 0, message: '' },
    initial: 'searching',
    states: {
      searching: {
        invoke: {
          src: 'search',
          input: { query: 'fsync' },
          onDone: { target: 'over', actions: assign({ result: ({ event }) => event.output }) },
          onError: { target: 'over', actions: assign({ message: ({ event }) => (event.error as Error).message }) },
        },
      },
      over: {},
    },
  });
  await using lives = new Lives(memory(), { agents: { searcher: { machine, version: 1 } }, random: chance(draw) });
  await lives.start();
  await lives.through(lives.runtime.spawn('searcher', { id: 's' }));
  const resolved = { ...standardRetry, ...policy };
  const expected = Math.min(failures.length + 1, resolved.attempts);
  for (let made = 1; made < expected; made += 1) {
    await lives.clock.advance(0);
    expect(run.callCount, 'an attempt before its time, or none at its time').to.equal(made);
    const dueAt = (times.at(-1) as number) + backoffMs(resolved, made, chance(draw));
    const { restart, downMs } = failures[made - 1] as Failure;
    if (restart !== undefined && dueAt > lives.clock.now()) {
      await lives.restart(restart, downMs);
      await lives.clock.advance(0);
    }
    if (dueAt > lives.clock.now() + 1) {
      expect(run.callCount).to.equal(made);
      await lives.clock.advance(Math.ceil(dueAt - 1 - lives.clock.now()));
      expect(run.callCount, 'an attempt before its time').to.equal(made);
    }
    await lives.clock.advance(Math.max(0, Math.ceil(dueAt - lives.clock.now())) + 1);
  }
  await lives.clock.advance(60_000);
  expect(run.callCount).to.equal(expected);
  const [first] = run.args as [Parameters<Run>, ...Parameters<Run>[]];
  for (const [index, [input, context]] of run.args.entries()) {
    expect(input).to.deep.equal({ query: 'fsync' });
    expect(context).to.include({ idempotencyKey: first[1].idempotencyKey, attempt: index + 1, agentId: 's' });
  }
  sinon.assert.alwaysCalledWithMatch(
    run,
    { query: 'fsync' },
    { idempotencyKey: first[1].idempotencyKey, operationId: first[1].operationId },
  );
  const { value, context } = await lives.runtime.agent<'searcher'>('s').snapshot();
  const wanted = expected > failures.length ? { result: 42, message: '' } : { result: 0, message: `busy ${String(expected)}` };
  expect([value, context]).to.deep.equal(['over', wanted]);
  const [record] = await lives.runtime.store.lookup(['s']);
  const ledger = await lives.runtime.store.operations(record?.key ?? 0);
  // An attempt that was due while its process was gone may have begun: then nobody knows of it.
  const ends = failures.some(({ restart }) => restart !== undefined) ? ['failed', 'unknown'] : ['failed'];
  expect(ledger).to.have.lengthOf(1);
  expect(ledger[0]?.status).to.be.oneOf(expected > failures.length ? ['succeeded'] : ends);
  // Once recorded it is never made again.
  await lives.restart('killed');
  await lives.clock.advance(60_000);
  expect(run.callCount).to.equal(expected);
}

interface Ring {
  type: 'RING';
  n: number;
}

/** `true`: the store fails for good after writing the commit that this ring is in; `false`: before it. */
interface Ringing {
  readonly count: number;
  readonly cut: boolean | undefined;
}

async function rings(ringings: readonly Ringing[]): Promise<void> {
  const bell = sinon.spy();
  const machine = setup({
    types: { events: {} as Ring },
    actions: { ring: (_, params: { n: number }) => void bell(params.n) },
  }).createMachine({ id: 'bell', on: { RING: { actions: { type: 'ring', params: ({ event }) => ({ n: event.n }) } } } });
  await using lives = new Lives(memory(), { agents: { bell: { machine, version: 1 } } });
  await lives.start();
  await lives.runtime.spawn('bell', { id: 'b' });
  let n = 0;
  for (const { count, cut } of ringings) {
    const agent = lives.runtime.agent<'bell'>('b');
    const numbers = Array.from({ length: count }, () => (n += 1));
    if (cut !== undefined) {
      let dead = false;
      lives.store.decide((method) => {
        if (!dead && method !== 'commit') return undefined;
        const fault = dead ? 'poison' : cut ? 'after' : 'before';
        dead = true;
        return { fault, error: new Error('planned') };
      });
    }
    const before = bell.callCount;
    const sends = Promise.allSettled(numbers.map((number) => agent.send({ type: 'RING', n: number })));
    await lives.through(sends);
    if (cut !== undefined) {
      // Nobody knows that it is written, so nothing leaves in this life.
      expect(bell.callCount).to.equal(before);
      await lives.restart('cut');
    }
    await lives.clock.advance(10);
    const recorded = (await lives.journal('b')).slice(1).map(({ event }) => (event as Ring).n);
    expect(bell.args.map(([number]) => number as number)).to.deep.equal(recorded);
    if (cut !== false) expect(recorded).to.include.members(numbers);
  }
  expect((await lives.runtime.store.counts()).unsettledEffects).to.equal(0);
}

describe('effects', () => {
  it('of an activity: attempts are made at their times, as many as allowed, always with the same idempotency key', async () => {
    await fc.assert(
      fc.asyncProperty(
        retry,
        fc.array(failure, { maxLength: 5 }),
        fc.double({ min: 0.1, max: 1, maxExcluded: true, noNaN: true }),
        attempts,
      ),
      runs(50),
    );
  }).timeout(timeoutMs);

  it('of a named action: it is called for each recorded event, in order, and for nothing that was not recorded', async () => {
    const ringing = fc.record({ count: fc.integer({ min: 0, max: 5 }), cut: fc.option(fc.boolean(), { nil: undefined }) });
    await fc.assert(fc.asyncProperty(fc.array(ringing, { minLength: 1, maxLength: 6 }), rings), runs(50));
  }).timeout(timeoutMs);
});
