/** How much is tolerated, and when: three profiles and a calendar that chooses between them. */

import { BadInputError } from '../core/errors.js';
import { minutesOfDay, timeOfWeek, weekdays, type Weekday } from './time-of-week.js';

export type ProfileName = 'critical' | 'normal' | 'tolerant';

export interface Profile {
  /** So much more than is normal, as a share of calls, is too much. */
  readonly margin: number;
  /** Or so many standard deviations of what is normal, if that is more. */
  readonly deviations: number;
  /** A failure rate beyond it opens; below, the breaker degrades. */
  readonly hardLimit: number;
}

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  critical: { margin: 0.1, deviations: 3, hardLimit: 0.5 },
  normal: { margin: 0.2, deviations: 3, hardLimit: 0.6 },
  tolerant: { margin: 0.3, deviations: 4, hardLimit: 0.75 },
};

/** What a profile may be chosen by. */
export interface Conditions {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Calls a second now, by those that are usual at this time of the week: 2 is twice as many. 1 while nothing is known. */
  readonly load: number;
  /** Share of the calls of the last minute that had priority `high`. */
  readonly highPriority: number;
}

/** Asked when the breaker is made, and then about once a minute; when it fails the profile stays what it was. */
export type ProfileChoice = (conditions: Conditions) => ProfileName | Profile;

export interface CalendarEntry {
  readonly profile: ProfileName | Profile;
  /** Default: every day. */
  readonly days?: readonly Weekday[] | 'weekdays' | 'weekend';
  /** `HH:MM`, default 00:00. */
  readonly from?: string;
  /** `HH:MM`, exclusive, default 24:00. Earlier than `from`: past midnight, into the next day. */
  readonly to?: string;
}

export interface CalendarOptions {
  /** IANA name. Default UTC. */
  readonly timeZone?: string;
  /** When no entry fits. Default `normal`. */
  readonly otherwise?: ProfileName | Profile;
}

/**
 * Chooses by time of the week; the first entry that fits counts.
 * @throws BadInputError for an empty calendar, a day or a time that is none
 */
export function calendar(entries: readonly CalendarEntry[], options: CalendarOptions = {}): ProfileChoice {
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new BadInputError('calendar() has no entries', {
      hint: "Give at least one: calendar([{ days: 'weekdays', from: '09:00', to: '17:00', profile: 'critical' }]).",
    });
  }
  const minuteOf = timeOfWeek(options.timeZone);
  const resolved = (entries as readonly CalendarEntry[]).map((entry, index) => {
    const where = `calendar entry ${String(index)}`;
    return {
      days: daysOf(entry.days, where),
      from: minutes(entry.from ?? '00:00', where),
      to: minutes(entry.to ?? '24:00', where),
      profile: resolveProfile(entry.profile, where),
    };
  });
  const empty = resolved.findIndex(({ from, to }) => from === to);
  if (empty >= 0) {
    throw new BadInputError(`calendar entry ${String(empty)} begins when it ends`, { hint: 'Leave `from` and `to` out for a whole day.' });
  }
  const otherwise = resolveProfile(options.otherwise ?? 'normal', 'calendar, otherwise');
  return ({ at }) => {
    const minute = minuteOf(at);
    const day = Math.floor(minute / minutesOfDay);
    const time = minute % minutesOfDay;
    const found = resolved.find(({ days, from, to }) =>
      from < to ? days.has(day) && time >= from && time < to : (days.has(day) && time >= from) || (days.has((day + 6) % 7) && time < to),
    );
    return found?.profile ?? otherwise;
  };
}

/** @throws BadInputError */
export function resolveProfile(profile: unknown, where: string): Profile {
  if (typeof profile === 'string' && Object.hasOwn(profiles, profile)) return profiles[profile as ProfileName];
  const { margin, deviations, hardLimit } = (typeof profile === 'object' && profile !== null ? profile : {}) as Partial<Profile>;
  const share = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 1;
  if (share(margin) && share(hardLimit) && typeof deviations === 'number' && deviations >= 0 && deviations < Infinity) {
    return { margin, deviations, hardLimit };
  }
  const shown = typeof profile === 'string' ? JSON.stringify(profile) : profile === undefined ? 'undefined' : JSON.stringify(profile);
  throw new BadInputError(`${where}: ${shown} is no profile`, {
    hint: "Use 'critical', 'normal' or 'tolerant', or { margin: 0.2, deviations: 3, hardLimit: 0.6 } with shares between 0 and 1.",
  });
}

function daysOf(days: CalendarEntry['days'], where: string): ReadonlySet<number> {
  if (days === undefined) return new Set([0, 1, 2, 3, 4, 5, 6]);
  if (days === 'weekdays') return new Set([0, 1, 2, 3, 4]);
  if (days === 'weekend') return new Set([5, 6]);
  const found = Array.isArray(days) ? days.map((day) => weekdays.indexOf(day as Weekday)) : [-1];
  if (found.length === 0 || found.includes(-1)) {
    throw new BadInputError(`${where}: days is ${JSON.stringify(days)}`, {
      hint: `Use 'weekdays', 'weekend', or some of ${weekdays.join(', ')}.`,
    });
  }
  return new Set(found);
}

function minutes(text: unknown, where: string): number {
  const match = typeof text === 'string' ? /^(\d{1,2}):(\d{2})$/.exec(text) : null;
  const value = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
  if (value <= minutesOfDay && Number(match?.[2]) < 60) return value;
  throw new BadInputError(`${where}: ${JSON.stringify(text) ?? 'undefined'} is no time of day`, { hint: "Use 'HH:MM', up to '24:00'." });
}
