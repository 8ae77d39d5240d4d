/** Profiles, the calendar that chooses between them, and the week that it reads. */

import { expect } from 'chai';
import fc from 'fast-check';
import { adaptiveBreaker, calendar, type CalendarEntry, type Conditions, type Profile, type ProfileChoice } from '#src/breakers/index.js';
import { profiles } from '#src/breakers/profile.js';
import { minutesOfWeek, timeOfWeek } from '#src/breakers/time-of-week.js';
import { failing } from '../bad-input/failing.js';
import { runs } from '../properties/runs.js';
import { chance, good, HandClock, monday, once, times } from './by-hand.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const at = (time: number): Conditions => ({ at: time, load: 1, highPriority: 0 });
const nameOf = (profile: unknown): string | undefined => Object.entries(profiles).find(([, each]) => each === profile)?.[0];
const chosen = (choice: ProfileChoice, time: number): string | undefined => nameOf(choice(at(time)));
/** `day`: 0 is Monday. */
const utc = (day: number, hour: number, minute = 0): number => Date.UTC(2025, 5, 2 + day, hour, minute);

describe('a calendar', () => {
  it('takes the first entry that fits, from its first minute to before its last', () => {
    const choice = calendar([
      { days: ['mon'], from: '10:00', to: '12:30', profile: 'tolerant' },
      { days: 'weekdays', from: '09:00', to: '17:00', profile: 'critical' },
    ]);
    expect(chosen(choice, utc(0, 8, 59))).to.equal('normal');
    expect(chosen(choice, utc(0, 9))).to.equal('critical');
    expect(chosen(choice, utc(0, 10))).to.equal('tolerant');
    expect(chosen(choice, utc(0, 12, 30) - 1)).to.equal('tolerant');
    expect(chosen(choice, utc(0, 12, 30))).to.equal('critical');
    expect(chosen(choice, utc(1, 10))).to.equal('critical');
    expect(chosen(choice, utc(4, 16, 59))).to.equal('critical');
    expect(chosen(choice, utc(4, 17))).to.equal('normal');
    expect(chosen(choice, utc(5, 10))).to.equal('normal');
  });

  it('goes past midnight into the next day, and from Sunday into Monday', () => {
    const choice = calendar([{ days: ['sun'], from: '22:00', to: '04:00', profile: 'tolerant' }], { otherwise: 'critical' });
    expect(chosen(choice, utc(6, 21, 59))).to.equal('critical');
    expect(chosen(choice, utc(6, 22))).to.equal('tolerant');
    expect(chosen(choice, utc(7, 3, 59))).to.equal('tolerant');
    expect(chosen(choice, utc(7, 4))).to.equal('critical');
    expect(chosen(choice, utc(6, 3))).to.equal('critical');
    expect(chosen(choice, utc(5, 23))).to.equal('critical');
  });

  it('means the whole day without times, and every day without days', () => {
    const choice = calendar([
      { days: 'weekend', profile: 'tolerant' },
      { from: '23:00', profile: 'critical' },
      { to: '01:00', profile: { margin: 0.05, deviations: 1, hardLimit: 0.4 } },
    ]);
    expect(chosen(choice, utc(5, 0))).to.equal('tolerant');
    expect(chosen(choice, utc(6, 23, 59))).to.equal('tolerant');
    for (const day of [0, 1, 2, 3, 4]) expect(chosen(choice, utc(day, 23, 30))).to.equal('critical');
    expect(choice(at(utc(2, 0, 59)))).to.deep.equal({ margin: 0.05, deviations: 1, hardLimit: 0.4 });
    expect(chosen(choice, utc(2, 1))).to.equal('normal');
  });

  it('falls back to `otherwise`, by name or by figures', () => {
    const entries: readonly CalendarEntry[] = [{ days: ['tue'], profile: 'critical' }];
    expect(chosen(calendar(entries), monday)).to.equal('normal');
    expect(chosen(calendar(entries, { otherwise: 'tolerant' }), monday)).to.equal('tolerant');
    const own = { margin: 0.1, deviations: 0, hardLimit: 0.3 };
    expect(calendar(entries, { otherwise: own })(at(monday))).to.deep.equal(own);
  });

  it('reads the clock on the wall of its time zone, also on the days that have 23 and 25 hours', () => {
    const choice = calendar([{ days: ['sun'], from: '09:00', to: '10:00', profile: 'critical' }], { timeZone: 'Europe/Vienna' });
    // 30 March 2025: 02:00 becomes 03:00. 26 October: 03:00 becomes 02:00.
    expect(chosen(choice, Date.UTC(2025, 2, 23, 8))).to.equal('critical');
    expect(chosen(choice, Date.UTC(2025, 2, 30, 7))).to.equal('critical');
    expect(chosen(choice, Date.UTC(2025, 2, 30, 8))).to.equal('normal');
    expect(chosen(choice, Date.UTC(2025, 9, 26, 7))).to.equal('normal');
    expect(chosen(choice, Date.UTC(2025, 9, 26, 8))).to.equal('critical');
    const night = calendar([{ from: '02:00', to: '03:00', profile: 'tolerant' }], { timeZone: 'Europe/Vienna' });
    const tolerantMinutes = (day: number, month: number): number => {
      const start = Date.UTC(2025, month, day) - 3 * hourMs;
      return Array.from({ length: 24 * 60 }, (_, minute) => chosen(night, start + minute * minuteMs)).filter((name) => name === 'tolerant')
        .length;
    };
    expect([tolerantMinutes(29, 2), tolerantMinutes(30, 2), tolerantMinutes(26, 9)]).to.deep.equal([60, 0, 120]);
  });

  it('changes with the offset in the middle of an hour, where there are such zones', () => {
    // Lord Howe Island goes from +10:30 to +11:00 on 5 October 2025, 02:00.
    const minuteOf = timeOfWeek('Australia/Lord_Howe');
    const change = Date.UTC(2025, 9, 4, 15, 30);
    expect(minuteOf(change - 1) % 1_440).to.equal(119);
    expect(minuteOf(change) % 1_440).to.equal(150);
  });

  const entry: CalendarEntry = { profile: 'critical' };
  const wrong: readonly (readonly [string, unknown, object | undefined, string])[] = [
    ['no entries', [], undefined, 'calendar() has no entries'],
    ['no list', entry, undefined, 'calendar() has no entries'],
    ['no day', [{ ...entry, days: [] }], undefined, 'calendar entry 0: days is []'],
    ['a day that is none', [entry, { ...entry, days: ['mon', 'monday'] }], undefined, 'calendar entry 1: days is ["mon","monday"]'],
    ['a word for days', [{ ...entry, days: 'workdays' }], undefined, 'calendar entry 0: days is "workdays"'],
    ['a time that is none', [{ ...entry, from: '9' }], undefined, 'calendar entry 0: "9" is no time of day'],
    ['a minute that is none', [{ ...entry, from: '09:60' }], undefined, 'calendar entry 0: "09:60" is no time of day'],
    ['a time after midnight', [{ ...entry, to: '24:01' }], undefined, 'calendar entry 0: "24:01" is no time of day'],
    ['a number for a time', [{ ...entry, to: 17 }], undefined, 'calendar entry 0: 17 is no time of day'],
    ['no time at all', [{ ...entry, from: '09:00', to: '09:00' }], undefined, 'calendar entry 0 begins when it ends'],
    ['no profile', [{}], undefined, 'calendar entry 0: undefined is no profile'],
    ['a profile that is none', [{ profile: 'strict' }], undefined, 'calendar entry 0: "strict" is no profile'],
    ['a name that every object has', [{ profile: 'constructor' }], undefined, '"constructor" is no profile'],
    ['a share that is none', [{ profile: { ...profiles.normal, margin: 1 } }], undefined, 'is no profile'],
    ['a bad `otherwise`', [entry], { otherwise: 'none' }, 'calendar, otherwise: "none" is no profile'],
    ['a time zone that is none', [entry], { timeZone: 'Europe/Wien' }, 'there is no time zone "Europe/Wien"'],
  ];
  for (const [name, entries, options, message] of wrong) {
    it(`is refused: ${name}`, async () => {
      expect((await failing('BAD_INPUT', () => calendar(entries as never, options as never))).message).to.include(message);
    });
  }
});

describe('the minute of the week', () => {
  it('is what the calendar of the zone says, for any time', () => {
    const zones = ['UTC', 'Europe/Vienna', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe'];
    const order = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(fc.integer({ min: -1e11, max: 4e12 }), { minLength: 1, maxLength: 5 }),
        (zone, all) => {
          const minuteOf = timeOfWeek(zone);
          const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit' });
          for (const time of all) {
            const [weekday, clock] = format.format(time).split(/[ ,]+/) as [string, string];
            const [hour, minute] = clock.split(':').map(Number) as [number, number];
            expect(minuteOf(time)).to.equal(order.indexOf(weekday) * 1_440 + hour * 60 + minute);
            expect(minuteOf(time)).to.be.within(0, minutesOfWeek - 1);
          }
        },
      ),
      runs(60),
    );
  });
});

describe('the profile of a breaker', () => {
  const limitWith = (profile: Profile | ProfileChoice | 'critical' | 'normal' | 'tolerant', clock = new HandClock()): number =>
    adaptiveBreaker({ name: 'api', profile, clock, random: chance(1) }).figures().threshold;

  it('sets what is too much before anything is known', () => {
    expect(limitWith('critical')).to.equal(0.5);
    expect(limitWith('normal')).to.equal(0.6);
    expect(limitWith('tolerant')).to.equal(0.75);
    expect(limitWith({ margin: 0.1, deviations: 1, hardLimit: 0.33 })).to.equal(0.33);
  });

  it('is what the calendar says of this minute, and another one when the time has come', () => {
    const choice = calendar([{ from: '10:30', to: '11:00', profile: 'critical' }], { otherwise: 'tolerant' });
    const clock = new HandClock(monday);
    const breaker = adaptiveBreaker({ name: 'api', profile: choice, clock, random: chance(1) });
    expect(breaker.figures().threshold).to.equal(0.75);
    clock.advance(30 * minuteMs);
    expect(breaker.figures().threshold).to.equal(0.5);
    clock.advance(30 * minuteMs - 1);
    expect(breaker.figures().threshold).to.equal(0.5);
    clock.advance(1);
    expect(breaker.figures().threshold).to.equal(0.75);
  });

  it('can be chosen by the share of calls that go first', () => {
    const clock = new HandClock(monday);
    const profile: ProfileChoice = ({ highPriority }) => (highPriority >= 0.5 ? 'critical' : 'tolerant');
    const breaker = adaptiveBreaker({ name: 'api', profile, clock, random: chance(1) });
    const minute = (high: number, others: number): number => {
      times(high, () => once(breaker, clock, good, 10, { priority: 'high' }));
      times(others, () => once(breaker, clock, good, 10));
      clock.advance(minuteMs - (clock.now() % minuteMs));
      return breaker.figures().threshold;
    };
    expect(minute(0, 10)).to.equal(0.75);
    expect(minute(5, 5)).to.equal(0.5);
    expect(minute(4, 6)).to.equal(0.75);
    expect(minute(0, 0)).to.equal(0.75);
  });

  it('can be chosen by the load, compared with what is usual at this hour', () => {
    const clock = new HandClock(monday);
    const loads: number[] = [];
    const breaker = adaptiveBreaker({
      name: 'api',
      profile: ({ load }) => {
        loads.push(load);
        return load > 2 ? 'tolerant' : 'critical';
      },
      clock,
      random: chance(1),
    });
    const minute = (calls: number): void => {
      times(calls, () => once(breaker, clock, good, 1));
      clock.advance(minuteMs - (clock.now() % minuteMs));
      breaker.figures();
    };
    times(30, () => minute(60));
    expect(loads.at(-1)).to.be.closeTo(1, 0.01);
    const calm = breaker.figures().threshold;
    minute(180);
    expect(loads.at(-1)).to.be.closeTo(3, 0.3);
    expect(breaker.figures().threshold).to.be.greaterThan(calm + 0.1);
    minute(60);
    expect(breaker.figures().threshold).to.be.closeTo(calm, 0.05);
  });

  it('that is none is refused when the breaker is made, and later the last good one stays: no call ends differently for it', async () => {
    const clock = new HandClock(monday);
    await failing('BAD_INPUT', () => adaptiveBreaker({ name: 'api', profile: (() => 'strict') as never, clock }));
    let answer: string | Error = 'critical';
    const profile = (() => {
      if (answer instanceof Error) throw answer;
      return answer;
    }) as ProfileChoice;
    const stage = adaptiveBreaker({ name: 'stage', level: 'stage', clock, random: chance(1) });
    const breaker = adaptiveBreaker({ name: 'api', profile, within: stage, clock, random: chance(1) });
    expect(breaker.figures().threshold).to.equal(0.5);
    for (const wrong of ['strict', new Error('a mistake')]) {
      answer = wrong;
      clock.advance(minuteMs);
      expect(once(breaker, clock, good, 5)).to.equal(true);
      expect(breaker.figures()).to.include({ threshold: 0.5, inFlight: 0 });
      expect(stage.figures()).to.include({ calls: 1, inFlight: 0 });
    }
  });
});
