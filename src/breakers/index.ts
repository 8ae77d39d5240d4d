/** `statewarden/breakers`: circuit breakers that stand alone or guard the activities of agents. */

export { adaptiveBreaker, type AdaptiveBreakerOptions } from './adaptive.js';
export { consecutiveBreaker, type ConsecutiveBreakerOptions } from './consecutive.js';
export { slidingWindowBreaker, type SlidingWindowBreakerOptions } from './sliding-window.js';
export {
  calendar,
  type CalendarEntry,
  type CalendarOptions,
  type Conditions,
  type Profile,
  type ProfileChoice,
  type ProfileName,
} from './profile.js';
export { allOf } from './all-of.js';
export { bulkhead, type Bulkhead, type BulkheadOptions } from './bulkhead.js';
export { retryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.js';
export { breakerRegistry, type BreakerRegistry, type RegistryOptions } from './registry.js';
export type { Classification, Classify, Outcome, Verdict } from './classification.js';
export type { BreakerOptions, OpenPeriods } from './options.js';
export type {
  Breaker,
  BreakerChange,
  BreakerFigures,
  BreakerLevel,
  BreakerState,
  CallOptions,
  ChangeReason,
  Guard,
  Permit,
  Priority,
  Refusal,
  SavedBreaker,
  SharedCounters,
} from './contract.js';
export { BreakerOpenError } from '../core/errors.js';
