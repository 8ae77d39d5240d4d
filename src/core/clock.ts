/**
 * Time, injected. The runtime reads the wall clock and sets real timers only through a `Clock`, so that tests
 * and simulations own time. Deadlines are wall-clock epoch milliseconds; durations are measured with `elapsed`.
 */

export type TimerHandle = unknown;

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start, for durations. */
  elapsed(): number;
  setTimeout(callback: () => void, ms: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

/** Longest delay that `setTimeout` takes; a longer one fires at once in Node. */
export const longestTimeoutMs = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(ms, longestTimeoutMs)),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/** Resolves after so many milliseconds, at the next turn of the clock. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimeout(resolve, ms));
}
