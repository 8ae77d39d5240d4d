import { minuteMs } from '../world/calendar.js';
import { hardOutage, outage } from './hard-outage.js';
import { backlogGoneAfterS, failedDuring, peakLoad } from './measures.js';
import type { Scenario } from './scenario.js';

export const parking: Scenario = {
  ...hardOutage,
  id: 'parking',
  title: 'Hard outage with callers that park',
  about:
    'The hard outage before durable agents: nobody retries by himself or gives up; who is refused lies still until the guard says that he may come.',
  callers: 'park',
  lengthMs: 60 * minuteMs,
  policies: ['statewarden', 'oracle'],
  columns: [
    { name: 'lost', head: 'lost', digits: 0, goal: { most: 0 } },
    { name: 'done', head: 'backlog done after', digits: 0, unit: 's', missing: 'never', goal: { of: 'oracle', factor: 1.2, kind: 'most' } },
    { name: 'failed', head: 'failed calls let through', digits: 0 },
    { name: 'peak', head: 'peak load / capacity', digits: 2 },
  ],
  judge: (recording) => ({
    // Of those who came before the end of the outage, whoever is not served half an hour later counts as lost.
    lost: Math.max(recording.sum('lost'), recording.unserved(outage.toMs / 1_000)),
    done: backlogGoneAfterS(recording, outage.toMs),
    failed: failedDuring(recording, outage),
    peak: peakLoad(recording, outage.toMs),
  }),
};
