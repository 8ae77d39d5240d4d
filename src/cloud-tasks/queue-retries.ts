/** A queue's retry settings by a retry profile: how often and how urgently Cloud Tasks makes a call again that was not answered with 2xx, and what of a profile it has no words for. */

import type { ResolvedProfile } from '../effects/profiles.js';
import type { Seconds } from './api.js';

/** `google.cloud.tasks.v2.RetryConfig`. */
export interface QueueRetryConfig {
  /** -1: no limit. */
  readonly maxAttempts: number;
  readonly minBackoff: Seconds;
  readonly maxBackoff: Seconds;
  readonly maxDoublings: number;
  /** Zero: no limit. */
  readonly maxRetryDuration: Seconds;
}

export interface QueueReport {
  /** The whole name: `projects/…/locations/…/queues/…`. */
  readonly name: string;
  /** It was not there. */
  readonly created: boolean;
  readonly retryConfig: QueueRetryConfig;
  /** What of the profile the queue does otherwise, for people. */
  readonly unmatched: readonly string[];
}

/** Cloud Tasks cuts durations to whole seconds. */
const wholeSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));
const longestSeconds = 315_576_000_000;
const mostAttempts = 2 ** 31 - 1;

export function queueRetries(profile: ResolvedProfile): Pick<QueueReport, 'retryConfig' | 'unmatched'> {
  const { attempts, initialMs, maximumMs, factor, jitter, deadlineMs } = profile;
  const first = wholeSeconds(initialMs);
  // Without doublings Cloud Tasks grows by steps; a wait that stays the same is one that cannot grow.
  const last = Math.min(longestSeconds, factor === 1 ? first : Math.max(first, wholeSeconds(maximumMs)));
  const unmatched: string[] = [];
  if (jitter === 'full') unmatched.push("jitter: 'full': Cloud Tasks waits the upper bound, it draws nothing at random");
  if (factor !== 1 && factor !== 2) unmatched.push(`factor ${String(factor)}: Cloud Tasks doubles its waits`);
  if (initialMs % 1_000 !== 0 || initialMs === 0 || (factor !== 1 && maximumMs % 1_000 !== 0)) {
    unmatched.push(`waits from ${String(initialMs)} to ${String(maximumMs)} ms: Cloud Tasks keeps whole seconds, so they are rounded up`);
  }
  if (deadlineMs !== Infinity) {
    unmatched.push(
      `deadlineMs ${String(deadlineMs)}: Cloud Tasks counts from a task's first delivery, in whole seconds, and gives a task up only when that is over and all attempts are made`,
    );
  }
  return {
    retryConfig: {
      maxAttempts: attempts === Infinity ? -1 : Math.min(attempts, mostAttempts),
      minBackoff: { seconds: first, nanos: 0 },
      maxBackoff: { seconds: last, nanos: 0 },
      maxDoublings: Math.ceil(Math.log2(last / first)),
      maxRetryDuration: { seconds: deadlineMs === Infinity ? 0 : Math.min(longestSeconds, wholeSeconds(deadlineMs)), nanos: 0 },
    },
    unmatched,
  };
}
