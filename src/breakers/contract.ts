/**
 * The breaker contract. A guard gives leave for one call, or refuses it; whoever has leave says what came of it. Everything else (breakers of three kinds, bulkheads, retry
 * budgets, levels, registries) stands behind these few words. No guard has a timer or a promise of its own: whatever time does to it, it finds out when it is next asked.
 */

import type { Observable } from '../core/observables.js';
import type { Clock } from '../core/clock.js';
import type { BreakerOpenError } from '../core/errors.js';
import type { Random } from '../core/random.js';
import type { Outcome } from './classification.js';

/** `call ⊂ service ⊂ stage`: one call, the service it goes to, the part of a workflow it belongs to. */
export type BreakerLevel = 'call' | 'service' | 'stage';

/**
 * `closed`: everything passes. `degraded`: something is wrong, caps hold back what the service cannot bear. `open`: nothing passes. `ramping`: after `open`, a growing rate passes.
 * `isolated`: closed to all by hand.
 */
export type BreakerState = 'closed' | 'degraded' | 'open' | 'ramping' | 'isolated';

/** Under caps `high` goes first, `low` last. */
export type Priority = 'high' | 'normal' | 'low';

export const priorities: readonly Priority[] = ['high', 'normal', 'low'];

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** 1 (default) for the first; retry budgets count the others. */
  readonly attempt?: number;
}

/** Leave for one call, to be settled once; settling it again does nothing. */
export interface Permit {
  readonly refused: false;
  /** What came of the call. */
  settle(outcome: Outcome): void;
  /** The call was not made, or its end is nobody's fault: counts as nothing. */
  cancel(): void;
}

export interface Refusal {
  readonly refused: true;
  /** Who refused: its name, or its key in a registry. */
  readonly key: string;
  readonly level: BreakerLevel | undefined;
  readonly state: BreakerState | 'full' | 'spent';
  /** Milliseconds after which it is worth asking again; Infinity: only a person can change it. */
  readonly retryAfterMs: number;
  /** The error that `execute` throws; made without a stack. */
  error(): BreakerOpenError;
}

/** Anything that gives leave for calls. */
export interface Guard {
  readonly name: string;
  /** Takes leave, or says why there is none. Never waits. */
  admit(call?: CallOptions): Permit | Refusal;
  /**
   * Makes a call under this guard. An outcome is classified, never changed.
   * @throws BreakerOpenError when it is refused: nothing was called; the reason of `signal` when that is aborted already; and what `run` throws
   */
  execute<T>(run: (call: CallOptions) => PromiseLike<T> | T, call?: CallOptions): Promise<T>;
}

export interface BreakerFigures {
  /** Of the sliding window. `failures` and `slow` are among `calls`; `rejected` are not. */
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
  readonly rejected: number;
  /** 0 to 1; 0 without calls. */
  readonly failureRate: number;
  /** Failure rate beyond which it trips, now. */
  readonly threshold: number;
  /** What is normal at this hour: mean and upper end; undefined for breakers that do not learn, or have not yet. */
  readonly expected: number | undefined;
  readonly tolerated: number | undefined;
  readonly inFlight: number;
  /** Calls a second and calls at once that may pass; undefined: no cap. 0 while open. */
  readonly admittedRate: number | undefined;
  readonly admittedInFlight: number | undefined;
  /** Milliseconds until it is worth asking again; 0: now. */
  readonly retryAfterMs: number;
}

/** Why a state changed. */
export type ChangeReason =
  | 'failures'
  | 'consecutive-failures'
  | 'slow-calls'
  | 'throttled'
  | 'fleet'
  | 'children'
  | 'retry-after'
  | 'ramp-failed'
  | 'open-over'
  | 'recovered'
  | 'isolated'
  | 'released'
  | 'restored';

export interface BreakerChange {
  readonly name: string;
  readonly level: BreakerLevel;
  readonly from: BreakerState;
  readonly to: BreakerState;
  readonly reason: ChangeReason;
  /** Epoch milliseconds. */
  readonly at: number;
  /** As they were when it changed. */
  readonly figures: BreakerFigures;
}

/** What a breaker must not forget, as plain data. Times are epoch milliseconds. */
export interface SavedBreaker {
  readonly format: 1;
  readonly state: BreakerState;
  readonly reason: ChangeReason | undefined;
  readonly since: number;
  /** Closed to all until then. */
  readonly openUntil: number;
  /** How often it has opened again since it was last closed. */
  readonly reopened: number;
  /** When it was last closed. */
  readonly troubleSince: number;
  readonly savedAt: number;
  /** What a kind of breaker keeps besides, for example what it has learned. */
  readonly memory: unknown;
}

/** Counters of one node since it last told them. */
export interface SharedCounters {
  readonly calls: number;
  readonly failures: number;
}

/** What a breaker takes its time and chance from, when its options do not say. */
export interface BreakerSurroundings {
  readonly clock: Clock;
  readonly random: Random;
}

export interface Breaker extends Guard {
  readonly level: BreakerLevel;
  /** The breaker it stands within: `call ⊂ service ⊂ stage`. */
  readonly within: Breaker | undefined;
  /** Now: reading it lets time act. */
  readonly state: BreakerState;
  /** Every change of state from now on. */
  readonly state$: Observable<BreakerChange>;
  /** Milliseconds until it is worth asking for leave, all levels considered; 0: now; Infinity: isolated. */
  waitMs(priority?: Priority): number;
  figures(): BreakerFigures;
  /** Closes it to all, until `release()`. */
  isolate(): void;
  /** Ends an isolation, or an open period before its time: it ramps. In any other state it does nothing. */
  release(): void;
  /** What to keep for `restore`. */
  save(): SavedBreaker;
  /**
   * Goes on from what was saved: still open before its time, ramping after it; never closed when it was not.
   * @throws BadInputError for what `save` has not made
   */
  restore(saved: SavedBreaker): void;
  /** What it has counted since it was last asked, for the other nodes. */
  exchange(): SharedCounters;
  /** Another node's counters. The fleet's view opens a breaker only when nodes agree; a node not heard of for a while counts for nothing. */
  hear(node: string, counters: SharedCounters): void;
}
