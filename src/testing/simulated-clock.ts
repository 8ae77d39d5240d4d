/**
 * A clock that only moves when it is told to. `advance` runs the timers that fall due, in order of time and then of setting, and between two
 * of them lets everything that is ready run, so that what one timer sets in motion is done before the next one fires.
 *
 * It owns time, not work: what waits for another thread or the disk is not waited for. Wait for the outcome itself (`waitFor`, `send`) then.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { longestTimeoutMs, type Clock } from '../core/clock.js';

interface SetTimer {
  readonly dueAt: number;
  readonly callback: () => void;
}

export interface SimulatedClockOptions {
  /** Epoch milliseconds at the start. Default 1,700,000,000,000. */
  readonly now?: number;
  /** Lets through what is ready to run. Default: twenty turns of the event loop. */
  readonly settle?: () => Promise<void>;
}

export class SimulatedClock implements Clock {
  readonly #startedAt: number;
  readonly #settle: () => Promise<void>;
  readonly #timers = new Map<number, SetTimer>();
  #now: number;
  #elapsed = 0;
  #set = 0;

  constructor(options: SimulatedClockOptions = {}) {
    this.#now = this.#startedAt = options.now ?? 1_700_000_000_000;
    this.#settle = options.settle ?? settled;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  setTimeout(callback: () => void, ms: number): number {
    this.#set += 1;
    // As Node does it: no sooner than asked, in whole milliseconds, and the longest delay is the longest.
    const delay = Math.min(Math.max(0, Math.ceil(ms)), longestTimeoutMs);
    this.#timers.set(this.#set, { dueAt: this.#elapsed + delay, callback });
    return this.#set;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Timers that are set now. */
  get armed(): number {
    return this.#timers.size;
  }

  /** Timers set so far, those cleared and run included. */
  get everSet(): number {
    return this.#set;
  }

  /** Epoch milliseconds at which it began. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Moves time on and runs what falls due on the way, what that sets included. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    await this.#settle();
    for (let timer = this.#takeDue(until); timer !== undefined; timer = this.#takeDue(until)) {
      this.#moveTo(Math.max(this.#elapsed, timer.dueAt));
      timer.callback();
      await this.#settle();
    }
    this.#moveTo(until);
    await this.#settle();
  }

  /** Sets the time of day, back or forth, as somebody who corrects a clock does: durations and set timers are not touched. */
  jumpTo(now: number): void {
    this.#now = now;
  }

  #moveTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #takeDue(until: number): SetTimer | undefined {
    let handle: number | undefined;
    let first: SetTimer | undefined;
    for (const [candidate, timer] of this.#timers) {
      if (timer.dueAt <= until && (first === undefined || timer.dueAt < first.dueAt)) [handle, first] = [candidate, timer];
    }
    if (handle !== undefined) this.#timers.delete(handle);
    return first;
  }
}

/** Lets promises and callbacks that are ready run. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
}
