/** How an activity is undone: what it says beside its `run`, and within which scope. */

import { BadInputError } from '../../core/errors.js';
import type { ActivityContext } from '../activity.js';
import { cautionOf, type Caution, type OnUnknown } from '../caution.js';
import type { ClassifyFailure } from '../failure-class.js';
import type { RetryProfile } from '../profiles.js';

/** Undoes what `run` did with this input and came to this output. Called with the same idempotency key at every attempt, also after a crash. */
export type Compensate<TInput, TOutput> = (input: TInput, output: TOutput, context: ActivityContext) => unknown;

/** How the undoing is tried again, and what goes together. */
export interface CompensationOptions {
  /** As of an activity. Default: the activity's own. */
  readonly profile?: string;
  readonly retry?: RetryProfile;
  readonly classify?: ClassifyFailure;
  /** For one attempt. Default: none. */
  readonly timeoutMs?: number;
  /** When nobody knows whether it has been undone. Default: `retry` when `compensate` passes its `idempotencyKey` on, else `hold`. */
  readonly onUnknown?: Exclude<OnUnknown, 'reconcile' | 'fail'>;
  /** Undone at the same time as the independent ones completed next to it. Default false: each after the one completed later. */
  readonly independent?: boolean;
}

export interface SagaDefinition<TInput, TOutput> {
  /** Undoes it, when a state invokes `compensation()`. Recorded with the outcome. */
  readonly compensate?: Compensate<TInput, TOutput>;
  readonly compensation?: CompensationOptions;
  /** The scope that it is undone within, or a function of its input that names one: `({ loanId }) => loanId`. Default `agent`: all that the agent has done. */
  readonly saga?: string | ((input: TInput) => string);
  /** Once this has succeeded its saga only goes forward: `compensation()` fails with `PivotPassedError`. */
  readonly pivot?: boolean;
}

export interface Undoing extends Omit<CompensationOptions, 'onUnknown' | 'independent'> {
  readonly compensate: Compensate<unknown, unknown> | undefined;
  readonly scope: string | ((input: unknown) => unknown);
  readonly pivot: boolean;
  readonly independent: boolean;
  readonly caution: Caution;
}

export const agentScope = 'agent';

/** Undefined: nothing undoes it. @throws BadInputError */
export function undoingOf(activity: string, definition: SagaDefinition<never, unknown>): Undoing | undefined {
  const { compensate, compensation = {}, saga = agentScope, pivot = false } = definition;
  const wrong = (what: string, hint: string): BadInputError => new BadInputError(`activity "${activity}": ${what}`, { hint });
  if (compensate !== undefined && typeof compensate !== 'function') {
    throw wrong(
      `compensate is ${typeof compensate}`,
      'Give the function that undoes it: compensate: async (input, output, { idempotencyKey }) => ….',
    );
  }
  if (typeof saga !== 'function' && !isScope(saga)) {
    throw wrong(`saga is ${JSON.stringify(saga)}`, 'Give a name of 1 to 200 characters, or a function of the input that returns one.');
  }
  if (compensate === undefined && definition.compensation !== undefined)
    throw wrong('it has a compensation and no compensate', 'Give both.');
  if (compensate === undefined && !pivot) {
    if (definition.saga === undefined) return undefined;
    throw wrong('it names a saga and has neither a compensate nor a pivot', 'Give one of them, or leave saga out.');
  }
  if (compensate !== undefined && pivot) {
    throw wrong('it is a pivot and has a compensate', 'After a pivot nothing is undone: give one of them.');
  }
  const { onUnknown, timeoutMs } = compensation;
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw wrong(`compensation.timeoutMs is ${String(timeoutMs)}`, 'Give milliseconds greater than 0, or leave it out.');
  }
  return {
    ...compensation,
    compensate: compensate as Undoing['compensate'],
    scope: saga as Undoing['scope'],
    pivot,
    independent: compensation.independent === true,
    caution: cautionOf(activity, compensate, onUnknown, undefined),
  };
}

/** @throws BadInputError, what `saga` throws */
export function scopeOf(activity: string, { scope }: Undoing, input: unknown): string {
  const named = typeof scope === 'function' ? scope(input) : scope;
  if (isScope(named)) return named;
  throw new BadInputError(`activity "${activity}": its saga is ${JSON.stringify(named) ?? 'undefined'}`, {
    hint: 'saga(input) returns a string of 1 to 200 characters.',
  });
}

export function isScope(saga: unknown): saga is string {
  return typeof saga === 'string' && saga !== '' && saga.length <= 200;
}
