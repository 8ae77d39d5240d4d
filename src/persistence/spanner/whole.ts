/**
 * Agents whole: read with all that there is of them, put in as they were, archived down to their record and mailbox, restored, removed; and given up by the node that holds them. An agent that is taken apart has to stand as the caller says, and nobody alive may hold it: both are
 * looked at in the transaction that does it.
 */

import type { AgentKey } from '../store.js';
import { scatter, shardOf } from './keys.js';
import type { Memory } from './known.js';
import type { Link } from './link.js';
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
import type { Archivable, ArchivedRecord, Standing, WholeAgent } from './whole-agent.js';
import { commitTimestamp, integer, integers, texts, type Row } from './wire.js';

const agentsAtOnce = 20;
/** Tables of what an archive takes; of the marks it leaves those of what waits in the mailbox. */
const archived = ['journal', 'checkpoints', 'timers', 'ledger', 'effects'] as const;

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
        `SELECT ${agentColumns}, a.input,
          ARRAY(SELECT AS STRUCT ${checkpointColumns} FROM checkpoints c WHERE c.agent = a.agent) AS checkpoint,
          ARRAY(SELECT AS STRUCT ${journalColumns} FROM journal j WHERE j.agent = a.agent ORDER BY j.last) AS journal,
          ARRAY(SELECT AS STRUCT ${timerColumns} FROM timers t WHERE t.agent = a.agent ORDER BY t.id) AS timers,
          ARRAY(SELECT AS STRUCT ${operationColumns} FROM ledger o WHERE o.agent = a.agent ORDER BY o.intended_in, o.intended_at, o.id) AS operations,
          ARRAY(SELECT AS STRUCT ${effectColumns} FROM effects e WHERE e.agent = a.agent) AS effects,
          ARRAY(SELECT AS STRUCT ${mailboxColumns} FROM mailbox m WHERE m.agent = a.agent ORDER BY m.position) AS mailbox,
          ARRAY(SELECT AS STRUCT k.message_id, k.sequence_number FROM marks k WHERE k.agent = a.agent AND k.sequence_number > 0
            ORDER BY k.sequence_number, k.message_id) AS marks
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
          origin: this.#options.node,
          arrived: commitTimestamp,
        });
        if (message.messageId !== undefined) {
          mutations.upsert('marks', { agent, message_id: message.messageId, sequence_number: 0 });
        }
      }
      putBack(mutations, whole);
      return { result: 'installed' as const, mutations: mutations.list };
    });
  }

  async archive(agents: readonly Archivable[]): Promise<readonly ('archived' | 'changed' | 'absent')[]> {
    return this.#each(agents, 'archived', (mutations, agent, { archive }) => {
      for (const table of archived) {
        mutations.deleteAll(table, agent);
        mutations.forgetAllTexts(table, agent);
      }
      mutations.update('agents', { agent, archive, input: undefined, written: commitTimestamp });
    });
  }

  async remove(agents: readonly Standing[]): Promise<readonly ('removed' | 'changed' | 'absent')[]> {
    return this.#each(agents, 'removed', (mutations, agent) => {
      mutations.delete('agents', agent);
      mutations.deleteAll('texts', agent);
    });
  }

  /** Does it to each that stands as named and that nobody alive holds. */
  async #each<A extends Standing, R extends string>(
    agents: readonly A[],
    done: R,
    work: (mutations: Mutations, agent: number, which: A) => void,
  ): Promise<(R | 'changed' | 'absent')[]> {
    const { link, memory } = this.#options;
    const outcomes: (R | 'changed' | 'absent')[] = [];
    for (const which of agents) {
      const agent = scatter(which.key);
      const outcome = await link.transact(async ({ query }) => {
        const [row] = await query(this.#standing, { agents: integers([agent]), now: this.#options.time.parameter });
        const mutations = new Mutations();
        const isFree = row !== undefined && row['held'] !== true && row['archive'] === undefined;
        const stands = isFree && row['fence'] === which.fence && row['sequence_number'] === which.sequenceNumber;
        if (stands) {
          for (const id of done === 'archived' ? (row['taken'] as string[]) : []) mutations.delete('marks', agent, id);
          work(mutations, agent, which);
        }
        return { result: row === undefined ? 'absent' : stands ? done : 'changed', mutations: mutations.list } as const;
      });
      memory.forget(which.key);
      outcomes.push(outcome);
    }
    return outcomes;
  }

  readonly #standing = `SELECT a.fence, a.sequence_number, a.archive, COALESCE(${isAlive}, FALSE) AS held,
      ARRAY(SELECT k.message_id FROM marks k WHERE k.agent = a.agent AND k.sequence_number > 0) AS taken
    FROM agents a LEFT JOIN nodes n ON n.node = a.owner WHERE a.agent IN UNNEST(@agents)`;

  restore(whole: WholeAgent): Promise<'restored' | 'changed' | 'absent'> {
    const { key } = whole.record;
    const agent = scatter(key);
    return this.#options.link.transact(async ({ query }) => {
      const [row] = await query('SELECT a.archive FROM agents a WHERE a.agent = @agent', { agent: integer(agent) });
      const mutations = new Mutations();
      const pointer = whole.record.archive;
      const result = row === undefined ? 'absent' : row['archive'] === undefined || row['archive'] !== pointer ? 'changed' : 'restored';
      if (result === 'restored') {
        mutations.update('agents', { agent, archive: undefined, input: whole.input, written: commitTimestamp });
        putBack(mutations, whole);
      }
      return { result, mutations: mutations.list } as const;
    });
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

/** All but record and mailbox. */
function putBack(mutations: Mutations, { record, checkpoint, journal, timers, operations, effects, marks }: WholeAgent): void {
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
  for (const operation of operations) mutations.insert('ledger', ledgerCells(agent, key, operation));
  for (const effect of effects) mutations.insert('effects', effectCells(agent, effect));
  for (const { messageId, sequenceNumber } of marks) {
    mutations.upsert('marks', { agent, message_id: messageId, sequence_number: sequenceNumber });
  }
}

function wholeAgent(row: Row): WholeAgent {
  const record: ArchivedRecord = { ...agentRecord(row), archive: row['archive'] as string | undefined };
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
  };
}
