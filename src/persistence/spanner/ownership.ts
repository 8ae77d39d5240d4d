/**
 * Who holds what: nodes and their leases, taking agents, what is to be done next. A fence is raised in the transaction that saw that nobody alive holds the agent.
 */

import { goneError, isUnexpectedRow } from './faults.js';
import type { AgentKey, DueTimer, LoadedAgent, LoadOutcome, NodeLease, NodeRecord, OpenedStore } from '../store.js';
import { raiseFence } from './cast.js';
import { scatter, shards } from './keys.js';
import type { Link } from './link.js';
import { byIndex, isAlive, isFree, type LeaseTime } from './liveness.js';
import { Mutations } from './mutations.js';
import { isFinal } from './plan.js';
import { agentColumns, agentRecord, nodeColumns, nodeRecord } from './rows.js';
import { commitTimestamp, float, integer, integers, texts, type Row } from './wire.js';

export interface OwnershipOptions {
  readonly name: string;
  readonly link: Link;
  readonly epoch: string;
  readonly incarnation: string;
  readonly time: LeaseTime;
  readonly lease: NodeLease | undefined;
  /** Reads agents whole, as they are now. */
  readonly views: (keys: readonly AgentKey[]) => Promise<ReadonlyMap<AgentKey, LoadedAgent>>;
}

type RunnablePage = Parameters<OpenedStore['runnable']>[0];

const lastShard = shards - 1;
const loadsAtOnce = 1_000;

const isArchived = (row: Row): boolean => row['archive'] !== undefined;

export class Ownership {
  /** 0: an observer. */
  node = 0;
  readonly #options: OwnershipOptions;
  /** How often others have taken agents from this node, as far as it has heard. */
  #robbed = 0;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** Gets a number and a lease. */
  async enter(host: string, pid: number): Promise<void> {
    const { link, lease, time, incarnation } = this.#options;
    if (lease === undefined) return;
    this.node = await link.transact(async ({ query }) => {
      const [row] = await query("SELECT value FROM counters WHERE name = 'nodes'");
      const node = ((row?.['value'] as number | undefined) ?? 0) + 1;
      const mutations = new Mutations();
      mutations.upsert('counters', { name: 'nodes', value: node });
      mutations.insert('nodes', {
        node,
        name: lease.name,
        host,
        pid,
        ttl_ms: lease.ttlMs,
        opened: time.cell,
        seen: time.cell,
        robbed: 0,
      });
      mutations.insert('presences', { incarnation, node, written: commitTimestamp });
      return { result: node, mutations: mutations.list };
    });
  }

  /** Ends the lease. */
  async leave(): Promise<void> {
    const { link, time, incarnation } = this.#options;
    if (this.node === 0) return;
    const mutations = new Mutations();
    mutations.update('nodes', { node: this.node, closed: time.cell });
    mutations.delete('presences', incarnation);
    await link.write(mutations.list);
  }

  /**
   * False when the lease had run out and another node has taken agents. One commit without a transaction, so that no commit of agents, each of which writes the presence too, keeps it from being made; then a read that locks nothing. Who takes agents
   * after that commit has seen it, and who did before it is seen by the read.
   */
  async heartbeat(): Promise<boolean> {
    const { link, time, name, incarnation } = this.#options;
    if (this.node === 0) return true;
    const mutations = new Mutations();
    // In a database that was made anew it is not there.
    mutations.update('presences', { incarnation, written: commitTimestamp });
    mutations.update('nodes', { node: this.node, seen: time.cell });
    try {
      await link.write(mutations.list, 1);
    } catch (error) {
      throw isUnexpectedRow(error) ? goneError(name, error) : error;
    }
    const [row] = await link.read('SELECT n.robbed FROM nodes n WHERE n.node = @node', { node: integer(this.node) });
    if (row === undefined) throw goneError(name, undefined);
    const robbed = row['robbed'] as number;
    const held = robbed === this.#robbed;
    this.#robbed = robbed;
    return held;
  }

  async nodes(): Promise<readonly NodeRecord[]> {
    const { link, time } = this.#options;
    const rows = await link.read(`SELECT ${nodeColumns} FROM nodes n WHERE ${isAlive} ORDER BY n.node`, { now: time.parameter });
    return rows.map(nodeRecord);
  }

  /** By id or key, in order; as many at a time as a commit takes without trouble. */
  async load(agents: readonly (string | AgentKey)[]): Promise<readonly LoadOutcome[]> {
    const outcomes: LoadOutcome[] = [];
    for (let start = 0; start < agents.length; start += loadsAtOnce) {
      outcomes.push(...(await this.#load(agents.slice(start, start + loadsAtOnce))));
    }
    return outcomes;
  }

  async #load(agents: readonly (string | AgentKey)[]): Promise<readonly LoadOutcome[]> {
    const { link, time, epoch, name } = this.#options;
    const parameters = {
      now: time.parameter,
      ids: texts(agents.filter((agent) => typeof agent === 'string')),
      agents: integers(agents.filter((agent) => typeof agent === 'number').map(scatter)),
    };
    const sql = `SELECT a.*, n.node AS holder, n.name AS node_name, n.host, n.pid, n.ttl_ms, UNIX_MILLIS(n.opened) AS opened_at,
        UNIX_MILLIS(n.seen) AS seen_at, UNIX_MILLIS(n.closed) AS closed_at, n.robbed, (${isAlive}) AS alive, meta.epoch
      FROM (SELECT m.value AS epoch FROM statewarden_meta m WHERE m.name = 'epoch') AS meta LEFT JOIN (SELECT ${agentColumns} FROM agents a WHERE a.id IN UNNEST(@ids)
        UNION DISTINCT SELECT ${agentColumns} FROM agents a WHERE a.agent IN UNNEST(@agents)) AS a ON TRUE
      LEFT JOIN nodes n ON n.node = a.owner`;
    const found = new Map<string | AgentKey, Row>();
    const note = (rows: readonly Row[]): void => {
      found.clear();
      if (rows[0]?.['epoch'] !== epoch) throw goneError(name, undefined);
      for (const row of rows) if (row['key'] !== undefined) found.set(row['id'] as string, row).set(row['key'] as AgentKey, row);
    };
    const taken = new Map<AgentKey, number | undefined>();
    if (this.node === 0) note(await link.read(sql, parameters));
    else {
      await link.transact(async ({ query }) => {
        note(await query(sql, parameters));
        taken.clear();
        const rows = new Map([...found.values()].map((row) => [row['key'] as AgentKey, row]));
        return { result: undefined, mutations: this.#take([...rows.values()], taken) };
      });
    }
    const owned = (row: Row): boolean => this.node !== 0 && this.#isOwned(row);
    const wanted = [
      ...new Set(agents.map((agent) => found.get(agent)).filter((row) => row !== undefined && !isArchived(row) && !owned(row))),
    ];
    const views = await this.#options.views(wanted.map((row) => (row as Row)['key'] as AgentKey));
    return agents.map((agent): LoadOutcome => {
      const row = found.get(agent);
      if (row === undefined) return { outcome: 'absent' };
      if (isArchived(row)) return { outcome: 'archived', record: agentRecord(row) };
      if (owned(row)) {
        return { outcome: 'owned', record: agentRecord(row), node: nodeRecord({ ...row, node: row['holder'], name: row['node_name'] }) };
      }
      const key = row['key'] as AgentKey;
      const view = views.get(key);
      return view === undefined ? { outcome: 'absent' } : { outcome: 'loaded', ...view, downSince: taken.get(key) };
    });
  }

  /** Held by another live node, and not finished. */
  #isOwned(row: Row): boolean {
    const done = isFinal(row['status']) && row['busy_shard'] === undefined;
    return !done && row['owner'] !== undefined && row['owner'] !== this.node && row['alive'] === true;
  }

  #take(rows: readonly Row[], taken: Map<AgentKey, number | undefined>): Mutations['list'] {
    const mutations = new Mutations();
    const robbed = new Map<number, number>();
    for (const row of rows) {
      const done = isFinal(row['status']) && row['busy_shard'] === undefined;
      if (done || isArchived(row) || row['owner'] === this.node || this.#isOwned(row)) continue;
      const { agent, fence, sequence_number } = row as { agent: number; fence: number; sequence_number: number };
      mutations.update('agents', { agent, owner: this.node, fence: fence + 1, written: commitTimestamp });
      raiseFence(mutations, agent, fence, sequence_number);
      const since = row['closed_at'] ?? row['seen_at'];
      taken.set(row['key'] as AgentKey, typeof since === 'number' ? Math.max(since, row['updated_at'] as number) : undefined);
      if (row['holder'] !== undefined) robbed.set(row['holder'] as number, (row['robbed'] as number) + 1);
    }
    for (const [node, times] of robbed) mutations.update('nodes', { node, robbed: times });
    return mutations.list;
  }

  async runnable({ after, limit, unheld = false }: RunnablePage): Promise<readonly AgentKey[]> {
    const { link, time } = this.#options;
    const rows = await link.read(
      `SELECT a.key FROM agents${byIndex('agents_busy')} a
        WHERE a.busy_shard BETWEEN 0 AND ${String(lastShard)} AND a.key > @after AND ${isFree}
      UNION DISTINCT SELECT a.key FROM agents a
        WHERE a.agent IN (SELECT m.agent FROM mailbox@{FORCE_INDEX=mailbox_arrivals} m) AND a.status = 'active' AND a.key > @after AND ${isFree}
      ORDER BY key LIMIT @limit`,
      // No agent is held by node 0.
      { now: time.parameter, node: integer(unheld ? 0 : this.node), after: integer(after), limit: integer(limit) },
    );
    return rows.map((row) => row['key'] as AgentKey);
  }

  async dueTimers({ before, limit }: { readonly before: number; readonly limit: number }): Promise<readonly DueTimer[]> {
    const { link, time } = this.#options;
    const rows = await link.read(
      `SELECT a.key, t.id, t.due_at FROM timers@{FORCE_INDEX=timers_due} t JOIN agents a ON a.agent = t.agent
        WHERE t.shard BETWEEN 0 AND ${String(lastShard)} AND t.due_at < @before AND ${isFree} ORDER BY t.due_at, a.key, t.id LIMIT @limit`,
      { now: time.parameter, node: integer(this.node), before: float(before), limit: integer(limit) },
    );
    return rows.map((row) => ({ agent: row['key'] as AgentKey, id: row['id'] as string, dueAt: row['due_at'] as number }));
  }
}
