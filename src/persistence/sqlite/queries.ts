/** Reading: agents with all they need, lists, and what is due. Inside the caller's transaction where one view matters. */

import { agentFaults } from '../record-check.js';
import type {
  AgentFilter,
  AgentOperation,
  AgentKey,
  AgentRecord,
  DeadLetter,
  DueTimer,
  FlaggedPage,
  JournalSegment,
  LoadedAgent,
  MachineRecord,
  MailboxRecord,
  OperationRecord,
  ParkedPage,
  StoreCounts,
  WholeAgent,
} from '../store.js';
import type { Connection, Statement, Value } from './driver.js';
import {
  agentRecord,
  checkpointRecord,
  deadLetter,
  effectRecord,
  journalSegment,
  mailboxRecord,
  operationRecord,
  timerRecord,
} from './rows.js';

const newestMarks = 1_024;

export class Queries {
  readonly #connection: Connection;
  readonly #prepared = new Map<string, Statement>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  #sql(sql: string): Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#connection.prepare(sql)));
    return statement;
  }

  #all<T>(sql: string, make: (row: Record<string, Value>) => T, ...values: readonly Value[]): T[] {
    return this.#sql(sql)
      .all(...values)
      .map(make);
  }

  agent(idOrKey: string | AgentKey): AgentRecord | undefined {
    const row = this.#sql(`SELECT * FROM agents WHERE ${typeof idOrKey === 'string' ? 'id' : 'key'} = ?`).get(idOrKey);
    return row === undefined ? undefined : agentRecord(row);
  }

  loaded(record: AgentRecord, downSince: number | undefined): LoadedAgent {
    const { key } = record;
    const checkpoint = this.#sql('SELECT * FROM checkpoints WHERE agent = ?').get(key);
    const base = (checkpoint?.['sequence_number'] as number | undefined) ?? 0;
    const tail = record.sequenceNumber > base ? this.journal(key, base, Infinity) : [];
    const input =
      checkpoint === undefined && record.sequenceNumber === 0
        ? this.#sql('SELECT input FROM inputs WHERE agent = ?').get(key)?.['input']
        : undefined;
    const marks = this.#all(
      `SELECT message_id, sequence_number FROM marks WHERE agent = ? ORDER BY sequence_number DESC LIMIT ${String(newestMarks + 1)}`,
      markRecord,
      key,
    );
    return {
      record,
      input: typeof input === 'string' ? input : undefined,
      checkpoint: checkpoint === undefined ? undefined : checkpointRecord(checkpoint),
      tail,
      timers: this.#all('SELECT * FROM timers WHERE agent = ?', timerRecord, key),
      operations: this.#unsettled(key, base, tail.length > 0),
      effects: this.#all('SELECT * FROM effects WHERE agent = ?', effectRecord, key).sort(byPlace),
      mailbox: this.mailbox(key, 0),
      marks: marks.slice(0, newestMarks),
      marksComplete: marks.length <= newestMarks,
      downSince,
    };
  }

  whole(key: AgentKey): WholeAgent | undefined {
    const record = this.agent(key);
    if (record === undefined) return undefined;
    const { input, checkpoint, timers, effects, mailbox } = this.loaded(record, undefined);
    return {
      record,
      input,
      checkpoint,
      journal: this.journal(key, 0, Infinity),
      timers,
      operations: this.operations(key),
      effects,
      mailbox,
      marks: this.#all('SELECT message_id, sequence_number FROM marks WHERE agent = ?', markRecord, key),
      artifacts: this.#all('SELECT artifact FROM archives WHERE agent = ?', (row) => row['artifact'] as string, key),
    };
  }

  /** Open operations, and with a tail those settled after the checkpoint: only then is the agent's whole ledger looked through. */
  #unsettled(agent: AgentKey, base: number, tail: boolean): OperationRecord[] {
    if (!tail) return this.#all('SELECT * FROM ledger WHERE agent = ? AND settled_in = 0', operationRecord, agent);
    return this.#all('SELECT * FROM ledger WHERE agent = ? AND (settled_in = 0 OR settled_in > ?)', operationRecord, agent, base);
  }

  mailbox(agent: AgentKey, after: number): MailboxRecord[] {
    return this.#all(
      `SELECT mailbox.*, agents.id AS recipient FROM mailbox JOIN agents ON agents.key = mailbox.agent
        WHERE mailbox.agent = ? AND mailbox.position > ? ORDER BY mailbox.position`,
      mailboxRecord,
      agent,
      after,
    );
  }

  heads(keys: readonly AgentKey[]): ({ fence: number; sequenceNumber: number } | undefined)[] {
    return keys.map((key) => {
      const row = this.#sql('SELECT fence, sequence_number FROM agents WHERE key = ?').get(key);
      return row === undefined ? undefined : { fence: row['fence'] as number, sequenceNumber: row['sequence_number'] as number };
    });
  }

  /** `others`: nodes whose agents are none of these. */
  runnable(after: AgentKey, limit: number, others: readonly number[]): AgentKey[] {
    const free = freeOf(others, 'agents');
    return this.#all(
      `SELECT key FROM agents WHERE busy = 1 AND key > ?1 AND ${free}
        UNION SELECT key FROM agents WHERE key IN (SELECT agent FROM mailbox) AND status = 'active' AND key > ?1 AND ${free}
        ORDER BY key LIMIT ?2`,
      (row) => row['key'] as number,
      after,
      limit,
    );
  }

  dueTimers(before: number, limit: number, others: readonly number[]): DueTimer[] {
    const free =
      others.length === 0 ? '' : `AND EXISTS (SELECT 1 FROM agents WHERE agents.key = timers.agent AND ${freeOf(others, 'agents')})`;
    return this.#all(
      `SELECT agent, id, due_at FROM timers WHERE due_at < ? ${free} ORDER BY due_at LIMIT ?`,
      (row) => ({ agent: row['agent'] as number, id: row['id'] as string, dueAt: row['due_at'] as number }),
      before,
      limit,
    );
  }

  /** Agents with mail after a position that no other live node holds, and the last position there is. */
  newMail(after: number, others: readonly number[]): { agents: AgentKey[]; last: number } {
    const agents = this.#all(
      `SELECT DISTINCT agent FROM mailbox JOIN agents ON agents.key = mailbox.agent WHERE position > ? AND ${freeOf(others, 'agents')}`,
      (row) => row['agent'] as number,
      after,
    );
    return { agents, last: this.lastPosition() };
  }

  lastPosition(): number {
    return (this.#sql("SELECT seq FROM sqlite_sequence WHERE name = 'mailbox'").get()?.['seq'] as number | undefined) ?? 0;
  }

  mark(agent: AgentKey, messageId: string): number | undefined {
    const row = this.#sql('SELECT sequence_number FROM marks WHERE agent = ? AND message_id = ?').get(agent, messageId);
    return row?.['sequence_number'] as number | undefined;
  }

  keyed(activity: string, userKey: string): OperationRecord | undefined {
    const row = this.#sql(
      `SELECT * FROM ledger WHERE activity = ? AND user_key = ? AND (status IN ('held', 'unknown') OR status = 'succeeded' AND outcome IS NOT NULL)
        ORDER BY status = 'succeeded' DESC, settled_at DESC LIMIT 1`,
    ).get(activity, userKey);
    return row === undefined ? undefined : operationRecord(row);
  }

  /** Names its index: the planner, which knows nothing of how few are parked, would look through the ledger. */
  parked({ after, limit, by, agents }: ParkedPage): AgentOperation[] {
    const where = [
      by === undefined ? 'ledger.parked_by IS NOT NULL' : 'ledger.parked_by = ?1',
      ...(after === undefined ? [] : ['(ledger.agent, ledger.id) > (?2, ?3)']),
      ...(agents === undefined ? [] : ['ledger.agent IN (SELECT value FROM json_each(?4))']),
    ];
    return this.#all(
      `SELECT ledger.*, agents.id AS agent_id
        FROM ledger INDEXED BY ${by === undefined ? 'ledger_parked' : 'ledger_parked_by'} CROSS JOIN agents ON agents.key = ledger.agent
        WHERE ${where.join(' AND ')} ORDER BY ledger.agent, ledger.id LIMIT ?5`,
      agentOperation,
      by ?? null,
      after?.agent ?? null,
      after?.id ?? null,
      JSON.stringify(agents ?? []),
      limit,
    );
  }

  /** Names its index, as `parked`; a partial index is taken only when its own condition is among those asked for. */
  flagged({ after, limit, flag, agents }: FlaggedPage): AgentOperation[] {
    const where = [
      flag === 'saga' ? 'ledger.saga IS NOT NULL' : `ledger.status IN ('held', 'unknown') AND ledger.status = '${flag}'`,
      ...(after === undefined ? [] : ['(ledger.agent, ledger.id) > (?1, ?2)']),
      ...(agents === undefined ? [] : ['ledger.agent IN (SELECT value FROM json_each(?3))']),
    ];
    return this.#all(
      `SELECT ledger.*, agents.id AS agent_id
        FROM ledger INDEXED BY ${flag === 'saga' ? 'ledger_saga' : 'ledger_attention'} CROSS JOIN agents ON agents.key = ledger.agent
        WHERE ${where.join(' AND ')} ORDER BY ledger.agent, ledger.id LIMIT ?4`,
      agentOperation,
      after?.agent ?? null,
      after?.id ?? null,
      JSON.stringify(agents ?? []),
      limit,
    );
  }

  hasArtifacts(names: readonly string[]): boolean[] {
    return names.map(
      (name) =>
        this.#sql('SELECT 1 FROM ledger INDEXED BY ledger_artifact WHERE artifact = ? LIMIT 1').get(name) !== undefined ||
        this.#sql('SELECT 1 FROM archives WHERE artifact = ? LIMIT 1').get(name) !== undefined,
    );
  }

  machines(kind: string | undefined): MachineRecord[] {
    return this.#all(
      "SELECT * FROM machines WHERE kind = ?1 OR ?1 = '' ORDER BY kind, version",
      (row) => ({
        kind: row['kind'] as string,
        version: row['version'] as number,
        schema: row['schema'] as string,
        definition: row['definition'] as string,
      }),
      kind ?? '',
    );
  }

  list(filter: AgentFilter): AgentRecord[] {
    return this.#all(
      `SELECT * FROM agents WHERE id > ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR status = ?3)
        AND (?4 = '' OR substr(id, 1, length(?4)) = ?4) ORDER BY id LIMIT ?5`,
      agentRecord,
      filter.after ?? '',
      filter.kind ?? null,
      filter.status ?? null,
      filter.prefix ?? '',
      filter.limit,
    );
  }

  journal(agent: AgentKey, after: number, limit: number): JournalSegment[] {
    return this.#journalRows(agent, after)
      .map(journalSegment)
      .filter(({ lastSequenceNumber }) => lastSequenceNumber > after)
      .reverse()
      .slice(0, limit);
  }

  /** Where its rows are. */
  journalPositions(agent: AgentKey): number[] {
    return this.#journalRows(agent, 0).map((row) => row['position'] as number);
  }

  /** From the newest row backwards: each names the one before it. A link that is broken costs a look through the whole table. */
  #journalRows(agent: AgentKey, after: number): Record<string, Value>[] {
    const rows: Record<string, Value>[] = [];
    let position = (this.#sql('SELECT journal FROM agents WHERE key = ?').get(agent)?.['journal'] as number | undefined) ?? 0;
    while (position !== 0) {
      const row = this.#sql('SELECT * FROM journal WHERE position = ?').get(position);
      if (row?.['agent'] !== agent || (row['previous'] as number) >= position) {
        const older = 'SELECT * FROM journal WHERE agent = ? AND position < ? ORDER BY position DESC';
        return [...rows, ...this.#sql(older).all(agent, position)];
      }
      if ((row['last'] as number) <= after) break;
      rows.push(row);
      position = row['previous'] as number;
    }
    return rows;
  }

  operations(agent: AgentKey): OperationRecord[] {
    return this.#all('SELECT * FROM ledger WHERE agent = ? ORDER BY intended_in, intended_at, id', operationRecord, agent);
  }

  deadLetters(after: number, limit: number, to: string | undefined): DeadLetter[] {
    const where = `position > ?${to === undefined ? '' : ' AND recipient = ?'}`;
    const values = to === undefined ? [after, limit] : [after, to, limit];
    return this.#all(`SELECT * FROM dead_letters WHERE ${where} ORDER BY position LIMIT ?`, deadLetter, ...values);
  }

  counts(): StoreCounts {
    const agents = { active: 0, done: 0, error: 0, stopped: 0, parked: 0, suspended: 0 };
    for (const row of this.#sql('SELECT status, count(*) AS n FROM agents GROUP BY status').all()) {
      agents[row['status'] as keyof typeof agents] = row['n'] as number;
    }
    const count = (what: string): number => this.#sql(`SELECT count(*) AS n FROM ${what}`).get()?.['n'] as number;
    const pages = this.#sql('PRAGMA page_count').get()?.['page_count'] as number;
    const size = this.#sql('PRAGMA page_size').get()?.['page_size'] as number;
    return {
      agents,
      journalSegments: count('journal'),
      checkpoints: count('checkpoints'),
      mailbox: count('mailbox'),
      timers: count('timers'),
      openOperations: count('ledger WHERE settled_in = 0'),
      unsettledEffects: count('effects'),
      deadLetters: count('dead_letters'),
      bytes: pages * size,
    };
  }

  /** Checks the records of agents after a key. `done` agents were looked at; `next` is undefined at the end. */
  checkRecords(after: AgentKey, limit: number): { faults: string[]; next: AgentKey | undefined; done: number } {
    const agents = this.#all('SELECT * FROM agents WHERE key > ? ORDER BY key LIMIT ?', agentRecord, after, limit);
    const faults: string[] = [];
    for (const record of agents) {
      const segments = this.journal(record.key, 0, Infinity);
      const row = this.#sql('SELECT * FROM checkpoints WHERE agent = ?').get(record.key);
      faults.push(...agentFaults(record, segments, row === undefined ? undefined : checkpointRecord(row)));
    }
    return { faults, next: agents.length < limit ? undefined : agents.at(-1)?.key, done: agents.length };
  }

  integrity(): string[] {
    return this.#sql('PRAGMA integrity_check(100)')
      .all()
      .map((row) => String(Object.values(row)[0]))
      .filter((line) => line !== 'ok');
  }
}

function markRecord(row: Record<string, Value>): { messageId: string; sequenceNumber: number } {
  return { messageId: row['message_id'] as string, sequenceNumber: row['sequence_number'] as number };
}

function agentOperation(row: Record<string, Value>): AgentOperation {
  return { agent: row['agent'] as number, agentId: row['agent_id'] as string, operation: operationRecord(row) };
}

/** SQL for: nobody else alive holds it. Node numbers are integers of our own making. */
function freeOf(others: readonly number[], table: string): string {
  return others.length === 0 ? '1' : `(${table}.owner IS NULL OR ${table}.owner NOT IN (${others.map(Number).join(', ')}))`;
}

/** Effect ids are `turn.place`: in the order in which they were asked for. */
function byPlace(one: { readonly id: string }, other: { readonly id: string }): number {
  const [turn = 0, place = 0] = one.id.split('.').map(Number);
  const [otherTurn = 0, otherPlace = 0] = other.id.split('.').map(Number);
  return turn - otherTurn || place - otherPlace;
}
