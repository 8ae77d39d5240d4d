/** The counters of the sliding window, against a recount of everything that was ever counted. Time is steady: the sum of all steps forward. */

import { expect } from 'chai';
import fc from 'fast-check';
import { consecutiveBreaker, slidingWindowBreaker } from '#src/breakers/index.js';
import { SteadyTime } from '#src/breakers/steady-time.js';
import { defaultWindow, RollingWindow, WindowPool } from '#src/breakers/window.js';
import { runs } from '../properties/runs.js';
import { bad, chance, good, HandClock, permitOf, times } from './by-hand.js';

type Kind = 'success' | 'failure' | 'slow' | 'rejected';
const kinds: readonly Kind[] = ['success', 'failure', 'slow', 'rejected'];

interface Counts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  readonly rejected: number;
}

/** Twenty buckets of half a second that begin at whole half seconds. */
class Recount {
  #now = 0;
  readonly #seen: { readonly kind: Kind; readonly at: number }[] = [];

  add(kind: Kind, count = 1): void {
    times(count, () => this.#seen.push({ kind, at: this.#now }));
  }

  pass(ms: number): void {
    if (ms > 0) this.#now += ms;
  }

  get counts(): Counts {
    const oldest = Math.floor(this.#now / 500) - 19;
    const recent = this.#seen.filter(({ at }) => Math.floor(at / 500) >= oldest);
    const of = (...wanted: Kind[]): number => recent.filter(({ kind }) => wanted.includes(kind)).length;
    return { calls: of('success', 'failure'), failures: of('failure'), slow: of('slow'), rejected: of('rejected') };
  }
}

const steps = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 700 }) },
  { weight: 2, arbitrary: fc.constantFrom(0.25, 499.75, 500, 9_500, 9_999.75, 10_000) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 12_000, noNaN: true }).map((ms) => Math.round(ms * 4) / 4) },
  { weight: 1, arbitrary: fc.integer({ min: 3_600_000, max: 9 * 3_600_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -7_200_000, max: -1 }) },
);

function move(clock: HandClock, ms: number): void {
  if (ms < 0) clock.setBack(-ms);
  else clock.advance(ms);
}

const countsOf = ({ calls, failures, slow, rejected }: Counts): Counts => ({ calls, failures, slow, rejected });

describe('the sliding window', () => {
  const moves = fc.array(fc.oneof(fc.record({ which: fc.integer({ min: 0, max: 2 }), kind: fc.constantFrom(...kinds) }), steps), {
    maxLength: 120,
  });

  it('counts what a recount by steady time finds, whatever the clock does, with neighbours in the same array', () => {
    fc.assert(
      fc.property(moves, (sequence) => {
        const clock = new HandClock();
        const time = new SteadyTime(clock);
        const pool = new WindowPool(defaultWindow, 4);
        const windows = [0, 1, 2].map(() => ({ window: new RollingWindow(pool), recount: new Recount() }));
        for (const step of sequence) {
          if (typeof step === 'number') {
            move(clock, step);
            time.now();
            for (const { recount } of windows) recount.pass(step);
          } else {
            const { window, recount } = windows[step.which]!;
            const now = time.now();
            if (step.kind === 'success') window.success(now);
            else if (step.kind === 'failure') window.failure(now);
            else if (step.kind === 'slow') window.slowCall(now);
            else window.rejection(now);
            recount.add(step.kind);
          }
          for (const { window, recount } of windows) {
            window.roll(time.now());
            expect(countsOf(window)).to.deep.equal(recount.counts);
          }
        }
      }),
      runs(200),
    );
  });

  it('adds many at once as it adds them one by one', () => {
    const pool = new WindowPool(defaultWindow);
    const [many, single] = [new RollingWindow(pool), new RollingWindow(pool)];
    for (const [now, count] of [
      [0, 3],
      [700, 5],
      [9_999, 0],
      [10_200, 2],
    ] as const) {
      many.successes(now, count);
      times(count, () => single.success(now));
      single.roll(now);
      expect(many.calls).to.equal(single.calls);
      expect(many.callsPerSecond).to.equal(single.calls / 10);
    }
    expect(many.calls).to.equal(7);
  });

  it('is empty when its place was somebody else’s before, and whoever had that place leaves no trace in it', () => {
    const pool = new WindowPool(defaultWindow, 2);
    const first = new RollingWindow(pool);
    first.failure(100);
    first.dispose();
    const second = new RollingWindow(pool);
    second.success(200);
    first.failure(300);
    first.success(9_900);
    expect(countsOf(second)).to.deep.equal({ calls: 1, failures: 0, slow: 0, rejected: 0 });
    second.roll(5_000);
    second.roll(10_200);
    expect(countsOf(second)).to.deep.equal({ calls: 0, failures: 0, slow: 0, rejected: 0 });
    first.roll(10_600);
    expect(first.calls).to.equal(1);
  });
});

describe('the figures of a breaker', () => {
  it('are what a recount finds, calls that were refused included, and in flight are the permits that are out', () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('admit', 'good', 'bad', 'cancel') },
      { weight: 1, arbitrary: fc.constantFrom('isolate', 'release') },
      { weight: 3, arbitrary: steps },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 150 }), (sequence) => {
        const clock = new HandClock();
        // Never trips of itself, so that only hands and time move it.
        const breaker = consecutiveBreaker({ name: 'api', failures: 1e9, clock, random: chance(1) });
        const recount = new Recount();
        const out = [] as ReturnType<typeof permitOf>[];
        let told = 0;
        for (const step of sequence) {
          if (typeof step === 'number') {
            move(clock, step);
            recount.pass(step);
          } else if (step === 'admit') {
            const answer = breaker.admit();
            if (answer.refused) recount.add('rejected');
            else out.push(answer);
          } else if (step === 'isolate') breaker.isolate();
          else if (step === 'release') breaker.release();
          else {
            const permit = out.shift();
            if (step === 'cancel') permit?.cancel();
            else permit?.settle(step === 'good' ? good : bad);
            if (permit !== undefined && step !== 'cancel') recount.add(step === 'good' ? 'success' : 'failure');
            if (permit !== undefined && step !== 'cancel') told += 1;
          }
          const figures = breaker.figures();
          expect(countsOf(figures)).to.deep.equal(recount.counts);
          expect(figures.inFlight).to.equal(out.length);
          expect(figures.failureRate).to.equal(figures.calls === 0 ? 0 : figures.failures / figures.calls);
        }
        expect(breaker.exchange().calls).to.equal(told);
        expect(breaker.exchange()).to.deep.equal({ calls: 0, failures: 0 });
      }),
      runs(150),
    );
  });

  it('count slow calls when they end', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), fc.boolean()), { maxLength: 60 }), (calls) => {
        const clock = new HandClock();
        const breaker = slidingWindowBreaker({ name: 'api', minimumCalls: 1e9, slowMs: 500, clock, random: chance(1) });
        const recount = new Recount();
        for (const [tookMs, ok] of calls) {
          const permit = permitOf(breaker);
          clock.advance(tookMs);
          recount.pass(tookMs);
          permit.settle(ok ? good : bad);
          recount.add(ok ? 'success' : 'failure');
          if (tookMs > 500) recount.add('slow');
          expect(countsOf(breaker.figures())).to.deep.equal(recount.counts);
        }
      }),
      runs(100),
    );
  });

  it('lose none of the calls that no clock was read for', () => {
    const burst = fc.tuple(fc.integer({ min: 0, max: 2_500 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 4_000 }));
    fc.assert(
      fc.property(fc.array(burst, { minLength: 1, maxLength: 8 }), fc.boolean(), (bursts, look) => {
        const clock = new HandClock();
        const breaker = consecutiveBreaker({ name: 'api', failures: 1e9, clock, random: chance(1) });
        const recount = new Recount();
        let told = 0;
        let all = 0;
        for (const [successes, failures, passes] of bursts) {
          times(successes, () => permitOf(breaker).settle(good));
          times(failures, () => permitOf(breaker).settle(bad));
          recount.add('success', successes);
          recount.add('failure', failures);
          all += successes + failures;
          if (look) told += breaker.exchange().calls;
          expect(countsOf(breaker.figures())).to.deep.equal(recount.counts);
          clock.advance(passes);
          recount.pass(passes);
          breaker.figures();
        }
        expect(told + breaker.exchange().calls).to.equal(all);
        // They are not all timed, or this would try nothing.
        if (Math.max(...bursts.map(([successes]) => successes)) > 2_000) expect(clock.reads).to.be.lessThan(2 * all);
      }),
      runs(30),
    );
  });

  it('go on counting slow calls where only every eighth is timed', () => {
    const clock = new HandClock();
    const breaker = slidingWindowBreaker({ name: 'api', minimumCalls: 1e9, slowMs: 100, clock, random: chance(1) });
    times(2_000, () => permitOf(breaker).settle(good));
    const out = Array.from({ length: 800 }, () => permitOf(breaker));
    clock.advance(200);
    for (const permit of out) permit.settle(good);
    expect(breaker.figures()).to.include({ calls: 2_800, slow: 100 });
  });

  it('keep the calls that no clock was read for when nobody looks, and those that end after a change of state', () => {
    const clock = new HandClock();
    const breaker = consecutiveBreaker({ name: 'api', failures: 1e9, clock, random: chance(1) });
    times(1_280, () => permitOf(breaker).settle(good));
    const out = Array.from({ length: 50 }, () => permitOf(breaker));
    out.splice(0, 25).forEach((permit) => permit.settle(good));
    breaker.isolate();
    out.forEach((permit) => permit.settle(good));
    expect(breaker.figures()).to.include({ calls: 1_330, inFlight: 0 });
    expect(breaker.exchange()).to.deep.equal({ calls: 1_330, failures: 0 });
  });
});
