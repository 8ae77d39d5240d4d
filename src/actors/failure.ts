/**
 * What counts as a failure of a supervised agent, by reason. XState tells what was thrown, not where: an error of a guard is known by its message, the others by the
 * function of XState that called the user's, which stands in the stack (`test/actors/seam.test.ts` names those functions).
 */

import { NotSerializableError } from '../core/errors.js';

/**
 * What threw: the `context` factory, an `input` mapper, an `assign`, a `guard`, an `action`, an `activity` without `onError`, a `child` machine without one, or
 * something else in the `machine`. `not-serializable`: the turn left something that cannot be kept. `endless-turn`: it did not end. `heartbeat`: the agent made no progress.
 * `supervisor`: a supervisor below gave up. `store`: its last turns could not be written. `lease-lost`: another node has taken it.
 */
export type FailureReason =
  | 'context'
  | 'input'
  | 'assign'
  | 'guard'
  | 'action'
  | 'activity'
  | 'child'
  | 'machine'
  | 'not-serializable'
  | 'endless-turn'
  | 'heartbeat'
  | 'supervisor'
  | 'store'
  | 'lease-lost';

/** What is known of a turn that failed. */
export interface FailedTurn {
  readonly error: unknown;
  /** A named or inline action had thrown, after its own turn. */
  readonly action: boolean;
  /** The turn took the error of an activity. */
  readonly activity: boolean;
  /** A child machine had ended in error. */
  readonly child: boolean;
}

/** XState's functions that call the user's, and those of `step.ts` that do so in their place, the innermost first. */
const callers: readonly (readonly [RegExp, FailureReason])[] = [
  [/\bgetPreInitialState\b|\b_getPreInitialState\b/, 'context'],
  [/\b(?:resolveSpawn|resolveInput)\b/, 'input'],
  [/\bresolveAssign\b/, 'assign'],
  [/\b(?:evaluateGuard|evaluateCandidate)\b/, 'guard'],
  [/\b(?:resolveEnqueueActions|resolveSendTo|resolveRaise|resolveEmit|resolveLog|resolveCancel)\b/, 'action'],
];

export function reasonOf({ error, action, activity, child }: FailedTurn): FailureReason {
  if (error instanceof NotSerializableError) return 'not-serializable';
  if (action) return 'action';
  const { message, stack = '' } = error instanceof Error ? error : { message: '', stack: '' };
  if (message.startsWith('Unable to evaluate guard')) return 'guard';
  if (child) return 'child';
  for (const [caller, reason] of callers) if (caller.test(stack)) return reason;
  return activity ? 'activity' : 'machine';
}
