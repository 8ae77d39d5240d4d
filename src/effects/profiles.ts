/**
 * Retry profiles by criticality: how often, how long and how urgently an activity is tried again, said once for many activities. An activity names one
 * (`profile: 'critical'`) and may differ from it in what its own `retry` says. Invariant: a profile that is used is known and consistent before the store is opened.
 */

import { priorities, type Priority } from '../breakers/contract.js';
import { BadInputError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { isQueueName } from './dispatch.js';
import { assertRetry, standardRetry, type RetryPolicy } from './retry.js';

export interface RetryProfile extends RetryPolicy {
  /** From when it was asked for: no attempt begins later, and one that runs is aborted then. Whoever waits for a breaker or a place waits no longer. Default: none. */
  readonly deadlineMs?: number;
  /** Who goes first where activities wait for a place or for a breaker. Default `normal`. */
  readonly priority?: Priority;
  /**
   * A task queue that wakes its activities for their next attempt, so that no process has to wait: letters, digits and `-`, 100 at the most. Goes with `createRuntime({ dispatcher })`;
   * without one the process waits. Default: none.
   */
  readonly queue?: string;
}

export type ResolvedProfile = Required<Omit<RetryProfile, 'queue'>> & Pick<RetryProfile, 'queue'>;

/** What every runtime knows; `createRuntime({ profiles })` adds to them and may change them. */
export const builtInProfiles = {
  critical: { attempts: 50, initialMs: 100, maximumMs: 60_000, factor: 2, jitter: 'full', deadlineMs: 86_400_000, priority: 'high' },
  standard: { ...standardRetry, deadlineMs: Infinity, priority: 'normal' },
  background: { attempts: 10, initialMs: 1_000, maximumMs: 600_000, factor: 3, jitter: 'full', deadlineMs: 604_800_000, priority: 'low' },
} as const satisfies Readonly<Record<string, ResolvedProfile>>;

/** What of an activity says how it is tried again. */
interface Retried {
  readonly name: string;
  readonly profile: string;
  /** What it says itself. */
  readonly retry: RetryProfile;
}

export class Profiles {
  readonly #profiles: ReadonlyMap<string, ResolvedProfile>;
  /** By what the activity says itself, and by the profile that it names: a plain promise has no activity that lasts. */
  readonly #resolved = new WeakMap<RetryProfile, Map<string, ResolvedProfile>>();

  /** @throws BadInputError */
  constructor(own: Readonly<Record<string, RetryProfile>> = {}) {
    if (typeof own !== 'object' || own === null || Array.isArray(own)) {
      throw new BadInputError(`profiles is ${JSON.stringify(own) ?? typeof own}`, {
        hint: "Pass profiles: { nightly: { attempts: 20, maximumMs: 3_600_000, priority: 'low' } }.",
      });
    }
    const profiles = new Map<string, ResolvedProfile>(Object.entries(builtInProfiles));
    for (const [name, profile] of Object.entries(own)) {
      const base = profiles.get(name) ?? builtInProfiles.standard;
      profiles.set(name, merged(base, profile, `profiles.${name}`));
    }
    this.#profiles = profiles;
  }

  /** @throws BadInputError for a profile that is not there, or does not go with what the activity says itself */
  of(activity: Retried): ResolvedProfile {
    const known = this.#resolved.get(activity.retry)?.get(activity.profile);
    if (known !== undefined) return known;
    const profile = this.#profiles.get(activity.profile);
    if (profile === undefined) {
      const names = [...this.#profiles.keys()];
      const [near] = nearest(activity.profile, names);
      throw new BadInputError(`activity "${activity.name}": there is no profile ${JSON.stringify(activity.profile)}`, {
        hint: `${near === undefined ? `There are ${names.join(', ')}` : `Did you mean "${near}"?`}; more with createRuntime({ profiles }).`,
      });
    }
    const resolved = merged(profile, activity.retry, `activity "${activity.name}": retry`);
    const byProfile = this.#resolved.get(activity.retry) ?? new Map<string, ResolvedProfile>();
    this.#resolved.set(activity.retry, byProfile.set(activity.profile, resolved));
    return resolved;
  }
}

/** @throws BadInputError */
export function assertProfile(profile: RetryProfile, where: string): void {
  const { deadlineMs, priority, queue } = profile;
  if (deadlineMs !== undefined && !(deadlineMs > 0)) {
    throw new BadInputError(`${where}.deadlineMs is ${String(deadlineMs)}`, { hint: 'Give milliseconds greater than 0, or leave it out.' });
  }
  if (priority !== undefined && !priorities.includes(priority)) {
    throw new BadInputError(`${where}.priority is ${JSON.stringify(priority)}`, { hint: `Use one of ${priorities.join(', ')}.` });
  }
  if (queue !== undefined && !isQueueName(queue)) {
    throw new BadInputError(`${where}.queue is ${JSON.stringify(queue) ?? typeof queue}`, {
      hint: 'Give 1 to 100 letters, digits and hyphens, or leave it out.',
    });
  }
}

function merged(base: ResolvedProfile, own: RetryProfile, where: string): ResolvedProfile {
  if (typeof own !== 'object' || own === null) {
    throw new BadInputError(`${where} is ${JSON.stringify(own) ?? typeof own}`, { hint: 'Give an object: { attempts: 20 }.' });
  }
  const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const resolved = { ...base, ...said } as ResolvedProfile;
  assertRetry(resolved, where);
  assertProfile(resolved, where);
  return resolved;
}
