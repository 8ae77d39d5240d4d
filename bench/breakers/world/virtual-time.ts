/**
 * Virtual time: a heap of timers and a loop that jumps from one to the next. It is a `Clock` for our own code, and for the time of
 * a run it takes the place of the global clock and timers too, so that libraries that know no other run inside it as they are.
 *
 * Between two events everything that promises have to say is said: each step that may have settled one is a turn of `setImmediate`
 * of its own, and Node runs all microtasks between two of those. They are queued in hundreds, or the event loop itself would be
 * most of the work. `new Date()` and `setImmediate` stay real: nothing that is measured here uses them.
 */

import type { Clock, TimerHandle } from '../../../src/core/clock.js';

const real = { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval, dateNow: Date.now, performanceNow: performance.now };
const turnsAtOnce = 500;

/** Also what a patched `setTimeout` returns: libraries call `unref` on it. */
class Timer {
  at: number;
  readonly order: number;
  readonly run: () => void;
  readonly everyMs: number | undefined;
  readonly quiet: boolean;
  /** In the heap; -1 outside of it. */
  place = -1;

  constructor(at: number, order: number, run: () => void, everyMs: number | undefined, quiet: boolean) {
    this.at = at;
    this.order = order;
    this.run = run;
    this.everyMs = everyMs;
    this.quiet = quiet;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export class VirtualTime implements Clock {
  readonly #heap: Timer[] = [];
  #beganAt: number;
  #now: number;
  #order = 0;
  #unsettled = false;
  #stopped = false;

  constructor(beginAt: number) {
    this.#beganAt = beginAt;
    this.#now = beginAt;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#now - this.#beganAt;
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    return this.#add(callback, this.#now + Math.max(0, ms), undefined, false);
  }

  clearTimeout(handle: TimerHandle): void {
    if (handle instanceof Timer && handle.place >= 0) this.#remove(handle);
  }

  /** An event of the world itself. It says with `settled` when promises have something to do. */
  at(at: number, run: () => void): TimerHandle {
    return this.#add(run, at, undefined, true);
  }

  /** Promises were settled or functions called that may settle some: what follows waits until they have had their say. */
  settled(): void {
    this.#unsettled = true;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs all events until `until`, or until `stop`; `after` is called when the promises of an event are done. */
  async run(until: number, after: () => void): Promise<void> {
    const restore = this.#takeGlobals();
    this.#stopped = false;
    try {
      await new Promise<void>((resolve, reject) => {
        const pump = (): void => {
          for (let turn = 1; turn < turnsAtOnce; turn += 1) real.setImmediate(step);
          real.setImmediate(last);
        };
        let over = false;
        const step = (): void => {
          if (over) return;
          try {
            after();
            over = this.#turn(until);
          } catch (error) {
            over = true;
            reject(error as Error);
          }
        };
        const last = (): void => {
          step();
          if (over) resolve();
          else pump();
        };
        pump();
      });
    } finally {
      restore();
    }
    if (!this.#stopped) this.#now = until;
  }

  /** Events one after another until one of them concerns promises; true when there are no more. */
  #turn(until: number): boolean {
    const heap = this.#heap;
    this.#unsettled = false;
    for (;;) {
      const next = heap[0];
      if (this.#stopped || next === undefined || next.at > until) return true;
      this.#now = next.at;
      if (next.everyMs === undefined) this.#remove(next);
      else {
        next.at += next.everyMs;
        this.#down(next, 0);
      }
      next.run();
      if (this.#unsettled || !next.quiet) return false;
    }
  }

  #add(run: () => void, at: number, everyMs: number | undefined, quiet: boolean): Timer {
    const timer = new Timer(at, (this.#order += 1), run, everyMs, quiet);
    this.#heap.push(timer);
    this.#up(timer, this.#heap.length - 1);
    return timer;
  }

  #remove(timer: Timer): void {
    const { place } = timer;
    timer.place = -1;
    const moved = this.#heap.pop();
    if (moved === undefined || moved === timer) return;
    this.#down(moved, place);
    if (moved.place === place) this.#up(moved, place);
  }

  #up(timer: Timer, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above]!;
      if (!before(timer, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = timer;
    timer.place = place;
  }

  #down(timer: Timer, from: number): void {
    const heap = this.#heap;
    const size = heap.length;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && before(heap[below + 1]!, heap[below]!)) below += 1;
      const child = heap[below]!;
      if (!before(child, timer)) break;
      heap[place] = child;
      child.place = place;
      place = below;
    }
    heap[place] = timer;
    timer.place = place;
  }

  #takeGlobals(): () => void {
    const scope = globalThis as unknown as Record<string, unknown>;
    const delay = (ms: unknown): number => Math.max(1, Number(ms) || 0);
    scope['setTimeout'] = (callback: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) =>
      this.#add(() => callback(...values), this.#now + delay(ms), undefined, false);
    scope['setInterval'] = (callback: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) =>
      this.#add(() => callback(...values), this.#now + delay(ms), delay(ms), false);
    scope['clearTimeout'] = scope['clearInterval'] = (handle: unknown) => this.clearTimeout(handle);
    Date.now = () => this.now();
    performance.now = () => this.elapsed();
    return () => {
      for (const name of ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const) scope[name] = real[name];
      Date.now = real.dateNow;
      performance.now = real.performanceNow;
    };
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
