/**
 * Where sealed texts belong, and what tokens are of. Each text is bound to its place: agent, field, sequence number or record id. An event is bound to its receiver, message id and sender, for mail moves within a store.
 */

import { createHash } from 'node:crypto';
import type { AgentKey, CheckpointRecord, MachineRecord, MessageRecord } from '../store.js';
import type { Place } from './sealing.js';

export type Addressed = Pick<MessageRecord, 'to' | 'messageId' | 'from' | 'event'>;

export const messagePlace = (to: string, { messageId, from }: Pick<Addressed, 'messageId' | 'from'>): Place => [
  'message',
  to,
  messageId,
  from,
];
export const archiveLabel = (key: AgentKey): string => JSON.stringify(['archive', key]);
export const keyLabel = (activity: string): string => JSON.stringify(['user key', activity]);

export function checkpointPlace(key: AgentKey, { sequenceNumber, version, schema }: CheckpointRecord): Place {
  return [key, 'checkpoint', sequenceNumber, version, schema];
}

export function machinePlace({ kind, version, schema }: MachineRecord): Place {
  return ['machine', kind, version, schema];
}

/** Of a sealed event and a receiver that it was moved to. */
export function redirectName(event: string, to: string): string {
  return createHash('sha256').update(`${event} ${to}`).digest('base64url');
}
