/** Leave, and its refusal, of a breaker. */

import { BreakerOpenError } from '../core/errors.js';
import type { StandardBreaker } from './breaker.js';
import { classifyWith, type Outcome } from './classification.js';
import type { BreakerLevel, BreakerState, Permit, Refusal } from './contract.js';

export class Ticket implements Permit {
  readonly refused = false;
  #breaker: StandardBreaker | undefined;
  readonly #outer: Permit | undefined;
  /** The breaker's when it was made. */
  readonly epoch: number;
  /** Steady milliseconds; NaN: not timed. */
  readonly startedAt: number;
  readonly high: boolean;

  constructor(breaker: StandardBreaker, outer: Permit | undefined, epoch: number, startedAt: number, high: boolean) {
    this.#breaker = breaker;
    this.#outer = outer;
    this.epoch = epoch;
    this.startedAt = startedAt;
    this.high = high;
  }

  settle(outcome: Outcome): void {
    const breaker = this.#breaker;
    if (breaker === undefined) return;
    this.#breaker = undefined;
    breaker.settled(this, classifyWith(breaker.definition.classify, outcome, breaker.surroundings.clock));
    this.#outer?.settle(outcome);
  }

  cancel(): void {
    const breaker = this.#breaker;
    if (breaker === undefined) return;
    this.#breaker = undefined;
    breaker.cancelled(this);
    this.#outer?.cancel();
  }
}

export class Refused implements Refusal {
  readonly refused = true;
  readonly key: string;
  readonly level: BreakerLevel;
  readonly state: BreakerState;
  readonly retryAfterMs: number;

  constructor(breaker: StandardBreaker, state: BreakerState, retryAfterMs: number) {
    this.key = breaker.name;
    this.level = breaker.level;
    this.state = state;
    this.retryAfterMs = retryAfterMs;
  }

  error(): BreakerOpenError {
    return BreakerOpenError.of(this);
  }
}
