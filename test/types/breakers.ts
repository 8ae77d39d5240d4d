/** Compile-time tests: an activity's guards take their types from `run`, and a runtime's breakers are those of `statewarden/breakers`. */

import type { Observable } from 'rxjs';
import { activity, type ParkedReport, type ParkedWork, type Runtime } from 'statewarden';
import { adaptiveBreaker, allOf, breakerRegistry, bulkhead, type Breaker, type BreakerChange } from 'statewarden/breakers';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): unknown => value;

const api = adaptiveBreaker({ name: 'api' });
const run = (input: { model: string; urgent: boolean }): number => input.model.length;

export const guarded = [
  activity({ name: 'a', run, breaker: allOf(bulkhead({ name: 'few', concurrency: 2 }), api), whenOpen: 'fail' }),
  activity({
    name: 'b',
    run,
    breaker: breakerRegistry(api),
    breakerKey: ({ model }) => model,
    priority: ({ urgent }) => (urgent ? 'high' : 'normal'),
  }),
];

export const misfits = [
  // @ts-expect-error a breaker is not named, but given
  (): unknown => activity({ name: 'n', run, breaker: 'api' }),
  // @ts-expect-error the key is made from the input
  (): unknown => activity({ name: 'n', run, breaker: breakerRegistry(api), breakerKey: ({ tenant }) => tenant }),
  // @ts-expect-error it parks or fails
  (): unknown => activity({ name: 'n', run, breaker: api, whenOpen: 'wait' }),
  // @ts-expect-error high, normal or low
  (): unknown => activity({ name: 'n', run, breaker: api, priority: 'urgent' }),
];

export async function looking(runtime: Runtime): Promise<void> {
  const breaker = runtime.breakers.get('api');
  sure<Equal<typeof breaker, Breaker>>();
  sure<Equal<typeof runtime.breakers.changes$, Observable<BreakerChange>>>();
  const parked = await runtime.breakers.parked({ breaker: 'api', limit: 5 });
  sure<Equal<typeof parked, readonly ParkedWork[]>>();
  const report = await runtime.breakers.releaseParked(parked[0]?.operationId ?? { agentId: 'r-1' });
  sure<Equal<typeof report, ParkedReport>>();
  // @ts-expect-error all or some is to be said
  await runtime.breakers.cancelParked();
}
