/** Operations as the ledger keeps them: intent, attempts and outcome of an activity. */

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
}
