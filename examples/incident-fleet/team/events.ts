/** What the agents say to each other, and by which ids they know each other. */

import type { Signal } from '../anomalies.js';
import type { Incident } from '../incidents.js';

export const ids = {
  detector: 'desk/detector',
  triage: 'desk/triage',
  commander: 'desk/commander',
  /** A fleet: what is sent to it is a job for one of its workers. */
  workers: 'workers',
  responder: (service: string): string => `responders/${service}`,
} as const;

export type TriageEvent =
  | { readonly type: 'SIGNAL'; readonly signal: Signal }
  | { readonly type: 'END_OF_LOG' }
  /** From its own couriers: what they carried has arrived, or is a dead letter. */
  | { readonly type: 'DELIVERED' };

/** A question: answered when the responder has taken the incident. */
export interface Mitigate {
  readonly type: 'MITIGATE';
  readonly incident: Incident;
}

export type ResponderEvent =
  | Mitigate
  /** A worker has done a step, also one that its job's asker does not wait for any more. */
  | { readonly type: 'REMEDIED'; readonly incident: string; readonly step: number };

/** A job. */
export interface Remedy {
  readonly type: 'REMEDY';
  readonly incident: string;
  readonly service: string;
  readonly step: number;
  readonly action: string;
}

export type CommanderEvent =
  | { readonly type: 'OPENED' | 'ALERTED'; readonly incident: Incident }
  /** Triage is at its end: there were so many. */
  | { readonly type: 'SORTED'; readonly incidents: number }
  | { readonly type: 'PAGED'; readonly incident: string; readonly page: string }
  | { readonly type: 'MITIGATING'; readonly incident: string; readonly evidence: string }
  /** It cannot go on: what was to happen next is a dead letter. */
  | { readonly type: 'BURIED'; readonly incident: string; readonly reason: string }
  | { readonly type: 'CLOSED'; readonly incident: string; readonly actions: readonly string[] };

/** Of an error event, in one line. */
export function reasonOf(event: object): string {
  const error: unknown = 'error' in event ? event.error : event;
  return error instanceof Error ? error.message : String(error);
}
