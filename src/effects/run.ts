/** One operation under way: what the parts of a runner know of it together. */

import type { Agent } from '../actors/agent.js';
import type { Operation } from '../actors/operation.js';
import type { CallSpan } from '../actors/tracing.js';
import type { Guard, Permit, Priority } from '../breakers/contract.js';
import type { TimerHandle } from '../core/clock.js';
import type { ResolvedActivity } from './activity.js';
import type { Parked } from './parking.js';
import type { ResolvedProfile } from './profiles.js';

export interface Run {
  readonly agent: Agent;
  readonly operation: Operation;
  readonly activity: ResolvedActivity;
  /** How it is tried again. */
  readonly profile: ResolvedProfile;
  /** Of the attempt that runs now; aborts its signal. */
  abort: ((reason: Error) => void) | undefined;
  /** Ends it when its profile's deadline passes while it waits. */
  deadline: TimerHandle;
  startedAt: number;
  /** An attempt, of this life or an earlier one, may have been carried out although no outcome came. */
  doubt: boolean;
  /** That attempt is of an earlier life. */
  inherited: boolean;
  /** How often the outside was asked what became of it, in this life. */
  questions: number;
  /** From when its deadline counts: epoch milliseconds. */
  countsFrom: number;
  /** Ends what is done for it besides its attempts; called when it is forgotten. */
  stop?: (() => void) | undefined;
  /** Told when the attempt that runs has ended, whatever came of it. */
  ended?: () => void;
  /** `traceparent` of the turn that asked for it. */
  readonly askedIn: string | undefined;
  /** Of the attempt that runs now. */
  span?: CallSpan | undefined;
  guard: Guard | undefined;
  priority: Priority | undefined;
  /** It waits for its guard. `go` with undefined: it is not wanted any more. */
  parked: (Parked & { readonly go: (permit: Permit | undefined) => void }) | undefined;
}

/** One that begins; `doubt`: an attempt of an earlier life may have been carried out. */
export function newRun(
  agent: Agent,
  operation: Operation,
  activity: ResolvedActivity,
  profile: ResolvedProfile,
  doubt: boolean,
  countsFrom: number,
): Run {
  const nothing = { abort: undefined, deadline: undefined, guard: undefined, priority: undefined, parked: undefined };
  const { trace: askedIn } = operation;
  return { agent, operation, activity, profile, startedAt: 0, doubt, inherited: doubt, questions: 0, countsFrom, askedIn, ...nothing };
}
