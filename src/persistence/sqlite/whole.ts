/**
 * Agents of the file as wholes: see `WholeAgents`. Inside the caller's transaction; every reason to refuse is looked at before the first write. Statements are made when they are first
 * needed: most stores never archive.
 */

import type { AgentKey, AgentRecord, AgentStand, ArchiveOrder, RemoveOrder, WholeAgent } from '../store.js';
import { isFinal } from './commits.js';
import type { Connection, Statement, Value } from './driver.js';
import type { Queries } from './queries.js';
import { operationColumns, operationValues } from './rows.js';

/** Whether no other live node holds it. */
export type IsFree = (record: AgentRecord) => boolean;

/** Tables whose rows belong to an agent and go with it into an archive. */
const archivedTables = ['inputs', 'checkpoints', 'timers', 'effects'] as const;

export class Wholes {
  readonly #connection: Connection;
  readonly #queries: Queries;
  readonly #prepared = new Map<string, Statement>();

  constructor(connection: Connection, queries: Queries) {
    this.#connection = connection;
    this.#queries = queries;
  }

  #run(sql: string, ...values: readonly Value[]): number | bigint {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#connection.prepare(sql)));
    return statement.run(...values).lastInsertRowid;
  }

  install(agent: WholeAgent): 'installed' | 'exists' {
    const { record } = agent;
    if (this.#queries.agent(record.key) !== undefined || this.#queries.agent(record.id) !== undefined) return 'exists';
    this.#run(
      `INSERT INTO agents (key, id, kind, version, status, sequence_number, fence, checkpoint_sequence_number, busy, state, outcome, created_at, updated_at,
        supervisor, suspect, archive, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[record.key, record.id, record.kind, record.version, record.status, record.sequenceNumber, record.fence],
      ...[record.checkpointSequenceNumber, Number(record.busy), record.state ?? null, record.outcome ?? null],
      ...[record.createdAt, record.updatedAt, record.supervisor ?? null, record.suspect ?? null, record.archive ?? null],
      record.trace ?? null,
    );
    this.#putBack(record.key, agent);
    this.#keepArtifacts(record.key, agent.artifacts);
    for (const { messageId, sequenceNumber } of agent.marks) {
      this.#run('INSERT INTO marks (agent, message_id, sequence_number) VALUES (?, ?, ?)', record.key, messageId, sequenceNumber);
    }
    for (const { messageId, event, from, replyTo, acceptedAt, trace } of agent.mailbox) {
      this.#run(
        'INSERT INTO mailbox (agent, message_id, event, sender, reply_to, accepted_at, trace) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[record.key, messageId ?? null, event, from ?? null, replyTo ?? null, acceptedAt, trace ?? null],
      );
    }
    return 'installed';
  }

  archive(order: ArchiveOrder, isFree: IsFree): 'archived' | 'changed' | 'absent' {
    const record = this.#queries.agent(order.key);
    if (record === undefined) return 'absent';
    if (!stands(record, order) || record.busy || record.archive !== undefined || held(record, isFree)) return 'changed';
    this.#dropJournal(order.key);
    for (const table of archivedTables) this.#run(`DELETE FROM ${table} WHERE agent = ?`, order.key);
    this.#run('DELETE FROM ledger WHERE agent = ? AND user_key IS NULL', order.key);
    this.#run('UPDATE agents SET fence = fence + 1, owner = NULL, journal = 0, archive = ? WHERE key = ?', order.archive, order.key);
    this.#keepArtifacts(order.key, order.artifacts);
    return 'archived';
  }

  restore(agent: WholeAgent): 'restored' | 'changed' | 'absent' {
    const { key, archive } = agent.record;
    const record = this.#queries.agent(key);
    if (record === undefined) return 'absent';
    if (record.archive === undefined || record.archive !== archive) return 'changed';
    this.#run('UPDATE agents SET archive = NULL WHERE key = ?', key);
    this.#run('DELETE FROM archives WHERE agent = ?', key);
    this.#putBack(key, agent);
    return 'restored';
  }

  remove(order: RemoveOrder, isFree: IsFree): 'removed' | 'changed' | 'absent' {
    const record = this.#queries.agent(order.key);
    if (record === undefined) return 'absent';
    const more = this.#queries.mailbox(order.key, order.lastMail).length > 0;
    if (!stands(record, order) || more || held(record, isFree)) return 'changed';
    this.#dropJournal(order.key);
    for (const table of [...archivedTables, 'ledger', 'mailbox', 'marks', 'archives'])
      this.#run(`DELETE FROM ${table} WHERE agent = ?`, order.key);
    this.#run('DELETE FROM agents WHERE key = ?', order.key);
    return 'removed';
  }

  #dropJournal(key: AgentKey): void {
    for (const position of this.#queries.journalPositions(key)) this.#run('DELETE FROM journal WHERE position = ?', position);
  }

  #keepArtifacts(key: AgentKey, names: readonly string[]): void {
    for (const name of names) this.#run('INSERT OR IGNORE INTO archives (artifact, agent) VALUES (?, ?)', name, key);
  }

  /** What `archive` takes. */
  #putBack(key: AgentKey, { input, checkpoint, journal, timers, effects, operations }: WholeAgent): void {
    if (input !== undefined) this.#run('INSERT OR REPLACE INTO inputs (agent, input) VALUES (?, ?)', key, input);
    if (checkpoint !== undefined) {
      this.#run(
        'INSERT INTO checkpoints (agent, sequence_number, version, schema, data, checksum) VALUES (?, ?, ?, ?, ?, ?)',
        ...[key, checkpoint.sequenceNumber, checkpoint.version, checkpoint.schema, checkpoint.data, checkpoint.checksum],
      );
    }
    let last = 0;
    for (const { firstSequenceNumber, lastSequenceNumber, entries, checksum } of journal) {
      last = Number(
        this.#run(
          'INSERT INTO journal (agent, first, last, entries, checksum, previous) VALUES (?, ?, ?, ?, ?, ?)',
          ...[key, firstSequenceNumber, lastSequenceNumber, entries, checksum, last],
        ),
      );
    }
    if (last !== 0) this.#run('UPDATE agents SET journal = ? WHERE key = ?', last, key);
    for (const t of timers) {
      this.#run(
        'INSERT INTO timers (agent, id, due_at, delay_ms, policy, target, event) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[key, t.id, t.dueAt, t.delayMs, t.policy, t.target, t.event],
      );
    }
    for (const e of effects) {
      this.#run(
        'INSERT INTO effects (agent, id, path, type, params, event, context) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[key, e.id, e.path, e.type, e.params ?? null, e.event, e.context ?? null],
      );
    }
    const places = new Array(operationColumns.length + 1).fill('?').join(', ');
    for (const operation of operations) {
      this.#run(
        `INSERT OR IGNORE INTO ledger (agent, ${operationColumns.join(', ')}) VALUES (${places})`,
        key,
        ...operationValues(operation),
      );
    }
  }
}

function stands(record: AgentRecord, { fence, sequenceNumber }: AgentStand): boolean {
  return record.fence === fence && record.sequenceNumber === sequenceNumber;
}

function held(record: AgentRecord, isFree: IsFree): boolean {
  return !(isFinal(record.status) && !record.busy) && !isFree(record);
}
