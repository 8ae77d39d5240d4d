/** What looks through the whole store: counts, the check of all records, results that are too old. Agent by agent in order of key, in parts. */

import { agentFaults } from '../record-check.js';
import type { AgentStatus, Expired, ExpiryPage, StoreCounts } from '../store.js';
import { scatter, shards } from './keys.js';
import type { Link } from './link.js';
import { Mutations } from './mutations.js';
import { agentColumns, agentRecord, checkpointColumns, checkpointRecord, journalColumns, journalSegment } from './rows.js';
import { commitTimestamp, float, integer, integers, pairs, text, type Row } from './wire.js';

const agentsAtOnce = 50;
const byKey = `agents@{FORCE_INDEX=agents_by_key} a`;
const allShards = `a.shard BETWEEN 0 AND ${String(shards - 1)}`;

const isExpired = `(o.outcome IS NOT NULL AND o.settled_in <> 0 AND o.status NOT IN ('held', 'unknown') AND COALESCE(o.settled_at < @before, FALSE)
  AND o.settled_in <= a.checkpoint_sequence_number AND (o.saga IS NULL OR a.status IN ('done', 'error', 'stopped') OR NOT EXISTS (
    SELECT 1 FROM ledger step WHERE step.agent = o.agent AND step.saga = o.saga AND step.compensates IS NULL AND step.status = 'succeeded')))`;

export class Upkeep {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  /** See `OpenedStore.expire`. Looks without locking anything; what is old is looked at again in the transaction that takes it. */
  async expire({ after, limit, before }: ExpiryPage): Promise<Expired> {
    const part = await this.#link.read(
      `SELECT a.key, o.id, ${isExpired} AS expired FROM ${byKey} JOIN ledger o ON o.agent = a.agent
        WHERE ${allShards} AND a.key >= @key AND (a.key > @key OR o.id > @id) ORDER BY a.key, o.id LIMIT @limit`,
      { before: float(before), key: integer(after?.agent ?? 0), id: text(after?.id ?? ''), limit: integer(limit) },
    );
    const last = part.length < limit ? undefined : part.at(-1);
    const old = part
      .filter(({ expired }) => expired === true)
      .map((row) => [String(scatter(row['key'] as number)), row['id'] as string] as const);
    const expired = old.length === 0 ? 0 : await this.#takeResults(old, before);
    return { expired, next: last && { agent: last['key'] as number, id: last['id'] as string } };
  }

  #takeResults(old: readonly (readonly [string, string])[], before: number): Promise<number> {
    return this.#link.transact(async ({ query }) => {
      const rows = await query(
        `SELECT o.agent, o.id FROM UNNEST(@old) AS wanted JOIN ledger o ON o.agent = CAST(wanted.id AS INT64) AND o.id = wanted.name
          JOIN agents a ON a.agent = o.agent WHERE ${isExpired}`,
        { before: float(before), old: pairs(old) },
      );
      const mutations = new Mutations();
      for (const row of rows) {
        const { agent, id } = row as { agent: number; id: string };
        mutations.update('ledger', { agent, id, outcome: undefined, artifact: undefined, written: commitTimestamp });
      }
      return { result: rows.length, mutations: mutations.list };
    });
  }

  async counts(): Promise<StoreCounts> {
    const count = (name: string, from: string): string => `(SELECT COUNT(*) FROM ${from}) AS ${name}`;
    const [row] = await this.#link.read(`SELECT
      ARRAY(SELECT AS STRUCT a.status, COUNT(*) AS number FROM agents a GROUP BY a.status) AS agents,
      ${count('segments', 'journal')}, ${count('checkpoints', 'checkpoints')}, ${count('mail', 'mailbox')}, ${count('timers', 'timers')},
      ${count('operations', 'ledger o WHERE o.settled_in = 0')}, ${count('effects', 'effects')}, ${count('letters', 'dead_letters')},
      (SELECT COALESCE(SUM(BYTE_LENGTH(j.entries)), 0) FROM journal j) + (SELECT COALESCE(SUM(BYTE_LENGTH(c.data)), 0) FROM checkpoints c)
        + (SELECT COALESCE(SUM(BYTE_LENGTH(t.content)), 0) FROM texts t) AS bytes`);
    const found = row as Row;
    const agents: Record<AgentStatus, number> = { active: 0, done: 0, error: 0, stopped: 0, parked: 0, suspended: 0 };
    for (const group of found['agents'] as Row[]) agents[group['status'] as AgentStatus] = group['number'] as number;
    const number = (name: string): number => found[name] as number;
    return {
      agents,
      journalSegments: number('segments'),
      checkpoints: number('checkpoints'),
      mailbox: number('mail'),
      timers: number('timers'),
      openOperations: number('operations'),
      unsettledEffects: number('effects'),
      deadLetters: number('letters'),
      bytes: number('bytes'),
    };
  }

  async check(progress: ((done: number, total: number) => void) | undefined): Promise<readonly string[]> {
    const [totals] = await this.#link.read('SELECT COUNT(*) AS total FROM agents');
    const total = totals?.['total'] as number;
    const faults: string[] = [];
    let done = 0;
    for (let after = 0; ;) {
      const rows = await this.#link.read(
        `SELECT ${agentColumns}, ARRAY(SELECT AS STRUCT ${journalColumns} FROM journal j WHERE j.agent = a.agent ORDER BY j.last) AS journal,
          ARRAY(SELECT AS STRUCT ${checkpointColumns} FROM checkpoints c WHERE c.agent = a.agent) AS checkpoint,
          ARRAY(SELECT AS STRUCT h.fence, h.sequence_number FROM heads h WHERE h.agent = a.agent) AS heads,
          (SELECT COUNT(*) FROM tails t WHERE t.agent = a.agent) AS tails
        FROM agents a WHERE a.agent IN UNNEST(@agents) ORDER BY a.key`,
        { agents: integers((await this.#keysAfter(after)).map(scatter)) },
      );
      for (const row of rows) faults.push(...faultsOf(row));
      done += rows.length;
      progress?.(done, total);
      if (rows.length < agentsAtOnce) return faults;
      after = rows.at(-1)?.['key'] as number;
    }
  }

  async #keysAfter(key: number): Promise<number[]> {
    const rows = await this.#link.read(`SELECT a.key FROM ${byKey} WHERE ${allShards} AND a.key > @key ORDER BY a.key LIMIT @limit`, {
      key: integer(key),
      limit: integer(agentsAtOnce),
    });
    return rows.map((row) => row['key'] as number);
  }
}

function faultsOf(row: Row): string[] {
  const record = agentRecord(row);
  const [checkpoint] = row['checkpoint'] as Row[];
  const faults = agentFaults(record, (row['journal'] as Row[]).map(journalSegment), checkpoint && checkpointRecord(checkpoint));
  const heads = row['heads'] as Row[];
  if (
    heads.length !== 1 ||
    heads[0]?.['fence'] !== record.fence ||
    heads[0]['sequence_number'] !== record.sequenceNumber ||
    row['tails'] !== 1
  ) {
    faults.push(`agent ${JSON.stringify(record.id)}: heads or tails do not have it where it stands`);
  }
  return faults;
}
