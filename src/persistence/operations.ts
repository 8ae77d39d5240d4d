/** Operations as the ledger keeps them: intent, attempts and outcome of an activity, and what an open one waits for. */

import type { AgentKey } from './store.js';

/**
 * Where an operation stands. Open: `intended`, it has certainly not been begun since it was last known to be undone; `started`, it may have been begun; `held`, a person is to say.
 * `succeeded` too, when its machine could not take the outcome yet. Ended: `succeeded`; `failed`, it was not done; `unknown`, nobody knows whether it was; `compensated`, it was done and has been undone; `cancelled`, nobody wants it any more.
 */
export type OperationStatus = 'intended' | 'started' | 'held' | 'succeeded' | 'failed' | 'unknown' | 'compensated' | 'cancelled';

/** An activity's line in the ledger. */
export interface OperationRecord {
  readonly id: string;
  readonly activity: string;
  /** Path of the activity's actor in the agent. */
  readonly path: string;
  readonly status: OperationStatus;
  /** Attempts known to have failed. */
  readonly attempts: number;
  /** The user's own key, shared by every operation of this activity with that key; undefined when it has none. */
  readonly userKey: string | undefined;
  readonly input: string | undefined;
  /** Encoded result (`succeeded`, `compensated`) or error (of all others; the last attempt's while open). With `artifact` a pointer stands for the result. */
  readonly outcome: string | undefined;
  /** When the next attempt is due; undefined when none waits. */
  readonly nextRetryAt: number | undefined;
  /** Sequence number of the turn that intended it. */
  readonly intendedIn: number;
  /** Sequence number of the turn that took its outcome; 0 while open. */
  readonly settledIn: number;
  readonly intendedAt: number;
  readonly settledAt: number | undefined;
  /** Key of the breaker that it waits for; undefined when it waits for none. A settled one never does: a commit that settles it clears this, whatever it says here. */
  readonly parkedBy: string | undefined;
  /** The scope within whose compensation it is undone; undefined for one that nothing undoes. */
  readonly saga: string | undefined;
  /** Id of the operation that this one undoes, of the same agent. */
  readonly compensates: string | undefined;
  /** What people have said of it while it was held, oldest first; encoded. */
  readonly resolutions: string | undefined;
  /** Name of the artifact that has its result. */
  readonly artifact: string | undefined;
}

/** An operation, and whose it is. */
export interface AgentOperation {
  readonly agent: AgentKey;
  readonly agentId: string;
  readonly operation: OperationRecord;
}

/** A page of operations of all agents, in order of agent key and operation id (by code points). */
export interface OperationPage {
  /** The last one of the page before. */
  readonly after?: { readonly agent: AgentKey; readonly id: string };
  readonly limit: number;
  /** Only those of these agents. */
  readonly agents?: readonly AgentKey[];
}

export interface ParkedPage extends OperationPage {
  /** Only those that wait for the breaker with this key. */
  readonly by?: string;
}

/** `held`, `unknown`: with that status. `saga`: that belong to one. */
export interface FlaggedPage extends OperationPage {
  readonly flag: 'held' | 'unknown' | 'saga';
}

/** A part of the ledger, in order of agent key and operation id, to look through for results that are too old. */
export interface ExpiryPage {
  /** The last one of the part before. */
  readonly after?: { readonly agent: AgentKey; readonly id: string };
  /** So many operations are looked at. */
  readonly limit: number;
  /** Epoch milliseconds. */
  readonly before: number;
}

export interface Expired {
  /** How many lost their result. */
  readonly expired: number;
  /** The last one that was looked at; undefined: there are no more. */
  readonly next: { readonly agent: AgentKey; readonly id: string } | undefined;
}
