/** Rows of tables whose columns have the names of the contract's members, with underscores. What a column has not is `null` or absent, by the driver. */

import type { AgentRecord, CheckpointRecord, EffectRecord, JournalSegment, OperationRecord, TimerRecord } from './store.js';

type Row = Readonly<Record<string, unknown>>;

export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
export const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export function agentRecord(row: Row, busy: boolean): AgentRecord {
  return {
    key: row['key'] as number,
    id: row['id'] as string,
    kind: row['kind'] as string,
    version: row['version'] as number,
    status: row['status'] as AgentRecord['status'],
    sequenceNumber: row['sequence_number'] as number,
    fence: row['fence'] as number,
    owner: number(row['owner']),
    checkpointSequenceNumber: row['checkpoint_sequence_number'] as number,
    busy,
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

/** Of the ledger, for `operationRecord`. */
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
