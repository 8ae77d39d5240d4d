/** What a kind of breaker sees trouble by. It judges outcomes while calls pass; opening, ramping and closing are the breaker's. */

import type { BreakerState, ChangeReason, SharedCounters } from './contract.js';

export interface Trip {
  readonly to: 'open' | 'degraded';
  readonly reason: ChangeReason;
}

/** What is usual, to begin a ramp with. */
export interface Usual {
  readonly callsPerSecond: number;
  readonly latencyMs: number;
}

/** Times are the breaker's steady milliseconds; latencies are NaN when they were not measured. */
export interface Tripwire {
  success(now: number, latencyMs: number, high: boolean): Trip | undefined;
  failure(now: number, latencyMs: number, high: boolean, timedOut: boolean): Trip | undefined;
  /** Beyond this failure rate it trips, and a ramp is not healthy. */
  threshold(now: number): number;
  /** Beyond this one a ramp has failed. */
  hardLimit(now: number): number;
  /** What fails anyway; and the upper end of that. Undefined: it does not know. */
  expected(now: number): number | undefined;
  tolerated(now: number): number | undefined;
  usual(now: number): Usual | undefined;
  /** The breaker's state is another one: evidence is collected anew. */
  entered(state: BreakerState, now: number): void;
  /** Other nodes' counters. */
  hear(node: string, counters: SharedCounters, now: number): Trip | undefined;
  /** How many nodes share the calls, this one included. */
  nodes(now: number): number;
  /** For `SavedBreaker.memory`. */
  save(): unknown;
  /** @throws BadInputError */
  restore(memory: unknown): void;
}

export const openForFailures: Trip = { to: 'open', reason: 'failures' };
export const openForConsecutiveFailures: Trip = { to: 'open', reason: 'consecutive-failures' };
export const openForFleet: Trip = { to: 'open', reason: 'fleet' };
export const degradedForFailures: Trip = { to: 'degraded', reason: 'failures' };
export const degradedForSlowCalls: Trip = { to: 'degraded', reason: 'slow-calls' };
export const degradedForFleet: Trip = { to: 'degraded', reason: 'fleet' };
export const throttledTrip: Trip = { to: 'degraded', reason: 'throttled' };
