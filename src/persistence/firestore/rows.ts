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
  OperationStatus,
  TimerRecord,
} from '../store.js';
import type { Doc } from './calls.js';
import { joined, operationPlace, padded } from './places.js';
import type { Fields } from './values.js';

const text = (value: Fields[string]): string | undefined => (typeof value === 'string' ? value : undefined);
const number = (value: Fields[string]): number | undefined => (typeof value === 'number' ? value : undefined);

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

export function agentRecord({ fields }: Doc): AgentRecord {
  return {
    key: fields['key'] as number,
    id: fields['id'] as string,
    kind: fields['kind'] as string,
    version: fields['version'] as number,
    status: fields['status'] as AgentStatus,
    sequenceNumber: fields['sequenceNumber'] as number,
    fence: fields['fence'] as number,
    owner: number(fields['owner']),
    checkpointSequenceNumber: fields['checkpointSequenceNumber'] as number,
    busy: fields['busy'] === true,
    supervisor: text(fields['supervisor']),
    trace: text(fields['trace']),
    suspect: text(fields['suspect']),
    outcome: text(fields['outcome']),
    state: text(fields['state']),
    archive: text(fields['archive']),
    createdAt: fields['createdAt'] as number,
    updatedAt: fields['updatedAt'] as number,
  };
}

export function segmentFields(agent: AgentKey, segment: JournalSegment): Fields {
  return { agent, ...segment, bytes: segment.entries.length };
}

export function journalSegment({ fields }: Doc): JournalSegment {
  return {
    firstSequenceNumber: fields['firstSequenceNumber'] as number,
    lastSequenceNumber: fields['lastSequenceNumber'] as number,
    entries: fields['entries'] as string,
    checksum: fields['checksum'] as number,
  };
}

export function checkpointFields(agent: AgentKey, checkpoint: CheckpointRecord): Fields {
  return { agent, ...checkpoint, bytes: checkpoint.data.length };
}

export function checkpointRecord({ fields }: Doc): CheckpointRecord {
  return {
    sequenceNumber: fields['sequenceNumber'] as number,
    version: fields['version'] as number,
    schema: fields['schema'] as string,
    data: fields['data'] as string,
    checksum: fields['checksum'] as number,
  };
}

export function timerFields(agent: AgentKey, timer: TimerRecord): Fields {
  return { agent, ...timer, place: `${padded(Math.max(0, Math.floor(timer.dueAt)))} ${padded(agent)} ${timer.id}` };
}

export function timerRecord({ fields }: Doc): TimerRecord {
  return {
    id: fields['id'] as string,
    dueAt: fields['dueAt'] as number,
    delayMs: fields['delayMs'] as number,
    policy: fields['policy'] as TimerRecord['policy'],
    target: fields['target'] as string,
    event: fields['event'] as string,
  };
}

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

export function operationRecord({ fields }: Doc): OperationRecord {
  return {
    id: fields['id'] as string,
    activity: fields['activity'] as string,
    path: fields['path'] as string,
    status: fields['status'] as OperationStatus,
    attempts: fields['attempts'] as number,
    userKey: text(fields['userKey']),
    input: text(fields['input']),
    outcome: text(fields['outcome']),
    nextRetryAt: number(fields['nextRetryAt']),
    intendedIn: fields['intendedIn'] as number,
    settledIn: fields['settledIn'] as number,
    intendedAt: fields['intendedAt'] as number,
    settledAt: number(fields['settledAt']),
    parkedBy: text(fields['parkedBy']),
    saga: text(fields['saga']),
    compensates: text(fields['compensates']),
    resolutions: text(fields['resolutions']),
    artifact: text(fields['artifact']),
  };
}

export function effectFields(agent: AgentKey, effect: EffectRecord): Fields {
  return { agent, ...effect };
}

export function effectRecord({ fields }: Doc): EffectRecord {
  return {
    id: fields['id'] as string,
    path: fields['path'] as string,
    type: fields['type'] as string,
    params: text(fields['params']),
    event: fields['event'] as string,
    context: text(fields['context']),
  };
}

/** `node`: who is to hear of it; 0 when nobody holds the receiver. `by`: who posted it. */
export function mailFields(agent: AgentKey, position: number, message: MessageRecord, node: number, by: string): Fields {
  return { ...message, agent, position, node, by };
}

export function mailboxRecord({ fields }: Doc): MailboxRecord {
  return {
    to: fields['to'] as string,
    messageId: text(fields['messageId']),
    event: fields['event'] as string,
    from: text(fields['from']),
    replyTo: text(fields['replyTo']),
    acceptedAt: fields['acceptedAt'] as number,
    trace: text(fields['trace']),
    position: fields['position'] as number,
    agent: fields['agent'] as number,
  };
}

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

export function deadLetter({ fields }: Doc): DeadLetter {
  return {
    position: fields['position'] as number,
    to: fields['to'] as string,
    messageId: text(fields['messageId']),
    event: fields['event'] as string,
    from: text(fields['from']),
    reason: fields['reason'] as string,
    details: text(fields['details']),
    at: fields['at'] as number,
  };
}

export function noteRecord({ fields }: Doc): NoteRecord {
  return {
    topic: fields['topic'] as string,
    author: fields['author'] as string,
    data: fields['data'] as string,
    at: fields['at'] as number,
  };
}

export function machineRecord({ fields }: Doc): MachineRecord {
  return {
    kind: fields['kind'] as string,
    version: fields['version'] as number,
    schema: fields['schema'] as string,
    definition: fields['definition'] as string,
  };
}
