/** What an operation is by its logic: its name in the ledger, the user's own key, and whom it asks before or instead of being run. */

import type { AnyActorLogic } from 'xstate';
import type { OperationTraits } from '../actors/operation.js';
import { BadInputError } from '../core/errors.js';
import { activityOf, isActivity } from './activity.js';
import { isQuestion, questionOf } from './ask.js';
import { isSpending } from './budget/spend.js';
import { isMonitor } from './monitor.js';
import type { Permits } from './permits.js';

export function traitsOf(logic: AnyActorLogic, path: string, permits: Permits): OperationTraits {
  if (isQuestion(logic)) return { name: 'ask', question: true, userKey: () => undefined, asks: questionOf };
  if (isSpending(logic)) {
    return { name: 'spend', question: true, userKey: () => undefined, asks: (input) => permits.spending(input) };
  }
  const activity = activityOf(logic, isActivity(logic) ? '' : isMonitor(logic) ? 'monitor' : nameOf(path));
  const { name, key, budget } = activity;
  return {
    name,
    question: false,
    userKey: (input) => (key === undefined ? undefined : checkKey(name, key(input))),
    ...(budget === undefined ? {} : { asks: (input, operationId) => permits.permit(activity, input, operationId) }),
  };
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
