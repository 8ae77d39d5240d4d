/** Reading: agents with all they need, lists, and what is kept of operations, notes and machines. Each call is one query, so that it sees one consistent view. */

import type {
  AgentFilter,
  AgentKey,
  AgentOperation,
  AgentRecord,
  DeadLetter,
  FlaggedPage,
  JournalSegment,
  LoadedAgent,
  MachineRecord,
  MailboxRecord,
  NoteRecord,
  OperationPage,
  OperationRecord,
  ParkedPage,
} from '../store.js';
import { afterPrefix } from '../text-order.js';
import { scatter, shards } from './keys.js';
import { byIndex } from './liveness.js';
import type { Parameters } from './link.js';
import {
  agentColumns,
  agentRecord,
  checkpointColumns,
  checkpointRecord,
  deadLetter,
  effectColumns,
  effectRecord,
  journalColumns,
  journalSegment,
  mailboxColumns,
  mailboxRecord,
  operationColumns,
  operationRecord,
  timerColumns,
  timerRecord,
} from './rows.js';
import { float, integer, integers, text, texts, type Row } from './wire.js';

const newestMarks = 1_024;
/** Without one, neither its whole journal nor its whole ledger is looked through. */
const hasTail = 'a.sequence_number > a.checkpoint_sequence_number';
const allShards = `BETWEEN 0 AND ${String(shards - 1)}`;

export type Read = (sql: string, parameters?: Parameters) => Promise<readonly Row[]>;

/** A loaded agent, and how its mailbox stands. */
export interface View {
  readonly loaded: LoadedAgent;
  /** Last position of its mailbox. */
  readonly tail: number;
  /** Message ids of its mailbox that wait. */
  readonly marked: ReadonlySet<string>;
}

export class Queries {
  readonly #read: Read;

  constructor(read: Read) {
    this.#read = read;
  }

  async #list<T>(sql: string, make: (row: Row) => T, parameters?: Parameters): Promise<T[]> {
    return (await this.#read(sql, parameters)).map(make);
  }

  /** Those that there are. */
  async views(keys: readonly AgentKey[]): Promise<Map<AgentKey, View>> {
    if (keys.length === 0) return new Map();
    const rows = await this.#read(
      `SELECT ${agentColumns}, IF(a.sequence_number = 0, a.input, NULL) AS input,
        ARRAY(SELECT AS STRUCT ${checkpointColumns} FROM checkpoints c WHERE c.agent = a.agent) AS checkpoint,
        IF(${hasTail}, ARRAY(SELECT AS STRUCT ${journalColumns} FROM journal j
          WHERE j.agent = a.agent AND j.last > a.checkpoint_sequence_number ORDER BY j.last), NULL) AS tail,
        ARRAY(SELECT AS STRUCT ${timerColumns} FROM timers t WHERE t.agent = a.agent ORDER BY t.id) AS timers,
        open.operations AS open,
        IF(${hasTail}, ARRAY(SELECT AS STRUCT ${operationColumns} FROM ledger o
          WHERE o.agent = a.agent AND o.settled_in > a.checkpoint_sequence_number), NULL) AS settled,
        ARRAY(SELECT AS STRUCT ${effectColumns} FROM effects e WHERE e.agent = a.agent) AS effects,
        ARRAY(SELECT AS STRUCT ${mailboxColumns} FROM mailbox m WHERE m.agent = a.agent ORDER BY m.position) AS mailbox,
        ARRAY(SELECT AS STRUCT k.message_id, k.sequence_number FROM marks k WHERE k.agent = a.agent AND k.sequence_number > 0
          ORDER BY k.sequence_number DESC LIMIT ${String(newestMarks + 1)}) AS marks,
        ARRAY(SELECT k.message_id FROM marks k WHERE k.agent = a.agent AND k.sequence_number = 0) AS marked,
        (SELECT t.position FROM tails t WHERE t.agent = a.agent) AS last_position
      FROM agents a LEFT JOIN (SELECT o.agent, ARRAY_AGG(STRUCT(${operationColumns})) AS operations
        FROM ledger${byIndex('ledger_open')} o WHERE o.is_open AND o.agent IN UNNEST(@agents) GROUP BY o.agent) AS open ON open.agent = a.agent
      WHERE a.agent IN UNNEST(@agents)`,
      { agents: integers(keys.map(scatter)) },
    );
    return new Map(rows.map((row) => [row['key'] as AgentKey, view(row)]));
  }

  lookup(ids: readonly string[], keys: readonly AgentKey[]): Promise<AgentRecord[]> {
    return this.#list(
      `SELECT ${agentColumns} FROM agents a WHERE a.id IN UNNEST(@ids) UNION DISTINCT SELECT ${agentColumns} FROM agents a WHERE a.agent IN UNNEST(@agents)`,
      agentRecord,
      { ids: texts(ids), agents: integers(keys.map(scatter)) },
    );
  }

  async heads(keys: readonly AgentKey[]): Promise<({ fence: number; sequenceNumber: number } | undefined)[]> {
    const rows = await this.#read('SELECT h.agent, h.fence, h.sequence_number FROM heads h WHERE h.agent IN UNNEST(@agents)', {
      agents: integers(keys.map(scatter)),
    });
    const heads = new Map(
      rows.map((row) => [row['agent'], { fence: row['fence'] as number, sequenceNumber: row['sequence_number'] as number }]),
    );
    return keys.map((key) => heads.get(scatter(key)));
  }

  /** With the last position of the mailbox, and which of their message ids wait. */
  async mailbox(agent: AgentKey, after: number): Promise<{ messages: MailboxRecord[]; tail: number | undefined; marked: Set<string> }> {
    const [row] = await this.#read(
      `SELECT a.id, ARRAY(SELECT AS STRUCT ${mailboxColumns} FROM mailbox m WHERE m.agent = a.agent AND m.position > @after ORDER BY m.position) AS mailbox,
        ARRAY(SELECT k.message_id FROM marks k WHERE k.agent = a.agent AND k.sequence_number = 0) AS marked,
        (SELECT t.position FROM tails t WHERE t.agent = a.agent) AS last_position
      FROM agents a WHERE a.agent = @agent`,
      { agent: integer(scatter(agent)), after: integer(after) },
    );
    if (row === undefined) return { messages: [], tail: undefined, marked: new Set() };
    return {
      messages: (row['mailbox'] as Row[]).map((message) => mailboxRecord(message, row['id'] as string, agent)),
      tail: row['last_position'] as number,
      marked: new Set(row['marked'] as string[]),
    };
  }

  async mark(agent: AgentKey, messageId: string): Promise<number | undefined> {
    const [row] = await this.#read(
      'SELECT k.sequence_number FROM marks k WHERE k.agent = @agent AND k.message_id = @id AND k.sequence_number > 0',
      { agent: integer(scatter(agent)), id: text(messageId) },
    );
    return row?.['sequence_number'] as number | undefined;
  }

  async keyed(activity: string, userKey: string): Promise<OperationRecord | undefined> {
    const [found] = await this.#list(
      `SELECT ${operationColumns} FROM ledger${byIndex('ledger_user_key')} o WHERE o.activity = @activity AND o.user_key = @key
        AND (o.status IN ('held', 'unknown') OR o.status = 'succeeded' AND o.outcome IS NOT NULL)
        ORDER BY IF(o.status = 'succeeded', 0, 1), COALESCE(o.settled_at, 0) DESC LIMIT 1`,
      operationRecord,
      { activity: text(activity), key: text(userKey) },
    );
    return found;
  }

  parked({ by, ...page }: ParkedPage): Promise<AgentOperation[]> {
    return by === undefined
      ? this.#page('ledger_parked', `o.parked_shard ${allShards}`, page)
      : this.#page('ledger_parked_by', `o.parked_by = @by AND o.parked_shard ${allShards}`, page, { by: text(by) });
  }

  flagged({ flag, ...page }: FlaggedPage): Promise<AgentOperation[]> {
    return flag === 'saga'
      ? this.#page('ledger_saga', `o.saga_shard ${allShards}`, page)
      : this.#page('ledger_attention', `o.attention = @flag AND o.shard ${allShards}`, page, { flag: text(flag) });
  }

  #page(index: string, condition: string, { after, limit, agents }: OperationPage, more: Parameters = {}): Promise<AgentOperation[]> {
    const where = [
      condition,
      ...(after === undefined ? [] : ['o.key >= @afterKey AND (o.key > @afterKey OR o.id > @afterId)']),
      ...(agents === undefined ? [] : ['o.agent IN UNNEST(@agents)']),
    ];
    return this.#list(
      `SELECT o.key, a.id AS agent_id, ARRAY(SELECT AS STRUCT ${operationColumns}) AS operation FROM ledger${byIndex(index)} o JOIN agents a ON a.agent = o.agent
        WHERE ${where.join(' AND ')} ORDER BY o.key, o.id LIMIT @limit`,
      (row) => ({
        agent: row['key'] as AgentKey,
        agentId: row['agent_id'] as string,
        operation: operationRecord((row['operation'] as Row[])[0] as Row),
      }),
      {
        ...more,
        limit: integer(limit),
        ...(after === undefined ? {} : { afterKey: integer(after.agent), afterId: text(after.id) }),
        ...(agents === undefined ? {} : { agents: integers(agents.map(scatter)) }),
      },
    );
  }

  async hasArtifacts(names: readonly string[]): Promise<boolean[]> {
    const rows = await this.#read(
      `SELECT o.artifact FROM ledger${byIndex('ledger_artifact')} o WHERE o.artifact IN UNNEST(@names)
      UNION DISTINCT SELECT x.artifact FROM archives@{FORCE_INDEX=archives_artifact} x WHERE x.artifact IN UNNEST(@names)`,
      { names: texts(new Set(names)) },
    );
    const named = new Set(rows.map((row) => row['artifact']));
    return names.map((name) => named.has(name));
  }

  notes(prefix: string, since: number): Promise<NoteRecord[]> {
    const end = afterPrefix(prefix);
    return this.#list(
      `SELECT n.topic, n.author, n.data, n.noted_at FROM notes n
        WHERE n.topic >= @prefix AND n.noted_at >= @since ${end === undefined ? '' : 'AND n.topic < @end'} ORDER BY n.topic, n.author`,
      (row) => ({
        topic: row['topic'] as string,
        author: row['author'] as string,
        data: row['data'] as string,
        at: row['noted_at'] as number,
      }),
      { prefix: text(prefix), since: float(since), ...(end === undefined ? {} : { end: text(end) }) },
    );
  }

  machines(kind: string | undefined): Promise<MachineRecord[]> {
    return this.#list(
      'SELECT m.kind, m.version, m.schema, m.definition FROM machines m WHERE @kind IS NULL OR m.kind = @kind ORDER BY m.kind, m.version, m.schema',
      (row) => ({
        kind: row['kind'] as string,
        version: row['version'] as number,
        schema: row['schema'] as string,
        definition: row['definition'] as string,
      }),
      { kind: text(kind) },
    );
  }

  list({ kind, status, prefix = '', after = '', limit }: AgentFilter): Promise<AgentRecord[]> {
    const where = [
      'a.id > @after',
      ...(kind === undefined ? [] : ['a.kind = @kind']),
      ...(status === undefined ? [] : ['a.status = @status']),
      ...(prefix === '' ? [] : ['a.id >= @prefix AND STARTS_WITH(a.id, @prefix)']),
    ];
    return this.#list(
      `SELECT ${agentColumns} FROM agents@{FORCE_INDEX=agents_by_id} a WHERE ${where.join(' AND ')} ORDER BY a.id LIMIT @limit`,
      agentRecord,
      {
        after: text(after),
        limit: integer(limit),
        ...(kind === undefined ? {} : { kind: text(kind) }),
        ...(status === undefined ? {} : { status: text(status) }),
        ...(prefix === '' ? {} : { prefix: text(prefix) }),
      },
    );
  }

  journal(agent: AgentKey, { after, limit }: { readonly after: number; readonly limit: number }): Promise<JournalSegment[]> {
    return this.#list(
      `SELECT ${journalColumns} FROM journal j WHERE j.agent = @agent AND j.last > @after ORDER BY j.last LIMIT @limit`,
      journalSegment,
      { agent: integer(scatter(agent)), after: integer(after), limit: integer(limit) },
    );
  }

  operations(agent: AgentKey): Promise<OperationRecord[]> {
    return this.#list(
      `SELECT ${operationColumns} FROM ledger o WHERE o.agent = @agent ORDER BY o.intended_in, o.intended_at, o.id`,
      operationRecord,
      { agent: integer(scatter(agent)) },
    );
  }

  deadLetters({ after, limit, to }: { readonly after: number; readonly limit: number; readonly to?: string }): Promise<DeadLetter[]> {
    const where = to === undefined ? `d.shard ${allShards}` : 'd.recipient = @to';
    const from = to === undefined ? 'dead_letters' : 'dead_letters@{FORCE_INDEX=dead_letters_to}';
    return this.#list(`SELECT d.* FROM ${from} d WHERE ${where} AND d.position > @after ORDER BY d.position LIMIT @limit`, deadLetter, {
      after: integer(after),
      limit: integer(limit),
      ...(to === undefined ? {} : { to: text(to) }),
    });
  }
}

/** Of a column that is NULL where there are none. */
const rowsIn = (row: Row, column: string): readonly Row[] => (row[column] as readonly Row[] | undefined) ?? [];

function view(row: Row): View {
  const record = agentRecord(row);
  const [checkpoint] = row['checkpoint'] as Row[];
  const open = rowsIn(row, 'open').map(operationRecord);
  const seen = new Set(open.map(({ id }) => id));
  const settled = rowsIn(row, 'settled')
    .map(operationRecord)
    .filter(({ id }) => !seen.has(id));
  const marks = (row['marks'] as Row[]).map((mark) => ({
    messageId: mark['message_id'] as string,
    sequenceNumber: mark['sequence_number'] as number,
  }));
  return {
    tail: row['last_position'] as number,
    marked: new Set(row['marked'] as string[]),
    loaded: {
      record,
      input: row['input'] as string | undefined,
      checkpoint: checkpoint && checkpointRecord(checkpoint),
      tail: rowsIn(row, 'tail').map(journalSegment),
      timers: (row['timers'] as Row[]).map(timerRecord),
      operations: [...open, ...settled],
      effects: (row['effects'] as Row[]).map(effectRecord).sort(byPlace),
      mailbox: (row['mailbox'] as Row[]).map((message) => mailboxRecord(message, record.id, record.key)),
      marks: marks.slice(0, newestMarks),
      marksComplete: marks.length <= newestMarks,
      downSince: undefined,
    },
  };
}

/** Effect ids are `turn.place`: in the order in which they were asked for. */
function byPlace(one: { readonly id: string }, other: { readonly id: string }): number {
  const [turn = 0, place = 0] = one.id.split('.').map(Number);
  const [otherTurn = 0, otherPlace = 0] = other.id.split('.').map(Number);
  return turn - otherTurn || place - otherPlace;
}
