/** What makes the breaker that learns trip, and what does not. */

import { expect } from 'chai';
import { adaptiveBreaker, consecutiveBreaker, slidingWindowBreaker, type Breaker, type BreakerChange } from '#src/breakers/index.js';
import { bad, chance, good, HandClock, late, monday, once, permitOf, refusalOf, times, tooMany, unavailable } from './by-hand.js';
import { learned, traffic } from './traffic.js';

const hourMs = 3_600_000;
const quiet = { rate: () => 0.01, perSecond: 10 };

function changesOf(breaker: Breaker): BreakerChange[] {
  const changes: BreakerChange[] = [];
  breaker.state$.subscribe((change) => changes.push(change));
  return changes;
}

describe('an outage', () => {
  it('opens a breaker that knows the hour within ten calls and two seconds, and tells why', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 30 });
    const { admitted, tookMs } = traffic(breaker, clock, { perSecond: 10, seconds: 60, failing: 1, until: () => breaker.state === 'open' });
    expect(admitted).to.be.at.most(10);
    expect(tookMs).to.be.lessThan(2_000);
    expect(changes.map(({ from, to, reason }) => [from, to, reason])).to.deep.equal([['closed', 'open', 'failures']]);
    expect(changes[0]).to.include({ name: 'api', level: 'call' });
    expect(changes[0]!.at).to.be.within(clock.now() - 1_000, clock.now());
    expect(changes[0]!.figures).to.include({ admittedRate: 0, admittedInFlight: 0 });
    expect(changes[0]!.figures.failures).to.be.greaterThan(5);
    expect(changes[0]!.figures.retryAfterMs).to.be.within(4_500, 5_500);
    refusalOf(breaker);
  });

  it('opens one that knows nothing yet within thirty calls, and one call a minute is enough for that', () => {
    for (const perSecond of [10, 1, 1 / 60]) {
      const clock = new HandClock();
      const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
      traffic(breaker, clock, { perSecond, seconds: 40 / perSecond });
      const { admitted } = traffic(breaker, clock, {
        perSecond,
        seconds: 60 / perSecond,
        failing: 1,
        until: () => breaker.state === 'open',
      });
      expect(breaker.state, `${perSecond} a second`).to.equal('open');
      expect(admitted, `${perSecond} a second`).to.be.at.most(30);
    }
  });

  it('opens one with six calls a minute that knows the hour within fifteen', () => {
    const clock = new HandClock();
    const breaker = learned(clock, { rate: () => 0.01, perSecond: 0.1 });
    expect(breaker.figures().expected).to.not.equal(undefined);
    const { admitted } = traffic(breaker, clock, { perSecond: 0.1, seconds: 600, failing: 1, until: () => breaker.state === 'open' });
    expect(breaker.state).to.equal('open');
    expect(admitted).to.be.at.most(15);
  });

  it('opens also a breaker that was degraded before', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    traffic(breaker, clock, { perSecond: 10, seconds: 60, failing: 0.35, until: () => breaker.state === 'degraded' });
    expect(breaker.state).to.equal('degraded');
    traffic(breaker, clock, { perSecond: 10, seconds: 20, failing: 1, until: () => breaker.state === 'open' });
    expect(breaker.state).to.equal('open');
  });

  it('is met at once by a critical profile, later by a tolerant one', () => {
    const callsUntilOpen = (profile: 'critical' | 'tolerant'): number => {
      const clock = new HandClock();
      const breaker = learned(clock, quiet, { profile });
      return traffic(breaker, clock, { perSecond: 10, seconds: 60, failing: 0.9, until: () => breaker.state === 'open' }).admitted;
    };
    expect(callsUntilOpen('critical')).to.be.lessThan(callsUntilOpen('tolerant'));
  });
});

describe('trouble that is no outage', () => {
  it('of thirty per cent degrades within ten seconds, not before its patience, and never opens', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const clock = new HandClock();
      const breaker = learned(clock, quiet);
      const changes = changesOf(breaker);
      traffic(breaker, clock, { perSecond: 10, seconds: 30 });
      const { tookMs } = traffic(breaker, clock, {
        perSecond: 10,
        seconds: 60,
        failing: 0.3,
        random: chance(seed),
        until: () => breaker.state !== 'closed',
      });
      expect(tookMs, `seed ${seed}`).to.be.within(3_600, 12_000);
      expect(changes.map(({ to, reason }) => [to, reason])).to.deep.equal([['degraded', 'failures']]);
      const { offered, admitted } = traffic(breaker, clock, { perSecond: 10, seconds: 120, failing: 0.3, random: chance(seed) });
      expect(changes.map(({ to }) => to)).to.not.include('open');
      expect(admitted / offered, 'what can be served is served').to.be.greaterThan(0.97);
    }
  });

  it('closes again when it is over', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 40, failing: 0.35 });
    expect(breaker.state).to.equal('degraded');
    const { tookMs } = traffic(breaker, clock, { perSecond: 10, seconds: 90, until: () => breaker.state === 'closed' });
    expect(changes.at(-1)).to.include({ from: 'degraded', to: 'closed', reason: 'recovered' });
    expect(tookMs).to.be.within(5_000, 60_000);
    const { admitted, offered } = traffic(breaker, clock, { perSecond: 10, seconds: 60 });
    expect(admitted).to.equal(offered);
  });

  it('of four seconds is a hiccup that leaves it closed', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const clock = new HandClock();
      const breaker = learned(clock, quiet);
      const changes = changesOf(breaker);
      traffic(breaker, clock, { perSecond: 10, seconds: 30, failing: 0.01 });
      traffic(breaker, clock, { perSecond: 10, seconds: 3.5, failing: 0.5, random: chance(seed) });
      traffic(breaker, clock, { perSecond: 10, seconds: 30, failing: 0.01 });
      expect(changes, `seed ${seed}`).to.deep.equal([]);
    }
  });

  it('is normal at an hour that is known for it, and at no other', () => {
    const nightly = { perSecond: 10, rate: (hour: number) => (hour % 24 === 2 ? 0.3 : 0.01) };
    const night = new HandClock(monday + 16 * hourMs + 10 * 60_000);
    const asleep = learned(night, nightly);
    expect(asleep.figures().expected).to.be.closeTo(0.3, 0.01);
    const changes = changesOf(asleep);
    traffic(asleep, night, { perSecond: 10, seconds: 600, failing: 0.3 });
    expect(changes).to.deep.equal([]);
    traffic(asleep, night, { perSecond: 10, seconds: 20, failing: 1, until: () => asleep.state === 'open' });
    expect(changes.at(-1)!.to).to.equal('open');
    const day = new HandClock(monday);
    const awake = learned(day, nightly);
    traffic(awake, day, { perSecond: 10, seconds: 60, failing: 0.3, until: () => awake.state === 'degraded' });
    expect(awake.state).to.equal('degraded');
  });

  it('is not nine failures, an idle hour and one more', () => {
    for (const breakerOf of [
      (clock: HandClock) => adaptiveBreaker({ name: 'api', clock, random: chance(1) }),
      (clock: HandClock) => learned(clock, quiet),
    ]) {
      const clock = new HandClock();
      const breaker = breakerOf(clock);
      times(40, () => once(breaker, clock, good, 100));
      // A known hour sees an outage in nine failures in a row: four there.
      times(breaker.figures().expected === undefined ? 9 : 4, () => once(breaker, clock, bad, 100));
      clock.advance(hourMs);
      expect(once(breaker, clock, bad, 100)).to.equal(true);
      expect(breaker.state).to.equal('closed');
    }
  });

  it('is not what its callers do wrong', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    traffic(breaker, clock, { perSecond: 10, seconds: 60, failing: 1, failure: { ok: false, error: { status: 404 } } });
    expect(breaker.state).to.equal('closed');
    expect(breaker.figures()).to.include({ calls: 0, failures: 0 });
  });
});

describe('calls that take too long', () => {
  it('degrade a breaker that knows how long they usually take, and hold back how many may be under way', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 30, latencyMs: 110 });
    expect(changes).to.deep.equal([]);
    expect(breaker.figures().slow).to.equal(0);
    traffic(breaker, clock, { perSecond: 10, seconds: 30, latencyMs: 800, until: () => breaker.state === 'degraded' });
    expect(changes.map(({ to, reason }) => [to, reason])).to.deep.equal([['degraded', 'slow-calls']]);
    expect(changes[0]!.figures.slow).to.be.greaterThan(5);
    expect(changes[0]!.figures.admittedInFlight).to.be.within(2, 8);
  });

  it('are those that take longer than `slowMs`, when that is given', () => {
    const clock = new HandClock();
    const breaker = adaptiveBreaker({ name: 'api', slowMs: 300, clock, random: chance(1) });
    traffic(breaker, clock, { perSecond: 10, seconds: 10, latencyMs: 300 });
    expect(breaker.figures().slow).to.equal(0);
    traffic(breaker, clock, { perSecond: 10, seconds: 20, latencyMs: 301, until: () => breaker.state === 'degraded' });
    expect(breaker.state).to.equal('degraded');
  });

  it('and are given up degrade first: what passes under caps then shows whether anybody is there', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 30 });
    traffic(breaker, clock, { perSecond: 10, seconds: 90, latencyMs: 2_000, failing: 1, failure: late });
    expect(changes[0]).to.include({ from: 'closed', to: 'degraded' });
    expect(changes[1]).to.include({ from: 'degraded', to: 'open', reason: 'failures' });
  });

  it('and are given up sooner than what is slow are slow all the same', () => {
    const clock = new HandClock();
    const breaker = learned(clock, { ...quiet, latencyMs: 100 });
    traffic(breaker, clock, { perSecond: 10, seconds: 10, latencyMs: 100 });
    permitOf(breaker).settle(late);
    expect(breaker.figures()).to.include({ slow: 1, failures: 1 });
  });
});

describe('a service that wants less', () => {
  it('is given a pause as long as it asks for, then less than before; none of that is a failure', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 30 });
    permitOf(breaker).settle(tooMany(7));
    expect(changes.map(({ to, reason }) => [to, reason])).to.deep.equal([['degraded', 'throttled']]);
    expect(breaker.figures()).to.include({ failures: 0, retryAfterMs: 7_000 });
    expect(breaker.waitMs()).to.equal(7_000);
    expect(refusalOf(breaker)).to.include({ state: 'degraded', retryAfterMs: 7_000 });
    clock.advance(6_999);
    refusalOf(breaker);
    clock.advance(1);
    permitOf(breaker).settle(good);
    expect(breaker.figures().admittedRate).to.be.within(8, 8.7);
    expect(changes).to.have.length(1);
  });

  it('is asked less from then on also without a pause, by breakers that do not learn as well', () => {
    for (const make of [slidingWindowBreaker, consecutiveBreaker, adaptiveBreaker]) {
      const clock = new HandClock();
      const breaker = make({ name: 'api', clock, random: chance(1) });
      traffic(breaker, clock, { perSecond: 20, seconds: 10 });
      permitOf(breaker).settle(tooMany());
      expect(breaker.state).to.equal('degraded');
      expect(breaker.figures().admittedRate, make.name).to.be.within(15, 17.5);
      expect(breaker.waitMs(), make.name).to.equal(0);
    }
  });

  it('is left alone no longer than the longest Retry-After that is believed', () => {
    for (const outcome of [tooMany(86_400), tooMany(Infinity)]) {
      const clock = new HandClock();
      const breaker = adaptiveBreaker({ name: 'api', open: { maximumRetryAfterMs: 90_000 }, clock, random: chance(1) });
      permitOf(breaker).settle(outcome);
      expect(breaker.waitMs()).to.be.at.most(90_000);
    }
    const clock = new HandClock();
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    permitOf(breaker).settle(tooMany(86_400));
    expect(breaker.waitMs()).to.equal(3_600_000);
  });

  it('and has not answered for long is open for as long as it asks for', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const changes = changesOf(breaker);
    traffic(breaker, clock, { perSecond: 10, seconds: 5, failing: 1, failure: unavailable(40), until: () => breaker.state === 'open' });
    expect(changes.map(({ to, reason }) => [to, reason])).to.deep.equal([['open', 'retry-after']]);
    expect(breaker.waitMs()).to.be.within(39_000, 40_000);
    clock.advance(39_000);
    expect(breaker.state).to.equal('open');
    clock.advance(1_000);
    expect(breaker.state).to.equal('ramping');
  });

  it('and says so when it is open already is left alone longer, never shorter', () => {
    const clock = new HandClock();
    const breaker = learned(clock, quiet);
    const [one, other, third] = [permitOf(breaker), permitOf(breaker), permitOf(breaker)];
    traffic(breaker, clock, { perSecond: 10, seconds: 5, failing: 1, until: () => breaker.state === 'open' });
    expect(breaker.waitMs()).to.be.lessThan(6_000);
    one.settle(unavailable(20));
    expect(breaker.waitMs()).to.equal(20_000);
    other.settle(tooMany(10));
    expect(breaker.waitMs()).to.equal(20_000);
    third.settle(tooMany(30));
    expect(breaker.waitMs()).to.equal(30_000);
  });
});
