/**
 * Watches, from the writer's thread, for a turn that does not end: an endless loop in a machine blocks the event loop for good, and nobody on that thread can
 * do anything about it. Time in which this thread stood still too (a stopped process, a sleeping laptop) does not count.
 */

import type { TurnInProgress, TurnPulse } from '../../core/turn-pulse.js';

/** Looks in the time that a turn may last. */
const looks = 8;

export interface Look {
  /** The turn has lasted for more than one look: nobody on its thread says that the node is alive. */
  readonly lasting: boolean;
  /** The turn has lasted too long. */
  readonly endless: TurnInProgress | undefined;
}

export class TurnWatch {
  readonly #pulse: TurnPulse;
  readonly #limitMs: number;
  /** How often to look. */
  readonly everyMs: number;
  #count = 0;
  #lastedMs = 0;
  #lookedAt: number;

  constructor(pulse: TurnPulse, limitMs: number, mostMs: number, now: number) {
    this.#pulse = pulse;
    this.#limitMs = limitMs;
    this.everyMs = Math.max(1, Math.min(limitMs / looks, mostMs));
    this.#lookedAt = now;
  }

  isDue(now: number): boolean {
    return now - this.#lookedAt >= this.everyMs;
  }

  /** `now`: monotonic milliseconds. */
  look(now: number): Look {
    const { count, attached } = this.#pulse;
    const passedMs = Math.min(now - this.#lookedAt, 2 * this.everyMs);
    this.#lookedAt = now;
    const same = count === this.#count && count % 2 === 1;
    this.#count = count;
    this.#lastedMs = same && !attached ? this.#lastedMs + passedMs : 0;
    return { lasting: same, endless: this.#lastedMs >= this.#limitMs ? this.#pulse.read() : undefined };
  }
}
