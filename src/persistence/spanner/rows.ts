/** Rows of the tables as the contract's records, and back. */

import type { AgentKey, AgentRecord, DeadLetter, EffectRecord, MailboxRecord, NodeRecord, OperationRecord, TimerRecord } from '../store.js';
import { agentRecord as sharedRecord, operationColumns as ledgerColumns, text } from '../sql-rows.js';
import { shardOf, shards } from './keys.js';
import type { Cells } from './mutations.js';
import { commitTimestamp, type Row } from './wire.js';

export { checkpointRecord, effectRecord, journalSegment, operationRecord, timerRecord } from '../sql-rows.js';

export const agentRecord = (row: Row): AgentRecord => sharedRecord(row, row['busy_shard'] !== undefined);

/** Of `agents`, for `agentRecord`; `a` is the table. */
export const agentColumns = [
  'agent key id kind version status sequence_number fence owner checkpoint_sequence_number',
  'busy_shard supervisor suspect outcome state archive created_at updated_at trace',
]
  .join(' ')
  .split(' ')
  .map((column) => `a.${column}`)
  .join(', ');

export const journalColumns = 'j.first, j.last, j.entries, j.checksum';

export const checkpointColumns = 'c.sequence_number, c.version, c.schema, c.data, c.checksum';

export const timerColumns = 't.id, t.due_at, t.delay_ms, t.policy, t.target, t.event';

export const effectColumns = 'e.id, e.path, e.type, e.params, e.event, e.context';

export const mailboxColumns = 'm.position, m.message_id, m.event, m.sender, m.reply_to, m.accepted_at, m.trace';

export function mailboxRecord(row: Row, to: string, agent: AgentKey): MailboxRecord {
  return {
    to,
    messageId: text(row['message_id']),
    event: row['event'] as string,
    from: text(row['sender']),
    replyTo: text(row['reply_to']),
    acceptedAt: row['accepted_at'] as number,
    trace: text(row['trace']),
    position: row['position'] as number,
    agent,
  };
}

export const operationColumns = ledgerColumns.map((name) => `o.${name}`).join(', ');

/** What is NULL in a column of an index is not in the index. */
export function ledgerCells(agent: number, key: AgentKey, operation: OperationRecord): Cells {
  const { status, settledIn, saga } = operation;
  const parkedBy = settledIn === 0 ? operation.parkedBy : undefined;
  const shard = key % shards;
  return {
    agent,
    id: operation.id,
    key,
    shard,
    activity: operation.activity,
    path: operation.path,
    status,
    attempts: operation.attempts,
    user_key: operation.userKey,
    input: operation.input,
    outcome: operation.outcome,
    next_retry_at: operation.nextRetryAt,
    intended_in: operation.intendedIn,
    settled_in: settledIn,
    intended_at: operation.intendedAt,
    settled_at: operation.settledAt,
    parked_by: parkedBy,
    saga,
    compensates: operation.compensates,
    resolutions: operation.resolutions,
    artifact: operation.artifact,
    is_open: settledIn === 0 ? true : undefined,
    parked_shard: parkedBy === undefined ? undefined : shard,
    attention: status === 'held' || status === 'unknown' ? status : undefined,
    saga_shard: saga === undefined ? undefined : shard,
    written: commitTimestamp,
  };
}

export function timerCells(agent: number, key: AgentKey, timer: TimerRecord): Cells {
  return {
    agent,
    id: timer.id,
    shard: shardOf(key),
    due_at: timer.dueAt,
    delay_ms: timer.delayMs,
    policy: timer.policy,
    target: timer.target,
    event: timer.event,
  };
}

export function effectCells(agent: number, effect: EffectRecord): Cells {
  const { id, path, type, params, event, context } = effect;
  return { agent, id, path, type, params, event, context };
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
    at: row['buried_at'] as number,
  };
}

/** Of `nodes`, for `nodeRecord`; `n` is the table. */
export const nodeColumns =
  'n.node, n.name, n.host, n.pid, n.ttl_ms, UNIX_MILLIS(n.opened) AS opened_at, UNIX_MILLIS(n.seen) AS seen_at, UNIX_MILLIS(n.closed) AS closed_at';

export function nodeRecord(row: Row): NodeRecord {
  const seenAt = row['seen_at'] as number;
  return {
    node: row['node'] as number,
    name: row['name'] as string,
    host: row['host'] as string,
    pid: row['pid'] as number,
    openedAt: row['opened_at'] as number,
    seenAt,
    expiresAt: seenAt + (row['ttl_ms'] as number),
  };
}
