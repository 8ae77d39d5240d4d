/** Operations as the ledger keeps them: intent, attempts and outcome of an activity, and what an open one waits for. */

import type { AgentKey } from './store.js';

/** An activity's line in the ledger. `unknown` is derived: intended or started, and its node is gone. */
export interface OperationRecord {
  readonly id: string;
  readonly activity: string;
  /** Path of the activity's actor in the agent. */
  readonly path: string;
  readonly status: 'intended' | 'succeeded' | 'failed' | 'cancelled';
  /** Attempts known to have failed. */
  readonly attempts: number;
  /** The user's own key, shared by every operation of this activity with that key; undefined when it has none. */
  readonly userKey: string | undefined;
  readonly input: string | undefined;
  /** Encoded result (`succeeded`) or error (`failed`, or the last attempt's while `intended`). */
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
}

/** An open operation that waits for a breaker, and whose it is. */
export interface ParkedOperation {
  readonly agent: AgentKey;
  readonly agentId: string;
  readonly operation: OperationRecord;
}

export interface ParkedPage {
  /** The last one of the page before. */
  readonly after?: { readonly agent: AgentKey; readonly id: string };
  readonly limit: number;
  /** Only those that wait for the breaker with this key. */
  readonly by?: string;
  /** Only those of these agents. */
  readonly agents?: readonly AgentKey[];
}
