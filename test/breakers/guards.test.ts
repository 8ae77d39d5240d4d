/** Bulkheads, retry budgets, several guards as one, and calls that are made under them. */

import { expect } from 'chai';
import fc from 'fast-check';
import sinon from 'sinon';
import { allOf, BreakerOpenError, bulkhead, consecutiveBreaker, retryBudget, type Permit } from '#src/breakers/index.js';
import { runs } from '../properties/runs.js';
import { bad, chance, good, HandClock, permitOf, refusalOf, times, unavailable, unknown } from './by-hand.js';

describe('a bulkhead', () => {
  it('never lets more calls be under way than it has places, and counts each once', () => {
    const action = fc.oneof(fc.constant('admit'), fc.record({ settle: fc.boolean(), which: fc.nat({ max: 100 }) }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(action, { maxLength: 100 }), (concurrency, actions) => {
        const guard = bulkhead({ name: 'pool', concurrency });
        const all: Permit[] = [];
        const out = new Set<Permit>();
        for (const step of actions) {
          if (typeof step === 'string') {
            const answer = guard.admit();
            expect(answer.refused).to.equal(out.size === concurrency);
            if (answer.refused) expect(answer).to.include({ key: 'pool', state: 'full', level: undefined, retryAfterMs: 100 });
            else {
              all.push(answer);
              out.add(answer);
            }
          } else if (all.length > 0) {
            // Also those that have ended already: that does nothing.
            const permit = all[step.which % all.length]!;
            if (step.settle) permit.settle(bad);
            else permit.cancel();
            out.delete(permit);
          }
          expect(guard.inFlight).to.equal(out.size);
        }
      }),
      runs(200),
    );
  });

  it('says when to ask again', () => {
    const guard = bulkhead({ name: 'pool', concurrency: 1, retryAfterMs: 30 });
    permitOf(guard);
    expect(refusalOf(guard).error())
      .to.be.instanceOf(BreakerOpenError)
      .and.include({ key: 'pool', state: 'full', retryAfterMs: 30, level: undefined });
    expect(refusalOf(guard).error().message).to.equal('guard "pool" is full');
  });
});

describe('a retry budget', () => {
  const make = (clock: HandClock, more: object = {}) => retryBudget({ name: 'retries', ratio: 0.25, minimumPerSecond: 0, clock, ...more });

  it('allows one retry for so many first attempts', () => {
    const guard = make(new HandClock());
    permitOf(guard, { attempt: 2 });
    expect(refusalOf(guard, { attempt: 2 })).to.include({ key: 'retries', state: 'spent', retryAfterMs: 1_000 });
    times(3, () => permitOf(guard));
    refusalOf(guard, { attempt: 3 });
    permitOf(guard, { attempt: 1 });
    permitOf(guard, { attempt: 3 });
    refusalOf(guard, { attempt: 2 });
  });

  it('lets first attempts always pass', () => {
    const guard = make(new HandClock());
    permitOf(guard, { attempt: 2 });
    times(3, () => permitOf(guard));
  });

  it('fills by the second, says how long that takes, and saves up no more than its maximum', () => {
    const clock = new HandClock();
    const guard = make(clock, { minimumPerSecond: 2, maximum: 5 });
    expect(guard.balance).to.equal(2);
    times(2, () => permitOf(guard, { attempt: 2 }));
    const { retryAfterMs } = refusalOf(guard, { attempt: 2 });
    expect(retryAfterMs).to.equal(500);
    clock.advance(retryAfterMs - 1);
    refusalOf(guard, { attempt: 2 });
    clock.advance(1);
    permitOf(guard, { attempt: 2 });
    clock.setBack(10_000);
    refusalOf(guard, { attempt: 2 });
    clock.advance(3_600_000);
    expect(guard.balance).to.equal(5);
    times(100, () => permitOf(guard));
    expect(guard.balance).to.equal(5);
  });

  it('never allows more retries than ratio, minimum and what there was at first give', () => {
    const action = fc.oneof(fc.constant('first'), fc.constant('retry'), fc.integer({ min: 0, max: 3_000 }));
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 120 }),
        fc.constantFrom(0, 0.5, 3),
        fc.constantFrom(0.1, 0.5, 1),
        (actions, minimumPerSecond, ratio) => {
          const clock = new HandClock();
          const guard = retryBudget({ name: 'retries', ratio, minimumPerSecond, maximum: 10, clock });
          let income = Math.max(1, minimumPerSecond);
          let spent = 0;
          for (const step of actions) {
            if (typeof step === 'number') {
              clock.advance(step);
              income += (step / 1_000) * minimumPerSecond;
            } else if (step === 'first') {
              permitOf(guard);
              income += ratio;
            } else if (!guard.admit({ attempt: 2 }).refused) spent += 1;
            expect(spent).to.be.at.most(income + 1e-9);
            expect(guard.balance).to.be.within(0, 10);
          }
        },
      ),
      runs(100),
    );
  });

  it('is as it was when a call was not made', () => {
    const attempt = fc.constantFrom(1, 2);
    fc.assert(
      fc.property(
        fc.array(attempt, { maxLength: 30 }),
        attempt,
        fc.array(attempt, { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        (before, cancelled, after, maximum) => {
          // Quarters are exact.
          const [one, other] = [make(new HandClock(), { maximum }), make(new HandClock(), { maximum })];
          for (const each of before) for (const guard of [one, other]) guard.admit({ attempt: each });
          const answer = one.admit({ attempt: cancelled });
          if (!answer.refused) {
            answer.cancel();
            answer.cancel();
          }
          for (const next of after) {
            expect(one.admit({ attempt: next }).refused).to.equal(other.admit({ attempt: next }).refused);
          }
        },
      ),
      runs(200),
    );
  });

  it('takes nothing back when a call has ended', () => {
    const guard = make(new HandClock());
    permitOf(guard, { attempt: 2 }).settle(bad);
    refusalOf(guard, { attempt: 2 });
  });
});

describe('several guards as one', () => {
  it('need the leave of all in order, and hand back what the first of them gave when a later one refuses', () => {
    const clock = new HandClock();
    const pool = bulkhead({ name: 'pool', concurrency: 2 });
    const retries = retryBudget({ name: 'retries', minimumPerSecond: 0, clock });
    const breaker = consecutiveBreaker({ name: 'api', clock, random: chance(1) });
    const guard = allOf(pool, retries, breaker);
    expect(guard.name).to.equal('pool+retries+api');
    const permit = permitOf(guard);
    expect([pool.inFlight, breaker.figures().inFlight]).to.deep.equal([1, 1]);
    breaker.isolate();
    times(5, () => expect(refusalOf(guard, { attempt: 2 }).key).to.equal('api'));
    expect([pool.inFlight, retries.balance]).to.deep.equal([1, 1]);
    permit.settle(good);
    permit.settle(good);
    permit.cancel();
    expect([pool.inFlight, breaker.figures().inFlight]).to.deep.equal([0, 0]);
  });

  it('ask none of the later ones when one refuses', () => {
    const pool = bulkhead({ name: 'pool', concurrency: 1 });
    const breaker = consecutiveBreaker({ name: 'api', clock: new HandClock(), random: chance(1) });
    const admit = sinon.spy(breaker, 'admit');
    const guard = allOf(pool, breaker);
    permitOf(guard, { priority: 'high', attempt: 1 });
    sinon.assert.calledOnceWithExactly(admit, { priority: 'high', attempt: 1 });
    expect(refusalOf(guard)).to.include({ key: 'pool', state: 'full' });
    sinon.assert.calledOnce(admit);
  });

  it('never hold anything for calls that are refused or over, however they are nested', () => {
    const action = fc.oneof(
      fc.constant('admit'),
      fc.constant('settle'),
      fc.constant('cancel'),
      fc.constant('isolate'),
      fc.constant('release'),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const clock = new HandClock();
        const pools = [bulkhead({ name: 'wide', concurrency: 5 }), bulkhead({ name: 'narrow', concurrency: 3 })];
        const breaker = consecutiveBreaker({ name: 'api', clock, random: chance(1) });
        const guard = allOf(pools[0]!, allOf(pools[1]!, breaker));
        const out: Permit[] = [];
        for (const step of actions) {
          if (step === 'admit') {
            const answer = guard.admit();
            if (!answer.refused) out.push(answer);
          } else if (step === 'settle') out.shift()?.settle(good);
          else if (step === 'cancel') out.shift()?.cancel();
          else if (step === 'isolate') breaker.isolate();
          else breaker.release();
          for (const pool of pools) expect(pool.inFlight).to.equal(out.length);
          expect(breaker.figures().inFlight).to.equal(out.length);
        }
      }),
      runs(150),
    );
  });
});

describe('a call under a guard', () => {
  const make = (more: object = {}) => {
    const clock = new HandClock();
    return { clock, breaker: consecutiveBreaker({ name: 'api', failures: 2, clock, random: chance(1), ...more }) };
  };
  const caught = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => expect.fail('nothing was thrown'),
      (error: unknown) => error,
    );

  it('returns what it returns, and is given the options', async () => {
    const { breaker } = make();
    const run = sinon.stub().resolves('answer');
    expect(await breaker.execute(run, { priority: 'low', attempt: 3 })).to.equal('answer');
    sinon.assert.calledOnceWithExactly(run, { priority: 'low', attempt: 3 });
    expect(await breaker.execute(() => 'at once')).to.equal('at once');
    expect(breaker.figures()).to.include({ calls: 2, failures: 0, inFlight: 0 });
  });

  it('throws what it throws, unchanged, also when that is no error', async () => {
    const { breaker } = make();
    for (const thrown of [new Error('down'), 'down', undefined]) {
      expect(await caught(breaker.execute(() => Promise.reject(thrown as Error)))).to.equal(thrown);
      breaker.release();
    }
    const error = new Error('at once');
    const { breaker: other } = make();
    expect(
      await caught(
        other.execute(() => {
          throw error;
        }),
      ),
    ).to.equal(error);
    expect(other.figures()).to.include({ calls: 1, failures: 1, inFlight: 0 });
  });

  it('is judged by its value where the value says it', async () => {
    const { breaker } = make();
    await breaker.execute(() => new Response(null, { status: 503 }));
    expect(breaker.figures()).to.include({ calls: 1, failures: 1 });
    await breaker.execute(() => new Response(null, { status: 404 }));
    expect(breaker.figures()).to.include({ calls: 1, failures: 1 });
    const { breaker: own } = make({
      classify: (outcome: { ok: boolean; value?: unknown }) => (outcome.value === 'soft' ? 'failure' : undefined),
    });
    expect(await own.execute(() => 'soft')).to.equal('soft');
    expect(own.figures()).to.include({ calls: 1, failures: 1 });
  });

  it('ends as it ended when the function that classifies fails', async () => {
    const { breaker } = make({
      classify: () => {
        throw new Error('a mistake');
      },
    });
    expect(await breaker.execute(() => 'answer')).to.equal('answer');
    const error = new Error('down');
    expect(await caught(breaker.execute(() => Promise.reject(error)))).to.equal(error);
    expect(breaker.figures()).to.include({ inFlight: 0, calls: 2, failures: 2 });
  });

  it('is not made, and counts as nothing, when it is aborted before', async () => {
    const { breaker } = make();
    const run = sinon.spy();
    const signal = AbortSignal.abort(new Error('not wanted'));
    expect(await caught(breaker.execute(run, { signal }))).to.equal(signal.reason);
    sinon.assert.notCalled(run);
    expect(breaker.figures()).to.include({ calls: 0, rejected: 0, inFlight: 0 });
  });

  it('counts as nothing when its caller does not want it any more, whatever it throws then', async () => {
    const { breaker } = make();
    for (const reason of [undefined, new Error('left'), 'left']) {
      const controller = new AbortController();
      const error = new Error('socket closed');
      const work = breaker.execute(
        async () => {
          controller.abort(reason);
          throw error;
        },
        { signal: controller.signal },
      );
      expect(await caught(work)).to.equal(error);
    }
    expect(breaker.figures()).to.include({ calls: 0, failures: 0, inFlight: 0 });
    expect(breaker.state).to.equal('closed');
  });

  it('counts when its time was over, and when it was done before its caller left', async () => {
    const { breaker } = make();
    const controller = new AbortController();
    controller.abort(new DOMException('too late', 'TimeoutError'));
    const late = new AbortController();
    await caught(
      breaker.execute(
        async () => {
          late.abort(controller.signal.reason);
          throw new Error('socket closed');
        },
        { signal: late.signal },
      ),
    );
    expect(breaker.figures()).to.include({ calls: 1, failures: 1 });
    const left = new AbortController();
    await breaker.execute(
      () => {
        left.abort();
        return 'done';
      },
      { signal: left.signal },
    );
    expect(breaker.figures()).to.include({ calls: 2, failures: 1 });
  });

  it('is refused with an error that says who, at which level, how it stands and when to ask again; nothing is called, no stack is captured', async () => {
    const { breaker, clock } = make({ level: 'service', name: 'mail' });
    const run = sinon.spy();
    permitOf(breaker).settle(bad);
    permitOf(breaker).settle(unavailable(30));
    const error = (await caught(breaker.execute(run))) as BreakerOpenError;
    sinon.assert.notCalled(run);
    expect(error).to.be.instanceOf(BreakerOpenError);
    expect(error).to.include({
      code: 'BREAKER_OPEN',
      key: 'mail',
      level: 'service',
      state: 'open',
      retryAfterMs: 30_000,
      disposition: 'retry',
    });
    expect(error.message).to.equal('service "mail" is open');
    expect(error.hint).to.include('30000 ms').and.to.include("whenOpen: 'park'");
    expect(error.stack ?? '').to.not.include('\n    at ');
    expect(error.cause).to.equal(undefined);
    expect(new Error('later').stack, 'other errors have theirs').to.include('\n    at ');
    clock.advance(10_000);
    expect(refusalOf(breaker).retryAfterMs).to.equal(20_000);
    breaker.isolate();
    expect(refusalOf(breaker).error()).to.include({ state: 'isolated', retryAfterMs: Infinity });
    expect(refusalOf(breaker).error().hint).to.include('release');
    expect(breaker.figures()).to.include({ rejected: 3 });
  });

  it('can be settled but once: what comes after does nothing', () => {
    const { breaker } = make();
    const permit = permitOf(breaker);
    permit.settle(good);
    permit.settle(bad);
    permit.cancel();
    const other = permitOf(breaker);
    other.cancel();
    other.settle(bad);
    other.settle(bad);
    expect(breaker.figures()).to.include({ calls: 1, failures: 0, inFlight: 0 });
    expect(breaker.state).to.equal('closed');
    permitOf(breaker).settle(unknown);
    expect(breaker.figures()).to.include({ calls: 1, inFlight: 0 });
  });
});
