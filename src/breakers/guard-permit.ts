/** Leave and refusal of guards that are no breakers. */

import { BreakerOpenError } from '../core/errors.js';
import type { Outcome } from './classification.js';
import type { Permit, Refusal } from './contract.js';

/** Told once, whatever came of the call. */
export class SimplePermit implements Permit {
  readonly refused = false;
  #ended: ((outcome: Outcome | undefined) => void) | undefined;

  constructor(ended: (outcome: Outcome | undefined) => void) {
    this.#ended = ended;
  }

  settle(outcome: Outcome): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.(outcome);
  }

  cancel(): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.(undefined);
  }
}

export class SimpleRefusal implements Refusal {
  readonly refused = true;
  readonly key: string;
  readonly level = undefined;
  readonly state: 'full' | 'spent';
  readonly retryAfterMs: number;

  constructor(key: string, state: 'full' | 'spent', retryAfterMs: number) {
    this.key = key;
    this.state = state;
    this.retryAfterMs = retryAfterMs;
  }

  error(): BreakerOpenError {
    return BreakerOpenError.of(this);
  }
}
