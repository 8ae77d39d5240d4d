/** What a fleet's mind wants done, and the names that it gives to members and jobs. */

import { AgentFailedError, TimeoutError } from '../../core/errors.js';
import type { Command, SupervisorState } from '../state.js';
import type { FailureDetails, FleetState, Job, RunningJob } from './state.js';

/** What leaves the fleet with the turn. */
export interface FleetDeeds {
  readonly commands: readonly Command[];
  /** Jobs for members. */
  readonly given: readonly RunningJob[];
  /** Jobs for which the budget is asked. */
  readonly asked: readonly RunningJob[];
  /** Answers to whoever asked. */
  readonly answers: readonly { readonly to: string; readonly value?: unknown; readonly error?: Error }[];
  /** Jobs that failed. */
  readonly letters: readonly JobLetter[];
}

export interface JobLetter {
  readonly job: RunningJob;
  readonly error: Error;
  readonly details: FailureDetails;
}

export interface FleetStep extends FleetDeeds {
  readonly fleet: FleetState;
  readonly state: SupervisorState;
}

export function memberId(fleet: string, n: number): string {
  return `${fleet}/${String(n)}`;
}

export function tagOf({ n, given }: Job): string {
  return `${String(n)}.${String(given)}`;
}

export function memberFailed(member: string, message: string): Error {
  return new AgentFailedError(`member "${member}" failed: ${message}`, {
    hint: 'Look at the member with `statewarden show`; the job is among the dead letters.',
  });
}

export function jobTooLong({ id, member }: RunningJob, limitMs: number): Error {
  return new TimeoutError(`job "${id}" took member "${member}" longer than ${String(limitMs)} ms`, {
    hint: 'Raise jobTimeoutMs, or find out what the member waits for; the job is among the dead letters.',
  });
}

/** What the tag of a question to a budget begins with. */
export const budgetTag = 'budget ';
