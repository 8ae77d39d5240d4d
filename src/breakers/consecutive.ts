/** The simplest breaker: so many failures in a row. */

import type { Breaker } from './contract.js';
import { checkCount, checkName, define, make, type BreakerOptions } from './options.js';
import { ConsecutiveTripwire } from './simple-tripwires.js';

export interface ConsecutiveBreakerOptions extends BreakerOptions {
  /** Opens after so many in a row. Default 5. */
  readonly failures?: number;
}

/**
 * A breaker that opens after so many failures in a row, whatever is normal. For calls so rare that nothing else tells anything.
 * @throws BadInputError
 */
export function consecutiveBreaker(options: ConsecutiveBreakerOptions): Breaker {
  checkName('consecutiveBreaker()', options);
  const { failures = 5 } = options;
  checkCount(`consecutiveBreaker "${options.name}"`, 'failures', failures);
  return make(define('consecutiveBreaker', options, { kind: 'consecutive', tripwire: () => new ConsecutiveTripwire(failures) }), options);
}
