/** How an operation is guarded: by its activity's breaker, and by the stages that its state belongs to. */

import type { Operation } from '../actors/operation.js';
import { tagsAround } from '../actors/tags-around.js';
import type { BreakerBoard } from '../breakers/board.js';
import { priorities, type CallOptions, type Guard, type Permit, type Priority } from '../breakers/contract.js';
import { BadInputError } from '../core/errors.js';
import type { ResolvedActivity } from './activity.js';
import type { Run } from './run.js';

/** Of who was let go by a person: nothing is counted. */
export const freeLeave: Permit = { refused: false, settle: () => undefined, cancel: () => undefined };

/** Undefined: nothing guards it. @throws BadInputError, what the activity's `breakerKey` throws */
export function guardOf({ name, guarding }: ResolvedActivity, operation: Operation, board: BreakerBoard): Guard | undefined {
  const stages = board.stages.size === 0 ? [] : tagsAround(operation.actor);
  if (guarding?.breaker === undefined && stages.length === 0) return undefined;
  const key = guarding?.key?.(operation.input);
  if (guarding?.key !== undefined && (typeof key !== 'string' || key === '' || key.length > 200 || /[\p{Cc}\p{Cs}]/u.test(key))) {
    throw new BadInputError(`activity "${name}": its breakerKey is ${JSON.stringify(key) ?? 'undefined'}`, {
      hint: 'breakerKey(input) returns a string of 1 to 200 characters without control characters.',
    });
  }
  return board.guard(guarding?.breaker, key as string | undefined, stages);
}

/** @throws BadInputError, what the activity's `priority` throws */
export function priorityOf({ name, guarding }: ResolvedActivity, { input }: Operation): Priority | undefined {
  const chosen = guarding?.priority;
  const priority = typeof chosen === 'function' ? chosen(input) : chosen;
  if (priority === undefined || priorities.includes(priority)) return priority;
  throw new BadInputError(`activity "${name}": its priority is ${JSON.stringify(priority) ?? typeof priority}`, {
    hint: `priority(input) returns one of ${priorities.join(', ')}.`,
  });
}

/** What a guard is told of the attempt that is due. */
export function callOf({ operation, priority }: Run): CallOptions {
  const attempt = operation.record.attempts + 1;
  return priority === undefined ? { attempt } : { attempt, priority };
}
