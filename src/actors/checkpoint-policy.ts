/**
 * When a checkpoint is due. Always at a semantic boundary: a turn that released an effect, entered or left a state tagged
 * `checkpoint`, ended the agent, or that somebody watches. In between turns are only journaled, until a threshold.
 */

import { BadInputError } from '../core/errors.js';

export interface CheckpointThresholds {
  /** Turns since the last checkpoint. Default 256. */
  readonly everyEvents?: number;
  /** Journal bytes since the last checkpoint; never less than the last checkpoint's own size. Default 262,144. */
  readonly everyBytes?: number;
  /** Milliseconds since the last checkpoint, looked at when a turn is taken. Default 30,000. */
  readonly everyMs?: number;
}

/** `every-turn`: each committed turn has its checkpoint. */
export type CheckpointPolicy = 'every-turn' | CheckpointThresholds;

export type ResolvedPolicy = 'every-turn' | Required<CheckpointThresholds>;

const defaults: Required<CheckpointThresholds> = { everyEvents: 256, everyBytes: 262_144, everyMs: 30_000 };

/** Fills in the defaults. @throws BadInputError for a threshold that is not a positive number. */
export function resolvePolicy(policy: CheckpointPolicy | undefined, option: string): ResolvedPolicy {
  if (policy === 'every-turn') return policy;
  const resolved = { ...defaults, ...policy };
  for (const [name, value] of Object.entries(resolved)) {
    if (typeof value !== 'number' || !(value > 0)) {
      throw new BadInputError(`${option}.${name} is ${String(value)}`, { hint: 'Give a number greater than 0, or Infinity.' });
    }
  }
  return resolved;
}

/** What has been journaled since the last checkpoint. */
export interface Tail {
  readonly events: number;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly checkpointBytes: number;
}

/** Whether a turn that is no boundary brings a checkpoint all the same. */
export function thresholdReached(policy: ResolvedPolicy, tail: Tail): boolean {
  if (policy === 'every-turn') return true;
  return (
    tail.events >= policy.everyEvents || tail.bytes >= Math.max(policy.everyBytes, tail.checkpointBytes) || tail.sinceMs >= policy.everyMs
  );
}

/** What an agent has journaled since its last checkpoint. */
export class JournalTail implements Tail {
  events = 0;
  bytes = 0;
  sinceMs = 0;
  checkpointBytes = 0;
  #checkpointAt: number;

  constructor(now: number) {
    this.#checkpointAt = now;
  }

  took(bytes: number): void {
    this.events += 1;
    this.bytes += bytes;
  }

  /** Whether a threshold is reached. */
  isDue(policy: ResolvedPolicy, now: number): boolean {
    this.sinceMs = now - this.#checkpointAt;
    return thresholdReached(policy, this);
  }

  checkpointed(bytes: number, now: number): void {
    this.events = this.bytes = 0;
    this.checkpointBytes = bytes;
    this.#checkpointAt = now;
  }
}
