/**
 * When to try again: exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
 * the delay before attempt n+1 is uniform in [0, min(maximum, initial × factor^(n−1))).
 */

import { BadInputError, StatewardenError } from '../core/errors.js';
import type { Random } from '../core/random.js';

export interface RetryPolicy {
  /** Attempts in all, the first included. Default 5. */
  readonly attempts?: number;
  /** Upper bound of the first delay. Default 100. */
  readonly initialMs?: number;
  /** Upper bound of every delay. Default 30,000. */
  readonly maximumMs?: number;
  /** Default 2. */
  readonly factor?: number;
  /** `none` waits the upper bound itself. Default `full`. */
  readonly jitter?: 'full' | 'none';
}

export const standardRetry: Required<RetryPolicy> = { attempts: 5, initialMs: 100, maximumMs: 30_000, factor: 2, jitter: 'full' };

/** `where`: what the policy is of, for the message. @throws BadInputError */
export function assertRetry(policy: Required<RetryPolicy>, where: string): void {
  const wrong = (option: keyof RetryPolicy, hint: string): BadInputError =>
    new BadInputError(`${where}.${option} is ${String(policy[option])}`, { hint });
  const { attempts, jitter } = policy;
  if (attempts !== Infinity && !(Number.isSafeInteger(attempts) && attempts >= 1))
    throw wrong('attempts', 'Give a whole number from 1, or Infinity.');
  if (!(policy.initialMs >= 0)) throw wrong('initialMs', 'Give milliseconds, 0 or more.');
  if (!(policy.maximumMs >= policy.initialMs)) throw wrong('maximumMs', 'Give milliseconds, not less than initialMs.');
  if (!(policy.factor >= 1)) throw wrong('factor', 'Give a number from 1.');
  if (!['full', 'none'].includes(jitter)) throw wrong('jitter', "Use 'full' or 'none'.");
}

/** Milliseconds to wait after so many failed attempts. */
export function backoffMs(policy: Required<RetryPolicy>, failures: number, random: Random): number {
  // Nothing stays nothing, also when the power has grown to infinity.
  const bound = policy.initialMs === 0 ? 0 : Math.min(policy.maximumMs, policy.initialMs * policy.factor ** (failures - 1));
  return policy.jitter === 'none' ? bound : random.next() * bound;
}

/** An error that trying again cannot mend: an activity that throws it fails at once. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError';
}

export function isTerminal(error: unknown): boolean {
  return error instanceof TerminalError || (error instanceof StatewardenError && error.disposition !== 'retry');
}
