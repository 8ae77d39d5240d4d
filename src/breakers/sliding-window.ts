/** The breaker most libraries have: such a share of failures among the calls of the last seconds. */

import type { Breaker } from './contract.js';
import { checkCount, checkMs, checkName, checkShare, define, make, type BreakerOptions } from './options.js';
import { SlidingWindowTripwire } from './simple-tripwires.js';

export interface SlidingWindowBreakerOptions extends BreakerOptions {
  /** Opens when such a share of calls fails: greater than 0, up to 1. Default 0.5. */
  readonly failureRate?: number;
  /** With fewer calls in the window it does not judge. Default 20. */
  readonly minimumCalls?: number;
  /** Default 10,000; kept in 20 buckets. */
  readonly windowMs?: number;
  /** A call that takes longer is slow. Default: none is. */
  readonly slowMs?: number;
  /** Degrades when such a share of calls is slow. Default 0.5. */
  readonly slowRate?: number;
}

const buckets = 20;

/**
 * A breaker that opens when too large a share of the calls of a sliding window fails.
 * @throws BadInputError
 */
export function slidingWindowBreaker(options: SlidingWindowBreakerOptions): Breaker {
  checkName('slidingWindowBreaker()', options);
  const { failureRate = 0.5, minimumCalls = 20, windowMs = 10_000, slowMs, slowRate = 0.5 } = options;
  const where = `slidingWindowBreaker "${options.name}"`;
  checkShare(where, 'failureRate', failureRate);
  checkShare(where, 'slowRate', slowRate);
  checkCount(where, 'minimumCalls', minimumCalls);
  checkMs(where, 'windowMs', windowMs);
  if (slowMs !== undefined) checkMs(where, 'slowMs', slowMs);
  const definition = define('slidingWindowBreaker', options, {
    kind: 'sliding-window',
    window: { buckets, bucketMs: windowMs / buckets },
    tripwire: (window) => new SlidingWindowTripwire({ failureRate, minimumCalls, slowMs, slowRate }, window),
  });
  return make(definition, options);
}
