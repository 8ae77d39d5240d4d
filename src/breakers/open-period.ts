/** How long a breaker stays open. */

import type { OpenPeriods } from './options.js';
import type { Random } from '../core/random.js';

export interface Outage {
  /** How often it has opened in this outage. */
  readonly opened: number;
  /** Since it was last closed. */
  readonly lastsMs: number;
  /** Nodes that ask the same service: each asks the more seldom. */
  readonly nodes: number;
}

/** Doubled each time, up to a fortieth of the outage's length: a service that is back is found soon, one that is gone for hours is left alone. */
export function openPeriodMs({ initialMs, maximumMs }: OpenPeriods, { opened, lastsMs, nodes }: Outage, random: Random): number {
  const bound = Math.max(3 * initialMs, lastsMs / 40);
  const spread = nodes > 1 ? 0.5 : 0.1;
  const jitter = 1 + spread * (2 * random.next() - 1);
  // The longest is not exceeded by jitter either.
  return Math.min(initialMs * 2 ** Math.min(opened, 30), bound, maximumMs / (1 + spread)) * nodes * jitter;
}
