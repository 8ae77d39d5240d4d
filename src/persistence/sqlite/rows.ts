/** Rows of the tables as the contract's records. */

import type {
  AgentRecord,
  AgentStatus,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  MailboxRecord,
  NodeRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';
import type { Value } from './driver.js';
import type { NodeRow } from './liveness.js';

type Row = Record<string, Value>;

const text = (value: Value | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
const number = (value: Value | undefined): number | undefined => (typeof value === 'number' ? value : undefined);

export function agentRecord(row: Row): AgentRecord {
  return {
    key: row['key'] as number,
    id: row['id'] as string,
    kind: row['kind'] as string,
    version: row['version'] as number,
    status: row['status'] as AgentStatus,
    sequenceNumber: row['sequence_number'] as number,
    fence: row['fence'] as number,
    owner: number(row['owner']),
    checkpointSequenceNumber: row['checkpoint_sequence_number'] as number,
    busy: row['busy'] === 1,
    supervisor: text(row['supervisor']),
    trace: text(row['trace']),
    suspect: row['suspect'] === 'null' ? undefined : text(row['suspect']),
    outcome: text(row['outcome']),
    state: text(row['state']),
    archive: text(row['archive']),
    createdAt: row['created_at'] as number,
    updatedAt: row['updated_at'] as number,
  };
}

export function journalSegment(row: Row): JournalSegment {
  return {
    firstSequenceNumber: row['first'] as number,
    lastSequenceNumber: row['last'] as number,
    entries: row['entries'] as string,
    checksum: row['checksum'] as number,
  };
}

export function checkpointRecord(row: Row): CheckpointRecord {
  return {
    sequenceNumber: row['sequence_number'] as number,
    version: row['version'] as number,
    schema: row['schema'] as string,
    data: row['data'] as string,
    checksum: row['checksum'] as number,
  };
}

export function timerRecord(row: Row): TimerRecord {
  return {
    id: row['id'] as string,
    dueAt: row['due_at'] as number,
    delayMs: row['delay_ms'] as number,
    policy: row['policy'] as TimerRecord['policy'],
    target: row['target'] as string,
    event: row['event'] as string,
  };
}

export function operationRecord(row: Row): OperationRecord {
  return {
    id: row['id'] as string,
    activity: row['activity'] as string,
    path: row['path'] as string,
    status: row['status'] as OperationRecord['status'],
    attempts: row['attempts'] as number,
    userKey: text(row['user_key']),
    input: text(row['input']),
    outcome: text(row['outcome']),
    nextRetryAt: number(row['next_retry_at']),
    intendedIn: row['intended_in'] as number,
    settledIn: row['settled_in'] as number,
    intendedAt: row['intended_at'] as number,
    settledAt: number(row['settled_at']),
    parkedBy: text(row['parked_by']),
    saga: text(row['saga']),
    compensates: text(row['compensates']),
    resolutions: text(row['resolutions']),
    artifact: text(row['artifact']),
  };
}

/** The ledger's columns after `agent`, in the order of `operationValues`. */
export const operationColumns = [
  'id',
  'activity',
  'path',
  'status',
  'attempts',
  'user_key',
  'input',
  'outcome',
  'next_retry_at',
  'intended_in',
  'settled_in',
  'intended_at',
  'settled_at',
  'parked_by',
  'saga',
  'compensates',
  'resolutions',
  'artifact',
] as const;

export function operationValues(o: OperationRecord): Value[] {
  return [
    o.id,
    o.activity,
    o.path,
    o.status,
    o.attempts,
    o.userKey ?? null,
    o.input ?? null,
    o.outcome ?? null,
    o.nextRetryAt ?? null,
    o.intendedIn,
    o.settledIn,
    o.intendedAt,
    o.settledAt ?? null,
    o.settledIn === 0 ? (o.parkedBy ?? null) : null,
    o.saga ?? null,
    o.compensates ?? null,
    o.resolutions ?? null,
    o.artifact ?? null,
  ];
}

export function effectRecord(row: Row): EffectRecord {
  return {
    id: row['id'] as string,
    path: row['path'] as string,
    type: row['type'] as string,
    params: text(row['params']),
    event: row['event'] as string,
    context: text(row['context']),
  };
}

export function mailboxRecord(row: Row): MailboxRecord {
  return {
    position: row['position'] as number,
    agent: row['agent'] as number,
    to: row['recipient'] as string,
    messageId: text(row['message_id']),
    event: row['event'] as string,
    from: text(row['sender']),
    replyTo: text(row['reply_to']),
    acceptedAt: row['accepted_at'] as number,
    trace: text(row['trace']),
  };
}

export function deadLetter(row: Row): DeadLetter {
  return {
    position: row['position'] as number,
    to: row['recipient'] as string,
    messageId: text(row['message_id']),
    event: row['event'] as string,
    from: text(row['sender']),
    reason: row['reason'] as string,
    details: text(row['details']),
    at: row['at'] as number,
  };
}

export function nodeRecord(row: NodeRow): NodeRecord {
  return {
    node: row.node,
    name: row.name,
    host: row.host,
    pid: row.pid,
    openedAt: row.opened_at,
    seenAt: row.seen_at,
    expiresAt: row.expires_at,
  };
}
