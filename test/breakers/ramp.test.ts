/** Opening, and coming back: what may pass is a rate and a number of calls at once, and neither is ever exceeded. */

import { expect } from 'chai';
import fc from 'fast-check';
import { adaptiveBreaker, consecutiveBreaker, type Breaker, type BreakerChange, type Permit, type Priority } from '#src/breakers/index.js';
import { runs, timeoutMs } from '../properties/runs.js';
import { bad, chance, good, HandClock, late, once, permitOf, refusalOf, times, tooMany, unknown } from './by-hand.js';
import { learned, traffic } from './traffic.js';

const quiet = { rate: () => 0.01, perSecond: 10 };

/** One that is open for its first period, which lasts five seconds without jitter. */
function opened(clock: HandClock, more: object = {}): Breaker {
  const breaker = consecutiveBreaker({ name: 'api', failures: 1, clock, random: { next: () => 0.5, id: () => '' }, ...more });
  permitOf(breaker).settle(bad);
  expect(breaker.state).to.equal('open');
  return breaker;
}

describe('an open breaker', () => {
  it('lets nothing pass before its time, then one call; the others wait for what it says', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    expect(breaker.waitMs()).to.equal(5_000);
    clock.advance(4_999);
    for (const priority of ['high', 'normal', 'low'] as const)
      expect(refusalOf(breaker, { priority })).to.include({ state: 'open', retryAfterMs: 1 });
    clock.advance(1);
    const probe = permitOf(breaker);
    times(10, () => expect(refusalOf(breaker)).to.include({ state: 'ramping' }));
    expect(breaker.figures()).to.include({ admittedInFlight: 1 });
    clock.advance(2_000);
    refusalOf(breaker);
    probe.settle(good);
    expect(breaker.figures().admittedInFlight).to.be.greaterThan(1);
    permitOf(breaker);
  });

  it('asks again when the call that was to tell was not made, or tells nothing', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    clock.advance(5_000);
    for (const end of [(permit: Permit) => permit.cancel(), (permit: Permit) => permit.settle(unknown)]) {
      end(permitOf(breaker));
      expect(breaker.state).to.equal('ramping');
      clock.advance(1_000);
    }
    permitOf(breaker).settle(good);
    expect(breaker.figures().admittedInFlight).to.equal(2);
  });

  it('closes also for a small caller whose calls come three at a time', () => {
    for (const usual of [false, true]) {
      const clock = new HandClock();
      const breaker = usual ? opened(clock) : adaptiveBreaker({ name: 'api', clock, random: chance(1) });
      for (let index = 0; breaker.state !== 'open' && index < 100; index += 1) once(breaker, clock, bad);
      clock.advance(20_000);
      let seconds = 0;
      for (; breaker.state !== 'closed' && seconds < 120; seconds += 1) {
        const permits = [1, 2, 3].map(() => breaker.admit());
        clock.advance(100);
        for (const permit of permits) if (!permit.refused) permit.settle(good);
        clock.advance(900);
      }
      expect(seconds).to.be.below(60);
    }
  });

  it('opens longer when that call fails, twice as long each time, up to three first periods while the outage is young', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    const periods = [breaker.waitMs()];
    times(4, () => {
      clock.advance(breaker.waitMs());
      permitOf(breaker).settle(bad);
      expect(breaker.state).to.equal('open');
      periods.push(breaker.waitMs());
    });
    expect(periods).to.deep.equal([5_000, 10_000, 15_000, 15_000, 15_000]);
  });

  it('opens no longer than a fortieth of the outage, or three first periods, and never longer than the longest', () => {
    const options = fc.record({
      initialMs: fc.integer({ min: 100, max: 20_000 }),
      more: fc.integer({ min: 0, max: 100_000 }),
      seed: fc.integer(),
      failed: fc.integer({ min: 1, max: 120 }),
      idle: fc.array(fc.integer({ min: 0, max: 600_000 }), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(options, ({ initialMs, more, seed, failed, idle }) => {
        const clock = new HandClock();
        const maximumMs = initialMs + more;
        const breaker = consecutiveBreaker({ name: 'api', failures: 1, clock, random: chance(seed), open: { initialMs, maximumMs } });
        const began = clock.elapsed();
        let longest = 0;
        for (let index = 0; index < failed; index += 1) {
          permitOf(breaker).settle(bad);
          const period = breaker.waitMs();
          // A tenth of jitter at most.
          const bound = Math.max(3 * initialMs, (clock.elapsed() - began) / 40);
          expect(period).to.be.at.most(1.1 * Math.min(initialMs * 2 ** index, bound) + 0.001);
          expect(period).to.be.at.most(maximumMs);
          expect(period).to.be.at.least(0.8 * Math.min(initialMs * 2 ** Math.min(index, 1), maximumMs) - 0.001);
          longest = Math.max(longest, period);
          clock.advance(period + 0.001 + idle[index % idle.length]!);
          expect(breaker.state).to.equal('ramping');
        }
        if (failed > 100 && clock.elapsed() - began > 50 * maximumMs && maximumMs > 3 * initialMs)
          expect(longest).to.be.greaterThan(2.5 * initialMs);
      }),
      runs(100),
    );
  });

  it('begins with a short period again once it was closed', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    times(3, () => {
      clock.advance(breaker.waitMs());
      permitOf(breaker).settle(bad);
    });
    clock.advance(breaker.waitMs());
    traffic(breaker, clock, { perSecond: 5, seconds: 120, until: () => breaker.state === 'closed' });
    expect(breaker.state).to.equal('closed');
    permitOf(breaker).settle(bad);
    expect(breaker.waitMs()).to.equal(5_000);
  });

  it('asks several times where much fails anyway', () => {
    const clock = new HandClock();
    const breaker = learned(clock, { rate: () => 0.5, perSecond: 10 });
    breaker.isolate();
    breaker.release();
    const probe = (): void => {
      const answer = breaker.admit();
      if (answer.refused) clock.advance(answer.retryAfterMs);
      else answer.settle(bad);
    };
    times(3, () => {
      while (breaker.admit().refused) clock.advance(100);
      clock.advance(100);
      expect(breaker.state).to.equal('ramping');
      breaker.isolate();
      breaker.release();
    });
    let failed = 0;
    while (breaker.state === 'ramping' && failed < 20) {
      const { calls } = breaker.figures();
      probe();
      if (breaker.figures().calls > calls) failed += 1;
    }
    expect(failed).to.equal(4);
    expect(breaker.state).to.equal('open');
  });
});

describe('what passes while a breaker ramps', () => {
  /** Ticks in which calls are offered, and end when they took so long. */
  interface Phase {
    readonly ticks: number;
    readonly tickMs: number;
    readonly offered: number;
    readonly latencyMs: number;
    readonly ending: 'good' | 'bad' | 'late' | 'cancel' | 'throttled' | 'unknown';
    /** Every n-th call ends like that; the others are good. */
    readonly everyNth: number;
    readonly priority: Priority;
  }
  const phase: fc.Arbitrary<Phase> = fc.record({
    ticks: fc.integer({ min: 1, max: 60 }),
    tickMs: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 5, max: 120 }) },
      { weight: 1, arbitrary: fc.integer({ min: 300, max: 6_000 }) },
    ),
    offered: fc.integer({ min: 0, max: 12 }),
    latencyMs: fc.integer({ min: 0, max: 900 }),
    ending: fc.oneof(
      { weight: 5, arbitrary: fc.constant('good' as const) },
      { weight: 4, arbitrary: fc.constantFrom('bad' as const, 'late', 'cancel', 'throttled', 'unknown') },
    ),
    everyNth: fc.constantFrom(1, 4, 10, 40),
    priority: fc.constantFrom('high', 'normal', 'low'),
  });

  function end(permit: Permit, ending: Phase['ending']): void {
    if (ending === 'cancel') permit.cancel();
    else permit.settle({ good, bad, late, throttled: tooMany(), unknown }[ending]);
  }

  it('is never more, in any stretch of time, than a burst and what the shown rate gives, nor more at once than is shown', function () {
    this.timeout(timeoutMs);
    let most = 0;
    let fastest = 0;
    fc.assert(
      fc.property(fc.array(phase, { minLength: 6, maxLength: 14, size: 'max' }), fc.boolean(), (phases, usual) => {
        const clock = new HandClock();
        const breaker = usual ? learned(clock, quiet) : adaptiveBreaker({ name: 'api', clock, random: chance(1) });
        breaker.isolate();
        breaker.release();
        let { admittedRate: rate = Infinity, admittedInFlight: places = Infinity } = breaker.figures();
        const burst = (): number => Math.max(1, rate * 0.3);
        /** A bucket that is filled at the shown rate, and holds a burst. */
        let tokens = 1;
        const out: { readonly permit: Permit; readonly endsAt: number; readonly number: number }[] = [];
        let admitted = 0;
        const ramps = (): boolean => {
          const figures = breaker.figures();
          if (breaker.state !== 'ramping') return false;
          ({ admittedRate: rate = Infinity, admittedInFlight: places = Infinity } = figures);
          fastest = Math.max(fastest, rate);
          tokens = Math.min(tokens, burst());
          return true;
        };
        for (const { ticks, tickMs, offered, latencyMs, ending, everyNth, priority } of phases) {
          for (let tick = 0; tick < ticks; tick += 1) {
            clock.advance(tickMs);
            tokens = Math.min(burst(), tokens + (tickMs / 1_000) * rate);
            if (!ramps()) return;
            while (out.length > 0 && out[0]!.endsAt <= clock.elapsed()) {
              const { permit, number } = out.shift()!;
              const how = number % everyNth === 0 ? ending : 'good';
              end(permit, how);
              if (how === 'cancel') tokens = Math.min(burst(), tokens + 1);
              if (!ramps()) return;
            }
            for (let index = 0; index < offered; index += 1) {
              const answer = breaker.admit({ priority });
              if (!ramps()) return;
              if (answer.refused) break;
              admitted += 1;
              out.push({ permit: answer, endsAt: clock.elapsed() + latencyMs, number: admitted });
              tokens -= 1;
              most = Math.max(most, out.length);
              expect(out.length, 'calls at once').to.be.at.most(places);
              expect(tokens, 'tokens left').to.be.at.least(-1e-6);
            }
          }
        }
      }),
      runs(120),
    );
    expect([most > 8, fastest > 20], `the ramps went somewhere: ${most} at once, ${fastest} a second`).to.deep.equal([true, true]);
  });

  it('grows until nothing needs to be held back, and never beyond what the service can bear', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes: BreakerChange[] = [];
    breaker.state$.subscribe((change) => changes.push(change));
    traffic(breaker, clock, { perSecond: 10, seconds: 5, failing: 1, until: () => breaker.state === 'open' });
    clock.advance(breaker.waitMs());
    const rates: number[] = [];
    const { tookMs } = traffic(breaker, clock, {
      perSecond: 10,
      seconds: 120,
      each: () => rates.push(breaker.figures().admittedRate ?? Infinity),
      until: () => breaker.state === 'closed',
    });
    expect(rates[0]).to.equal(2.5);
    expect(rates.at(-2)).to.be.greaterThan(5);
    expect(tookMs).to.be.within(3_000, 60_000);
    expect(changes.map(({ to, reason }) => `${to}: ${reason}`)).to.deep.equal([
      'open: failures',
      'ramping: open-over',
      'closed: recovered',
    ]);
  });

  it('fails again when the service fails again, and opens for longer', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet, { random: { next: () => 0.5, id: () => '' } });
    const changes: BreakerChange[] = [];
    traffic(breaker, clock, { perSecond: 10, seconds: 5, failing: 1, until: () => breaker.state === 'open' });
    const first = breaker.waitMs();
    clock.advance(first);
    traffic(breaker, clock, { perSecond: 10, seconds: 3 });
    expect(breaker.state).to.equal('ramping');
    breaker.state$.subscribe((change) => changes.push(change));
    traffic(breaker, clock, { perSecond: 10, seconds: 30, failing: 1, until: () => breaker.state === 'open' });
    expect(changes.map(({ from, to, reason }) => [from, to, reason])).to.deep.equal([['ramping', 'open', 'ramp-failed']]);
    expect(breaker.waitMs()).to.be.greaterThan(first);
  });

  it('opens again when all fails, however seldom somebody calls, and lets no more be under way meanwhile', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    clock.advance(5_000);
    once(breaker, clock, good);
    let failed = 0;
    while (breaker.state === 'ramping' && failed < 100) {
      clock.advance(5_500);
      times(3, () => {
        if (once(breaker, clock, bad)) failed += 1;
      });
      expect(breaker.figures().admittedInFlight ?? Infinity).to.be.at.most(6);
    }
    expect(breaker.state).to.equal('open');
    expect(failed).to.be.at.most(12);
  });

  for (const [count, everyMs] of [
    [2, 500],
    [10, 10_000],
    [3, 60_000],
  ] as const) {
    it(`ends also when calls come ${count} at once every ${everyMs / 1_000} s`, () => {
      const clock = new HandClock();
      const breaker = opened(clock);
      clock.advance(5_000);
      let rounds = 0;
      for (; breaker.state !== 'closed' && rounds < 200; rounds += 1) {
        const answers = Array.from({ length: count }, () => breaker.admit());
        clock.advance(40);
        for (const answer of answers) if (!answer.refused) answer.settle(good);
        clock.advance(everyMs - 40);
      }
      expect(breaker.state).to.equal('closed');
      expect(rounds).to.be.lessThan(100);
    });
  }

  it('is not held up for ever by calls that do not end', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    clock.advance(5_000);
    const hung = [permitOf(breaker)];
    let waited = 0;
    while (breaker.admit().refused && waited < 600_000) {
      clock.advance(1_000);
      waited += 1_000;
    }
    expect(waited).to.be.within(60_000, 90_000);
    // Those that hang may come back later, or never: it makes no difference.
    hung[0]!.settle(bad);
    expect(breaker.state).to.equal('ramping');
    expect(breaker.figures().inFlight).to.equal(1);
  });

  it('is first what goes first: low gives way to normal, and both to high', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    breaker.isolate();
    breaker.release();
    // High calls ask now and then, so a part is kept free for them.
    traffic(breaker, clock, { perSecond: 40, seconds: 12, latencyMs: 300, call: { priority: 'high' } });
    expect(breaker.state).to.equal('ramping');
    const most = breaker.figures().admittedInFlight!;
    expect(most).to.be.greaterThan(5);
    const fill = (priority: Priority): number => {
      let count = 0;
      for (let asked = 0; asked < 60; asked += 1) {
        if (!breaker.admit({ priority }).refused) count += 1;
        clock.advance(10);
      }
      return count;
    };
    const low = fill('low');
    const normal = fill('normal');
    const high = fill('high');
    expect(low).to.be.within(1, Math.floor(most * 0.6));
    expect(low + normal).to.be.within(low + 1, Math.floor(most * 0.9));
    expect(high).to.be.greaterThan(0);
    expect(low + normal + high).to.equal(most);
  });

  it('keeps nothing free for calls that go first while there are none', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    breaker.isolate();
    breaker.release();
    traffic(breaker, clock, { perSecond: 40, seconds: 12, latencyMs: 300 });
    const most = breaker.figures().admittedInFlight!;
    let count = 0;
    times(60, () => {
      if (!breaker.admit().refused) count += 1;
      clock.advance(10);
    });
    expect(count).to.equal(most);
  });

  it('says how long to wait: then there is leave, and not before', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    clock.advance(5_000);
    once(breaker, clock, good);
    times(20, () => {
      for (const wait of [breaker.waitMs()]) {
        if (wait === 0) continue;
        clock.advance(wait - 0.01);
        refusalOf(breaker);
        clock.advance(0.01);
      }
      expect(breaker.waitMs()).to.be.at.most(0.001);
      clock.advance(0.001);
      permitOf(breaker).settle(good);
    });
  });
});
