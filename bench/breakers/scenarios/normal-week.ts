import { dayMs, weekMs } from '../world/calendar.js';
import type { Scenario } from './scenario.js';

export const normalWeek: Scenario = {
  id: 'normal-week',
  title: 'A normal week',
  about:
    'Nothing is broken that is not broken every week: batch at night, maintenance on Sunday, a few blips of 4 s. Every leaving of `closed` is a false trip.',
  week: 1,
  beginMs: 0,
  lengthMs: weekMs,
  faults: [],
  blips: true,
  // Refusals are not retried here: a false trip at noon gathers so many retries that a library which closes at once never gets out of
  // it again, and its trips would count that one collapse in place of what its threshold makes of the week.
  callers: 'retry-failures',
  detailed: false,
  pictureBucketS: 600,
  columns: [
    { name: 'tripsPerDay', head: 'false trips/day', digits: 1, goal: { most: 1 } },
    { name: 'rejectedPercent', head: 'calls rejected', digits: 3, unit: '%', goal: { most: 0.05 } },
    { name: 'offered', head: 'offered', digits: 0 },
    { name: 'served', head: 'served', digits: 0 },
    { name: 'lost', head: 'lost', digits: 0 },
  ],
  judge: (recording) => ({
    tripsPerDay: recording.changes.filter(({ from }) => from === 'closed').length / (weekMs / dayMs),
    rejectedPercent: (100 * recording.sum('rejected')) / recording.sum('attempted'),
    offered: recording.sum('offered'),
    served: recording.sum('served'),
    lost: recording.sum('lost'),
  }),
};

/** The week before, from which a policy learns. It is played once per seed. */
export const learningWeek: Scenario = { ...normalWeek, id: 'learning-week', title: 'The learning week', week: 0 };
