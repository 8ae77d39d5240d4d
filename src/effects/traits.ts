/** What an operation is by its logic: its name in the ledger, the user's own key, and whom it asks before or instead of being run. */

import type { AnyActorLogic } from 'xstate';
import type { OperationTraits } from '../actors/operation.js';
import { BadInputError } from '../core/errors.js';
import { activityOf, isActivity, type ResolvedActivity } from './activity.js';
import { isApproval, nextLook } from './approval.js';
import { deedOf, type SagaDeed } from './saga/compensation.js';
import { planActivity, settleActivity, undoActivity, type PlannedStep } from './saga/plan.js';
import { everything } from './saga/sagas.js';
import { scopeOf } from './saga/undoing.js';
import { expiryOf, isQuestion, questionOf } from './ask.js';
import { isSpending } from './budget/spend.js';
import { isCareful } from './doubt.js';
import { isMonitor } from './monitor.js';
import type { Permits } from './permits.js';

/** `guarded`: it may have to wait for leave of a stage. */
export function traitsOf(logic: AnyActorLogic, path: string, permits: Permits, guarded: boolean): OperationTraits {
  if (isQuestion(logic)) return { ...waiting, name: 'ask', asks: questionOf, wakesAt: expiryOf };
  if (isApproval(logic)) return { ...waiting, name: 'approval', status: 'held', question: false, wakesAt: nextLook };
  const deed = deedOf(logic);
  if (deed !== undefined) return sagaTraits[deed];
  if (isSpending(logic)) return { ...waiting, name: 'spend', asks: (input) => permits.spending(input) };
  const activity = activityOf(logic, isActivity(logic) ? '' : isMonitor(logic) ? 'monitor' : nameOf(path));
  const { name, key, budget, undoing } = activity;
  return {
    name,
    question: false,
    status: isCareful(activity) && (guarded || !isDirect(activity)) ? 'intended' : 'started',
    userKey: (input) => (key === undefined ? undefined : checkKey(name, key(input))),
    ...(undoing === undefined ? {} : { saga: (input) => scopeOf(name, undoing, input) }),
    ...(budget === undefined ? {} : { asks: (input, operationId) => permits.permit(activity, input, operationId) }),
  };
}

const deed = {
  question: false,
  status: 'started',
  userKey: () => undefined,
  saga: (input: unknown) => (input as PlannedStep).saga,
} as const;
const stepOf = (input: unknown): string => (input as PlannedStep).operation;
const sagaTraits: Readonly<Record<SagaDeed, OperationTraits>> = {
  plan: { ...deed, name: planActivity, compensates: () => everything },
  settle: { ...deed, name: settleActivity, compensates: stepOf },
  // The same key for whoever undoes it, however often.
  undo: { ...deed, name: undoActivity, compensates: stepOf, userKey: (input) => `undo ${stepOf(input)}` },
};

const waiting = { question: true, status: 'intended', userKey: () => undefined } as const;

/** Whether its first attempt begins as soon as its intent is durable: then the intent says so. One that may be run again says it always, and writes nothing more before an attempt. */
function isDirect({ key, budget, guarding, concurrency }: ResolvedActivity): boolean {
  return key === undefined && budget === undefined && guarding?.breaker === undefined && concurrency === Infinity;
}

function checkKey(activity: string, key: unknown): string {
  if (typeof key === 'string' && key !== '') return key;
  throw new BadInputError(`activity "${activity}": its key is ${JSON.stringify(key) ?? 'undefined'}`, {
    hint: 'key(input) returns a string that is not empty.',
  });
}

/** The last id of a path, for naming what has no name of its own. */
function nameOf(path: string): string {
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
}
