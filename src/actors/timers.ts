/**
 * Durable timers of a node: one real timer for any number of armed ones. Memory holds those due within the horizon, the
 * store the rest; the horizon is filled again when half of it has passed. A popped timer is only a hint: the agent knows whether it
 * still stands, so clearing costs nothing here. Never early by the injected clock; overdue ones fire at once, earliest first. After somebody has
 * set the clock, what that made overdue fires at the next look, half a horizon later at most.
 */

import type { Clock, TimerHandle } from '../core/clock.js';
import { longestTimeoutMs } from '../core/clock.js';
import { Heap } from '../core/heap.js';
import type { DueTimer, OpenedStore } from '../persistence/store.js';

export interface TimerOptions {
  readonly store: Pick<OpenedStore, 'dueTimers'>;
  readonly clock: Clock;
  readonly fire: (timer: DueTimer) => void;
  /** Milliseconds ahead that are kept in memory. Default 60,000. */
  readonly horizonMs?: number;
  /** Largest number read from the store at once. Default 20,000. */
  readonly page?: number;
  readonly failed: (error: unknown) => void;
}

export class Timers {
  readonly #options: Required<TimerOptions>;
  readonly #heap = new Heap<DueTimer>((timer) => timer.dueAt);
  #horizon = 0;
  #handle: TimerHandle;
  #wakeAt = Infinity;
  /** When the real timer fires, in elapsed time: the time of day may be set back and forth meanwhile. */
  #firesAt = Infinity;
  #filling: Promise<void> | undefined;
  #stopped = false;

  constructor(options: TimerOptions) {
    this.#options = { horizonMs: 60_000, page: 20_000, ...options };
  }

  /** Reads what is due within the horizon and fires what is overdue: at the start, and when agents have been taken over. */
  async refill(): Promise<void> {
    await this.#fill();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#handle !== undefined) this.#options.clock.clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  /** A timer that the store has now. */
  arm(timer: DueTimer): void {
    if (timer.dueAt > this.#horizon) return; // the store hands it over when its time comes near
    this.#heap.push(timer);
    this.#wake();
  }

  #wake(): void {
    if (this.#stopped) return;
    const { clock, horizonMs } = this.#options;
    const next = Math.min(this.#heap.peek()?.dueAt ?? Infinity, this.#horizon - horizonMs / 2);
    if (this.#handle !== undefined) {
      if (next >= this.#wakeAt) return;
      clock.clearTimeout(this.#handle);
    }
    this.#wakeAt = next;
    const elapsed = clock.elapsed();
    // The next look is never put off, nor far away: if the clock was wrong, it is when that is found out.
    const latest = Math.min(this.#firesAt - elapsed, horizonMs / 2, longestTimeoutMs);
    const delay = Math.max(0, Math.min(Math.ceil(next - clock.now()), latest));
    this.#firesAt = elapsed + delay;
    this.#handle = clock.setTimeout(() => this.#tick(), delay);
  }

  #tick(): void {
    this.#handle = undefined;
    this.#wakeAt = this.#firesAt = Infinity;
    const { clock, fire, horizonMs } = this.#options;
    const now = clock.now();
    for (let timer = this.#heap.peek(); timer !== undefined && timer.dueAt <= now; timer = this.#heap.peek()) {
      this.#heap.pop();
      fire(timer);
    }
    if (this.#horizon - horizonMs / 2 <= now) void this.#fill();
    else this.#wake();
  }

  #fill(): Promise<void> {
    this.#filling ??= this.#read().finally(() => {
      this.#filling = undefined;
      this.#wake();
    });
    return this.#filling;
  }

  async #read(): Promise<void> {
    const { clock, store, horizonMs, page } = this.#options;
    const before = clock.now() + horizonMs;
    try {
      // From here on, timers armed within the new horizon are pushed; one met twice fires once, since its agent knows.
      this.#horizon = before;
      const due = await store.dueTimers({ before, limit: page });
      for (const timer of due) this.#heap.push(timer);
      if (due.length >= page) this.#horizon = Math.min(before, (due.at(-1) as DueTimer).dueAt + horizonMs / 2);
    } catch (error) {
      this.#horizon = clock.now() + horizonMs / 2 + 1_000; // try again in a second
      if (!this.#stopped) this.#options.failed(error);
    }
  }
}
