/**
 * Writing agents' commits. Each is atomic: every reason to refuse it is looked at before its first write, so the group's one transaction needs
 * no savepoints. The fence and the sequence number are checked by the update that moves them.
 */

import { InvariantViolationError } from '../../core/errors.js';
import type { AgentCommit, AgentKey, AgentRecord, CommitOutcome, MessageRecord, PostOutcome, SpawnRecord } from '../store.js';
import { RowBatch } from './row-batch.js';
import type { Connection, Statement } from './driver.js';
import { agentRecord } from './rows.js';

export const isFinal = (status: unknown): boolean => status === 'done' || status === 'error' || status === 'stopped';

export class Commits {
  readonly #node: number;
  readonly #s: Readonly<Record<keyof typeof statements, Statement>>;
  /** Tables that no commit's acceptance depends on: their rows are written together, by `flush`. */
  readonly #journal: RowBatch;
  readonly #checkpoints: RowBatch;
  readonly #ledger: RowBatch;

  constructor(connection: Connection, node: number) {
    this.#node = node;
    this.#journal = new RowBatch(connection, 'journal', ['agent', 'first', 'last', 'entries', 'checksum'], '');
    this.#checkpoints = new RowBatch(
      connection,
      'checkpoints',
      ['agent', 'sequence_number', 'version', 'schema', 'data', 'checksum'],
      `ON CONFLICT (agent) DO UPDATE SET sequence_number = excluded.sequence_number, version = excluded.version,
        schema = excluded.schema, data = excluded.data, checksum = excluded.checksum`,
    );
    this.#ledger = new RowBatch(
      connection,
      'ledger',
      [
        'agent',
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
      ],
      `ON CONFLICT (agent, id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, outcome = excluded.outcome,
        next_retry_at = excluded.next_retry_at, settled_in = excluded.settled_in, settled_at = excluded.settled_at`,
    );
    this.#s = Object.fromEntries(Object.entries(statements).map(([name, sql]) => [name, connection.prepare(sql)])) as never;
  }

  /** Writes what applied commits have left to be written together; belongs before the transaction's end. */
  flush(): void {
    this.#journal.flush();
    this.#checkpoints.flush();
    this.#ledger.flush();
  }

  /** Forgets it: the transaction was rolled back. */
  discard(): void {
    this.#journal.discard();
    this.#checkpoints.discard();
    this.#ledger.discard();
  }

  /** Applies one commit inside the caller's transaction; `flush` completes it. */
  apply(commit: AgentCommit): CommitOutcome {
    const s = this.#s;
    const { key, at } = commit;
    for (const position of commit.taken ?? []) {
      if (s.hasMail.get(position, key) === undefined) return this.#refused(key);
    }
    if (commit.create !== undefined) {
      const { kind, version } = commit.create;
      const { changes } = s.create.run(key, commit.id, kind, version, commit.fence, this.#node, 0, at, at);
      if (changes === 0) return { outcome: 'exists', record: this.#existing(commit) };
      if (commit.create.input !== undefined && commit.sequenceNumber === 0) s.input.run(key, commit.create.input);
    }
    const checkpoint = commit.checkpoint?.sequenceNumber ?? null;
    const { status, outcome, state, busy } = commit;
    const plain = status === undefined && outcome === undefined && state === undefined && busy === undefined;
    const { changes } = plain
      ? s.advance.run(commit.sequenceNumber, at, checkpoint, key, commit.fence, commit.expected)
      : s.change.run(
          commit.sequenceNumber,
          at,
          checkpoint,
          status ?? null,
          outcome ?? null,
          state ?? null,
          busy === undefined ? null : Number(busy),
          key,
          commit.fence,
          commit.expected,
        );
    if (changes === 0) return this.#refused(key);
    this.#write(commit);
    const spawned = (commit.spawns ?? []).map((spawn) => this.#spawn(spawn, at));
    const messages = (commit.messages ?? []).map((message) => this.post(message, Infinity, at));
    return { outcome: 'applied', messages, spawned };
  }

  #write(commit: AgentCommit): void {
    const s = this.#s;
    const { key, at, segment, checkpoint } = commit;
    if (segment !== undefined)
      this.#journal.add(key, segment.firstSequenceNumber, segment.lastSequenceNumber, segment.entries, segment.checksum);
    if (checkpoint !== undefined) {
      this.#checkpoints.add(key, checkpoint.sequenceNumber, checkpoint.version, checkpoint.schema, checkpoint.data, checkpoint.checksum);
    }
    if (commit.timersCleared === 'all') s.clearTimers.run(key);
    else for (const id of commit.timersCleared ?? []) s.clearTimer.run(key, id);
    for (const t of commit.timers ?? []) s.timer.run(key, t.id, t.dueAt, t.delayMs, t.policy, t.target, t.event);
    for (const position of commit.taken ?? []) s.take.run(position);
    for (const mark of commit.marks ?? []) s.mark.run(key, mark.messageId, mark.sequenceNumber);
    for (const o of commit.operations ?? []) {
      this.#ledger.add(
        key,
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
      );
    }
    for (const e of commit.effects ?? []) s.effect.run(key, e.id, e.path, e.type, e.params ?? null, e.event, e.context ?? null);
    for (const id of commit.effectsSettled ?? []) s.settle.run(key, id);
    if (isFinal(commit.status)) {
      s.buryMail.run(commit.id, at, key);
      s.dropMail.run(key);
    }
    for (const letter of commit.deadLetters ?? []) s.bury.run(letter.to, letter.event, letter.from ?? null, letter.reason, letter.at);
  }

  #spawn(spawn: SpawnRecord, at: number): AgentRecord {
    // Busy from the start: it has a first turn to take.
    const { changes } = this.#s.create.run(spawn.key, spawn.id, spawn.kind, spawn.version, 0, null, 1, at, at);
    if (changes !== 0 && spawn.input !== undefined) this.#s.input.run(spawn.key, spawn.input);
    return this.#record(spawn.id) as AgentRecord;
  }

  /** The unfenced write, inside the caller's transaction. */
  post(message: MessageRecord, cap: number, at: number): PostOutcome {
    const s = this.#s;
    const { to, messageId, event, from, replyTo, acceptedAt } = message;
    const receiver = s.receiver.get(to);
    const reason = receiver === undefined ? 'no-such-agent' : isFinal(receiver['status']) ? 'agent-ended' : undefined;
    if (receiver === undefined || reason !== undefined) {
      s.bury.run(to, event, from ?? null, reason as string, at);
      return { outcome: 'dead-letter', reason: reason as 'no-such-agent' };
    }
    const agent = receiver['key'] as number;
    if (messageId !== undefined) {
      const taken = s.marked.get(agent, messageId);
      if (taken !== undefined) return { outcome: 'duplicate', sequenceNumber: taken['sequence_number'] as number };
    }
    if (cap !== Infinity && (s.waiting.get(agent)?.['waiting'] as number) >= cap) {
      const waits = messageId !== undefined && s.waits.get(agent, messageId) !== undefined;
      return waits ? { outcome: 'duplicate', sequenceNumber: 0 } : { outcome: 'full' };
    }
    const { changes, lastInsertRowid } = s.mail.run(agent, messageId ?? null, event, from ?? null, replyTo ?? null, acceptedAt);
    if (changes === 0) return { outcome: 'duplicate', sequenceNumber: 0 };
    return { outcome: 'accepted', position: Number(lastInsertRowid), agent };
  }

  #existing(commit: AgentCommit): AgentRecord {
    const record = this.#record(commit.id);
    if (record !== undefined) return record;
    throw new InvariantViolationError(`the key of new agent "${commit.id}" is in use`, { hint: 'Keys are made by the engine, each once.' });
  }

  #record(id: string): AgentRecord | undefined {
    const row = this.#s.byId.get(id);
    return row === undefined ? undefined : agentRecord(row);
  }

  #refused(key: AgentKey): CommitOutcome {
    const row = this.#s.head.get(key);
    return {
      outcome: 'refused',
      fence: (row?.['fence'] as number | undefined) ?? 0,
      sequenceNumber: (row?.['sequence_number'] as number | undefined) ?? 0,
    };
  }
}

const statements = {
  hasMail: 'SELECT 1 FROM mailbox WHERE position = ? AND agent = ?',
  create: `INSERT OR IGNORE INTO agents (key, id, kind, version, status, sequence_number, fence, owner, checkpoint_sequence_number, busy, created_at, updated_at)
    VALUES (?, ?, ?, ?, 'active', 0, ?, ?, 0, ?, ?, ?)`,
  byId: 'SELECT * FROM agents WHERE id = ?',
  head: 'SELECT fence, sequence_number FROM agents WHERE key = ?',
  receiver: 'SELECT key, status FROM agents WHERE id = ?',
  advance: `UPDATE agents SET sequence_number = ?, updated_at = ?, checkpoint_sequence_number = coalesce(?, checkpoint_sequence_number)
    WHERE key = ? AND fence = ? AND sequence_number = ?`,
  change: `UPDATE agents SET sequence_number = ?, updated_at = ?, checkpoint_sequence_number = coalesce(?, checkpoint_sequence_number),
    status = coalesce(?, status), outcome = coalesce(?, outcome), state = coalesce(?, state), busy = coalesce(?, busy)
    WHERE key = ? AND fence = ? AND sequence_number = ?`,
  input: 'INSERT OR REPLACE INTO inputs (agent, input) VALUES (?, ?)',
  clearTimers: 'DELETE FROM timers WHERE agent = ?',
  clearTimer: 'DELETE FROM timers WHERE agent = ? AND id = ?',
  timer: 'INSERT OR REPLACE INTO timers (agent, id, due_at, delay_ms, policy, target, event) VALUES (?, ?, ?, ?, ?, ?, ?)',
  take: 'DELETE FROM mailbox WHERE position = ?',
  mark: 'INSERT OR IGNORE INTO marks (agent, message_id, sequence_number) VALUES (?, ?, ?)',
  marked: 'SELECT sequence_number FROM marks WHERE agent = ? AND message_id = ?',
  effect: 'INSERT OR REPLACE INTO effects (agent, id, path, type, params, event, context) VALUES (?, ?, ?, ?, ?, ?, ?)',
  settle: 'DELETE FROM effects WHERE agent = ? AND id = ?',
  buryMail: `INSERT INTO dead_letters (recipient, event, sender, reason, at)
    SELECT ?, event, sender, 'agent-ended', ? FROM mailbox WHERE agent = ? ORDER BY position`,
  dropMail: 'DELETE FROM mailbox WHERE agent = ?',
  bury: 'INSERT INTO dead_letters (recipient, event, sender, reason, at) VALUES (?, ?, ?, ?, ?)',
  waits: 'SELECT 1 FROM mailbox WHERE agent = ? AND message_id = ?',
  waiting: 'SELECT count(*) AS waiting FROM mailbox WHERE agent = ?',
  mail: 'INSERT OR IGNORE INTO mailbox (agent, message_id, event, sender, reply_to, accepted_at) VALUES (?, ?, ?, ?, ?, ?)',
} as const;
