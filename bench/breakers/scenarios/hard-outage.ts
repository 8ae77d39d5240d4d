import { dayMs, hourMs, minuteMs, secondMs } from '../world/calendar.js';
import type { Fault } from '../world/conditions.js';
import { backlogGoneAfterS, failedDuring, openAfterS, peakLoad, peakLoadCold, reopened, servedDuring } from './measures.js';
import type { Scenario } from './scenario.js';

/** Ten minutes of a Tuesday's busiest hour; back at 30 %, warm after a minute. */
export const outage = {
  kind: 'outage',
  fromMs: 10 * minuteMs,
  toMs: 20 * minuteMs,
  coldShare: 0.3,
  warmUpMs: 60 * secondMs,
} as const satisfies Fault;

const afterwards = { fromMs: outage.toMs, toMs: outage.toMs + 5 * minuteMs };

export const hardOutage: Scenario = {
  id: 'hard-outage',
  title: 'Hard outage and cold start',
  about:
    'For ten minutes at the peak every call is refused; then the service is back at 30 % of its capacity, warm after a minute, and everybody who still waits tries again.',
  week: 1,
  beginMs: dayMs + 12 * hourMs - 15 * minuteMs,
  lengthMs: 40 * minuteMs,
  faults: [outage],
  blips: false,
  callers: 'retry',
  detailed: true,
  pictureBucketS: 5,
  columns: [
    { name: 'open', head: 'open after', digits: 1, unit: 's', missing: 'never', goal: { most: 2 } },
    { name: 'failed', head: 'failed calls let through', digits: 0, goal: { most: 80 } },
    {
      name: 'backlog',
      head: 'backlog gone after',
      digits: 0,
      unit: 's',
      missing: 'never',
      goal: { of: 'bulkhead', factor: 1.1, kind: 'most' },
    },
    { name: 'peak', head: 'peak load / capacity', digits: 2, goal: { most: 1.3 } },
    { name: 'peakCold', head: '… / capacity when cold', digits: 1 },
    { name: 'reopened', head: 'opened again', digits: 0, goal: { most: 0 } },
    { name: 'served', head: 'served in 5 min after', digits: 0 },
    { name: 'lost', head: 'lost', digits: 0 },
  ],
  judge: (recording) => ({
    open: openAfterS(recording, outage),
    failed: failedDuring(recording, outage),
    backlog: backlogGoneAfterS(recording, outage.toMs),
    peak: peakLoad(recording, outage.toMs),
    peakCold: peakLoadCold(recording, outage.toMs),
    reopened: reopened(recording, outage.toMs),
    served: servedDuring(recording, afterwards),
    lost: recording.sum('lost'),
  }),
};
