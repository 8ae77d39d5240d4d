/**
 * What is measured: a policy makes a guard, and every call of the world goes through a guard's `execute`. Libraries are wrapped to
 * this and otherwise left as they are.
 */

import type { Clock } from '../../../src/core/clock.js';
import type { Random } from '../../../src/core/random.js';
import type { Conditions } from '../world/conditions.js';
import type { Service } from '../world/service.js';

export interface Policy {
  readonly id: string;
  readonly title: string;
  /** Gets a week to learn from before it is measured; its guard then has `saved`. */
  readonly learns?: boolean;
  make(surroundings: Surroundings): Guard;
}

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly node: string;
  readonly nodes: number;
  /** Callers do not retry but ask `park` when to come again. */
  readonly park: boolean;
  /** What `saved` gave at the end of the learning week. */
  readonly saved: unknown;
  /** For the oracle alone. */
  readonly service: Service;
  readonly conditions: Conditions;
}

export interface Guard {
  execute<T>(call: (signal?: AbortSignal) => Promise<T>): Promise<T>;
  /** `closed` is the state without an opinion; leaving it is a trip. `open` refuses all. Asked after every event. */
  state(): string;
  /** The failure rate that would trip it now, 0 to 1. */
  threshold?(): number | undefined;
  /** Calls a second that it admits now, when it limits them. */
  admittedRate?(): number | undefined;
  /** After a failure or a refusal: in how many milliseconds to come again; undefined gives the request up. */
  park?(error: unknown, reached: boolean): number | undefined;
  /** Counters since the last time, about once a second, for all other nodes. */
  exchange?(): unknown;
  hear?(node: string, counters: unknown): void;
  /** What it has learned, as JSON. */
  saved?(): unknown;
}
