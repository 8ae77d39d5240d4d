/** Time that only goes forward: a clock that is set back stands still for nobody, and whatever waits goes on waiting only for the rest. */

import type { Clock } from '../core/clock.js';

export class SteadyTime {
  readonly #clock: Clock;
  #read: number;
  #now = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#read = clock.elapsed();
  }

  /** Milliseconds since it was made. */
  now(): number {
    const read = this.#clock.elapsed();
    const passed = read - this.#read;
    this.#read = read;
    if (passed > 0) this.#now += passed;
    return this.#now;
  }
}
