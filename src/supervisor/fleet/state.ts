/** What a fleet knows beside what every supervisor knows: its jobs. Plain data, kept with the supervisor's own state. */

import type { EventObject } from 'xstate';
import type { ResolvedSupervisor } from '../spec.js';
import type { SupervisorState } from '../state.js';
import type { ResolvedFleet } from './options.js';
import type { RunningList } from './running-jobs.js';
import { isQueued, queueLength, type JobQueue } from './queue.js';

export interface Job {
  /** Its submitter's, or given by the fleet: unique among its jobs. */
  readonly id: string;
  /** Counts the fleet's jobs. */
  readonly n: number;
  readonly event: EventObject;
  /** Where the result is sent. */
  readonly asker: string | undefined;
  /** Epoch milliseconds. */
  readonly queuedAt: number;
  /** How often it was given to a member. */
  readonly given: number;
  /** Its budget has been spent of already. */
  readonly paid?: boolean;
}

export interface RunningJob extends Job {
  readonly member: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** How often its member failed while it was at it. */
  readonly failures: number;
  /** `asked`: for its budget. `held`: permitted, while its member is not up. `given`: to its member. */
  readonly stage: 'asked' | 'held' | 'given';
}

/** How a job ended. Times are epoch milliseconds. */
export type JobResult<TOutput = unknown> = {
  readonly job: string;
  readonly member: string;
  readonly queuedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
} & ({ readonly status: 'done'; readonly output: TOutput } | { readonly status: 'failed'; readonly error: Error });

/** A roll through the members: each is stopped when it has no job, and started with the machine that is registered now. */
export interface Rolling {
  readonly total: number;
  readonly atOnce: number;
  /** Members whose turn has not come. */
  readonly left: readonly string[];
  /** Members that get no more jobs, or are on their way. `sent`: told to stop. */
  readonly now: readonly { readonly id: string; readonly sent: boolean }[];
}

export interface FleetState {
  readonly spec: ResolvedFleet;
  /** All members have been up at once. */
  readonly ready: boolean;
  /** Members were started up to this number. */
  readonly grown: number;
  /** Members above the size are to go. */
  readonly shrinking: boolean;
  /** Only jobs up to this number are begun; undefined for all. */
  readonly drainTo: number | undefined;
  readonly rolling: Rolling | undefined;
  /** Jobs taken so far. */
  readonly jobs: number;
  /** Oldest first. */
  readonly queue: JobQueue;
  /** Where in the list of members the search for one that is free goes on. */
  readonly next: number;
  /** In the order in which they were begun. */
  readonly running: RunningList;
  /** When jobs were begun, as long as that counts for the rate. */
  readonly begun: readonly number[];
  /** The last ones, oldest first. */
  readonly results: readonly JobResult[];
  readonly done: number;
  readonly failed: number;
  /** The budget is exhausted until then: no job is begun. */
  readonly pausedUntil: number | undefined;
  /** When it wants to be woken. */
  readonly wakeAt: number | undefined;
  /** Who waits for what to be done. */
  readonly callers: readonly FleetCaller[];
}

export interface FleetCaller {
  readonly what: 'resize' | 'drain' | 'roll';
  readonly caller: string;
}

/** Why a job failed, as far as its member knows. */
export interface FailureDetails {
  readonly reason: string;
  /** Names neither member nor job, so that dead letters with one cause are one group. Default: the error's. */
  readonly message?: string;
  readonly deliveries?: number;
  readonly stack?: string | undefined;
  /** Of the member, encoded. */
  readonly state?: string | undefined;
  readonly sequenceNumber?: number;
  /** The member cannot go on from where it stands. */
  readonly renew?: boolean;
}

/** `caller`: an address for the answer; empty for none. */
export type FleetEvent =
  /** An event for a member: a job. */
  | { readonly type: 'submit'; readonly id: string | undefined; readonly event: EventObject; readonly asker?: string | undefined }
  /** A member's answer. `tag`: the job and which time it was given. `kept`: its event is a dead letter already. */
  | {
      readonly type: 'replied';
      readonly tag: string;
      readonly value?: unknown;
      readonly error?: unknown;
      readonly details?: FailureDetails;
      readonly kept?: boolean;
    }
  | { readonly type: 'resize'; readonly size: number; readonly caller: string }
  | { readonly type: 'drain'; readonly caller: string }
  | { readonly type: 'open' }
  | { readonly type: 'roll'; readonly atOnce: number; readonly caller: string }
  /** It is declared once more, perhaps otherwise. */
  | { readonly type: 'configure'; readonly spec: ResolvedFleet; readonly supervisor: ResolvedSupervisor };

export function newFleet(spec: ResolvedFleet): FleetState {
  return {
    spec,
    ready: false,
    grown: 0,
    shrinking: false,
    drainTo: undefined,
    rolling: undefined,
    jobs: 0,
    queue: [],
    next: 0,
    running: [],
    begun: [],
    results: [],
    done: 0,
    failed: 0,
    pausedUntil: undefined,
    wakeAt: undefined,
    callers: [],
  };
}

export interface FleetStatus {
  /** `down`: its supervisor is not running. `drained`: every job that was taken before `drain()` has ended. */
  readonly status: 'starting' | 'open' | 'draining' | 'drained' | 'down';
  readonly kind: string;
  readonly size: number;
  /** Members that are up. */
  readonly up: number;
  /** Members at work. */
  readonly busy: number;
  readonly queued: number;
  /** Jobs that have ended, since the fleet was made. */
  readonly done: number;
  readonly failed: number;
  /** Its budget is exhausted until then, in epoch milliseconds. */
  readonly pausedUntil: number | undefined;
  readonly rolling: { readonly done: number; readonly total: number } | undefined;
}

export function statusOf(fleet: FleetState, state: SupervisorState): FleetStatus {
  const { spec, drainTo, queue, running, rolling, done, failed } = fleet;
  return {
    status:
      state.status === 'ended' || state.status === 'stopping'
        ? 'down'
        : drainTo !== undefined
          ? isDrained(fleet)
            ? 'drained'
            : 'draining'
          : fleet.ready && state.status === 'running'
            ? 'open'
            : 'starting',
    kind: spec.kind,
    size: spec.size,
    up: state.children.filter(({ status }) => status === 'running').length,
    busy: queueLength(running),
    queued: queueLength(queue),
    done,
    failed,
    pausedUntil: fleet.pausedUntil,
    rolling: rolling === undefined ? undefined : { done: rolling.total - rolling.left.length - rolling.now.length, total: rolling.total },
  };
}

export function isDrained({ drainTo, queue, running }: FleetState): boolean {
  return drainTo !== undefined && !running.some((part) => part.some(({ n }) => n <= drainTo)) && !isQueued(queue, ({ n }) => n <= drainTo);
}
