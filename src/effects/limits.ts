/**
 * How long an operation may take: one attempt by its activity's `timeoutMs`, all of it by its profile's deadline, counted from when it was asked for, or a person had it run again, so that a restart does not begin to count again. An attempt that runs into
 * either is told to end; what ignores that runs on, and its result is nobody's.
 */

import { longestTimeoutMs, type Clock, type TimerHandle } from '../core/clock.js';
import { TimeoutError } from '../core/errors.js';
import type { Run } from './run.js';

/** Epoch milliseconds. */
export function deadlineOf({ countsFrom, profile }: Run): number {
  return countsFrom + profile.deadlineMs;
}

/** Milliseconds that an attempt which begins now may take. */
export function limitOf(run: Run, now: number): number {
  return Math.min(run.activity.timeoutMs ?? Infinity, Math.max(0, deadlineOf(run) - now));
}

/** What an attempt comes to, unless it takes longer. @throws TimeoutError */
export async function limited(clock: Clock, run: Run, running: Promise<unknown>, limitMs: number): Promise<unknown> {
  running.catch(() => undefined); // its late failure has been answered by the time limit
  let handle: TimerHandle;
  const expired = new Promise<never>((_, reject) => {
    handle = clock.setTimeout(() => {
      const error = new TimeoutError(`activity "${run.activity.name}" took longer than ${String(limitMs)} ms`, {
        hint: 'Raise timeoutMs, or its deadline, or find out why the other side is slow; the call may still have had its effect.',
      });
      run.abort?.(error);
      reject(error);
    }, limitMs);
  });
  try {
    return await Promise.race([running, expired]);
  } finally {
    clock.clearTimeout(handle);
  }
}

/** Calls back at its deadline, at once when that has passed, unless an attempt runs: that one's limit is the same moment. */
export function watchDeadline(clock: Clock, run: Run, passed: (error: TimeoutError) => void): void {
  const at = deadlineOf(run);
  if (at === Infinity) return;
  const look = (): void => {
    run.deadline = undefined;
    if (run.abort !== undefined) return;
    if (clock.now() < at) {
      watchDeadline(clock, run, passed);
      return;
    }
    passed(
      new TimeoutError(`activity "${run.activity.name}" was not done within ${String(run.profile.deadlineMs)} ms`, {
        hint: 'Its deadline passed while it waited for a place, a breaker, a budget or its next attempt. Raise deadlineMs, or find out what it waited for.',
      }),
    );
  };
  const left = at - clock.now();
  if (left > 0) run.deadline = clock.setTimeout(look, Math.min(longestTimeoutMs, left));
  else look();
}
