/** A bulkhead: so many calls at once and no more, so that one slow service does not take everything down with it. */

import type { CallOptions, Guard, Permit, Refusal } from './contract.js';
import { execute } from './execute.js';
import { SimplePermit, SimpleRefusal } from './guard-permit.js';
import { checkCount, checkMs, checkName } from './options.js';

export interface BulkheadOptions {
  readonly name: string;
  /** Calls at once. */
  readonly concurrency: number;
  /** What a refusal says of when to ask again, in milliseconds: nobody knows when a place becomes free. Default 100. */
  readonly retryAfterMs?: number;
}

export interface Bulkhead extends Guard {
  /** Places taken. */
  readonly inFlight: number;
}

/** @throws BadInputError */
export function bulkhead(options: BulkheadOptions): Bulkhead {
  checkName('bulkhead()', options);
  const { name, concurrency, retryAfterMs = 100 } = options;
  checkCount(`bulkhead "${name}"`, 'concurrency', concurrency);
  checkMs(`bulkhead "${name}"`, 'retryAfterMs', retryAfterMs);
  let inFlight = 0;
  const leave = (): void => {
    inFlight -= 1;
  };
  const guard: Bulkhead = {
    name,
    get inFlight() {
      return inFlight;
    },
    admit(): Permit | Refusal {
      if (inFlight >= concurrency) return new SimpleRefusal(name, 'full', retryAfterMs);
      inFlight += 1;
      return new SimplePermit(leave);
    },
    execute: <T>(run: (call: CallOptions) => PromiseLike<T> | T, call: CallOptions = {}) => execute(guard, run, call),
  };
  return guard;
}
