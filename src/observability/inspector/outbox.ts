/**
 * Messages on their way to one client, bounded: while it reads slowly, events and all but the latest snapshot of each actor are left out, and it is told how many. One that reads nothing for too long, or falls
 * behind although nothing more can be left out, is cut off.
 */

import type { Clock, TimerHandle } from '../../core/clock.js';

/** A message as it goes over the wire. */
export interface Parcel {
  readonly type: string;
  readonly sessionId: string;
  readonly text: string;
}

export interface OutboxOptions {
  readonly clock: Clock;
  /** Resolves, by its callback, once the text has left this process. */
  readonly write: (text: string, written: (error?: Error | null) => void) => void;
  readonly cutOff: (why: string) => void;
  /** What tells the client that so many were left out. `last`: of them. */
  readonly leftOut: (last: Parcel, messages: number) => Parcel;
  readonly limits: OutboxLimits;
}

export interface OutboxLimits {
  /** Messages that may wait for a client before some are left out. */
  readonly messages: number;
  /** Characters that may wait. */
  readonly size: number;
  /** A client that reads nothing for so long is cut off. */
  readonly stalledMs: number;
}

export const defaultLimits: OutboxLimits = { messages: 2_000, size: 8 * 1_048_576, stalledMs: 15_000 };

/** Characters that are handed over to the socket at a time. */
const windowSize = 1_048_576;

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Parcel[] = [];
  #size = 0;
  #inFlight = 0;
  #timer: TimerHandle;
  #ready: (() => void)[] = [];
  /** Waits in front of what is left, and says what is not. */
  #notice: Parcel | undefined;
  #untold = 0;
  isClosed = false;
  /** Messages left out so far. */
  dropped = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  send(parcel: Parcel): void {
    if (this.isClosed) return;
    this.#waiting.push(parcel);
    this.#size += parcel.text.length;
    this.#pump();
    const { messages, size } = this.#options.limits;
    if (this.#waiting.length <= messages && this.#size <= size) return;
    const last = this.#thin();
    // Actors and their latest snapshots alone are more than may wait.
    if (this.#waiting.length > messages || this.#size > size) return this.#cutOff('it has fallen too far behind');
    if (last !== undefined) this.#notice = this.#options.leftOut(last, this.#untold);
    if (this.#notice === undefined) return;
    this.#size += this.#notice.text.length;
    this.#waiting.unshift(this.#notice);
  }

  /** Resolves when little waits; to false when the client is gone. */
  async ready(): Promise<boolean> {
    while (!this.isClosed && this.#waiting.length > 0) await new Promise<void>((resolve) => this.#ready.push(resolve));
    return !this.isClosed;
  }

  close(): void {
    this.isClosed = true;
    this.#waiting = [];
    this.#size = 0;
    this.#rest();
    this.#release();
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#inFlight < windowSize) {
      const parcel = this.#waiting.shift() as Parcel;
      const { length } = parcel.text;
      if (parcel === this.#notice) [this.#notice, this.#untold] = [undefined, 0];
      this.#size -= length;
      this.#inFlight += length;
      this.#watch();
      this.#options.write(parcel.text, () => this.#written(length));
    }
    if (this.#waiting.length === 0) this.#release();
  }

  #written(length: number): void {
    if (this.isClosed) return;
    this.#inFlight -= length;
    this.#rest();
    if (this.#inFlight > 0) this.#watch();
    this.#pump();
  }

  /** In order, without events and without snapshots that a later one makes old. The last that was left out now. */
  #thin(): Parcel | undefined {
    const seen = new Set<string>();
    const kept: Parcel[] = [];
    let last: Parcel | undefined;
    for (const parcel of this.#waiting.reverse()) {
      const { type, sessionId } = parcel;
      const name = `${type} ${sessionId}`;
      if (parcel !== this.#notice && type !== '@xstate.event' && !seen.has(name)) {
        seen.add(name);
        kept.push(parcel);
        continue;
      }
      this.#size -= parcel.text.length;
      if (parcel === this.#notice) continue;
      last ??= parcel;
      this.dropped += 1;
      this.#untold += 1;
    }
    this.#waiting = kept.reverse();
    return last;
  }

  #watch(): void {
    const { clock, limits } = this.#options;
    this.#timer ??= clock.setTimeout(() => this.#cutOff('it reads nothing'), limits.stalledMs);
  }

  #rest(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #cutOff(why: string): void {
    this.close();
    this.#options.cutOff(why);
  }

  #release(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const resolve of ready) resolve();
  }
}
