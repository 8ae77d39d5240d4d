/** cockatiel: sampling, consecutive failures, and the best that can be put together with it; and its bulkhead alone, sized by hand. */

import { cockatiel, type CockatielBreaker, type CockatielPolicy } from './peers.js';
import type { Guard, Policy } from './policy.js';

const halfOpenAfter = 10_000;
const windowMs = 10_000;
/** The default would be 10 calls a second for 50 %, and 25 for 20 %: more than this service ever sees. */
const minimumRps = 1;
/** As many calls as the service has workers. */
const handSize = 8;

function guard(policy: CockatielPolicy, breaker?: CockatielBreaker): Guard {
  const states = ['closed', 'open', 'half-open', 'isolated'];
  return {
    execute: (call) => policy.execute(({ signal }) => call(signal)),
    state: () => (breaker === undefined ? 'closed' : (states[breaker.state] ?? 'closed')),
  };
}

export async function cockatielPolicies(): Promise<Policy[]> {
  const { circuitBreaker, handleAll, SamplingBreaker, ConsecutiveBreaker, bulkhead, wrap } = await cockatiel();
  const sampling = (threshold: number): object => new SamplingBreaker({ threshold, duration: windowMs, minimumRps });
  const alone = (breaker: CockatielBreaker): Guard => guard(breaker, breaker);
  return [
    {
      id: 'bulkhead',
      title: 'cockatiel, bulkhead 8 sized by hand',
      make: () => guard(bulkhead(handSize)),
    },
    {
      id: 'cockatiel-sampling',
      title: 'cockatiel, sampling 50 %',
      make: () => alone(circuitBreaker(handleAll, { halfOpenAfter, breaker: sampling(0.5) })),
    },
    {
      id: 'cockatiel-consecutive',
      title: 'cockatiel, consecutive 5',
      make: () => alone(circuitBreaker(handleAll, { halfOpenAfter, breaker: new ConsecutiveBreaker(5) })),
    },
    {
      id: 'cockatiel-best',
      title: 'cockatiel, 20 % + half-open sampling + bulkhead 8',
      make: () => {
        const breaker = circuitBreaker(handleAll, {
          halfOpenAfter,
          breaker: sampling(0.2),
          halfOpenSampling: { calls: 5, threshold: 0.5 },
        });
        return guard(wrap(bulkhead(handSize), breaker), breaker);
      },
    },
  ];
}
