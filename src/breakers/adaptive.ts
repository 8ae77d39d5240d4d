/** The breaker that learns what is normal. */

import { systemClock } from '../core/clock.js';
import { AdaptiveTripwire, type Learning } from './adaptive-tripwire.js';
import { Baseline } from './baseline.js';
import type { Breaker } from './contract.js';
import { checkMs, checkName, define, make, type BreakerOptions } from './options.js';
import { resolveProfile, type Profile, type ProfileChoice, type ProfileName } from './profile.js';
import { timeOfWeek } from './time-of-week.js';
import { Tunings } from './tuning.js';

export interface AdaptiveBreakerOptions extends BreakerOptions {
  /** How much it tolerates; or what chooses that by the time (`calendar`), the load and the priority of calls. Default `normal`. */
  readonly profile?: ProfileName | Profile | ProfileChoice;
  /** Whose hours of the week it learns by: an IANA name. Default UTC. */
  readonly timeZone?: string;
  /** A call that takes longer is slow. Default: three times what is usual at this hour. */
  readonly slowMs?: number;
}

/**
 * A breaker that learns the failure rate, the load and the latency of each hour of the week, trips on what is unusual for the hour, tells a brown-out (it degrades: what the service can bear passes) from an outage (it opens), and lets a
 * service that comes back have as much as it can take, step by step.
 * @throws BadInputError
 */
export function adaptiveBreaker(options: AdaptiveBreakerOptions): Breaker {
  checkName('adaptiveBreaker()', options);
  const { profile = 'normal', timeZone, slowMs, clock = systemClock } = options;
  const where = `adaptiveBreaker "${options.name}"`;
  const resolved = typeof profile === 'function' ? profile : resolveProfile(profile, `${where}, profile`);
  // A function is asked once now, so that a mistake shows at once.
  if (typeof profile === 'function')
    resolveProfile(profile({ at: clock.now(), load: 1, highPriority: 0 }), `${where}, what profile() returned`);
  timeOfWeek(timeZone);
  if (slowMs !== undefined) checkMs(where, 'slowMs', slowMs);
  const settings = { profile: resolved, timeZone, slowMs };
  const definition = define('adaptiveBreaker', options, {
    kind: 'adaptive',
    learning: (clock, shared) => ({ settings, clock, tunings: new Tunings(new Baseline(timeZone)), shared }),
    tripwire: (window, learning) => new AdaptiveTripwire(learning as Learning, window),
  });
  return make(definition, options);
}
