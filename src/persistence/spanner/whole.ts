/**
 * Agents whole (see `WholeAgents`): read with all that there is of them, put in as they were, archived, restored, removed; and given up by the node that holds them. An agent that is taken apart has to stand as the caller says, and no other live node may hold it: both are
 * looked at in the transaction that does it.
 */

import type { AgentKey, AgentStand, ArchiveOrder, RemoveOrder, WholeAgent } from '../store.js';
import { raiseFence } from './cast.js';
import { scatter, shardOf } from './keys.js';
import type { Memory } from './known.js';
import type { Link, Parameters } from './link.js';
import { isAlive, type LeaseTime } from './liveness.js';
import { Mutations } from './mutations.js';
import {
  agentColumns,
  agentRecord,
  checkpointColumns,
  checkpointRecord,
  effectCells,
  effectColumns,
  effectRecord,
  journalColumns,
  journalSegment,
  ledgerCells,
  mailboxColumns,
  mailboxRecord,
  operationColumns,
  operationRecord,
  timerCells,
  timerColumns,
  timerRecord,
} from './rows.js';
import { commitTimestamp, integer, integers, texts, type Row } from './wire.js';

const agentsAtOnce = 20;
/** Tables whose rows go with an agent into its archive, all of them. */
const archivedTables = ['journal', 'checkpoints', 'timers', 'effects'] as const;

/** Of row `a` and its owner `n`, looked at before anything is done: it is `held` by another live node. One that has ended and is not busy is held by nobody. */
const stand = `a.fence, a.sequence_number, a.archive, a.busy_shard IS NOT NULL AS busy,
  (a.status NOT IN ('done', 'error', 'stopped') OR a.busy_shard IS NOT NULL) AND COALESCE(a.owner <> @node AND ${isAlive}, FALSE) AS held`;

type Found<R extends string> = R | 'changed' | 'absent';

export interface WholeOptions {
  readonly link: Link;
  readonly memory: Memory;
  readonly time: LeaseTime;
  readonly node: number;
}

export class Whole {
  readonly #options: WholeOptions;

  constructor(options: WholeOptions) {
    this.#options = options;
  }

  async read(agents: readonly AgentKey[]): Promise<readonly (WholeAgent | undefined)[]> {
    const found = new Map<AgentKey, WholeAgent>();
    for (let start = 0; start < agents.length; start += agentsAtOnce) {
      const part = agents.slice(start, start + agentsAtOnce);
      const rows = await this.#options.link.read(
        `SELECT ${agentColumns}, IF(a.sequence_number = 0, a.input, NULL) AS input,
          ARRAY(SELECT AS STRUCT ${checkpointColumns} FROM checkpoints c WHERE c.agent = a.agent) AS checkpoint,
          ARRAY(SELECT AS STRUCT ${journalColumns} FROM journal j WHERE j.agent = a.agent ORDER BY j.last) AS journal,
          ARRAY(SELECT AS STRUCT ${timerColumns} FROM timers t WHERE t.agent = a.agent ORDER BY t.id) AS timers,
          ARRAY(SELECT AS STRUCT ${operationColumns} FROM ledger o WHERE o.agent = a.agent ORDER BY o.intended_in, o.intended_at, o.id) AS operations,
          ARRAY(SELECT AS STRUCT ${effectColumns} FROM effects e WHERE e.agent = a.agent) AS effects,
          ARRAY(SELECT AS STRUCT ${mailboxColumns} FROM mailbox m WHERE m.agent = a.agent ORDER BY m.position) AS mailbox,
          ARRAY(SELECT AS STRUCT k.message_id, k.sequence_number FROM marks k WHERE k.agent = a.agent AND k.sequence_number > 0
            ORDER BY k.sequence_number, k.message_id) AS marks,
          ARRAY(SELECT x.artifact FROM archives x WHERE x.agent = a.agent) AS artifacts
        FROM agents a WHERE a.agent IN UNNEST(@agents)`,
        { agents: integers(part.map(scatter)) },
      );
      for (const row of rows) found.set(row['key'] as AgentKey, wholeAgent(row));
    }
    return agents.map((key) => found.get(key));
  }

  /** Each in a transaction of its own: an agent may be as large as a commit. */
  async install(agents: readonly WholeAgent[]): Promise<readonly ('installed' | 'exists')[]> {
    const outcomes: ('installed' | 'exists')[] = [];
    for (const agent of agents) outcomes.push(await this.#install(agent));
    return outcomes;
  }

  #install(whole: WholeAgent): Promise<'installed' | 'exists'> {
    const { record, input, mailbox } = whole;
    const { key, id } = record;
    const agent = scatter(key);
    return this.#options.link.transact(async ({ query }) => {
      const [taken] = await query(
        'SELECT 1 AS taken FROM agents a WHERE a.id IN UNNEST(@ids) UNION ALL SELECT 1 AS taken FROM agents a WHERE a.agent = @agent',
        {
          ids: texts([id]),
          agent: integer(agent),
        },
      );
      const mutations = new Mutations();
      if (taken !== undefined) return { result: 'exists' as const, mutations: mutations.list };
      mutations.insert('agents', {
        agent,
        key,
        shard: shardOf(key),
        id,
        kind: record.kind,
        version: record.version,
        status: record.status,
        sequence_number: record.sequenceNumber,
        fence: record.fence,
        owner: undefined,
        checkpoint_sequence_number: record.checkpointSequenceNumber,
        busy_shard: record.busy ? shardOf(key) : undefined,
        supervisor: record.supervisor,
        trace: record.trace,
        suspect: record.suspect,
        outcome: record.outcome,
        state: record.state,
        input,
        archive: record.archive,
        created_at: record.createdAt,
        updated_at: record.updatedAt,
        written: commitTimestamp,
      });
      mutations.insert('heads', { agent, fence: record.fence, sequence_number: record.sequenceNumber, written: commitTimestamp });
      mutations.insert('tails', { agent, position: mailbox.length, written: commitTimestamp });
      for (const [index, message] of mailbox.entries()) {
        mutations.insert('mailbox', {
          agent,
          position: index + 1,
          shard: shardOf(key),
          message_id: message.messageId,
          event: message.event,
          sender: message.from,
          reply_to: message.replyTo,
          accepted_at: message.acceptedAt,
          trace: message.trace,
          origin: this.#options.node,
          arrived: commitTimestamp,
        });
        if (message.messageId !== undefined) {
          mutations.upsert('marks', { agent, message_id: message.messageId, sequence_number: 0 });
        }
      }
      for (const { messageId, sequenceNumber } of whole.marks) {
        mutations.upsert('marks', { agent, message_id: messageId, sequence_number: sequenceNumber });
      }
      keepArtifacts(mutations, agent, whole.artifacts);
      putBack(mutations, whole, new Set());
      return { result: 'installed' as const, mutations: mutations.list };
    });
  }

  archive(agents: readonly ArchiveOrder[]): Promise<readonly Found<'archived'>[]> {
    const results = 'ARRAY(SELECT o.id FROM ledger o WHERE o.agent = a.agent AND o.user_key IS NULL) AS results';
    return this.#each(agents, 'archived', { sql: results, parameters: () => ({}) }, (mutations, agent, order, row) => {
      if (row['busy'] === true || row['archive'] !== undefined) return false;
      for (const table of archivedTables) {
        mutations.deleteAll(table, agent);
        mutations.forgetAllTexts(table, agent);
      }
      for (const id of row['results'] as string[]) {
        mutations.delete('ledger', agent, id);
        mutations.forgetTexts('ledger', agent, id);
      }
      mutations.forgetText('agents', 'input', agent);
      const { fence, sequenceNumber, archive } = order;
      mutations.update('agents', { agent, archive, fence: fence + 1, owner: undefined, input: undefined, written: commitTimestamp });
      raiseFence(mutations, agent, fence, sequenceNumber);
      keepArtifacts(mutations, agent, order.artifacts);
      return true;
    });
  }

  remove(agents: readonly RemoveOrder[]): Promise<readonly Found<'removed'>[]> {
    const more = 'EXISTS(SELECT 1 FROM mailbox m WHERE m.agent = a.agent AND m.position > @last) AS has_more';
    const parameters = ({ lastMail }: RemoveOrder): Parameters => ({ last: integer(lastMail) });
    return this.#each(agents, 'removed', { sql: more, parameters }, (mutations, agent, _order, row) => {
      if (row['has_more'] === true) return false;
      mutations.delete('agents', agent);
      mutations.deleteAll('texts', agent);
      return true;
    });
  }

  /** Does it, each in a transaction of its own, to those that stand as named and that no other live node holds. `work` says whether it would, and reads what `more` asks for. */
  async #each<A extends AgentStand, R extends string>(
    orders: readonly A[],
    done: R,
    more: { readonly sql: string; readonly parameters: (order: A) => Parameters },
    work: (mutations: Mutations, agent: number, order: A, row: Row) => boolean,
  ): Promise<Found<R>[]> {
    const { link, memory, time, node } = this.#options;
    const sql = `SELECT ${stand}, ${more.sql} FROM agents a LEFT JOIN nodes n ON n.node = a.owner WHERE a.agent = @agent`;
    const outcomes: Found<R>[] = [];
    for (const order of orders) {
      const agent = scatter(order.key);
      const outcome = await link.transact<Found<R>>(async ({ query }) => {
        const mutations = new Mutations();
        const [row] = await query(sql, { agent: integer(agent), node: integer(node), now: time.parameter, ...more.parameters(order) });
        if (row === undefined) return { result: 'absent', mutations: [] };
        const stands = row['held'] !== true && row['fence'] === order.fence && row['sequence_number'] === order.sequenceNumber;
        return stands && work(mutations, agent, order, row)
          ? { result: done, mutations: mutations.list }
          : { result: 'changed', mutations: [] };
      });
      memory.forget(order.key);
      outcomes.push(outcome);
    }
    return outcomes;
  }

  async restore(whole: WholeAgent): Promise<Found<'restored'>> {
    const { key, archive } = whole.record;
    const agent = scatter(key);
    const outcome = await this.#options.link.transact<Found<'restored'>>(async ({ query }) => {
      const [row] = await query(
        'SELECT a.archive, ARRAY(SELECT o.id FROM ledger o WHERE o.agent = a.agent) AS operations FROM agents a WHERE a.agent = @agent',
        { agent: integer(agent) },
      );
      if (row === undefined) return { result: 'absent', mutations: [] };
      if (row['archive'] === undefined || row['archive'] !== archive) return { result: 'changed', mutations: [] };
      const mutations = new Mutations();
      mutations.update('agents', { agent, archive: undefined, input: whole.input, written: commitTimestamp });
      mutations.deleteAll('archives', agent);
      putBack(mutations, whole, new Set(row['operations'] as string[]));
      return { result: 'restored', mutations: mutations.list };
    });
    this.#options.memory.forget(key);
    return outcome;
  }

  /** Gives up agents that this node holds, so that another may take them at once. */
  release(agents: readonly AgentKey[]): Promise<void> {
    const { link, memory, node } = this.#options;
    for (const key of agents) memory.forget(key);
    return link.transact(async ({ query }) => {
      const rows = await query('SELECT a.agent FROM agents a WHERE a.agent IN UNNEST(@agents) AND a.owner = @node', {
        agents: integers(agents.map(scatter)),
        node: integer(node),
      });
      const mutations = new Mutations();
      for (const row of rows) mutations.update('agents', { agent: row['agent'] as number, owner: undefined, written: commitTimestamp });
      return { result: undefined, mutations: mutations.list };
    });
  }
}

function keepArtifacts(mutations: Mutations, agent: number, names: readonly string[]): void {
  for (const artifact of new Set(names)) mutations.insert('archives', { agent, artifact });
}

/** What `archive` takes; operations that are there stay as they are. */
function putBack(
  mutations: Mutations,
  { record, checkpoint, journal, timers, operations, effects }: WholeAgent,
  there: ReadonlySet<string>,
): void {
  const { key } = record;
  const agent = scatter(key);
  for (const { firstSequenceNumber: first, lastSequenceNumber: last, entries, checksum } of journal) {
    mutations.insert('journal', { agent, last, first, entries, checksum, written: commitTimestamp });
  }
  if (checkpoint !== undefined) {
    const { sequenceNumber: sequence_number, version, schema, data, checksum } = checkpoint;
    mutations.insert('checkpoints', { agent, sequence_number, version, schema, data, checksum, written: commitTimestamp });
  }
  for (const timer of timers) mutations.insert('timers', timerCells(agent, key, timer));
  for (const operation of operations) if (!there.has(operation.id)) mutations.insert('ledger', ledgerCells(agent, key, operation));
  for (const effect of effects) mutations.insert('effects', effectCells(agent, effect));
}

function wholeAgent(row: Row): WholeAgent {
  const record = agentRecord(row);
  const [checkpoint] = row['checkpoint'] as Row[];
  return {
    record,
    input: row['input'] as string | undefined,
    checkpoint: checkpoint && checkpointRecord(checkpoint),
    journal: (row['journal'] as Row[]).map(journalSegment),
    timers: (row['timers'] as Row[]).map(timerRecord),
    operations: (row['operations'] as Row[]).map(operationRecord),
    effects: (row['effects'] as Row[]).map(effectRecord),
    mailbox: (row['mailbox'] as Row[]).map((message) => mailboxRecord(message, record.id, record.key)),
    marks: (row['marks'] as Row[]).map((mark) => ({
      messageId: mark['message_id'] as string,
      sequenceNumber: mark['sequence_number'] as number,
    })),
    artifacts: row['artifacts'] as string[],
  };
}
