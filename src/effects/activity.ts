/**
 * Activities: durable asynchronous calls as XState actor logic. Under a runtime the intent is recorded before `run` is called and
 * the outcome once, with the turn that takes it; in between it is executed at least once, always with the same idempotency key.
 * Used without a runtime (a plain `createActor`) it is an ordinary promise: one attempt, no record.
 */

import { fromPromise, type AnyActorLogic, type PromiseActorLogic } from 'xstate';
import { isGuardPattern, isRegistry, type GuardPattern } from '../breakers/board.js';
import { priorities, type Priority } from '../breakers/contract.js';
import type { OperationOutcome, Resolution } from '../actors/operation.js';
import { systemClock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { isAmount } from './budget/reducer.js';
import { cautionOf, freely, type Caution, type OnUnknown, type Reconcile } from './caution.js';
import type { ClassifyFailure } from './failure-class.js';
import { assertProfile, builtInProfiles, type RetryProfile } from './profiles.js';
import { assertRetry } from './retry.js';
import { undoingOf, type SagaDefinition, type Undoing } from './saga/undoing.js';

export interface ActivityContext {
  /** Aborted when the state is left, the agent ends, or the attempt takes longer than `timeoutMs`. */
  readonly signal: AbortSignal;
  /** The same at every attempt, also after a crash: pass it on to the outside. */
  readonly idempotencyKey: string;
  /** 1 for the first. After a crash an attempt whose end nobody recorded is counted again. */
  readonly attempt: number;
  readonly agentId: string;
  readonly operationId: string;
  /** When it was asked for, before the first attempt: epoch milliseconds. */
  readonly intendedAt: number;
  /** Says that it gets on: an agent with `heartbeatMs` is restarted when it hears neither this nor an event for so long. */
  readonly heartbeat: () => void;
}

/** What an activity spends of a budget: an amount is held before the first attempt, and what it came to is spent with the outcome. */
export interface ActivityBudget<TInput, TOutput> {
  /** Of a budget that is declared with `createRuntime({ budgets })`. */
  readonly name: string;
  /** At most, or as an estimate. One permit covers all attempts. */
  readonly amount: number | ((input: TInput) => number);
  /** What it came to. Default: the amount. A failure spends nothing; a timeout, or a call that is not wanted any more, the whole amount. */
  readonly actual?: (output: TOutput) => number;
}

export interface ActivityDefinition<TInput, TOutput> extends SagaDefinition<TInput, TOutput> {
  /** Names it in the ledger and in events. Keep it when the code moves. */
  readonly name: string;
  readonly run: (input: TInput, context: ActivityContext) => Promise<TOutput> | TOutput;
  /** How critical it is: `critical`, `standard` (default), `background`, or a profile of `createRuntime({ profiles })`. */
  readonly profile?: string;
  /** Where it differs from its profile. Of `standard`: 5 attempts, 100 ms to 30 s, full jitter, no deadline. Throw `TerminalError` to fail at once. */
  readonly retry?: RetryProfile;
  /** Whether a failed attempt can be made again: `persistent` is not. Returning undefined leaves it to the default, which knows HTTP, gRPC and system errors. */
  readonly classify?: ClassifyFailure;
  /**
   * When nobody knows whether a call was carried out, because its process ended in between: `retry` it with the same key, `reconcile`, `fail` with `OutcomeUnknownError`, or `hold` it until a
   * person says what happened. Default: `retry` when `run` passes its `idempotencyKey` on (its text names it), `reconcile` when there is one, else `hold`. Said here, it goes also for failures
   * that may have come after the fact: timeouts, cut connections, answers of 500, and errors that nobody recognises.
   */
  readonly onUnknown?: OnUnknown;
  /** Asks the outside what became of the call: `{ outcome: 'done', result }`, `{ outcome: 'not-done' }`, or `{ outcome: 'unknown' }`, which holds it. Tried again by its profile. */
  readonly reconcile?: Reconcile<TInput, TOutput>;
  /** For one attempt. Default: none. */
  readonly timeoutMs?: number;
  /** At most so many runs at once in a node. Default: no limit. */
  readonly concurrency?: number;
  /** The user's own key: an operation of this activity that succeeded with it before, in any agent, is not run again. */
  readonly key?: (input: TInput) => string;
  /** How long a result is taken for a later operation with the same key, in milliseconds since it came. Default: for ever. */
  readonly reuseMs?: number;
  /**
   * Guards each attempt: a breaker, a registry of them (then with `breakerKey`), a bulkhead, a retry budget, or several with `allOf`. It is a pattern: each runtime makes breakers of its own from it. Without a runtime it does nothing.
   */
  readonly breaker?: GuardPattern;
  /** Of a registry: whose breaker it is, for example `({ model }) => model`. */
  readonly breakerKey?: (input: TInput) => string;
  /** `park` (default): waits, durably, until it gets leave; no attempt is counted. `fail`: fails at once with `BreakerOpenError`. */
  readonly whenOpen?: 'park' | 'fail';
  /** Who goes first while a breaker lets little pass, and for a place under `concurrency`. Default: its profile's. */
  readonly priority?: Priority | ((input: TInput) => Priority);
  /** Spends of a budget. With too little left it fails with `BudgetExhaustedError`, not tried again. Without a runtime it counts for nothing. */
  readonly budget?: ActivityBudget<TInput, TOutput>;
}

/** XState promise logic: `setup({ actors: { search } })`, `invoke: { src: 'search', input, onDone, onError }`. */
export type ActivityLogic<TInput, TOutput> = PromiseActorLogic<TOutput, TInput>;

export interface ResolvedActivity {
  readonly name: string;
  readonly run: (input: unknown, context: ActivityContext) => unknown;
  readonly profile: string;
  readonly retry: RetryProfile;
  readonly classify?: ClassifyFailure | undefined;
  readonly timeoutMs: number | undefined;
  readonly concurrency: number;
  readonly key: ((input: unknown) => string) | undefined;
  readonly reuseMs?: number;
  readonly caution: Caution;
  readonly undoing?: Undoing | undefined;
  /** What is left when it fails for good: it is held with this; undefined: it fails. */
  readonly lastWord?: (error: unknown) => Error | undefined;
  /** What a person's `done` and `failed` come to, where that has to be looked up. */
  readonly resolve?: (resolution: Resolution) => Promise<OperationOutcome>;
  readonly budget?: ActivityBudget<unknown, unknown> | undefined;
  readonly guarding?: Guarding | undefined;
}

/** How an activity is guarded. */
export interface Guarding {
  readonly breaker: GuardPattern | undefined;
  readonly key: ((input: unknown) => unknown) | undefined;
  readonly whenOpen: 'park' | 'fail';
  readonly priority: Priority | ((input: unknown) => Priority) | undefined;
}

const definitions = new WeakMap<AnyActorLogic, ResolvedActivity>();

/**
 * Makes an activity.
 * @throws BadInputError for a missing name or an option out of range.
 */
export function activity<TInput = undefined, TOutput = unknown>(
  definition: ActivityDefinition<TInput, TOutput>,
): ActivityLogic<TInput, TOutput> {
  const { name, run, timeoutMs, concurrency, key, budget } = (definition as typeof definition | undefined) ?? ({} as typeof definition);
  if (typeof name !== 'string' || name === '') {
    throw new BadInputError('activity() needs a name', {
      hint: 'Give it a name that stays the same across releases: activity({ name: "search", … }).',
    });
  }
  if (typeof run !== 'function') {
    throw new BadInputError(`activity "${name}": run is ${typeof run}`, {
      hint: 'Give the function that makes the call: run: async (input, { signal }) => …',
    });
  }
  if (key !== undefined && typeof key !== 'function') {
    throw new BadInputError(`activity "${name}": key is ${String(key)}`, {
      hint: 'Give a function of the input: key: ({ orderId }) => orderId.',
    });
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new BadInputError(`activity "${name}": timeoutMs is ${String(timeoutMs)}`, {
      hint: 'Give milliseconds greater than 0, or leave it out.',
    });
  }
  if (concurrency !== undefined && concurrency !== Infinity && !(Number.isSafeInteger(concurrency) && concurrency >= 1)) {
    throw new BadInputError(`activity "${name}": concurrency is ${String(concurrency)}`, {
      hint: 'Give a whole number from 1, or leave it out.',
    });
  }
  if (budget !== undefined) checkBudget(name, budget);
  const { profile = 'standard', retry = {}, classify } = definition;
  checkRetrying(name, profile, retry, classify);
  const { onUnknown, reconcile, reuseMs = Infinity } = definition;
  if (!(reuseMs >= 0) || (reuseMs !== Infinity && key === undefined)) {
    throw new BadInputError(`activity "${name}": reuseMs is ${String(reuseMs)}${key === undefined ? ' and it has no key' : ''}`, {
      hint: 'Give milliseconds, 0 or more, together with key: (input) => string.',
    });
  }
  const caution = cautionOf(name, run, onUnknown, reconcile as Reconcile<never, unknown> | undefined);
  const undoing = undoingOf(name, definition as SagaDefinition<never, unknown>);
  const guarding = guardingOf(definition as ActivityDefinition<unknown, unknown>);
  const logic = fromPromise<TOutput, TInput>(async ({ input, signal, self }) => {
    const operationId = `${name}:${self.sessionId}`;
    return run(input, {
      signal,
      idempotencyKey: operationId,
      attempt: 1,
      agentId: self.id,
      operationId,
      intendedAt: systemClock.now(),
      heartbeat: () => undefined,
    });
  });
  definitions.set(logic, {
    name,
    run: run as ResolvedActivity['run'],
    profile,
    retry,
    classify,
    timeoutMs,
    concurrency: concurrency ?? Infinity,
    key: key as ResolvedActivity['key'],
    reuseMs,
    caution,
    undoing,
    budget: budget as ResolvedActivity['budget'],
    guarding,
  });
  return logic;
}

/** What can be said before the runtime's profiles are known. @throws BadInputError */
function checkRetrying(activity: string, profile: unknown, retry: RetryProfile, classify: unknown): void {
  if (typeof profile !== 'string' || profile === '') {
    throw new BadInputError(`activity "${activity}": profile is ${JSON.stringify(profile) ?? typeof profile}`, {
      hint: `Give a name: ${Object.keys(builtInProfiles).join(', ')}, or one of createRuntime({ profiles }).`,
    });
  }
  if (classify !== undefined && typeof classify !== 'function') {
    throw new BadInputError(`activity "${activity}": classify is ${typeof classify}`, {
      hint: "Give a function: classify: (error) => (error.code === 'FULL' ? 'persistent' : undefined).",
    });
  }
  const where = `activity "${activity}": retry`;
  assertProfile(retry, where);
  const known = (builtInProfiles as Readonly<Record<string, RetryProfile>>)[profile];
  if (known !== undefined) assertRetry({ ...builtInProfiles.standard, ...known, ...retry }, where);
}

/** @throws BadInputError */
function guardingOf(definition: ActivityDefinition<unknown, unknown>): Guarding | undefined {
  const { name, breaker, breakerKey, whenOpen = 'park', priority } = definition;
  const wrong = (option: string, value: unknown, hint: string): BadInputError =>
    new BadInputError(`activity "${name}": ${option} is ${typeof value === 'string' ? JSON.stringify(value) : typeof value}`, { hint });
  if (breaker !== undefined && !isGuardPattern(breaker)) {
    throw wrong('breaker', breaker, "Give a breaker: breaker: adaptiveBreaker({ name: 'search-api' }) of 'statewarden/breakers'.");
  }
  if (breakerKey !== undefined && typeof breakerKey !== 'function') {
    throw wrong('breakerKey', breakerKey, 'Give a function of the input: breakerKey: ({ model }) => model.');
  }
  if ((breakerKey !== undefined) !== (breaker !== undefined && isRegistry(breaker))) {
    throw wrong('breakerKey', breakerKey, 'It goes with breaker: breakerRegistry(…), and a registry needs it.');
  }
  if (whenOpen !== 'park' && whenOpen !== 'fail') throw wrong('whenOpen', whenOpen, "Use 'park' or 'fail'.");
  if (priority !== undefined && typeof priority !== 'function' && !priorities.includes(priority)) {
    throw wrong('priority', priority, `Use one of ${priorities.join(', ')}, or a function of the input.`);
  }
  return { breaker, key: breakerKey, whenOpen, priority };
}

/** @throws BadInputError */
function checkBudget(activity: string, budget: Partial<ActivityBudget<never, never>> | null): void {
  const { name, amount, actual } = budget ?? {};
  const wrong = (what: string, value: unknown): BadInputError =>
    new BadInputError(`activity "${activity}": ${what} is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`, {
      hint: "Give budget: { name: 'tokens', amount: (input) => 500, actual: (output) => output.tokens }; amounts are finite numbers from 0.",
    });
  if (typeof budget !== 'object') throw wrong('budget', budget);
  if (typeof name !== 'string' || name === '') throw wrong('budget.name', name);
  if (typeof amount !== 'function' && !isAmount(amount)) throw wrong('budget.amount', amount);
  if (actual !== undefined && typeof actual !== 'function') throw wrong('budget.actual', actual);
}

/** One attempt as XState knows it: a rejection goes to `onError` at once. */
const plainRetry: RetryProfile = { attempts: 1 };

/** The activity behind a promise logic: its definition, or a plain `fromPromise` taken as one. */
export function activityOf(logic: AnyActorLogic, name: string): ResolvedActivity {
  const known = definitions.get(logic);
  if (known !== undefined) return known;
  return {
    name,
    run: () => undefined,
    profile: 'standard',
    retry: plainRetry,
    timeoutMs: undefined,
    concurrency: Infinity,
    key: undefined,
    caution: freely,
  };
}

export function isActivity(logic: AnyActorLogic): boolean {
  return definitions.has(logic);
}
