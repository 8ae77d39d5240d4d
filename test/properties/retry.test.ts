/** The waits between attempts, against the formula that they claim: uniform below min(maximum, initial × factor^(failures − 1)). */

import { expect } from 'chai';
import fc from 'fast-check';
import { assertRetry, backoffMs, standardRetry, type RetryPolicy } from '#src/effects/retry.js';
import { runs } from './runs.js';

const policy = fc
  .record({
    initialMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0.001, max: 100, noNaN: true })),
    moreMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_600_000 })),
    factor: fc.oneof(fc.constantFrom(1, 2, 10), fc.double({ min: 1, max: 1_000, noNaN: true })),
  })
  .map(({ initialMs, moreMs, factor }): RetryPolicy => ({ initialMs, maximumMs: initialMs + moreMs, factor }));
const failures = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 5_000 }));

/** Chance that always says the same. */
const saying = (value: number): { next: () => number; id: () => string } => ({ next: () => value, id: () => '' });

describe('the wait before the next attempt', () => {
  it('without jitter grows by the factor, from the initial to the maximum', () => {
    fc.assert(
      fc.property(policy, failures, (given, count) => {
        const resolved = { ...standardRetry, ...given, jitter: 'none' as const };
        const wait = (failed: number): number => backoffMs(resolved, failed, saying(0.5));
        expect(wait(1)).to.equal(resolved.initialMs);
        expect(wait(count)).to.be.within(resolved.initialMs, resolved.maximumMs);
        const expected = Math.min(resolved.maximumMs, wait(count) * resolved.factor);
        expect(wait(count + 1)).to.be.closeTo(expected, expected * 1e-9);
      }),
      runs(300),
    );
  });

  it('with full jitter is anything from nothing to that, in proportion to chance', () => {
    fc.assert(
      fc.property(policy, failures, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, count, chance) => {
        const bound = backoffMs({ ...standardRetry, ...given, jitter: 'none' as const }, count, saying(0));
        const full = { ...standardRetry, ...given };
        expect(full.jitter).to.equal('full');
        const wait = backoffMs(full, count, saying(chance));
        expect(wait).to.be.within(0, bound);
        expect(wait).to.be.closeTo(chance * bound, bound * 1e-9);
        expect(backoffMs(full, count, saying(0))).to.equal(0);
      }),
      runs(300),
    );
  });

  it('is refused, with the option’s name, when it could not be computed', () => {
    const wrong = fc.oneof(
      fc.record({ attempts: fc.oneof(fc.integer({ max: 0 }), fc.constantFrom(NaN, 1.5, -Infinity)) }),
      fc.record({ initialMs: fc.oneof(fc.integer({ max: -1 }), fc.constant(NaN)) }),
      fc.record({ maximumMs: fc.oneof(fc.integer({ max: 99 }), fc.constant(NaN)) }),
      fc.record({ factor: fc.oneof(fc.double({ max: 1, maxExcluded: true, noNaN: true }), fc.constant(NaN)) }),
    );
    fc.assert(
      fc.property(wrong, (given) => {
        expect(() => assertRetry({ ...standardRetry, ...given }, 'activity "search": retry'))
          .to.throw(`activity "search": retry.${Object.keys(given)[0] as string} is `)
          .with.property('code', 'BAD_INPUT');
      }),
      runs(100),
    );
  });
});
