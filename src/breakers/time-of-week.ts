/** Which minute of the week it is, Monday 00:00 being 0, in a time zone of the user's choice. */

import { BadInputError } from '../core/errors.js';

export const minutesOfDay = 1_440;
export const minutesOfWeek = 7 * minutesOfDay;
export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

/** Epoch milliseconds to a minute of the week, 0 to 10,079. */
export type TimeOfWeek = (at: number) => number;

const minuteMs = 60_000;
/** Offsets change on the quarter of an hour, in every zone there is. */
const quarterMs = 15 * minuteMs;
/** 1970-01-01 was a Thursday. */
const epochMinute = 3 * minutesOfDay;

const utc: TimeOfWeek = (at) => wrap(Math.floor(at / minuteMs) + epochMinute);

/**
 * @param timeZone IANA name, for example `Europe/Vienna`; undefined: UTC
 * @throws BadInputError
 */
export function timeOfWeek(timeZone: string | undefined): TimeOfWeek {
  if (timeZone === undefined || timeZone === 'UTC') return utc;
  const format = formatter(timeZone);
  let quarter = Number.NaN;
  let offset = 0;
  return (at) => {
    const current = Math.floor(at / quarterMs);
    if (current !== quarter) {
      quarter = current;
      const start = current * quarterMs;
      const parts = Object.fromEntries(format.formatToParts(start).map(({ type, value }) => [type, value]));
      const day = weekdays.indexOf((parts['weekday'] as string).toLowerCase().slice(0, 3) as Weekday);
      offset = day * minutesOfDay + Number(parts['hour']) * 60 + Number(parts['minute']) - utc(start);
    }
    return wrap(utc(at) + offset);
  };
}

function formatter(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  } catch (cause) {
    throw new BadInputError(`there is no time zone ${JSON.stringify(timeZone)}`, {
      hint: "Use an IANA name, for example 'Europe/Vienna', or leave it out for UTC.",
      cause,
    });
  }
}

function wrap(minute: number): number {
  return ((minute % minutesOfWeek) + minutesOfWeek) % minutesOfWeek;
}
