/**
 * Which nodes are alive: one that has not closed and was heard of within its lease, by the time that Spanner has. Nodes' own clocks decide nothing, so one that is wrong by a minute changes nothing.
 */

import { commitTimestamp, timestamp, type Parameter } from './wire.js';

/** Whose time leases go by: Spanner's, or the one that the store was opened with (for tests that move the time). */
export class LeaseTime {
  readonly #now: (() => number) | undefined;

  constructor(now: (() => number) | undefined) {
    this.#now = now;
  }

  /** For a column of commit times. */
  get cell(): string | number {
    return this.#now?.() ?? commitTimestamp;
  }

  /** For `currentTime`. */
  get parameter(): Parameter {
    return timestamp(this.#now?.());
  }
}

/** SQL; with the parameter `now`. */
const currentTime = 'COALESCE(@now, CURRENT_TIMESTAMP())';

/** SQL: the node of row `n` is alive. */
export const isAlive = `n.closed IS NULL AND TIMESTAMP_DIFF(${currentTime}, n.seen, MICROSECOND) < n.ttl_ms * 1000`;

/** SQL: no other live node than `@node` holds the agent of row `a`. */
export const isFree = `(a.owner IS NULL OR a.owner = @node OR a.owner NOT IN (SELECT n.node FROM nodes n WHERE ${isAlive}))`;

/** For an index whose rows have all of its columns; the emulator cannot see that they do. */
export function byIndex(name: string): string {
  return `@{FORCE_INDEX=${name}, spanner_emulator.disable_query_null_filtered_index_check=true}`;
}
