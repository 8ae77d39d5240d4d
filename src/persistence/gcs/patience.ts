/** Trying again what may go in a moment, with growing waits of full jitter, and giving up a call that shows no sign of life. What is tried again here must be safe to be done twice. */

import { sleep, systemClock } from '../../core/clock.js';
import { systemRandom } from '../../core/random.js';
import { isTransient, SilenceError } from './faults.js';

/** With the first one. */
export const attempts = 6;
const firstMs = 100;
const longestMs = 4_000;

/** Before the attempt after so many failures, from 1. */
export function pause(failures: number): Promise<void> {
  return sleep(systemClock, systemRandom.next() * Math.min(firstMs * 2 ** failures, longestMs));
}

/** `work` is told how many of its attempts have failed without saying whether they were carried out. */
export async function persistently<T>(timeoutMs: number, work: (failures: number) => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await within(timeoutMs, work(failures));
    } catch (error) {
      if (!isTransient(error) || failures + 1 >= attempts) throw error;
      await pause(failures + 1);
    }
  }
}

/** @throws SilenceError when it has not settled after so long; what it comes to later is nobody's. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const watch = new Watch(ms);
  watch.start();
  try {
    return await Promise.race([work, watch.silence]);
  } finally {
    watch.stop();
  }
}

/** Rejects `silence` when it has been running for so long without being started anew or stopped. */
export class Watch {
  readonly silence: Promise<never>;
  readonly #ms: number;
  #reject: (error: Error) => void = () => undefined;
  #timer: unknown;

  constructor(ms: number) {
    this.#ms = ms;
    this.silence = new Promise((_, reject) => (this.#reject = reject));
    // Whoever races against it may be through before.
    this.silence.catch(() => undefined);
  }

  start(ms = this.#ms): void {
    this.stop();
    this.#timer = systemClock.setTimeout(() => this.#reject(new SilenceError(ms)), ms);
  }

  /** A sign of life: if it is running, it begins anew. */
  heard(): void {
    if (this.#timer !== undefined) this.start();
  }

  stop(): void {
    if (this.#timer !== undefined) systemClock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
