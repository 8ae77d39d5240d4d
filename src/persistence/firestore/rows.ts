/** Records as documents, and back. Some fields stand there only to be found by: texts that sort as a list of all agents is to be sorted, so that no query needs an index that somebody has to make. */

import type {
  AgentKey,
  AgentRecord,
  AgentStatus,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  MachineRecord,
  MailboxRecord,
  MessageRecord,
  NoteRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';
import {
  agentMembers,
  checkpointMembers,
  effectMembers,
  letterMembers,
  machineMembers,
  mailMembers,
  noteMembers,
  operationMembers,
  segmentMembers,
  timerMembers,
} from '../record-members.js';
import type { Doc } from './calls.js';
import { joined, operationPlace, padded } from './places.js';
import type { Fields } from './values.js';

/** A document's fields have the names of the record's members; it has others beside them. */
function reader<T>(members: readonly (keyof T & string)[]): (doc: Doc) => T {
  return ({ fields }) => {
    const record: Record<string, unknown> = {};
    for (const member of members) record[member] = fields[member] ?? undefined;
    return record as T;
  };
}

export function isFinal(status: AgentStatus | undefined): boolean {
  return status === 'done' || status === 'error' || status === 'stopped';
}

export function agentFields(record: AgentRecord): Fields {
  const { key, id, kind, status, sequenceNumber, busy } = record;
  return {
    ...record,
    runs: busy || (status === 'active' && sequenceNumber === 0) ? key : undefined,
    byKind: joined(kind, id),
    byStatus: joined(status, id),
  };
}

export const agentRecord = reader<AgentRecord>(agentMembers);

export function segmentFields(agent: AgentKey, segment: JournalSegment): Fields {
  return { agent, ...segment, bytes: segment.entries.length };
}

export const journalSegment = reader<JournalSegment>(segmentMembers);

export function checkpointFields(agent: AgentKey, checkpoint: CheckpointRecord): Fields {
  return { agent, ...checkpoint, bytes: checkpoint.data.length };
}

export const checkpointRecord = reader<CheckpointRecord>(checkpointMembers);

export function timerFields(agent: AgentKey, timer: TimerRecord): Fields {
  return { agent, ...timer, place: `${padded(Math.max(0, Math.floor(timer.dueAt)))} ${padded(agent)} ${timer.id}` };
}

export const timerRecord = reader<TimerRecord>(timerMembers);

export function operationFields(agent: AgentKey, agentId: string, operation: OperationRecord): Fields {
  const { id, activity, userKey, status, settledIn, saga } = operation;
  const parkedBy = settledIn === 0 ? operation.parkedBy : undefined;
  const place = operationPlace(agent, id);
  return {
    agent,
    agentId,
    ...operation,
    parkedBy,
    place,
    openOf: settledIn === 0 ? agent : undefined,
    settledPlace: settledIn === 0 ? undefined : `${padded(agent)} ${padded(settledIn)}`,
    parkedPlace: parkedBy === undefined ? undefined : place,
    parkedByPlace: parkedBy === undefined ? undefined : joined(parkedBy, place),
    flagPlace: status === 'held' || status === 'unknown' ? joined(status, place) : undefined,
    sagaPlace: saga === undefined ? undefined : place,
    keyed: userKey === undefined ? undefined : joined(activity, userKey),
  };
}

export const operationRecord = reader<OperationRecord>(operationMembers);

export function effectFields(agent: AgentKey, effect: EffectRecord): Fields {
  return { agent, ...effect };
}

export const effectRecord = reader<EffectRecord>(effectMembers);

/** `node`: who is to hear of it; 0 when nobody holds the receiver. `by`: who posted it. */
export function mailFields(agent: AgentKey, position: number, message: MessageRecord, node: number, by: string): Fields {
  return { ...message, agent, position, node, by };
}

export const mailboxRecord = reader<MailboxRecord>(mailMembers);

/** `sequenceNumber`: of the turn that took it; 0 while it waits. */
export function markFields(agent: AgentKey, messageId: string, sequenceNumber: number): Fields {
  const newest = sequenceNumber === 0 ? undefined : `${padded(agent)} ${padded(sequenceNumber)}`;
  return { agent, messageId, sequenceNumber, newest };
}

/** Artifacts that an archived agent needs. */
export function artifactFields(agent: AgentKey, artifacts: readonly string[]): Fields {
  return { agent, artifacts };
}

export function artifactNames({ fields }: Doc): readonly string[] {
  return Array.isArray(fields['artifacts']) ? (fields['artifacts'] as readonly string[]) : [];
}

export function letterFields(letter: DeadLetter): Fields {
  return { ...letter, toPlace: joined(letter.to, padded(letter.position)) };
}

export const deadLetter = reader<DeadLetter>(letterMembers);

export const noteRecord = reader<NoteRecord>(noteMembers);

export const machineRecord = reader<MachineRecord>(machineMembers);
