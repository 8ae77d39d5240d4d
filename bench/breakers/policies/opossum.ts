/** opossum as it comes, and tripping at 20 %. */

import { opossum, type Opossum } from './peers.js';
import type { Guard, Policy } from './policy.js';

function guard(Breaker: Opossum, options: Record<string, unknown>): Guard {
  const breaker = new Breaker((call: () => Promise<unknown>) => call(), options);
  return {
    execute: <T>(call: () => Promise<T>) => breaker.fire(call) as Promise<T>,
    state: () => (breaker.closed ? 'closed' : breaker.halfOpen ? 'half-open' : 'open'),
  };
}

export function opossumPolicies(): Policy[] {
  const Breaker = opossum();
  return [
    { id: 'opossum', title: 'opossum, defaults', make: () => guard(Breaker, {}) },
    {
      id: 'opossum-20',
      title: 'opossum, 20 %',
      // Ten seconds, as for cockatiel, in place of thirty: whoever wants it sooner open wants it sooner closed.
      make: () => guard(Breaker, { errorThresholdPercentage: 20, resetTimeout: 10_000 }),
    },
  ];
}
