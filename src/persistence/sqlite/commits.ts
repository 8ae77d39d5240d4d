/**
 * Writing agents' commits. Each is atomic: every reason to refuse it is looked at before its first write, so the group's one transaction needs
 * no savepoints. The fence and the sequence number are checked by the update that moves them.
 */

import { InvariantViolationError } from '../../core/errors.js';
import { failpoint } from '../../core/failpoint.js';
import type {
  AgentCommit,
  AgentKey,
  AgentRecord,
  CommitOutcome,
  DeadLetter,
  MessageRecord,
  PostOutcome,
  RedriveOutcome,
  SpawnRecord,
} from '../store.js';
import { RowBatch } from './row-batch.js';
import type { Connection, Statement, Value } from './driver.js';
import { agentRecord, deadLetter, operationColumns, operationValues } from './rows.js';
import { isKeptBySender, mailPrefix } from '../kept-by-sender.js';

export const isFinal = (status: unknown): boolean => status === 'done' || status === 'error' || status === 'stopped';

/** Outcome of a commit that has nothing to tell. */
const applied: CommitOutcome = { outcome: 'applied', messages: [], spawned: [] };

/** Groups after one in which a new agent's id was taken. */
const groupsApart = 16;

export class Commits {
  readonly #node: number;
  readonly #s: Readonly<Record<keyof typeof statements, Statement>>;
  /** Rows that name the agent's last one as `previous`: written before the agent moves on. */
  readonly #journal: RowBatch;
  /** Tables that no commit's acceptance depends on: their rows are written together, by `flush`. */
  readonly #checkpoints: RowBatch;
  readonly #ledger: RowBatch;
  /** Agents' rows moved together: only the sequence number and the state, or all that a commit may change. */
  readonly #advances: RowBatch;
  readonly #changes: RowBatch;
  /** New agents, whose rows are written before all that moves. */
  readonly #births: RowBatch;
  /** Agents in the three above. */
  readonly #moving = new Set<AgentKey>();
  /** Some of them are born or end: whoever sends to them, or makes others, is to find that. */
  #othersLook = false;
  /** Groups whose new agents are made one by one: there were agents of those ids already, and that costs the whole group a second try. */
  #apart = 0;
  /** Of the journal's last row, in this transaction. */
  #position = 0;

  constructor(connection: Connection, node: number) {
    this.#node = node;
    const insert = (table: string, columns: readonly string[], conflict: string): RowBatch =>
      new RowBatch(connection, columns.length, (values) => `INSERT INTO ${table} (${columns.join(', ')}) ${values} ${conflict}`);
    this.#journal = new RowBatch(
      connection,
      6,
      (values) => `WITH added (position, agent, first, last, entries, checksum) AS (${values})
        INSERT INTO journal (position, agent, first, last, entries, checksum, previous)
        SELECT added.*, agents.journal FROM added CROSS JOIN agents ON agents.key = added.agent`,
    );
    this.#checkpoints = insert(
      'checkpoints',
      ['agent', 'sequence_number', 'version', 'schema', 'data', 'checksum'],
      `ON CONFLICT (agent) DO UPDATE SET sequence_number = excluded.sequence_number, version = excluded.version,
        schema = excluded.schema, data = excluded.data, checksum = excluded.checksum`,
    );
    this.#ledger = insert(
      'ledger',
      ['agent', ...operationColumns],
      `ON CONFLICT (agent, id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, outcome = excluded.outcome,
        next_retry_at = excluded.next_retry_at, settled_in = excluded.settled_in, settled_at = excluded.settled_at,
        parked_by = excluded.parked_by, resolutions = excluded.resolutions, artifact = excluded.artifact`,
    );
    this.#advances = new RowBatch(
      connection,
      8,
      (values) => `WITH moved (number, at, position, checkpoint, new_state, agent, token, expected) AS (${values})
        UPDATE agents SET sequence_number = number, updated_at = at, journal = coalesce(position, journal),
          checkpoint_sequence_number = coalesce(checkpoint, checkpoint_sequence_number), state = coalesce(new_state, state)
        FROM moved WHERE key = agent AND fence = token AND sequence_number = expected`,
    );
    this.#changes = new RowBatch(
      connection,
      12,
      (
        values,
      ) => `WITH moved (number, at, position, checkpoint, new_status, new_outcome, new_state, new_busy, new_suspect, agent, token, expected)
          AS (${values})
        UPDATE agents SET sequence_number = number, updated_at = at, journal = coalesce(position, journal),
          checkpoint_sequence_number = coalesce(checkpoint, checkpoint_sequence_number), status = coalesce(new_status, status),
          outcome = coalesce(new_outcome, outcome), state = coalesce(new_state, state), busy = coalesce(new_busy, busy),
          suspect = coalesce(new_suspect, suspect), owner = iif(new_status = 'active', ${String(node)}, owner)
        FROM moved WHERE key = agent AND fence = token AND sequence_number = expected`,
    );
    this.#births = new RowBatch(
      connection,
      10,
      (values) => `WITH born (key, id, kind, version, fence, owner, created_at, updated_at, supervisor, trace) AS (${values})
        INSERT OR IGNORE INTO agents (key, id, kind, version, fence, owner, created_at, updated_at, supervisor, trace,
          status, sequence_number, checkpoint_sequence_number, busy)
        SELECT born.*, 'active', 0, 0, 0 FROM born`,
    );
    this.#s = Object.fromEntries(Object.entries(statements).map(([name, sql]) => [name, connection.prepare(sql)])) as never;
  }

  /** Belongs after the transaction's begin, before `applyTogether`. */
  begin(): void {
    this.#position = (this.#s.lastPosition.get()?.['position'] as number | null) ?? 0;
  }

  /** Writes what applied commits have left to be written together; belongs before the transaction's end. */
  flush(): void {
    this.#checkpoints.flush();
    this.#ledger.flush();
  }

  /** Forgets it: the transaction was rolled back. */
  discard(): void {
    for (const batch of [this.#births, this.#journal, this.#checkpoints, this.#ledger, this.#advances, this.#changes]) batch.discard();
    this.#moving.clear();
    this.#othersLook = false;
  }

  /**
   * Applies commits as `apply` does one after the other, but moves those agents together of which no other commit's acceptance depends.
   * Undefined when one of those was refused: then the transaction must be rolled back, and nothing says which it was.
   */
  applyTogether(commits: readonly AgentCommit[]): CommitOutcome[] | undefined {
    const outcomes: CommitOutcome[] = [];
    const apart = this.#apart > 0;
    if (apart) this.#apart -= 1;
    for (const commit of commits) {
      if (this.#moving.has(commit.key) && !this.#move()) return undefined;
      if (standsAlone(commit) && !(apart && commit.create !== undefined)) {
        this.#moving.add(commit.key);
        if (commit.create !== undefined) this.#births.add(...this.#born(commit, commit.create));
        this.#othersLook ||= commit.create !== undefined || isFinal(commit.status);
        (isAdvance(commit) ? this.#advances : this.#changes).add(...moved(commit, this.#append(commit)));
        this.#write(commit);
        outcomes.push(applied);
      } else {
        // What is told of an agent that exists already is how it stands now.
        const tellsOfOthers = commit.create !== undefined || commit.spawns !== undefined;
        if ((this.#othersLook || tellsOfOthers) && !this.#move()) return undefined;
        outcomes.push(this.apply(commit));
      }
    }
    return this.#move() ? outcomes : undefined;
  }

  /** Whether all agents were as expected. */
  #move(): boolean {
    const expected = this.#advances.rows + this.#changes.rows;
    const born = this.#births.rows;
    this.#moving.clear();
    this.#othersLook = false;
    if (this.#births.flush() !== born) {
      this.#apart = groupsApart;
      return false;
    }
    this.#journal.flush();
    return this.#advances.flush() + this.#changes.flush() === expected;
  }

  /** Applies one commit inside the caller's transaction; `flush` completes it. */
  apply(commit: AgentCommit): CommitOutcome {
    const s = this.#s;
    const { key, at } = commit;
    for (const position of commit.taken ?? []) {
      if (s.hasMail.get(position, key) === undefined) return this.#refused(key);
    }
    if (commit.create !== undefined) {
      const { changes } = s.create.run(...this.#born(commit, commit.create), 0);
      if (changes === 0) return { outcome: 'exists', record: this.#existing(commit) };
    }
    this.#journal.flush();
    const position = this.#appendNow(commit);
    const { changes } = isAdvance(commit)
      ? s.advance.run(...moved(commit, position))
      : s.change.run(commit.status === 'active' ? this.#node : null, ...moved(commit, position));
    if (changes === 0) {
      if (position !== null) s.takeBack.run(position);
      return this.#refused(key);
    }
    this.#write(commit);
    const spawned = (commit.spawns ?? []).map((spawn) => this.#spawn(spawn, at));
    const messages = (commit.messages ?? []).map((message) => this.post(message, Infinity, at));
    return { outcome: 'applied', messages, spawned };
  }

  /** The row of a new agent. */
  #born({ key, id, fence, at }: AgentCommit, { kind, version, supervisor, trace }: NonNullable<AgentCommit['create']>): Value[] {
    return [key, id, kind, version, fence, this.#node, at, at, supervisor ?? null, trace ?? null];
  }

  /** Writes the commit's journal row, after all that wait. */
  #appendNow({ key, segment }: AgentCommit): number | null {
    if (segment === undefined) return null;
    const { firstSequenceNumber, lastSequenceNumber, entries, checksum } = segment;
    const { changes, lastInsertRowid } = this.#s.append.run(key, firstSequenceNumber, lastSequenceNumber, entries, checksum);
    if (changes === 0) return null; // there is no such agent
    this.#position = Number(lastInsertRowid);
    return this.#position;
  }

  /** The position of the commit's journal row, which is written by the next `#journal.flush`. */
  #append({ key, segment }: AgentCommit): number | null {
    if (segment === undefined) return null;
    this.#position += 1;
    this.#journal.add(this.#position, key, segment.firstSequenceNumber, segment.lastSequenceNumber, segment.entries, segment.checksum);
    return this.#position;
  }

  #write(commit: AgentCommit): void {
    failpoint('sqlite:mid-group');
    const s = this.#s;
    const { key, at, checkpoint, create } = commit;
    if (create?.input !== undefined && commit.sequenceNumber === 0) s.input.run(key, create.input);
    if (checkpoint !== undefined) {
      this.#checkpoints.add(key, checkpoint.sequenceNumber, checkpoint.version, checkpoint.schema, checkpoint.data, checkpoint.checksum);
    }
    if (commit.timersCleared === 'all') s.clearTimers.run(key);
    else for (const id of commit.timersCleared ?? []) s.clearTimer.run(key, id);
    for (const t of commit.timers ?? []) s.timer.run(key, t.id, t.dueAt, t.delayMs, t.policy, t.target, t.event);
    for (const position of commit.taken ?? []) s.take.run(position);
    for (const mark of commit.marks ?? []) s.mark.run(key, mark.messageId, mark.sequenceNumber);
    for (const operation of commit.operations ?? []) this.#ledger.add(key, ...operationValues(operation));
    for (const e of commit.effects ?? []) s.effect.run(key, e.id, e.path, e.type, e.params ?? null, e.event, e.context ?? null);
    for (const id of commit.effectsSettled ?? []) s.settle.run(key, id);
    if (isFinal(commit.status) && s.anyMail.get(key) !== undefined) {
      s.buryMail.run(commit.id, at, key);
      s.dropMail.run(key);
    }
    for (const letter of commit.deadLetters ?? []) this.#bury(letter, letter.reason, letter.at);
  }

  #spawn(spawn: SpawnRecord, at: number): AgentRecord {
    // Busy from the start: it has a first turn to take.
    const { changes } = this.#s.create.run(spawn.key, spawn.id, spawn.kind, spawn.version, 0, null, at, at, null, spawn.trace ?? null, 1);
    if (changes !== 0 && spawn.input !== undefined) this.#s.input.run(spawn.key, spawn.input);
    return this.#record(spawn.id) as AgentRecord;
  }

  #bury(
    { to, event, from, messageId, details }: Pick<DeadLetter, 'to' | 'event' | 'from' | 'messageId' | 'details'>,
    reason: string,
    at: number,
  ): void {
    this.#s.bury.run(to, event, from ?? null, reason, at, messageId ?? null, details ?? null);
  }

  /** Unfenced: anyone may. Inside the caller's transaction. */
  post(message: MessageRecord, cap: number, at: number): PostOutcome {
    const outcome = this.#deliver(message, cap);
    if (outcome.outcome === 'dead-letter' && !isKeptBySender(message.replyTo)) this.#bury(message, outcome.reason, at);
    return outcome;
  }

  /** From the dead letters into a mailbox. */
  redrive(position: number, to: string | undefined, cap: number, at: number): RedriveOutcome {
    const row = this.#s.letter.get(position);
    if (row === undefined) return { outcome: 'absent' };
    const { messageId, event, from, to: receiver } = deadLetter(row);
    const outcome = this.#deliver({ to: to ?? receiver, messageId, event, from, replyTo: undefined, acceptedAt: at }, cap);
    if (outcome.outcome === 'dead-letter') return { outcome: 'kept', reason: outcome.reason };
    if (outcome.outcome === 'full') return { outcome: 'kept', reason: 'mailbox-full' };
    this.#s.discard.run(position);
    return outcome.outcome === 'accepted' ? { ...outcome, outcome: 'redriven' } : outcome;
  }

  discardLetter(position: number): number {
    return Number(this.#s.discard.run(position).changes);
  }

  /** Into the mailbox, if it can be. */
  #deliver(message: MessageRecord, cap: number): PostOutcome {
    const s = this.#s;
    const { to, messageId, event, from, replyTo, acceptedAt, trace } = message;
    const receiver = s.receiver.get(to);
    // What it has taken stays taken, also when it has ended since: a sender that tries again is told so.
    const taken = receiver === undefined || messageId === undefined ? undefined : s.marked.get(receiver['key'] as number, messageId);
    if (taken !== undefined) return { outcome: 'duplicate', sequenceNumber: taken['sequence_number'] as number };
    const reason = receiver === undefined ? 'no-such-agent' : isFinal(receiver['status']) ? 'agent-ended' : undefined;
    if (receiver === undefined || reason !== undefined) return { outcome: 'dead-letter', reason: reason as 'no-such-agent' };
    const agent = receiver['key'] as number;
    if (cap !== Infinity && (s.waiting.get(agent)?.['waiting'] as number) >= cap) {
      const waits = messageId !== undefined && s.waits.get(agent, messageId) !== undefined;
      return waits ? { outcome: 'duplicate', sequenceNumber: 0 } : { outcome: 'full' };
    }
    const { changes, lastInsertRowid } = s.mail.run(
      ...[agent, messageId ?? null, event, from ?? null, replyTo ?? null, acceptedAt, trace ?? null],
    );
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

/** Whether nothing in it depends on whether others' agents have moved yet. */
function standsAlone({ taken, spawns, messages }: AgentCommit): boolean {
  return taken === undefined && spawns === undefined && messages === undefined;
}

/** Nothing of the agent's row changes but where it stands, and its state. */
function isAdvance({ status, outcome, busy, suspect }: AgentCommit): boolean {
  return status === undefined && outcome === undefined && busy === undefined && suspect === undefined;
}

/** What the agent's row becomes, and as what it is expected: for `advance` or `change`. */
function moved(commit: AgentCommit, position: number | null): Value[] {
  const { sequenceNumber, at, checkpoint, status, outcome, state, busy, suspect, key, fence, expected } = commit;
  const place = checkpoint?.sequenceNumber ?? null;
  if (isAdvance(commit)) return [sequenceNumber, at, position, place, state ?? null, key, fence, expected];
  const busyFlag = busy === undefined ? null : Number(busy);
  const parts = [status ?? null, outcome ?? null, state ?? null, busyFlag, suspect ?? null];
  return [sequenceNumber, at, position, place, ...parts, key, fence, expected];
}

const statements = {
  hasMail: 'SELECT 1 FROM mailbox WHERE position = ? AND agent = ?',
  create: `INSERT OR IGNORE INTO agents (key, id, kind, version, fence, owner, created_at, updated_at, supervisor, trace, busy,
      status, sequence_number, checkpoint_sequence_number)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', 0, 0)`,
  byId: 'SELECT * FROM agents WHERE id = ?',
  lastPosition: 'SELECT max(position) AS position FROM journal',
  append: `INSERT INTO journal (agent, first, last, entries, checksum, previous)
    SELECT ?1, ?2, ?3, ?4, ?5, journal FROM agents WHERE key = ?1`,
  takeBack: 'DELETE FROM journal WHERE position = ?',
  head: 'SELECT fence, sequence_number FROM agents WHERE key = ?',
  receiver: 'SELECT key, status FROM agents WHERE id = ?',
  advance: `UPDATE agents SET sequence_number = ?, updated_at = ?, journal = coalesce(?, journal), checkpoint_sequence_number = coalesce(?, checkpoint_sequence_number),
    state = coalesce(?, state)
    WHERE key = ? AND fence = ? AND sequence_number = ?`,
  change: `UPDATE agents SET owner = coalesce(?, owner), sequence_number = ?, updated_at = ?, journal = coalesce(?, journal), checkpoint_sequence_number = coalesce(?, checkpoint_sequence_number),
    status = coalesce(?, status), outcome = coalesce(?, outcome), state = coalesce(?, state), busy = coalesce(?, busy), suspect = coalesce(?, suspect)
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
  buryMail: `INSERT INTO dead_letters (recipient, event, sender, reason, at, message_id)
    SELECT ?, event, sender, 'agent-ended', ?, message_id FROM mailbox
    WHERE agent = ? AND (reply_to IS NULL OR reply_to NOT LIKE '${mailPrefix}%') ORDER BY position`,
  anyMail: 'SELECT 1 FROM mailbox WHERE agent = ? LIMIT 1',
  dropMail: 'DELETE FROM mailbox WHERE agent = ?',
  bury: 'INSERT INTO dead_letters (recipient, event, sender, reason, at, message_id, details) VALUES (?, ?, ?, ?, ?, ?, ?)',
  letter: 'SELECT * FROM dead_letters WHERE position = ?',
  discard: 'DELETE FROM dead_letters WHERE position = ?',
  waits: 'SELECT 1 FROM mailbox WHERE agent = ? AND message_id = ?',
  waiting: 'SELECT count(*) AS waiting FROM mailbox WHERE agent = ?',
  mail: 'INSERT OR IGNORE INTO mailbox (agent, message_id, event, sender, reply_to, accepted_at, trace) VALUES (?, ?, ?, ?, ?, ?, ?)',
} as const;
