/** Rows of the tables as the contract's records. */

import type { AgentRecord, DeadLetter, MailboxRecord, NodeRecord, OperationRecord } from '../store.js';
import { agentRecord as sharedRecord, text } from '../sql-rows.js';
import type { Value } from './driver.js';
import type { NodeRow } from './liveness.js';

export { checkpointRecord, effectRecord, journalSegment, operationColumns, operationRecord, timerRecord } from '../sql-rows.js';

type Row = Record<string, Value>;

export const agentRecord = (row: Row): AgentRecord => sharedRecord(row, row['busy'] === 1);

/** Of the ledger's columns after `agent`, in the order of `operationColumns`. */

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
