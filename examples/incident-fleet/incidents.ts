/** From signals to incidents: which belong together, how bad it is, and what may have caused it. Pure; time is that of the log, so every run finds the same. */

import type { Signal } from './anomalies.js';
import { windowMs } from './log-window.js';
import type { Service } from './outage.js';

export interface Incident {
  /** `payments-1`: the first of its service. */
  readonly id: string;
  readonly service: string;
  readonly severity: 1 | 2 | 3;
  /** Of the first signal and of the last, epoch milliseconds of the log. */
  readonly openedAt: number;
  readonly lastAt: number;
  readonly alerts: number;
  readonly kind: Signal['kind'];
  readonly finding: string;
  /** Incident of a service that this one needs, directly or not. */
  readonly cause: string | undefined;
  /** Where in the log it begins. */
  readonly offset: number;
}

/** The incident of each service that got signals last. */
export type Latest = Readonly<Record<string, Incident>>;

/** Another signal of a service belongs to its last incident unless there was quiet for so long. */
const quietMs = 4 * windowMs;

export function sortIn(latest: Latest, signal: Signal, services: readonly Service[]): { incident: Incident; opened: boolean } {
  const { service, at, kind, finding, offset } = signal;
  const severity = severityOf(signal, services);
  const before = latest[service];
  if (before !== undefined && at - before.lastAt <= quietMs) {
    const worst = Math.min(before.severity, severity) as Incident['severity'];
    return { incident: { ...before, severity: worst, lastAt: at, alerts: before.alerts + 1 }, opened: false };
  }
  const number = before === undefined ? 1 : Number(before.id.slice(service.length + 1)) + 1;
  const id = `${service}-${String(number)}`;
  const cause = causeOf(latest, service, at, services);
  return { incident: { id, service, severity, openedAt: at, lastAt: at, alerts: 1, kind, finding, cause, offset }, opened: true };
}

function severityOf({ service, kind }: Signal, services: readonly Service[]): Incident['severity'] {
  const tier = services.find(({ name }) => name === service)?.tier ?? 3;
  return (kind === 'slow' ? Math.min(3, tier + 1) : tier) as Incident['severity'];
}

/** The nearest incident that goes on among the services it needs. */
function causeOf(latest: Latest, service: string, at: number, services: readonly Service[]): string | undefined {
  const seen = new Set([service]);
  for (let level = [service]; level.length > 0;) {
    level = level.flatMap((name) => services.find((one) => one.name === name)?.needs ?? []).filter((name) => !seen.has(name));
    for (const name of level) {
      seen.add(name);
      const incident = latest[name];
      if (incident !== undefined && at - incident.lastAt <= quietMs) return incident.id;
    }
  }
  return undefined;
}
