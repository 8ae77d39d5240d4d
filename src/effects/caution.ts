/**
 * What is done about an operation of which nobody knows whether it was carried out: the process died, or the connection went, between its begin and its outcome. Never is one
 * run again by itself that has not said, in a word or by passing its idempotency key on, that this does no harm.
 */

import { BadInputError } from '../core/errors.js';
import type { ActivityContext } from './activity.js';

/** `retry`: run it again, with the same key. `reconcile`: ask the outside. `fail`: its machine meets `OutcomeUnknownError`. `hold`: a person says what happened. */
export type OnUnknown = 'retry' | 'reconcile' | 'fail' | 'hold';

/** What the outside says of an operation. `unknown`: it cannot tell; then a person is asked. */
export type Reconciled<TOutput> =
  { readonly outcome: 'done'; readonly result: TOutput } | { readonly outcome: 'not-done' } | { readonly outcome: 'unknown' };

/** Asks the outside whether the operation with this idempotency key was carried out. It changes nothing there: it may be asked again. */
export type Reconcile<TInput, TOutput> = (
  input: TInput,
  key: string,
  context: Pick<ActivityContext, 'signal' | 'agentId' | 'operationId' | 'attempt'>,
) => Promise<Reconciled<TOutput>> | Reconciled<TOutput>;

export interface Caution {
  readonly onUnknown: OnUnknown;
  /** The activity has said so itself: then it goes also for a failure that may have come after the fact, and for one that nobody recognises. */
  readonly declared: boolean;
  readonly reconcile: Reconcile<unknown, unknown> | undefined;
}

/** As XState does with the promises of a restored snapshot. */
export const freely: Caution = { onUnknown: 'retry', declared: false, reconcile: undefined };

const policies: readonly unknown[] = ['retry', 'reconcile', 'fail', 'hold'];

/** @throws BadInputError */
export function cautionOf(
  activity: string,
  run: unknown,
  onUnknown: OnUnknown | undefined,
  reconcile: Reconcile<never, unknown> | undefined,
): Caution {
  const wrong = (what: string, hint: string): BadInputError => new BadInputError(`activity "${activity}": ${what}`, { hint });
  if (onUnknown !== undefined && !policies.includes(onUnknown)) {
    throw wrong(`onUnknown is ${JSON.stringify(onUnknown) ?? typeof onUnknown}`, `Use one of ${policies.join(', ')}.`);
  }
  if (reconcile !== undefined && typeof reconcile !== 'function') {
    throw wrong(
      `reconcile is ${typeof reconcile}`,
      "Give a function: reconcile: async (input, key) => ({ outcome: 'done', result }), 'not-done' or 'unknown'.",
    );
  }
  if ((onUnknown === 'reconcile') !== (reconcile !== undefined) && onUnknown !== undefined) {
    throw wrong(
      reconcile === undefined ? "onUnknown is 'reconcile' and there is no reconcile" : `it has a reconcile and onUnknown is '${onUnknown}'`,
      'Give both, or reconcile alone.',
    );
  }
  const byItself = reconcile !== undefined ? 'reconcile' : passesKeyOn(run) ? 'retry' : 'hold';
  return {
    onUnknown: onUnknown ?? byItself,
    declared: onUnknown !== undefined || reconcile !== undefined,
    reconcile: reconcile as Reconcile<unknown, unknown> | undefined,
  };
}

/** By its text: nothing else tells before it has run. A function that hands its whole context on says `onUnknown: 'retry'`. */
function passesKeyOn(run: unknown): boolean {
  return typeof run === 'function' && /\bidempotencyKey\b/.test(Function.prototype.toString.call(run));
}
