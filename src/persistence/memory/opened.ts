/**
 * A memory store opened by one node or observer. Calls take effect when they are made, so they are answered in order; a closed one
 * answers nothing more. A node that is not closed holds its agents until its lease runs out, by the clock it was opened with.
 */

import { InvariantViolationError, RuntimeClosedError } from '../../core/errors.js';
import { agentFaults } from '../record-check.js';
import type {
  AgentCommit,
  AgentFilter,
  AgentOperation,
  AgentKey,
  AgentRecord,
  AgentStatus,
  ArchiveOrder,
  CommitOutcome,
  Expired,
  ExpiryPage,
  FlaggedPage,
  LoadedAgent,
  LoadOutcome,
  MachineRecord,
  MessageRecord,
  NodeLease,
  NoteName,
  NoteRecord,
  OpenedStore,
  OperationPage,
  OperationRecord,
  OperationStatus,
  ParkedPage,
  PostOutcome,
  RemoveOrder,
  WholeAgent,
} from '../store.js';
import { byCodePoint } from '../text-order.js';
import { applyCommit, isFinal, postMessage, redriveLetter } from './commits.js';
import type { AgentRow, Data, MailListener, NodeRow } from './data.js';
import { expireResults } from './expiry.js';
import { archiveWhole, installWhole, readLoaded, readWhole, removeWhole, restoreWhole } from './whole.js';

export class MemoryStore implements OpenedStore {
  readonly node: number;
  readonly #data: Data;
  readonly #lease: NodeLease | undefined;
  readonly #now: () => number;
  readonly #row: NodeRow | undefined;
  #closed = false;

  constructor(data: Data, lease: NodeLease | undefined, now: () => number) {
    this.#data = data;
    this.#lease = lease;
    this.#now = now;
    this.node = lease === undefined ? 0 : data.nodes.size + 1;
    if (lease === undefined) return;
    const at = now();
    const record = {
      node: this.node,
      name: lease.name,
      host: 'memory',
      pid: process.pid,
      openedAt: at,
      seenAt: at,
      expiresAt: at + lease.ttlMs,
    };
    this.#row = { record, closedAt: undefined, robbed: false };
    data.nodes.set(this.node, this.#row);
  }

  /** The data, for a call that may be made. */
  get #open(): Data {
    if (this.#closed) throw new RuntimeClosedError('the store is closed', { hint: 'Open it again.' });
    return this.#data;
  }

  // ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async commit(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]> {
    const data = this.#open;
    if (this.node === 0)
      throw new InvariantViolationError('an observer has tried to commit', { hint: 'Open the store with a lease to run agents.' });
    const mailed = new Set<AgentKey>();
    const outcomes = commits.map((commit) => applyCommit(data, this.node, commit, (agent) => mailed.add(agent)));
    this.#tell(mailed);
    return outcomes;
  }

  async post(messages: readonly MessageRecord[], cap: number): Promise<readonly PostOutcome[]> {
    const data = this.#open;
    const outcomes = messages.map((message) => postMessage(data, message, cap, this.#now()));
    this.#tell(new Set(outcomes.flatMap((outcome) => (outcome.outcome === 'accepted' ? [outcome.agent] : []))));
    return outcomes;
  }

  /** Tells the others who listen of mail for agents that are free for them. */
  #tell(agents: ReadonlySet<AgentKey>): void {
    if (agents.size === 0) return;
    for (const [other, listener] of this.#data.listeners) {
      if (other === this) continue;
      const free = [...agents].filter((agent) => (other as MemoryStore).#isFree(this.#data.agents.get(agent) as AgentRow));
      if (free.length > 0) queueMicrotask(() => this.#data.listeners.get(other) === listener && listener(free));
    }
  }

  async saveMachines(machines: readonly MachineRecord[]): Promise<void> {
    const data = this.#open;
    for (const machine of machines) data.machines.set(JSON.stringify([machine.kind, machine.version, machine.schema]), machine);
  }

  async publish(notes: readonly NoteRecord[]): Promise<void> {
    const data = this.#open;
    for (const note of notes) data.notes.set(noteKey(note), note);
  }

  async retract(names: readonly NoteName[]): Promise<void> {
    const { notes } = this.#open;
    for (const name of names) {
      const note = notes.get(noteKey(name));
      if (note?.at === (name.ifAt ?? note?.at)) notes.delete(noteKey(name));
    }
  }

  // ── Holding agents ──────────────────────────────────────────────────────────────────────────────────────────────

  #isFree(row: AgentRow): boolean {
    return this.#data.holder(row, this.node, this.#now()) === undefined;
  }

  async load(agents: readonly (string | AgentKey)[]): Promise<readonly LoadOutcome[]> {
    const data = this.#open;
    return agents.map((agent): LoadOutcome => {
      const row = data.find(agent);
      if (row === undefined) return { outcome: 'absent' };
      const { record } = row;
      if (record.archive !== undefined) return { outcome: 'archived', record };
      if (this.node === 0 || record.owner === this.node || (isFinal(record) && !record.busy))
        return { outcome: 'loaded', ...readLoaded(row) };
      const holder = data.holder(row, this.node, this.#now());
      if (holder !== undefined) return { outcome: 'owned', record, node: holder.record };
      row.record = { ...record, owner: this.node, fence: record.fence + 1 };
      const gone = record.owner === undefined ? undefined : data.nodes.get(record.owner);
      if (gone !== undefined) gone.robbed = true;
      const downSince = gone === undefined ? undefined : Math.max(gone.closedAt ?? gone.record.seenAt, record.updatedAt);
      return { outcome: 'loaded', ...readLoaded(row), downSince };
    });
  }

  async release(agents: readonly AgentKey[]): Promise<void> {
    const data = this.#open;
    for (const key of agents) {
      const row = data.agents.get(key);
      if (row?.record.owner === this.node) row.record = { ...row.record, owner: undefined };
    }
  }

  async heartbeat(): Promise<boolean> {
    void this.#open;
    const row = this.#row;
    if (row === undefined || this.#lease === undefined) return true;
    const held = !row.robbed;
    const at = this.#now();
    row.record = { ...row.record, seenAt: at, expiresAt: at + this.#lease.ttlMs };
    row.robbed = false;
    return held;
  }

  async nodes(): ReturnType<OpenedStore['nodes']> {
    const data = this.#open;
    return [...data.nodes.values()].filter((node) => data.isAlive(node, this.#now())).map(({ record }) => record);
  }

  async runnable({ after, limit, unheld }: Parameters<OpenedStore['runnable']>[0]): Promise<readonly AgentKey[]> {
    const isFree = (row: AgentRow): boolean => this.#isFree(row) && (unheld !== true || row.record.owner !== this.node);
    return [...this.#open.agents.values()]
      .filter((row) => row.record.key > after && hasWork(row) && isFree(row))
      .map(({ record }) => record.key)
      .sort((one, other) => one - other)
      .slice(0, limit);
  }

  async dueTimers({ before, limit }: { before: number; limit: number }): ReturnType<OpenedStore['dueTimers']> {
    return [...this.#open.agents.values()]
      .filter((row) => row.timers.size > 0 && this.#isFree(row))
      .flatMap(({ record, timers }) => [...timers.values()].map(({ id, dueAt }) => ({ agent: record.key, id, dueAt })))
      .filter(({ dueAt }) => dueAt < before)
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(0, limit);
  }

  onForeignMail(listener: MailListener): void {
    if (!this.#closed) this.#data.listeners.set(this, listener);
  }

  // ── Wholes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async whole(agents: readonly AgentKey[]): ReturnType<OpenedStore['whole']> {
    const data = this.#open;
    return agents.map((key) => {
      const row = data.agents.get(key);
      return row && readWhole(row);
    });
  }

  async install(agents: readonly WholeAgent[]): ReturnType<OpenedStore['install']> {
    const data = this.#open;
    const outcomes = agents.map((agent) => installWhole(data, agent));
    this.#tell(
      new Set(agents.flatMap(({ record, mailbox }, n) => (outcomes[n] === 'installed' && mailbox.length > 0 ? [record.key] : []))),
    );
    return outcomes;
  }

  async archive(agents: readonly ArchiveOrder[]): ReturnType<OpenedStore['archive']> {
    const data = this.#open;
    return agents.map((order) => archiveWhole(data, order, (row) => this.#isFree(row)));
  }

  async restore(agent: WholeAgent): ReturnType<OpenedStore['restore']> {
    return restoreWhole(this.#open, agent);
  }

  async remove(agents: readonly RemoveOrder[]): ReturnType<OpenedStore['remove']> {
    const data = this.#open;
    return agents.map((order) => removeWhole(data, order, (row) => this.#isFree(row)));
  }

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async heads(keys: readonly AgentKey[]): ReturnType<OpenedStore['heads']> {
    const data = this.#open;
    return keys.map((key) => {
      const record = data.agents.get(key)?.record;
      return record && { fence: record.fence, sequenceNumber: record.sequenceNumber };
    });
  }

  async lookup(agents: readonly (string | AgentKey)[]): ReturnType<OpenedStore['lookup']> {
    const data = this.#open;
    return agents.map((agent) => data.find(agent)?.record);
  }

  async inspect(agent: string | AgentKey): Promise<LoadedAgent | undefined> {
    const row = this.#open.find(agent);
    return row && readLoaded(row);
  }

  async mailbox(agent: AgentKey, afterPosition: number): ReturnType<OpenedStore['mailbox']> {
    return [...(this.#open.agents.get(agent)?.mailbox.values() ?? [])].filter(({ position }) => position > afterPosition);
  }

  async mark(agent: AgentKey, messageId: string): Promise<number | undefined> {
    return this.#open.agents.get(agent)?.marks.get(messageId);
  }

  async keyed(activity: string, userKey: string): ReturnType<OpenedStore['keyed']> {
    const wanted: readonly OperationStatus[] = ['succeeded', 'held', 'unknown'];
    return [...this.#open.agents.values()]
      .flatMap(({ operations }) => [...operations.values()])
      .filter((operation) => operation.activity === activity && operation.userKey === userKey && wanted.includes(operation.status))
      .filter(({ status, outcome }) => status !== 'succeeded' || outcome !== undefined)
      .sort((one, other) => succeeded(one) - succeeded(other) || (one.settledAt ?? 0) - (other.settledAt ?? 0))
      .at(-1);
  }

  async parked({ by, ...page }: ParkedPage): Promise<readonly AgentOperation[]> {
    return this.#page(page, ({ parkedBy }) => parkedBy !== undefined && (by === undefined || parkedBy === by));
  }

  async flagged({ flag, ...page }: FlaggedPage): Promise<readonly AgentOperation[]> {
    return this.#page(page, ({ saga, status }) => (flag === 'saga' ? saga !== undefined : status === flag));
  }

  async hasArtifacts(names: readonly string[]): Promise<readonly boolean[]> {
    const rows = [...this.#open.agents.values()];
    const named = new Set(
      rows.flatMap(({ operations, artifacts }) => [...artifacts, ...[...operations.values()].map(({ artifact }) => artifact)]),
    );
    return names.map((name) => named.has(name));
  }

  async expire(page: ExpiryPage): Promise<Expired> {
    return expireResults(this.#open, page);
  }

  #page({ after, limit, agents }: OperationPage, wanted: (operation: OperationRecord) => boolean): readonly AgentOperation[] {
    const owners = agents && new Set(agents);
    return [...this.#open.agents.values()]
      .filter(({ record }) => owners?.has(record.key) !== false)
      .flatMap(({ record, operations }) =>
        [...operations.values()].map((operation) => ({ agent: record.key, agentId: record.id, operation })),
      )
      .filter(({ operation }) => wanted(operation))
      .filter((found) => after === undefined || byPlace(found, { agent: after.agent, operation: after }) > 0)
      .sort(byPlace)
      .slice(0, limit);
  }

  async notes(prefix: string, since = -Infinity): Promise<readonly NoteRecord[]> {
    return [...this.#open.notes.values()]
      .filter(({ topic, at }) => topic.startsWith(prefix) && at >= since)
      .sort((one, other) => byCodePoint(one.topic, other.topic) || byCodePoint(one.author, other.author));
  }

  async machines(kind?: string): Promise<readonly MachineRecord[]> {
    return [...this.#open.machines.values()].filter((machine) => kind === undefined || machine.kind === kind);
  }

  async list({ kind, status, prefix = '', after = '', limit }: AgentFilter): Promise<readonly AgentRecord[]> {
    return [...this.#open.agents.values()]
      .map(({ record }) => record)
      .filter((record) => (kind === undefined || record.kind === kind) && (status === undefined || record.status === status))
      .filter(({ id }) => id.startsWith(prefix) && id > after)
      .sort((one, other) => (one.id < other.id ? -1 : 1))
      .slice(0, limit);
  }

  async journal(agent: AgentKey, { after, limit }: { after: number; limit: number }): ReturnType<OpenedStore['journal']> {
    const journal = this.#open.agents.get(agent)?.journal ?? [];
    return journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > after).slice(0, limit);
  }

  async operations(agent: AgentKey): ReturnType<OpenedStore['operations']> {
    return [...(this.#open.agents.get(agent)?.operations.values() ?? [])];
  }

  async deadLetters({ after, limit, to }: { after: number; limit: number; to?: string }): ReturnType<OpenedStore['deadLetters']> {
    return [...this.#open.deadLetters.values()]
      .filter((letter) => letter.position > after && (to === undefined || letter.to === to))
      .slice(0, limit);
  }

  async redrive(positions: readonly number[], to: string | undefined, cap: number): ReturnType<OpenedStore['redrive']> {
    const outcomes = positions.map((position) => redriveLetter(this.#open, position, to, cap, this.#now()));
    this.#tell(new Set(outcomes.flatMap((outcome) => (outcome.outcome === 'redriven' ? [outcome.agent] : []))));
    return outcomes;
  }

  async discard(positions: readonly number[]): Promise<number> {
    const { deadLetters } = this.#open;
    return positions.filter((position) => deadLetters.delete(position)).length;
  }

  async counts(): ReturnType<OpenedStore['counts']> {
    const data = this.#open;
    const rows = [...data.agents.values()];
    const sum = (of: (row: AgentRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
    const agents: Record<AgentStatus, number> = { active: 0, done: 0, error: 0, stopped: 0, parked: 0, suspended: 0 };
    for (const { record } of rows) agents[record.status] += 1;
    return {
      agents,
      journalSegments: sum(({ journal }) => journal.length),
      checkpoints: sum(({ checkpoint }) => (checkpoint === undefined ? 0 : 1)),
      mailbox: sum(({ mailbox }) => mailbox.size),
      timers: sum(({ timers }) => timers.size),
      openOperations: sum(({ operations }) => [...operations.values()].filter(({ settledIn }) => settledIn === 0).length),
      unsettledEffects: sum(({ effects }) => effects.size),
      deadLetters: data.deadLetters.size,
      bytes: sum(({ journal, checkpoint }) => journal.reduce((bytes, { entries }) => bytes + entries.length, checkpoint?.data.length ?? 0)),
    };
  }

  async check(progress?: (done: number, total: number) => void): Promise<readonly string[]> {
    const rows = [...this.#open.agents.values()];
    return rows.flatMap(({ record, journal, checkpoint }, index) => {
      const faults = agentFaults(record, journal, checkpoint);
      progress?.(index + 1, rows.length);
      return faults;
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#data.listeners.delete(this);
    if (this.#row !== undefined) this.#row.closedAt = this.#now();
  }
}

function hasWork({ record, mailbox }: AgentRow): boolean {
  return record.busy || (record.status === 'active' && (mailbox.size > 0 || record.sequenceNumber === 0));
}

function succeeded({ status }: OperationRecord): number {
  return status === 'succeeded' ? 1 : 0;
}

interface Placed {
  readonly agent: AgentKey;
  readonly operation: { readonly id: string };
}

/** In order of agent and operation. */
function byPlace(one: Placed, other: Placed): number {
  return one.agent - other.agent || byCodePoint(one.operation.id, other.operation.id);
}

function noteKey({ topic, author }: NoteName): string {
  return JSON.stringify([topic, author]);
}
