/**
 * Looks for mail that others have written, at an interval, by a read that may be a little old and so locks nothing and waits for nobody. Arrivals are told apart by Spanner's commit times: whatever a look has not seen was committed after the last that it saw.
 */

import { systemClock } from '../../core/clock.js';
import type { AgentKey } from '../store.js';
import { shards } from './keys.js';
import type { Link } from './link.js';
import { isFree, type LeaseTime } from './liveness.js';
import { integer, text } from './wire.js';

export interface MailWatchOptions {
  readonly link: Link;
  readonly time: LeaseTime;
  readonly node: number;
  readonly everyMs: number;
  readonly staleMs: number;
}

export class MailWatch {
  readonly #options: MailWatchOptions;
  #listener: ((agents: readonly AgentKey[]) => void) | undefined;
  /** As text, with nanoseconds. */
  #seen: string | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();

  constructor(options: MailWatchOptions) {
    this.#options = options;
  }

  /** The first look tells of all that waits. */
  listen(listener: (agents: readonly AgentKey[]) => void): void {
    const isFirst = this.#listener === undefined;
    this.#listener = listener;
    if (isFirst) this.#next();
  }

  #next(): void {
    if (this.#stopped) return;
    this.#timer = systemClock.setTimeout(() => {
      this.#look = this.#once()
        // The next look finds it; what is wrong for good is found by whoever writes.
        .catch(() => undefined)
        .finally(() => this.#next());
    }, this.#options.everyMs) as NodeJS.Timeout;
    // The runtime keeps the process up, if it is to be.
    this.#timer.unref();
  }

  async #once(): Promise<void> {
    const { link, time, node, staleMs } = this.#options;
    const rows = await link.read(
      `SELECT m.agent, ANY_VALUE(a.key) AS key, LOGICAL_OR(${isFree}) AS free, CAST(MAX(m.arrived) AS STRING) AS arrived
        FROM mailbox@{FORCE_INDEX=mailbox_arrivals} m JOIN agents a ON a.agent = m.agent
        WHERE m.shard BETWEEN 0 AND ${String(shards - 1)} AND m.origin <> @node AND m.arrived > COALESCE(TIMESTAMP(@seen), TIMESTAMP_SECONDS(0))
        GROUP BY m.agent ORDER BY arrived`,
      { now: time.parameter, node: integer(node), seen: text(this.#seen) },
      staleMs,
    );
    if (this.#stopped) return;
    this.#seen = (rows.at(-1)?.['arrived'] as string | undefined) ?? this.#seen;
    const agents = rows.filter(({ free }) => free === true).map((row) => row['key'] as AgentKey);
    if (agents.length > 0) this.#listener?.(agents);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    systemClock.clearTimeout(this.#timer);
    await this.#look;
  }
}
