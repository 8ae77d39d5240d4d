/** What a supervisor knows, what can happen to it, and what it can want done: plain data, kept and sent like that of any agent. */

import type { FailureReason } from '../actors/failure.js';
import type { ResolvedChild, ResolvedSupervisor } from './spec.js';

/**
 * `waiting`: to be started when it is due. `terminated`: stopped by hand. `down`: stopped together with its supervisor. `ended`: it ended and is not to
 * be restarted.
 */
export type ChildStatus = 'starting' | 'running' | 'stopping' | 'waiting' | 'terminated' | 'down' | 'ended';

/** `anew`: as new. `upgrade`: with the machine that is registered now, its state migrated; anew when that cannot be. */
export type Renewal = 'anew' | 'upgrade';

export interface ChildState extends ResolvedChild {
  readonly status: ChildStatus;
  /** Counts its starts: what is told of an earlier one is out of date. */
  readonly run: number;
  /** How often it was restarted. */
  readonly restarts: number;
  /** Restarts in a row, each less than `periodMs` after the one before. */
  readonly streak: number;
  readonly startedAt: number | undefined;
  /** When a waiting one is due. */
  readonly dueAt: number | undefined;
  /** Who waits to hear of its start or its stop by hand. */
  readonly caller: string | undefined;
  /** How it is brought back next: `anew`, or `upgrade`d to the machine that is registered now. Otherwise it goes on where it stood. */
  readonly renew?: Renewal | undefined;
  /** It is to be stopped and forgotten. */
  readonly retiring?: boolean;
  /** Made by hand and not started yet: when that fails it is forgotten. */
  readonly fresh: boolean;
  readonly failure: ChildFailure | undefined;
}

/** How a child failed last. */
export interface ChildFailure {
  readonly reason: FailureReason | 'start';
  readonly message: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Why a supervisor has ended. */
export type SupervisorExit =
  | { readonly type: 'shutdown' }
  | { readonly type: 'significant-child'; readonly child: string }
  | { readonly type: 'intensity'; readonly child: string }
  | { readonly type: 'start-failed'; readonly child: string };

/** For people. */
export function describeExit(exit: SupervisorExit): string {
  switch (exit.type) {
    case 'shutdown':
      return 'was shut down';
    case 'significant-child':
      return `ended with its significant child "${exit.child}"`;
    case 'intensity':
      return `gave up: too many restarts, the last for child "${exit.child}"`;
    case 'start-failed':
      return `gave up: child "${exit.child}" could not be started`;
  }
}

export interface SupervisorState {
  readonly spec: ResolvedSupervisor;
  readonly status: 'new' | 'starting' | 'running' | 'stopping' | 'ended';
  /** In the order in which they were started first. */
  readonly children: readonly ChildState[];
  /** Times of the restarts that still count. */
  readonly restarts: readonly number[];
  /** Children that must stop before anything else is done; then those that wait are started, or the supervisor ends. */
  readonly stopping: readonly string[] | undefined;
  /** Children that are started one after the other before anything else is done. */
  readonly starting: readonly string[] | undefined;
  /** What has happened meanwhile, oldest first. */
  readonly queue: readonly SupervisorEvent[];
  readonly exit: SupervisorExit | undefined;
  /** Children that stop are not to come back. */
  readonly forgetting: boolean;
}

/** Why a call was refused. */
export type CallError =
  'not-found' | 'already-present' | 'running' | 'restarting' | 'not-running' | 'start-failed' | 'roll-stopped' | 'fleet';

/** `at`: epoch milliseconds. `random`: from 0 up to 1. `caller`: an address for the answer. */
export type SupervisorEvent =
  | { readonly type: 'init'; readonly at: number }
  /** Commands were carried out. `runs`: of each, where that may be out of date. */
  | { readonly type: 'started'; readonly ids: readonly string[]; readonly runs?: readonly number[]; readonly at: number }
  | {
      readonly type: 'start-failed';
      readonly id: string;
      readonly started: readonly string[];
      readonly message?: string;
      readonly renew?: 'none';
      readonly at: number;
      readonly random: number;
    }
  | { readonly type: 'stopped'; readonly ids: readonly string[]; readonly at: number }
  /**
   * A child ended by itself. `run`: which one, where that may be out of date. `counts`: whether a restart for it counts against the
   * intensity.
   */
  | {
      readonly type: 'exited';
      readonly id: string;
      readonly run?: number;
      readonly failure?: ChildFailure;
      readonly how: 'normal' | 'shutdown' | 'failed';
      readonly counts: boolean;
      readonly renew?: Renewal | 'none';
      /** For the dead letter of a member's job. */
      readonly details?: { readonly stack: string | undefined; readonly state: string | undefined; readonly sequenceNumber: number };
      readonly at: number;
      readonly random: number;
    }
  | { readonly type: 'wake'; readonly at: number }
  /** `forget`: its children, and theirs, are not to come back. */
  | { readonly type: 'shutdown'; readonly forget?: boolean; readonly at: number }
  /** It is declared once more, perhaps otherwise: options change, new children are started, others stay as they are. */
  | { readonly type: 'declare'; readonly spec: ResolvedSupervisor; readonly children: readonly ResolvedChild[]; readonly at: number }
  | { readonly type: 'spawn'; readonly child: ResolvedChild; readonly caller: string; readonly at: number }
  | { readonly type: 'terminate' | 'restart' | 'delete'; readonly id: string; readonly caller: string; readonly at: number }
  | MemberEvent;

/** What a fleet's mind wants of its members. */
export type MemberEvent =
  | { readonly type: 'add'; readonly children: readonly ResolvedChild[]; readonly at: number }
  /** All take the options of this one. */
  | { readonly type: 'tune'; readonly child: ResolvedChild; readonly at: number }
  /** To be stopped and forgotten. */
  | { readonly type: 'retire'; readonly id: string; readonly at: number }
  /** To be stopped and brought back. */
  | { readonly type: 'renew'; readonly id: string; readonly how: Renewal; readonly at: number };

/** Which child, for the how manieth time, and how. */
export interface StartOf {
  readonly id: string;
  readonly run: number;
  readonly renew?: Renewal;
}

export type Command =
  /** One after the other, up to the first that fails. */
  | { readonly do: 'start'; readonly children: readonly StartOf[] }
  /** One after the other. `forget`: it is never started again. */
  | { readonly do: 'stop'; readonly children: readonly { readonly id: string; readonly shutdownMs: number; readonly forget: boolean }[] }
  | { readonly do: 'wake'; readonly at: number }
  | { readonly do: 'answer'; readonly caller: string; readonly error: CallError | undefined; readonly message?: string | undefined }
  /** All children that were to be started with the supervisor are. */
  | { readonly do: 'ready' }
  | { readonly do: 'exit'; readonly exit: SupervisorExit };

export function newSupervisor(spec: ResolvedSupervisor, children: readonly ResolvedChild[]): SupervisorState {
  return {
    spec,
    status: 'new',
    children: children.map(newChild),
    restarts: [],
    stopping: undefined,
    starting: undefined,
    queue: [],
    exit: undefined,
    forgetting: false,
  };
}

export function newChild(child: ResolvedChild): ChildState {
  return {
    ...child,
    status: 'down',
    run: 0,
    restarts: 0,
    streak: 0,
    startedAt: undefined,
    dueAt: undefined,
    caller: undefined,
    fresh: false,
    failure: undefined,
  };
}

/** Not a report on a command. */
export function isFromOutside({ type }: SupervisorEvent): boolean {
  return type !== 'started' && type !== 'start-failed' && type !== 'stopped';
}
