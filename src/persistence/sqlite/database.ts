/**
 * The store on one SQLite file, synchronous; it runs in the writer's thread. WAL; a transaction that has returned is on the disk: the log is synced
 * by `wal-sync.ts` before anybody hears of it, as `synchronous=FULL` would.
 *
 * After a write that failed for good (a failed fsync, a full disk) the file's state is known only to its log: the database is poisoned and takes nothing
 * more until it is opened again. What it does not promise: a schema of its own for each version, or sharing the file with foreign writers.
 */

import { statSync } from 'node:fs';
import { failpoint } from '../../core/failpoint.js';
import type { TurnInProgress } from '../../core/turn-pulse.js';
import type { StatewardenError } from '../../core/errors.js';
import { InvariantViolationError, StoreOpenError, StorePoisonedError, StoreSchemaError } from '../../core/errors.js';
import type {
  AgentCommit,
  AgentFilter,
  AgentKey,
  AgentRecord,
  CommitOutcome,
  Expired,
  ExpiryPage,
  LoadOutcome,
  MachineRecord,
  MessageRecord,
  NodeLease,
  NodeRecord,
  NoteName,
  NoteRecord,
  PostOutcome,
  RedriveOutcome,
} from '../store.js';
import type { Records } from '../encryption/records.js';
import { Checkpointer, logLimitBytes } from './checkpointer.js';
import { Commits, isFinal } from './commits.js';
import { expireResults, lookForExpired } from './expiry.js';
import { connect, type Connection, type Statement } from './driver.js';
import { checkPath, corrupt, isBusy, openError, readError, writeError } from './faults.js';
import { isAlive, type Moment } from './liveness.js';
import { Nodes } from './nodes.js';
import { Notes } from './notes.js';
import { Queries } from './queries.js';
import { nodeRecord } from './rows.js';
import { recordEndlessTurn, type EndlessTurn } from './endless-turn.js';
import { schema, schemaVersion, upgrades } from './schema.js';
import { WalSync } from './wal-sync.js';
import { Wholes, type IsFree } from './whole.js';

export interface DatabaseOptions {
  readonly path: string;
  readonly lease: NodeLease | undefined;
  /** Milliseconds to wait for another process's lock. */
  readonly busyMs: number;
  /** For tests: the most pages the file may have. */
  readonly maximumPages: number | undefined;
}

/** Some commit of a group was refused. */
class Contested extends Error {}

/** Larger files are checked in full only by `check`. */
const quickCheckBytes = 64 * 2 ** 20;

export class Database {
  readonly node: number;
  readonly driver: string;
  readonly queries: Queries;
  readonly #options: DatabaseOptions;
  readonly #connection: Connection;
  readonly #commits: Commits;
  readonly #nodes: Nodes;
  readonly #notes: Notes;
  readonly #wholes: Wholes;
  readonly #begin: Statement;
  readonly #beginRead: Statement;
  readonly #end: Statement;
  readonly #sync: WalSync;
  readonly #checkpointer: Checkpointer;
  #poison: StatewardenError | undefined;
  #dataVersion = -1;
  #seenMail = 0;

  constructor(options: DatabaseOptions, at: Moment) {
    this.#options = options;
    const { path, lease, busyMs, maximumPages } = options;
    checkPath(path);
    let connection: Connection | undefined;
    let sync: WalSync | undefined;
    try {
      connection = connect(path);
      connection.exec(`PRAGMA busy_timeout = ${String(busyMs)}`);
      enterWal(connection, busyMs);
      connection.exec('PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF');
      if (maximumPages !== undefined) connection.exec(`PRAGMA max_page_count = ${String(maximumPages)}`);
      this.#connection = connection;
      this.driver = connection.driver;
      this.#checkpointer = new Checkpointer(path, connection);
      this.#migrate();
      if (statSync(path).size <= quickCheckBytes) this.#quickCheck();
      this.#sync = sync = new WalSync(path, logLimitBytes);
      this.queries = new Queries(connection);
      this.#notes = new Notes(connection);
      this.#wholes = new Wholes(connection, this.queries);
      this.#begin = connection.prepare('BEGIN IMMEDIATE');
      this.#beginRead = connection.prepare('BEGIN');
      this.#end = connection.prepare('COMMIT');
      this.#nodes = new Nodes(connection, lease);
      if (lease !== undefined) this.#write(() => this.#nodes.enter(lease, at));
      this.node = this.#nodes.node;
      this.#commits = new Commits(connection, this.node);
      this.#seenMail = this.queries.lastPosition();
    } catch (error) {
      try {
        sync?.close();
        connection?.close();
      } catch {
        // The first error says more.
      }
      throw openError(path, error);
    }
  }

  #migrate(): void {
    const version = this.#connection.prepare('PRAGMA user_version').get()?.['user_version'] as number;
    if (version > schemaVersion) {
      throw new StoreSchemaError(
        `${this.#options.path} has schema ${String(version)}; this version of Statewarden knows ${String(schemaVersion)}`,
        {
          hint: 'Upgrade statewarden, or open a copy of the file made by this version.',
        },
      );
    }
    if (version === schemaVersion) return;
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have been quicker.
      const tables = this.#connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
      const found = this.#connection.prepare('PRAGMA user_version').get()?.['user_version'] as number;
      const fresh = found === 0;
      if (fresh && tables.length > 0) {
        throw new StoreOpenError(`${this.#options.path} is a SQLite database of something else`, {
          hint: 'Give the path of a file that does not exist yet, or of one that Statewarden made.',
        });
      }
      if (fresh) this.#connection.exec(schema);
      for (let next = found + 1; !fresh && next <= schemaVersion; next += 1) this.#connection.exec(upgrades[next] as string);
      this.#connection.exec(`UPDATE meta SET value = ${String(schemaVersion)} WHERE name = 'schema'`);
      this.#connection.exec(`PRAGMA user_version = ${String(schemaVersion)}`);
      this.#connection.exec('COMMIT');
    } catch (error) {
      this.#connection.exec('ROLLBACK');
      throw error;
    }
  }

  #quickCheck(): void {
    const [first] = this.#connection.prepare('PRAGMA quick_check(1)').all();
    const line = first === undefined ? 'ok' : String(Object.values(first)[0]);
    if (line !== 'ok') throw corrupt(this.#options.path, line);
  }

  // ── Transactions ────────────────────────────────────────────────────────────────────────────────────────────────

  #write<T>(work: () => T, commits = 1): T {
    if (this.#poison !== undefined) throw this.#poison;
    try {
      this.#begin.run();
    } catch (error) {
      throw this.#writeFailed(error);
    }
    try {
      this.#sync.reserve();
      const result = work();
      failpoint('sqlite:before-commit');
      this.#end.run();
      failpoint('sqlite:before-sync');
      this.#sync.flush(commits);
      failpoint('sqlite:after-commit');
      this.#checkpointer.written(this.#sync.bytes);
      return result;
    } catch (error) {
      try {
        this.#connection.exec('ROLLBACK');
      } catch {
        // Already rolled back by SQLite itself.
      }
      this.#commits?.discard();
      throw error instanceof Contested ? error : this.#writeFailed(error);
    }
  }

  #read<T>(work: () => T): T {
    try {
      this.#beginRead.run();
      try {
        return work();
      } finally {
        this.#end.run();
      }
    } catch (error) {
      throw readError(this.#options.path, error);
    }
  }

  #writeFailed(error: unknown): StatewardenError {
    const failure = writeError(this.#options.path, error);
    if (failure instanceof StorePoisonedError) this.#poison = failure;
    return failure;
  }

  // ── The contract ────────────────────────────────────────────────────────────────────────────────────────────────

  commit(commits: readonly AgentCommit[]): CommitOutcome[] {
    if (this.node === 0)
      throw new InvariantViolationError('an observer has tried to commit', { hint: 'Open the store with a lease to run agents.' });
    // Nearly always nobody is refused. When somebody is, all is taken back and done again one by one.
    if (commits.length > 1) {
      try {
        return this.#write(() => {
          this.#commits.begin();
          const outcomes = this.#commits.applyTogether(commits);
          if (outcomes === undefined) throw new Contested();
          this.#commits.flush();
          return outcomes;
        }, commits.length);
      } catch (error) {
        if (!(error instanceof Contested)) throw error;
      }
    }
    return this.#write(() => {
      const outcomes = commits.map((commit) => this.#commits.apply(commit));
      this.#commits.flush();
      return outcomes;
    }, commits.length);
  }

  load(agents: readonly (string | AgentKey)[], at: Moment): LoadOutcome[] {
    const records = this.#read(() => agents.map((agent) => this.queries.agent(agent)));
    const takes = (record: (typeof records)[number]): boolean =>
      record !== undefined &&
      record.archive === undefined &&
      this.node !== 0 &&
      record.owner !== this.node &&
      (!isFinal(record.status) || record.busy);
    if (!records.some(takes)) {
      return this.#read(() =>
        agents.map((agent): LoadOutcome => {
          const record = this.queries.agent(agent);
          return record === undefined ? { outcome: 'absent' } : this.#untaken(record);
        }),
      );
    }
    return this.#write(() => {
      const nodes = this.#nodes.rows();
      const alive = new Map<number, boolean>();
      const take = this.#connection.prepare('UPDATE agents SET fence = fence + 1, owner = ? WHERE key = ?');
      const robbed = new Set<number>();
      const outcomes = agents.map((agent): LoadOutcome => {
        const record = this.queries.agent(agent);
        if (record === undefined) return { outcome: 'absent' };
        if (!takes(record)) return this.#untaken(record);
        const holder = record.owner === undefined ? undefined : nodes.get(record.owner);
        if (holder !== undefined) {
          let lives = alive.get(holder.node);
          if (lives === undefined) alive.set(holder.node, (lives = isAlive(holder, at)));
          if (lives) return { outcome: 'owned', record, node: nodeRecord(holder) };
        }
        take.run(this.node, record.key);
        const taken = { ...record, owner: this.node, fence: record.fence + 1 };
        if (holder !== undefined) robbed.add(holder.node);
        const downSince = holder === undefined ? undefined : Math.max(holder.closed_at ?? holder.seen_at, record.updatedAt);
        return { outcome: 'loaded', ...this.queries.loaded(taken, downSince) };
      });
      for (const node of robbed) this.#nodes.rob(node);
      failpoint('sqlite:load-taken');
      return outcomes;
    });
  }

  #untaken(record: AgentRecord): LoadOutcome {
    if (record.archive !== undefined) return { outcome: 'archived', record };
    return { outcome: 'loaded', ...this.queries.loaded(record, undefined) };
  }

  read<T>(work: (queries: Queries) => T): T {
    return this.#read(() => work(this.queries));
  }

  post(messages: readonly MessageRecord[], cap: number, now: number): PostOutcome[] {
    return this.#write(() => messages.map((message) => this.#commits.post(message, cap, now)));
  }

  redrive(positions: readonly number[], to: string | undefined, cap: number, now: number): RedriveOutcome[] {
    return this.#write(() => positions.map((position) => this.#commits.redrive(position, to, cap, now)));
  }

  endless(turn: TurnInProgress, now: number, records: Records | undefined): EndlessTurn | undefined {
    return this.#write(() => recordEndlessTurn(this.#connection, this.node, turn, now, records));
  }

  discard(positions: readonly number[]): number {
    return this.#write(() => positions.reduce((discarded, position) => discarded + this.#commits.discardLetter(position), 0));
  }

  expire(page: ExpiryPage): Expired {
    const part = this.#read(() => lookForExpired(this.#connection, page));
    return part.expired === 0 ? { expired: 0, next: part.next } : this.#write(() => expireResults(this.#connection, part));
  }

  /** Changes agents as wholes. Others that are alive are found once for all of them. */
  wholes<T>(at: Moment, work: (wholes: Wholes, isFree: IsFree) => T): T {
    return this.#write(() => {
      const others = new Set(this.others(at));
      return work(this.#wholes, ({ owner }) => owner === undefined || !others.has(owner));
    });
  }

  /** Undefined when another node is at work: the file is locked for as long as it is written anew. */
  reclaim(at: Moment): { before: number; after: number } | undefined {
    if (this.#poison !== undefined) throw this.#poison;
    if (this.others(at).length > 0) return undefined;
    const { path } = this.#options;
    const before = statSync(path).size;
    try {
      this.#connection.exec('VACUUM');
      this.#sync.flush(Infinity);
      this.#checkpointer.empty();
    } catch (error) {
      throw this.#writeFailed(error);
    }
    return { before, after: statSync(path).size };
  }

  publish(notes: readonly NoteRecord[]): void {
    if (notes.length > 0) this.#write(() => this.#notes.keep(notes));
  }

  notes(prefix: string, since: number | undefined): NoteRecord[] {
    return this.#read(() => this.#notes.read(prefix, since));
  }

  retract(names: readonly NoteName[]): void {
    if (names.length > 0) this.#write(() => this.#notes.remove(names));
  }

  saveMachines(machines: readonly MachineRecord[]): void {
    const known = this.read((queries) => queries.machines(undefined));
    const fresh = machines.filter(
      (machine) =>
        !known.some(
          (old) =>
            old.kind === machine.kind &&
            old.version === machine.version &&
            old.schema === machine.schema &&
            old.definition === machine.definition,
        ),
    );
    if (fresh.length === 0) return;
    this.#write(() => {
      const upsert = this.#connection.prepare('INSERT OR REPLACE INTO machines (kind, version, schema, definition) VALUES (?, ?, ?, ?)');
      for (const { kind, version, schema: hash, definition } of fresh) upsert.run(kind, version, hash, definition);
    });
  }

  // ── Nodes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  nodes(at: Moment): NodeRecord[] {
    return this.#read(() => this.#nodes.alive(at));
  }

  release(agents: readonly AgentKey[]): void {
    const sql = 'UPDATE agents SET owner = NULL WHERE owner = ? AND key IN (SELECT value FROM json_each(?))';
    if (agents.length > 0) this.#write(() => this.#connection.prepare(sql).run(this.node, JSON.stringify(agents)));
  }

  /** Live nodes other than this one. */
  others(at: Moment): number[] {
    return this.#nodes.others(at);
  }

  get leaseMs(): number {
    return this.#nodes.leaseMs;
  }

  heartbeat(at: Moment): boolean {
    return this.node === 0 || this.#write(() => this.#nodes.heartbeat(at));
  }

  /** Extends the lease for a node that cannot do so itself just now. It hears at its next heartbeat what happened meanwhile. */
  keepLease(at: Moment): void {
    try {
      this.#write(() => this.#nodes.extend(at));
    } catch {
      // The next request meets the same trouble and tells it.
    }
  }

  /** Agents with mail from somebody else since the last call. */
  foreignMail(at: Moment): AgentKey[] {
    const version = this.#connection.prepare('PRAGMA data_version').get()?.['data_version'] as number;
    if (version === this.#dataVersion) return [];
    this.#dataVersion = version;
    const { agents, last } = this.read((queries) => queries.newMail(this.#seenMail, this.others(at)));
    this.#seenMail = last;
    return agents;
  }

  list(filter: AgentFilter): ReturnType<Queries['list']> {
    return this.read((queries) => queries.list(filter));
  }

  close(now: number): void {
    try {
      if (this.node !== 0 && this.#poison === undefined) {
        this.#write(() => this.#nodes.leave(now));
      }
    } finally {
      this.#sync.close();
      this.#checkpointer.close();
      this.#connection.close();
    }
  }
}

/**
 * Turns write-ahead logging on. The switch of a new file needs it alone, and SQLite does not wait for that: two processes that make
 * the same file at once would fail without a second try.
 */
function enterWal(connection: Connection, busyMs: number): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += 10) {
    try {
      const mode = connection.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
      if (mode === 'wal') return;
      throw new StoreOpenError(`the journal mode stays ${String(mode)}`, {
        hint: 'Use a local disk: write-ahead logging needs shared memory.',
      });
    } catch (error) {
      if (!isBusy(error) || waitedMs >= busyMs) throw error;
      Atomics.wait(pause, 0, 0, 10);
    }
  }
}
