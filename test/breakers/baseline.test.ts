/** What is normal at each hour of the week: how it is learned, kept, and used. */

import { expect } from 'chai';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { Baseline, type Minute, type SavedBaseline } from '#src/breakers/baseline.js';
import { adaptiveBreaker, breakerRegistry, type Breaker, type SavedBreaker } from '#src/breakers/index.js';
import { failing } from '../bad-input/failing.js';
import { runs } from '../properties/runs.js';
import { bad, chance, good, HandClock, late, monday, once, times, tooMany } from './by-hand.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const weekMs = 168 * hourMs;

/** Learns minutes of an hour from its start on. */
function learn(baseline: Baseline, start: number, minutes: number, of: (index: number) => Partial<Minute>): Baseline {
  times(minutes, (index) =>
    baseline.learn({ at: start + (index + 1) * minuteMs, calls: 600, failures: 0, latencyMs: 80, trust: 1, ...of(index) }),
  );
  return baseline;
}

describe('the baseline', () => {
  it('learns mean, spread, load and latency of an hour, and knows nothing of the others', () => {
    const baseline = learn(new Baseline(), monday, 60, (index) => ({
      failures: index % 2 === 0 ? 60 : 180,
      latencyMs: index % 2 === 0 ? 60 : 100,
    }));
    const known = baseline.at(monday + 30 * minuteMs)!;
    expect(known.failureRate).to.be.closeTo(0.2, 0.01);
    // Between 10 and 30 %: a standard deviation of 10 points, of which chance makes 1.6.
    expect(known.spread).to.be.within(0.09, 0.12);
    expect(known.callsPerSecond).to.be.closeTo(10, 0.01);
    expect(known.latencyMs).to.be.closeTo(80, 2);
    expect(baseline.at(monday + 2 * hourMs)).to.equal(undefined);
    expect(baseline.at(monday + weekMs + 30 * minuteMs)).to.deep.equal(known);
  });

  it('takes what chance makes of few calls for no unrest', () => {
    const random = chance(7);
    const draw = (calls: number): number => Array.from({ length: calls }, () => random.next()).filter((drawn) => drawn < 0.2).length;
    const spreads = Array.from({ length: 20 }, () => {
      const steady = learn(new Baseline(), monday, 60, () => ({ calls: 40, failures: draw(40) }));
      return steady.at(monday + 30 * minuteMs)!.spread;
    });
    // With the 6 points by which chance alone spreads such minutes it were 0.077.
    expect(spreads.reduce((sum, spread) => sum + spread) / spreads.length).to.be.lessThan(0.06);
    const still = learn(new Baseline(), monday, 60, () => ({ failures: 0 }));
    expect(still.at(monday + 30 * minuteMs)!.spread).to.equal(0.008);
  });

  it('knows an hour after ten minutes of full weight', () => {
    const baseline = learn(new Baseline(), monday, 9, () => ({ calls: 1e9 }));
    expect(baseline.at(monday + 30 * minuteMs)).to.equal(undefined);
    learn(baseline, monday + 9 * minuteMs, 1, () => ({ calls: 1e9 }));
    expect(baseline.at(monday + 30 * minuteMs)).to.not.equal(undefined);
  });

  it('counts minutes with few calls for less, and those without calls not at all', () => {
    const few = learn(new Baseline(), monday, 20, () => ({ calls: 20, failures: 2 }));
    expect(few.at(monday + 30 * minuteMs), '20 minutes of 20 calls count as 10').to.not.equal(undefined);
    const fewer = learn(new Baseline(), monday, 59, () => ({ calls: 1, failures: 0 }));
    expect(fewer.at(monday + 30 * minuteMs)).to.equal(undefined);
    const none = learn(new Baseline(), monday, 59, () => ({ calls: 0 }));
    expect(none.save()).to.equal(undefined);
    const mixed = learn(new Baseline(), monday, 40, () => ({}));
    learn(mixed, monday + 40 * minuteMs, 1, () => ({ calls: 2, failures: 2 }));
    expect(mixed.at(monday + 30 * minuteMs)!.failureRate).to.be.lessThan(0.004);
  });

  it('learns little from a minute that is not trusted, and nothing from one without any trust', () => {
    const rateAfter = (trust: number): number => {
      const baseline = learn(new Baseline(), monday, 30, () => ({}));
      learn(baseline, monday + 30 * minuteMs, 20, () => ({ failures: 600, trust }));
      return baseline.at(monday + 30 * minuteMs)!.failureRate;
    };
    expect(rateAfter(0)).to.equal(0);
    expect(rateAfter(0.05)).to.be.within(0.01, 0.05);
    expect(rateAfter(1)).to.be.within(0.35, 0.45);
  });

  it('forgets what is three weeks old', () => {
    const baseline = new Baseline();
    times(10, () => learn(baseline, monday, 60, () => ({ failures: 240 })));
    times(9, () => learn(baseline, monday, 60, () => ({ failures: 0 })));
    expect(baseline.at(monday + 30 * minuteMs)!.failureRate).to.be.within(0.01, 0.04);
  });

  it('takes the more tolerant of two hours within five minutes of the edge', () => {
    const baseline = learn(new Baseline(), monday, 60, () => ({ failures: 6 }));
    learn(baseline, monday + hourMs, 60, () => ({ failures: 180 }));
    const rate = (minute: number): number => Number(baseline.at(monday + minute * minuteMs)!.failureRate.toFixed(2));
    expect([0, 30, 54, 55, 59, 60, 64, 65, 90, 114, 119].map(rate)).to.deep.equal([
      0.01, 0.01, 0.01, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3,
    ]);
    learn(baseline, monday + 2 * hourMs, 60, () => ({ failures: 6 }));
    expect([114, 115, 120, 124, 125].map(rate)).to.deep.equal([0.3, 0.3, 0.3, 0.3, 0.01]);
    // The load is that of the hour itself.
    learn(baseline, monday + hourMs, 60, () => ({ calls: 6_000, failures: 1_800 }));
    expect(baseline.at(monday + 57 * minuteMs)!.callsPerSecond).to.be.closeTo(10, 0.01);
  });

  it('learns the last minute of an hour for that hour, and by the clock of its time zone', () => {
    const whole = learn(new Baseline(), monday, 60, () => ({}));
    expect(whole.at(monday + 90 * minuteMs)).to.equal(undefined);
    const last = new Baseline();
    times(20, () => last.learn({ at: monday + hourMs, calls: 600, failures: 60, latencyMs: 80, trust: 1 }));
    expect([last.at(monday + 30 * minuteMs)?.callsPerSecond, last.at(monday + 90 * minuteMs)]).to.deep.equal([10, undefined]);
    const vienna = learn(new Baseline('Europe/Vienna'), Date.UTC(2025, 2, 24, 8), 60, () => ({ failures: 60 }));
    // A week later the clocks are an hour ahead.
    expect(vienna.at(Date.UTC(2025, 2, 31, 7, 30))!.failureRate).to.be.closeTo(0.1, 0.001);
    expect(vienna.at(Date.UTC(2025, 2, 31, 8, 30))).to.equal(undefined);
  });

  it('is the same after it was saved as JSON and restored', () => {
    const minute = fc.record({
      at: fc.integer({ min: monday, max: monday + weekMs }),
      calls: fc.integer({ min: 1, max: 5_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      latencyMs: fc.oneof(fc.constant(NaN), fc.double({ min: 0.1, max: 1e5, noNaN: true })),
      trust: fc.constantFrom(0, 0.05, 0.5, 1),
    });
    fc.assert(
      fc.property(fc.array(minute, { maxLength: 40 }), (minutes) => {
        const baseline = new Baseline();
        for (const { share, ...rest } of minutes) {
          // Twelve of them, that their hour is known.
          times(12, (index) => baseline.learn({ ...rest, at: rest.at + index, failures: Math.floor(share * rest.calls) }));
        }
        const saved = baseline.save();
        const copy = new Baseline();
        if (saved !== undefined) copy.restore(JSON.parse(JSON.stringify(saved)) as SavedBaseline);
        expect(copy.save()).to.deep.equal(saved);
        for (const { at } of minutes) {
          expect(copy.at(at)).to.deep.equal(baseline.at(at));
          const known = baseline.at(at);
          if (known === undefined) continue;
          expect(known.failureRate).to.be.within(0, 1.000001);
          expect(known.spread).to.be.within(0.008, 1.1);
        }
      }),
      runs(60),
    );
  });

  const bytes = (value: number): string => {
    const buffer = Buffer.alloc(168 * 5 * 4);
    buffer.writeFloatLE(value, 400);
    return buffer.toString('base64');
  };
  const wrong: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['null', null],
    ['no text', { slots: 5 }],
    ['an empty text', { slots: '' }],
    ['bytes of another length', { slots: Buffer.alloc(40).toString('base64') }],
    ['a number that is none', { slots: bytes(NaN) }],
    ['a negative one', { slots: bytes(-1) }],
    ['infinity', { slots: bytes(Infinity) }],
  ];
  for (const [name, saved] of wrong) {
    it(`does not restore ${name}, and keeps what it has`, async () => {
      const baseline = learn(new Baseline(), monday, 30, () => ({ failures: 60 }));
      const before = baseline.save();
      expect((await failing('BAD_INPUT', () => baseline.restore(saved as SavedBaseline))).message).to.include('a saved baseline has');
      expect(baseline.save()).to.deep.equal(before);
    });
  }
});

describe('a breaker that learns', () => {
  /** Calls a second, evenly, of which every n-th fails. */
  function live(breaker: Breaker, clock: HandClock, minutes: number, everyNth = Infinity, outcome = bad): void {
    times(minutes * 60, (index) => once(breaker, clock, (index + 1) % everyNth === 0 ? outcome : good, 40) && clock.advance(960));
  }

  it('holds what is unusual against what it has seen at this hour, once it knows it', () => {
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    expect(breaker.figures()).to.include({ threshold: 0.6, expected: undefined, tolerated: undefined });
    live(breaker, clock, 30, 20);
    const { expected, tolerated, threshold } = breaker.figures();
    expect(expected).to.be.closeTo(0.05, 0.01);
    expect(tolerated).to.be.within(expected!, threshold);
    expect(threshold).to.be.closeTo(0.25, 0.02);
    clock.advance(2 * hourMs);
    expect(breaker.figures()).to.include({ threshold: 0.6, expected: undefined, tolerated: undefined });
  });

  it('keeps what it has learned when it is restored elsewhere, without a loss', () => {
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    live(breaker, clock, 30, 20);
    const { expected, tolerated, threshold } = breaker.figures();
    const saved = JSON.parse(JSON.stringify(breaker.save())) as SavedBreaker;
    const copy = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    copy.restore(saved);
    expect(copy.figures()).to.include({ expected, tolerated, threshold });
    expect(isDeepStrictEqual(JSON.parse(JSON.stringify(copy.save().memory)), saved.memory), 'the same memory').to.equal(true);
  });

  it('does not restore a memory that is none, and stays as it was', async () => {
    const breaker = adaptiveBreaker({ name: 'api', clock: new HandClock(), random: chance(1) });
    const saved = breaker.save();
    await failing('BAD_INPUT', () =>
      breaker.restore({ ...saved, state: 'open', openUntil: monday + 5_000, memory: { baseline: { slots: 'x' } } }),
    );
    expect(breaker.state).to.equal('closed');
    for (const memory of [undefined, null, 5, 'x', {}, { rate: -1, latencyMs: 'x' }]) breaker.restore({ ...saved, memory });
    expect(breaker.figures().expected).to.equal(undefined);
  });

  it('learns how long calls take also when some are given up before anything is known', async () => {
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    live(breaker, clock, 30, 25, late);
    const saved = JSON.parse(JSON.stringify(breaker.save())) as SavedBreaker;
    expect(saved.memory).to.have.property('latencyMs').that.is.a('number').and.closeTo(40, 1);
    adaptiveBreaker({ name: 'api', clock, random: chance(1) }).restore(saved);
  });

  it('teaches nothing to the hour while it is open, and little while it is degraded', () => {
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    live(breaker, clock, 20, 50);
    const before = breaker.figures().expected!;
    times(20 * 60, (index) => once(breaker, clock, index % 10 < 4 ? bad : good, 40) && clock.advance(960));
    expect(breaker.state).to.equal('degraded');
    expect(breaker.figures().expected! - before).to.be.within(0, 0.05);
    times(10 * 60, () => once(breaker, clock, bad, 40) || clock.advance(1_000));
    expect(breaker.figures().expected! - before).to.be.within(0, 0.06);
  });

  it('does not take what passes under caps for its usual load', () => {
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', clock, random: chance(1) });
    live(breaker, clock, 15);
    const usual = (): unknown => (breaker.save().memory as { rate: number }).rate;
    const before = usual();
    expect(before).to.be.closeTo(1, 0.02);
    times(60, (index) => {
      once(breaker, clock, index % 3 === 0 ? tooMany() : good, 40);
      clock.advance(5_000);
      expect(breaker.state).to.equal('degraded');
    });
    expect(usual()).to.equal(before);
  });

  it('learns with the other keys of its registry', () => {
    const clock = new HandClock(monday);
    const pattern = adaptiveBreaker({ name: 'llm', clock, random: chance(1) });
    const registry = breakerRegistry(pattern, { clock, random: chance(1) });
    const keys = ['a', 'b', 'c'].map((key) => registry.get(key));
    times(30 * 60, (index) => {
      for (const breaker of keys) once(breaker, clock, index % 20 === 0 ? bad : good, 10);
      clock.advance(970);
    });
    expect(registry.get('fresh').figures().expected).to.be.closeTo(0.05, 0.02);
    expect(keys[0]!.save().memory).to.have.property('baseline', undefined);
  });
});
