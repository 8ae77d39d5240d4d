/** Everything the team does to the outside. None of these is retried by itself: who fails is the supervisors' business here. */

import { activity } from 'statewarden';
import { examine, type Habits, type Signal } from '../anomalies.js';
import type { Incident } from '../incidents.js';
import { readWindow, windowMs } from '../log-window.js';
import type { World } from '../world.js';
import type { Remedy } from './events.js';

export type Activities = ReturnType<typeof createActivities>;

export interface Scanned {
  readonly habits: Habits;
  readonly signals: readonly Signal[];
  readonly next: number;
  readonly last: boolean;
}

export interface Diagnosis {
  readonly evidence: string;
  readonly steps: readonly string[];
}

const once = { attempts: 1 };

export function createActivities(world: World) {
  const { log, services } = world.outage;
  const names = services.map(({ name }) => name);
  return {
    scan: activity({
      name: 'scan',
      onUnknown: 'retry',
      retry: once,
      run: (input: { offset: number; habits: Habits }, context): Promise<Scanned> =>
        world.call('scan', context, () => {
          const window = readWindow(log, input.offset);
          return { ...examine(input.habits, window, names), next: window.next, last: window.last };
        }),
    }),
    diagnose: activity({
      name: 'diagnose',
      onUnknown: 'retry',
      retry: once,
      run: (incident: Incident, context): Promise<Diagnosis> =>
        world.call('diagnose', context, async () => {
          await world.suffer('responder', incident.service, context.signal);
          const runbook = services.find(({ name }) => name === incident.service)?.runbook ?? [];
          return { evidence: evidenceOf(incident, log), steps: runbook };
        }),
    }),
    remediate: activity({
      name: 'remediate',
      onUnknown: 'retry',
      retry: once,
      // A step of an incident is one operation, whichever worker takes it and however often its job is handed out.
      key: ({ incident, step }: Remedy) => `${incident} step ${String(step)}`,
      run: (remedy: Remedy, context): Promise<string> =>
        world.call('remediate', context, async () => {
          await world.suffer('worker', remedy.service, context.signal);
          world.apply(context.idempotencyKey, `${remedy.service}: ${remedy.action}`);
          return remedy.action;
        }),
    }),
    page: activity({
      name: 'page',
      onUnknown: 'retry',
      retry: once,
      budget: { name: 'pages', amount: 1 },
      run: (incident: Incident, context): Promise<string> =>
        world.call('page', context, () => {
          world.apply(context.idempotencyKey, `paged for ${incident.id}`);
          return 'paged';
        }),
    }),
  };
}

/** What the log says most often of a service in the first minute of an incident, without what differs from line to line. */
function evidenceOf({ service, kind, finding, openedAt, offset }: Incident, log: string): string {
  if (kind === 'silent') return finding;
  const counts = new Map<string, number>();
  for (let from = offset, last = false; !last;) {
    const window = readWindow(log, from);
    if (window.at > openedAt + windowMs) break;
    for (const line of window.lines) {
      const odd = line.service === service && (kind === 'slow' || line.failed);
      const message = odd ? line.text.replace(/ ?\b(trace|pid)=\S+/g, '').replace(/^.*? [1-5]\d\d \d+ms /, '') : '';
      if (message !== '') counts.set(message, (counts.get(message) ?? 0) + 1);
    }
    ({ next: from, last } = window);
  }
  const [most] = [...counts].sort(([one, n], [other, m]) => m - n || (one < other ? -1 : 1));
  return most === undefined ? finding : most[0];
}
