/**
 * The service that is called: one queue, first come first served, before eight workers of half a second: 16 calls a second. It knows
 * nothing of its callers' patience: a call that nobody waits for any longer is still worked on, which is how overload lasts.
 *
 * While it is down, calls are refused within 50 to 100 ms. It comes back cold, at a share of its
 * capacity, and warms up linearly. Cold and browned-out is `slower`: as many workers, each slower by that factor. That is the harder
 * of the two for whoever watches latency (nothing is overloaded and yet all is slow; at 30 % one call in six takes longer than its
 * caller waits); with `fewer`, workers are missing and latency stays what it was until a queue forms.
 */

import type { Conditions } from './conditions.js';
import type { Seeded } from './seeded.js';
import type { VirtualTime } from './virtual-time.js';

export const workers = 8;
const shortestMs = 350;
export const longestMs = 650;
/** Calls a second. */
export const fullCapacity = (workers * 1_000) / ((shortestMs + longestMs) / 2);

export type Shortage = 'slower' | 'fewer';

export interface Call {
  /** Called once, unless the caller has stopped waiting. */
  readonly answered: (ok: boolean) => void;
  gone: boolean;
}

export class Service {
  readonly #time: VirtualTime;
  readonly #random: Seeded;
  readonly #conditions: Conditions;
  readonly #shortage: Shortage;
  #queue: Call[] = [];
  #head = 0;
  #busy = 0;

  constructor(time: VirtualTime, random: Seeded, conditions: Conditions, shortage: Shortage) {
    this.#time = time;
    this.#random = random;
    this.#conditions = conditions;
    this.#shortage = shortage;
  }

  /** Calls that are queued or worked on, also those that nobody waits for. */
  get load(): number {
    return this.#busy + this.#queue.length - this.#head;
  }

  submit(call: Call): void {
    const now = this.#time.now();
    if (!this.#conditions.up(now)) {
      this.refuse(call);
      return;
    }
    if (this.#busy < this.#staffed(now)) this.#begin(call);
    else this.#queue.push(call);
  }

  /** Connection refused: an answer within 50 to 100 ms and no work. */
  refuse(call: Call): void {
    this.#time.at(this.#time.now() + this.#random.between(50, 100), () => this.#answer(call, false));
  }

  /** What is worked on is finished; what is queued is lost without an answer, as when connections just hang. */
  goDown(): void {
    this.#queue = [];
    this.#head = 0;
  }

  #begin(call: Call): void {
    const now = this.#time.now();
    const capacity = this.#conditions.capacity(now);
    // Drawn whatever happens, so that the stream does not depend on conditions.
    const drawnMs = this.#random.between(shortestMs, longestMs);
    const ok = this.#random.next() >= this.#conditions.failing(now);
    const slowness = this.#shortage === 'slower' ? 1 / capacity : this.#staffed(now) / (workers * capacity);
    this.#busy += 1;
    this.#time.at(now + drawnMs * slowness, () => {
      this.#busy -= 1;
      this.#answer(call, ok);
      while (this.#busy < this.#staffed(this.#time.now()) && this.#head < this.#queue.length) this.#begin(this.#take());
    });
  }

  #take(): Call {
    const call = this.#queue[this.#head]!;
    this.#head += 1;
    if (this.#head > 1_000 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return call;
  }

  #answer(call: Call, ok: boolean): void {
    if (call.gone) return;
    call.gone = true;
    this.#time.settled();
    call.answered(ok);
  }

  #staffed(at: number): number {
    if (this.#shortage === 'slower') return workers;
    return Math.max(1, Math.ceil(workers * this.#conditions.capacity(at) - 1e-9));
  }
}
