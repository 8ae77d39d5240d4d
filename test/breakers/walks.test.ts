/**
 * Random walks over everything that can be done to a breaker. Whatever was done, permits are counted, nothing passes that is closed to all, every change is told once, a cancelled call leaves no trace, and there is
 * a way back to closed.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import sinon from 'sinon';
import {
  adaptiveBreaker,
  allOf,
  breakerRegistry,
  bulkhead,
  consecutiveBreaker,
  retryBudget,
  slidingWindowBreaker,
  type Breaker,
  type BreakerChange,
  type BreakerOptions,
  type BreakerState,
  type Outcome,
  type Permit,
  type SavedBreaker,
} from '#src/breakers/index.js';
import { runs, timeoutMs } from '../properties/runs.js';
import { bad, chance, good, HandClock, late, monday, once, permitOf, refusalOf, times, tooMany, unavailable, unknown } from './by-hand.js';
import { learned } from './traffic.js';

const outcomes: Readonly<Record<string, Outcome>> = {
  good,
  bad,
  late,
  unknown,
  throttled: tooMany(),
  pause: tooMany(9),
  unavailable: unavailable(30),
};

type Maker = (clock: HandClock, options?: Partial<BreakerOptions>) => Breaker;
const makers: Readonly<Record<string, Maker>> = {
  consecutive: (clock, options) => consecutiveBreaker({ name: 'api', failures: 3, clock, random: chance(1), ...options }),
  'sliding window': (clock, options) =>
    slidingWindowBreaker({ name: 'api', minimumCalls: 4, failureRate: 0.4, slowMs: 500, clock, random: chance(1), ...options }),
  adaptive: (clock, options) => adaptiveBreaker({ name: 'api', clock, random: chance(1), ...options }),
  'adaptive, with a week behind it': (clock, options) => learned(clock, { rate: () => 0.02, perSecond: 5 }, options),
};

const outcomeName = fc.oneof(
  { weight: 3, arbitrary: fc.constant('good') },
  { weight: 4, arbitrary: fc.constant('bad') },
  { weight: 2, arbitrary: fc.constantFrom(...Object.keys(outcomes)) },
);
const pauses = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 900 }) },
  { weight: 2, arbitrary: fc.integer({ min: 900, max: 12_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 12_000, max: 90_000 }) },
);
const times20 = fc.integer({ min: 1, max: 20 });

type Step =
  | { readonly do: 'calls'; readonly count: number; readonly outcome: string; readonly tookMs: number; readonly everyMs: number }
  | { readonly do: 'admit'; readonly count: number; readonly priority: 'high' | 'normal' | 'low' }
  | { readonly do: 'settle' | 'again'; readonly which: number; readonly outcome: string }
  | { readonly do: 'cancel'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'set back'; readonly ms: number }
  | { readonly do: 'set wall'; readonly ms: number }
  | { readonly do: 'isolate' | 'release' | 'restart' | 'restore' }
  | { readonly do: 'hear'; readonly node: string; readonly calls: number; readonly failures: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('calls' as const),
      count: times20,
      outcome: outcomeName,
      tookMs: fc.constantFrom(0, 20, 700),
      everyMs: fc.integer({ min: 0, max: 500 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('admit' as const), count: times20, priority: fc.constantFrom('high', 'normal', 'low') }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('settle', 'again'), which: fc.nat(99), outcome: outcomeName }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(99) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: pauses }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set back' as const), ms: fc.integer({ min: 0, max: 1e7 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set wall' as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('isolate', 'release', 'restart', 'restore') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('hear' as const),
      node: fc.constantFrom('a', 'b'),
      calls: fc.integer({ min: 0, max: 9 }),
      failures: fc.integer({ min: 0, max: 9 }),
    }),
  },
);

/** A breaker, what was done to it, and what must hold after each step. */
class Walk {
  readonly clock = new HandClock();
  breaker: Breaker;
  readonly seen = new Set<BreakerState>();
  readonly #make: Maker;
  /** In order of leave; those that ended stay, to be ended again. */
  #permits: Permit[] = [];
  #out = new Set<Permit>();
  #state: BreakerState = 'closed';
  readonly #told: BreakerChange[] = [];

  constructor(make: Maker) {
    this.#make = make;
    this.breaker = this.#fresh();
  }

  take(each: Step): void {
    const { breaker, clock } = this;
    switch (each.do) {
      case 'calls':
        times(each.count, () => {
          once(breaker, clock, outcomes[each.outcome]!, each.tookMs);
          clock.advance(each.everyMs);
        });
        break;
      case 'admit':
        times(each.count, () => {
          const { state } = breaker;
          const answer = breaker.admit({ priority: each.priority });
          if (state === 'open' || state === 'isolated') expect(answer.refused, state).to.equal(true);
          if (!answer.refused) {
            this.#permits.push(answer);
            this.#out.add(answer);
          } else expect(answer.retryAfterMs).to.be.at.least(0);
        });
        break;
      case 'settle':
      case 'again':
      case 'cancel': {
        const all = each.do === 'again' ? this.#permits.filter((permit) => !this.#out.has(permit)) : [...this.#out];
        const permit = all[each.which % all.length];
        if (permit === undefined) break;
        const before = JSON.stringify(breaker.figures());
        if (each.do === 'cancel') permit.cancel();
        else permit.settle(outcomes[each.outcome]!);
        if (each.do === 'again') {
          permit.cancel();
          expect(JSON.stringify(breaker.figures())).to.equal(before);
        }
        this.#out.delete(permit);
        break;
      }
      case 'wait':
        clock.advance(each.ms);
        break;
      case 'set back':
        clock.setBack(each.ms);
        break;
      case 'set wall':
        clock.setWall(monday + each.ms);
        break;
      case 'isolate':
        breaker.isolate();
        expect(breaker.state).to.equal('isolated');
        break;
      case 'release': {
        const before = breaker.state;
        breaker.release();
        expect(breaker.state).to.equal(before === 'open' || before === 'isolated' ? 'ramping' : before);
        break;
      }
      case 'restart': {
        const saved = json(breaker.save());
        this.#permits = [];
        this.#out = new Set();
        this.#state = 'closed';
        this.#told.length = 0;
        this.breaker = this.#fresh();
        this.breaker.restore(saved);
        const { state } = this.breaker;
        if (saved.state === 'closed') expect(state).to.equal('closed');
        else expect(state).to.equal(saved.state === 'open' || saved.state === 'isolated' ? saved.state : 'ramping');
        break;
      }
      case 'restore':
        breaker.restore(json(breaker.save()));
        break;
      case 'hear':
        breaker.hear(each.node, { calls: each.calls, failures: Math.min(each.calls, each.failures) });
        break;
    }
    this.check();
  }

  check(): void {
    const { breaker } = this;
    const figures = breaker.figures();
    expect(figures.inFlight).to.equal(this.#out.size);
    for (const [name, value] of Object.entries(figures)) if (value !== undefined) expect(value, name).to.be.a('number').and.at.least(0);
    expect(figures.failures).to.be.at.most(figures.calls);
    expect(figures.retryAfterMs === Infinity).to.equal(breaker.state === 'isolated');
    const { state } = breaker;
    for (const { from, to } of this.#told.splice(0)) {
      expect(from).to.equal(this.#state);
      expect(to).to.not.equal(from);
      this.#state = to;
    }
    expect(this.#state, 'every change was told').to.equal(state);
    this.seen.add(breaker.state);
  }

  /** The service is well, and calls come now and then; those that hang go on hanging. */
  heal(): void {
    const { breaker, clock } = this;
    if (breaker.state === 'isolated') breaker.release();
    const until = clock.elapsed() + 2 * 3_600_000;
    while (breaker.state !== 'closed' && clock.elapsed() < until) {
      const answer = breaker.admit();
      clock.advance(20);
      if (!answer.refused) answer.settle(good);
      clock.advance(answer.refused ? Math.min(60_000, Math.max(180, answer.retryAfterMs - 20)) : 180);
    }
    expect(breaker.state).to.equal('closed');
    expect(breaker.figures()).to.include({ admittedRate: undefined, admittedInFlight: undefined, retryAfterMs: 0 });
    times(50, () => permitOf(breaker).settle(good));
  }

  #fresh(): Breaker {
    const breaker = this.#make(this.clock);
    breaker.state$.subscribe((change) => this.#told.push(change));
    return breaker;
  }
}

function json(saved: SavedBreaker): SavedBreaker {
  return JSON.parse(JSON.stringify(saved)) as SavedBreaker;
}

for (const [kind, make] of Object.entries(makers)) {
  describe(`whatever is done to a breaker (${kind})`, () => {
    it('counts its permits, lets nothing pass that is closed to all, tells every change once, and finds back to closed', function () {
      this.timeout(timeoutMs);
      const seen = new Set<BreakerState>();
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
          const walk = new Walk(make);
          for (const each of steps) walk.take(each);
          walk.heal();
          for (const state of walk.seen) seen.add(state);
        }),
        runs(40),
      );
      expect([...seen]).to.have.members(['closed', 'degraded', 'open', 'ramping', 'isolated']);
    });

    it('knows nothing of calls that were cancelled: its figures are those of one that was not asked, and so is what it decides later', function () {
      this.timeout(timeoutMs);
      const tick = fc.record({
        cancelled: fc.integer({ min: 0, max: 3 }),
        priority: fc.constantFrom('normal', 'low'),
        outcome: outcomeName,
        everyNth: fc.integer({ min: 1, max: 6 }),
        tookMs: fc.constantFrom(0, 20, 700),
        count: times20,
        everyMs: fc.integer({ min: 0, max: 800 }),
        by: fc.constantFrom('none', 'none', 'none', 'isolate', 'release'),
      });
      let cancelledInAll = 0;
      fc.assert(
        fc.property(fc.array(tick, { maxLength: 25, size: 'max' }), (ticks) => {
          const [one, other] = [new HandClock(), new HandClock()].map((clock) => ({ clock, breaker: make(clock) })) as [
            { clock: HandClock; breaker: Breaker },
            { clock: HandClock; breaker: Breaker },
          ];
          for (const { cancelled, priority, outcome, everyNth, tookMs, count, everyMs, by } of ticks) {
            for (const { breaker } of [one, other]) {
              if (by === 'isolate') breaker.isolate();
              else if (by === 'release') breaker.release();
            }
            for (let call = 0; call < count; call += 1) {
              // As many as are let through: what is refused is another matter.
              for (let index = 0; index < cancelled && one.breaker.waitMs(priority as never) === 0; index += 1) {
                const answer = one.breaker.admit({ priority: priority as 'normal' | 'low' });
                if (answer.refused) {
                  other.breaker.admit({ priority: priority as 'normal' | 'low' });
                  break;
                }
                cancelledInAll += 1;
                answer.cancel();
              }
              other.breaker.waitMs();
              const how = call % everyNth === 0 ? outcomes[outcome]! : good;
              const passed = [one, other].map(({ breaker, clock }) => once(breaker, clock, how, tookMs));
              expect(passed[0]).to.equal(passed[1]);
              for (const { clock } of [one, other]) clock.advance(everyMs);
              expect(one.breaker.figures()).to.deep.equal(other.breaker.figures());
              expect(one.breaker.state).to.equal(other.breaker.state);
            }
          }
        }),
        runs(40),
      );
      expect(cancelledInAll).to.be.greaterThan(1_000);
    });
  });
}

describe('a breaker that was open when it was saved', () => {
  const opened = (clock: HandClock, times_ = 1): Breaker => {
    const breaker = consecutiveBreaker({ name: 'api', failures: 1, clock, random: { next: () => 0.5, id: () => '' } });
    times(times_, () => {
      clock.advance(breaker.waitMs());
      permitOf(breaker).settle(bad);
    });
    return breaker;
  };
  const restored = (saved: SavedBreaker, wall: number): { breaker: Breaker; clock: HandClock } => {
    const clock = new HandClock(wall);
    const breaker = consecutiveBreaker({ name: 'api', failures: 1, clock, random: { next: () => 0.5, id: () => '' } });
    breaker.restore(json(saved));
    return { breaker, clock };
  };

  it('is open before its time and ramps after it, is never closed, and never waits longer than it would have, however the clock was set', () => {
    const passed = fc.oneof(fc.integer({ min: -1e10, max: 1e10 }), fc.integer({ min: -20_000, max: 20_000 }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 14_999 }), passed, (failed, waitedMs, passedMs) => {
        const clock = new HandClock();
        const breaker = opened(clock, failed);
        clock.advance(Math.min(waitedMs, breaker.waitMs() - 1));
        const left = breaker.waitMs();
        const { breaker: copy, clock: time } = restored(breaker.save(), clock.now() + passedMs);
        if (passedMs >= left) expect(copy.state).to.equal('ramping');
        else {
          expect(copy.state).to.equal('open');
          expect(copy.waitMs()).to.be.closeTo(Math.min(left, left - passedMs), 0.01);
          refusalOf(copy);
          time.advance(copy.waitMs() + 0.01);
          expect(copy.state).to.equal('ramping');
        }
        // One call asks.
        const probe = permitOf(copy);
        refusalOf(copy);
        probe.settle(bad);
        expect(copy.state).to.equal('open');
        expect(copy.waitMs(), 'it knows how often it had opened').to.be.at.least([10_000, 15_000, 15_000, 15_000, 15_000][failed - 1]!);
      }),
      runs(300),
    );
  });

  it('goes on ramping when it ramped or was degraded, and stays isolated when it was', () => {
    const clock = new HandClock();
    const ramping = opened(clock);
    clock.advance(5_000);
    expect(ramping.state).to.equal('ramping');
    expect(restored(ramping.save(), clock.now()).breaker.state).to.equal('ramping');
    const degraded = consecutiveBreaker({ name: 'api', clock, random: chance(1) });
    permitOf(degraded).settle(tooMany());
    expect(degraded.save().state).to.equal('degraded');
    expect(restored(degraded.save(), clock.now()).breaker.state).to.equal('ramping');
    ramping.isolate();
    const { breaker } = restored(ramping.save(), clock.now() + 1e9);
    expect(breaker.state).to.equal('isolated');
    expect(breaker.waitMs()).to.equal(Infinity);
    breaker.release();
    expect(breaker.state).to.equal('ramping');
  });

  it('is closed when it was closed', () => {
    const clock = new HandClock();
    const closed = consecutiveBreaker({ name: 'api', clock, random: chance(1) });
    expect(restored(closed.save(), clock.now()).breaker.state).to.equal('closed');
  });

  it('remembers that the service itself had asked for it', () => {
    const clock = new HandClock();
    const breaker = consecutiveBreaker({ name: 'api', failures: 1, clock, random: chance(1) });
    permitOf(breaker).settle(unavailable(60));
    const { breaker: copy, clock: time } = restored(breaker.save(), clock.now() + 1_000);
    time.advance(4_000);
    copy.hear('other', { calls: 5, failures: 0 });
    expect(copy.waitMs()).to.equal(55_000);
  });

  it('says when it is restored that it is open, once', () => {
    const clock = new HandClock();
    const breaker = opened(clock);
    const copy = consecutiveBreaker({ name: 'api', clock, random: chance(1) });
    const told: string[] = [];
    copy.state$.subscribe(({ from, to, reason }) => told.push(`${from} ${to} ${reason}`));
    copy.restore(breaker.save());
    copy.restore(breaker.save());
    expect(told).to.deep.equal(['closed open restored']);
  });
});

describe('what is told of a change', () => {
  it('are the figures as they were when it changed, of every kind', () => {
    for (const [kind, make] of Object.entries(makers)) {
      const clock = new HandClock();
      const breaker = make(clock);
      let last: number | undefined;
      breaker.state$.subscribe(({ to, figures }) => {
        if (to === 'open') last = figures.failures;
      });
      let failed = 0;
      while (breaker.state !== 'open' && failed < 100) {
        if (once(breaker, clock, bad, 10)) failed += 1;
        else clock.advance(10);
      }
      expect(last, kind).to.equal(failed);
    }
  });
});

describe('time', () => {
  it('is read from the clock that was given, and no timer is ever set: by breakers, guards, registries', async () => {
    const clock = new HandClock();
    expect(() => clock.setTimeout()).to.throw('wants a timer');
    const stage = adaptiveBreaker({ name: 'stage', level: 'stage', clock, random: chance(1) });
    const registry = breakerRegistry(slidingWindowBreaker({ name: 'llm', minimumCalls: 2, within: stage, clock, random: chance(1) }), {
      clock,
      random: chance(1),
    });
    const seen: BreakerState[] = [];
    registry.changes$.subscribe(({ to }) => seen.push(to));
    const guard = allOf(bulkhead({ name: 'pool', concurrency: 2 }), retryBudget({ name: 'retries', clock }), registry.get('a'));
    const timers = (['setTimeout', 'setInterval', 'setImmediate'] as const).map((name) => sinon.spy(globalThis, name));
    for (let index = 0; index < 400; index += 1) {
      await guard.execute(() => (index % 100 < 30 ? Promise.reject(new Error('down')) : index)).catch(() => undefined);
      clock.advance(1_000);
    }
    stage.isolate();
    stage.release();
    for (const timer of timers) {
      timer.restore();
      sinon.assert.notCalled(timer);
    }
    expect(seen).to.include.members(['open', 'ramping', 'closed']);
  });
});
