/** Two brown-outs on a Tuesday, for ten minutes of its busiest hour: nothing is down, but much fails, or little gets through. */

import { dayMs, hourMs, minuteMs } from '../world/calendar.js';
import { noticedAfterS, offeredDuring, openAfterS, servedDuring } from './measures.js';
import type { Column, Scenario } from './scenario.js';

const fault = { fromMs: 10 * minuteMs, toMs: 20 * minuteMs } as const;

const common = {
  week: 1,
  beginMs: dayMs + 12 * hourMs - 15 * minuteMs,
  lengthMs: 35 * minuteMs,
  blips: false,
  callers: 'retry',
  detailed: true,
  pictureBucketS: 5,
  judge: (recording) => ({
    offered: offeredDuring(recording, fault),
    served: servedDuring(recording, fault),
    noticed: noticedAfterS(recording, fault),
    open: openAfterS(recording, fault),
    lost: recording.sum('lost'),
  }),
} satisfies Partial<Scenario>;

const columns = (served: Column['goal'], noticed: Column['goal']): readonly Column[] => [
  { name: 'offered', head: 'offered in 10 min', digits: 0 },
  { name: 'served', head: 'served in 10 min', digits: 0, ...(served === undefined ? {} : { goal: served }) },
  { name: 'noticed', head: 'noticed after', digits: 1, unit: 's', missing: 'blind', ...(noticed === undefined ? {} : { goal: noticed }) },
  { name: 'open', head: 'open after', digits: 1, unit: 's', missing: 'never' },
  { name: 'lost', head: 'lost', digits: 0 },
];

export const errorBrownOut: Scenario = {
  ...common,
  id: 'error-brown-out',
  title: 'Brown-out of 30 % errors',
  about: 'For ten minutes at the peak 30 % of the calls fail, however few are made. To stop calling serves nobody.',
  faults: [{ kind: 'errors', ...fault, share: 0.3 }],
  columns: columns({ of: 'oracle', factor: 0.97, kind: 'least' }, { most: 5 }),
};

export const capacityBrownOut: Scenario = {
  ...common,
  id: 'capacity-brown-out',
  title: 'Brown-out to 40 % of the capacity',
  about:
    'For ten minutes at the peak the service can take 6.4 calls a second of the 8 that come, and each takes two and a half times as long.',
  faults: [{ kind: 'capacity', ...fault, share: 0.4 }],
  columns: columns({ of: 'bulkhead', factor: 0.95, kind: 'least' }, undefined),
};
