/**
 * Time that nobody sets: a host's own, since it was started, the same for all of its processes. Leases go by it, so that a time of day that is wrong, or that somebody puts right, takes nothing from anybody.
 *
 * A store that is opened with another clock than the machine's has its leases follow that one: tests move the time.
 */

import { systemClock } from '../../core/clock.js';

/** The time of day is read in whole milliseconds, and kept right in small steps. */
const slackMs = 50;

/** Of this host's time over the time of day, as this process sees it. */
let offsetMs = NaN;

/** For what a store's clock shows now. */
export function hostTime(now: number): number {
  const found = Number(process.hrtime.bigint() / 1_000n) / 1_000 - systemClock.now();
  if (!(Math.abs(found - offsetMs) <= slackMs)) offsetMs = found;
  return now + offsetMs;
}
