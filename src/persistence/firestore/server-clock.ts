/**
 * The server's time as far as this process knows it: what the last answer said, and what has gone by since on a clock that only runs forward. So a wall clock that is wrong by a minute harms nothing. Positions are made of it: safe integers that rise with every one made here,
 * and with time from node to node.
 */

import { systemClock } from '../../core/clock.js';
import { stampMs, type Stamp } from './values.js';

/** 2020-01-01: with 4,096 positions a millisecond they are safe integers until 2089. */
const beginning = 1_577_836_800_000;
const perMs = 4_096;

export class ServerClock {
  #serverMs = systemClock.now();
  #elapsed = systemClock.elapsed();
  #position = 0;
  readonly #low: number;

  /** `low` sets apart positions that two processes make in one millisecond. */
  constructor(low: number) {
    this.#low = low % perMs;
  }

  heard(stamp: Stamp | undefined): void {
    if (stamp === undefined) return;
    this.#serverMs = stampMs(stamp);
    this.#elapsed = systemClock.elapsed();
  }

  now(): number {
    return this.#serverMs + systemClock.elapsed() - this.#elapsed;
  }

  nextPosition(): number {
    const ms = Math.floor(this.now()) - beginning;
    this.#position = Math.max(this.#position + 1, ms * perMs + this.#low);
    return this.#position;
  }
}
