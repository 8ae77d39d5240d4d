/**
 * The store on one SQLite file, synchronous; it runs in the writer's thread. WAL; a transaction that has returned is on the disk: the log is synced
 * by `wal-sync.ts` before anybody hears of it, as `synchronous=FULL` would.
 *
 * After a write that failed for good (a failed fsync, a full disk) the file's state is known only to its log: the database is poisoned and takes nothing
 * more until it is opened again. Version 3.51.2 and earlier can corrupt a file when one connection checkpoints while another resets the
 * WAL: so automatic checkpoints are off, and ours run only while a second connection of ours holds the write lock, which shuts every other
 * writer and checkpointer out.
 */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { failpoint } from '../../core/failpoint.js';
import {
  CorruptRecordError,
  StatewardenError,
  StoreOpenError,
  StorePoisonedError,
  StoreSchemaError,
  StoreUnavailableError,
} from '../../core/errors.js';
import type { AgentCommit, AgentFilter, AgentKey, CommitOutcome, LoadOutcome, MachineRecord, MessageRecord, NodeLease, NodeRecord, PostOutcome } from '../store.js';
import { Commits } from './commits.js';
import { codeOf, connect, type Connection, type Statement } from './driver.js';
import { isAlive, processIdentity, thisHost, type NodeRow } from './liveness.js';
import { Queries } from './queries.js';
import { nodeRecord } from './rows.js';
import { schema, schemaVersion } from './schema.js';
import { WalSync } from './wal-sync.js';

export interface DatabaseOptions {
  readonly path: string;
  readonly lease: NodeLease | undefined;
  /** Milliseconds to wait for another process's lock. */
  readonly busyMs: number;
  /** For tests: the most pages the file may have. */
  readonly maximumPages: number | undefined;
}

/** WAL pages that bring a checkpoint: 16 MiB at 4 KiB a page. A WAL that is used again is quicker to sync than one that grows. */
const checkpointPages = 4_000;
/** Larger files are checked in full only by `check`. */
const quickCheckBytes = 64 * 2 ** 20;

export class Database {
  readonly node: number;
  readonly driver: string;
  readonly queries: Queries;
  readonly #options: DatabaseOptions;
  readonly #connection: Connection;
  readonly #commits: Commits;
  readonly #begin: Statement;
  readonly #beginRead: Statement;
  readonly #end: Statement;
  readonly #sync: WalSync;
  #guard: Connection | undefined;
  #poison: StatewardenError | undefined;
  #dataVersion = -1;
  #seenMail = 0;
  #pagesSinceCheckpoint = 0;

  constructor(options: DatabaseOptions, now: number) {
    this.#options = options;
    const { path, lease, busyMs, maximumPages } = options;
    checkPath(path);
    let connection: Connection | undefined;
    try {
      connection = connect(path);
      connection.exec(`PRAGMA busy_timeout = ${String(busyMs)}`);
      const mode = connection.prepare('PRAGMA journal_mode = WAL').get();
      if (mode?.['journal_mode'] !== 'wal') throw new Error(`the journal mode is ${String(mode?.['journal_mode'])}`);
      connection.exec('PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF');
      if (maximumPages !== undefined) connection.exec(`PRAGMA max_page_count = ${String(maximumPages)}`);
      this.#connection = connection;
      this.driver = connection.driver;
      this.#migrate();
      if (statSync(path).size <= quickCheckBytes) this.#quickCheck();
      this.#sync = new WalSync(path);
      this.queries = new Queries(connection);
      this.#begin = connection.prepare('BEGIN IMMEDIATE');
      this.#beginRead = connection.prepare('BEGIN');
      this.#end = connection.prepare('COMMIT');
      this.node = lease === undefined ? 0 : this.#register(lease, now);
      this.#commits = new Commits(connection, this.node);
      this.#seenMail = this.queries.lastPosition();
    } catch (error) {
      try {
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
      throw new StoreSchemaError(`${this.#options.path} has schema ${String(version)}; this version of Statewarden knows ${String(schemaVersion)}`, {
        hint: 'Upgrade statewarden, or open a copy of the file made by this version.',
      });
    }
    if (version === schemaVersion) return;
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have been quicker.
      const tables = this.#connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
      const fresh = (this.#connection.prepare('PRAGMA user_version').get()?.['user_version'] as number) === 0;
      if (fresh && tables.length > 0) {
        throw new StoreOpenError(`${this.#options.path} is a SQLite database of something else`, {
          hint: 'Give the path of a file that does not exist yet, or of one that Statewarden made.',
        });
      }
      if (fresh) this.#connection.exec(`${schema}; PRAGMA user_version = ${String(schemaVersion)}`);
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

  #write<T>(work: () => T): T {
    if (this.#poison !== undefined) throw this.#poison;
    try {
      this.#begin.run();
    } catch (error) {
      throw this.#writeError(error);
    }
    try {
      const result = work();
      failpoint('sqlite:before-commit');
      this.#end.run();
      failpoint('sqlite:before-sync');
      this.#sync.flush();
      failpoint('sqlite:after-commit');
      return result;
    } catch (error) {
      try {
        this.#connection.exec('ROLLBACK');
      } catch {
        // Already rolled back by SQLite itself.
      }
      this.#commits?.discard();
      throw this.#writeError(error);
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
      throw this.#readError(error);
    }
  }

  #readError(error: unknown): unknown {
    const code = codeOf(error);
    if (code === 'CORRUPT' || code === 'NOTADB') return corrupt(this.#options.path, (error as Error).message, error);
    if (code === undefined) return error;
    return new StoreUnavailableError(`${this.#options.path} cannot be read: ${(error as Error).message}`, { cause: error, hint: 'It is tried again.' });
  }

  #writeError(error: unknown): unknown {
    if (error instanceof StatewardenError) return error;
    const code = codeOf(error);
    const message = `${this.#options.path} cannot be written: ${(error as Error).message}`;
    if (code === 'BUSY' || code === 'LOCKED') {
      return new StoreUnavailableError(message, { cause: error, hint: 'Another process holds the file for long; it is tried again.' });
    }
    const hints: Readonly<Record<string, string>> = {
      FULL: 'Free space on the disk, then start again: everything acknowledged is in the file.',
      READONLY: 'Make the file and its folder writable, then start again.',
      IOERR: 'Look at the disk, then start again: recovery reads what it has.',
      CORRUPT: 'Restore the file from a backup; `statewarden doctor` tells what is damaged.',
    };
    this.#poison = new StorePoisonedError(message, { cause: error, hint: hints[code ?? ''] ?? 'Nothing further is written; look at the cause, then start again.' });
    return this.#poison;
  }

  // ── The contract ────────────────────────────────────────────────────────────────────────────────────────────────

  commit(commits: readonly AgentCommit[]): CommitOutcome[] {
    const outcomes = this.#write(() => {
      const done: CommitOutcome[] = [];
      for (const commit of commits) {
        done.push(this.#commits.apply(commit));
        failpoint('sqlite:mid-group');
      }
      this.#commits.flush();
      return done;
    });
    this.#checkpointWhenDue(commits.length);
    return outcomes;
  }

  load(agents: readonly (string | AgentKey)[], now: number): LoadOutcome[] {
    const records = this.#read(() => agents.map((agent) => this.queries.agent(agent)));
    const takes = (record: (typeof records)[number]): boolean =>
      record !== undefined && this.node !== 0 && record.owner !== this.node && (!isFinal(record.status) || record.busy);
    if (!records.some(takes)) {
      return this.#read(() =>
        agents.map((agent): LoadOutcome => {
          const record = this.queries.agent(agent);
          return record === undefined ? { outcome: 'absent' } : { outcome: 'loaded', ...this.queries.loaded(record, undefined) };
        }),
      );
    }
    return this.#write(() => {
      const nodes = new Map(this.#nodeRows().map((row) => [row.node, row]));
      const alive = new Map<number, boolean>();
      const take = this.#connection.prepare('UPDATE agents SET fence = fence + 1, owner = ? WHERE key = ?');
      const outcomes = agents.map((agent): LoadOutcome => {
        const record = this.queries.agent(agent);
        if (record === undefined) return { outcome: 'absent' };
        if (!takes(record)) return { outcome: 'loaded', ...this.queries.loaded(record, undefined) };
        const holder = record.owner === undefined ? undefined : nodes.get(record.owner);
        if (holder !== undefined) {
          let lives = alive.get(holder.node);
          if (lives === undefined) alive.set(holder.node, (lives = isAlive(holder, now)));
          if (lives) return { outcome: 'owned', record, node: nodeRecord(holder) };
        }
        take.run(this.node, record.key);
        const taken = { ...record, owner: this.node, fence: record.fence + 1 };
        const downSince = holder === undefined ? undefined : Math.max(holder.closed_at ?? holder.seen_at, record.updatedAt);
        return { outcome: 'loaded', ...this.queries.loaded(taken, downSince) };
      });
      failpoint('sqlite:load-taken');
      return outcomes;
    });
  }

  read<T>(work: (queries: Queries) => T): T {
    return this.#read(() => work(this.queries));
  }

  post(messages: readonly MessageRecord[], cap: number, now: number): PostOutcome[] {
    return this.#write(() => messages.map((message) => this.#commits.post(message, cap, now)));
  }

  saveMachines(machines: readonly MachineRecord[]): void {
    const known = this.read((queries) => queries.machines(undefined));
    const fresh = machines.filter(
      (machine) => !known.some((old) => old.kind === machine.kind && old.version === machine.version && old.schema === machine.schema),
    );
    if (fresh.length === 0) return;
    this.#write(() => {
      const insert = this.#connection.prepare('INSERT OR IGNORE INTO machines (kind, version, schema, definition) VALUES (?, ?, ?, ?)');
      for (const { kind, version, schema: hash, definition } of fresh) insert.run(kind, version, hash, definition);
    });
  }

  // ── Nodes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #register(lease: NodeLease, now: number): number {
    return this.#write(() => {
      const { lastInsertRowid } = this.#connection
        .prepare('INSERT INTO nodes (name, host, pid, process, opened_at, seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(lease.name, thisHost, process.pid, processIdentity(process.pid), now, now, now + lease.ttlMs);
      return Number(lastInsertRowid);
    });
  }

  #nodeRows(): NodeRow[] {
    return this.#connection.prepare('SELECT * FROM nodes').all() as unknown as NodeRow[];
  }

  nodes(now: number): NodeRecord[] {
    return this.#read(() => this.#nodeRows().filter((row) => isAlive(row, now)).map(nodeRecord));
  }

  /** Live nodes other than this one. */
  others(now: number): number[] {
    const rows = this.#connection.prepare('SELECT * FROM nodes WHERE closed_at IS NULL AND expires_at > ? AND node <> ?').all(now, this.node);
    return (rows as unknown as NodeRow[]).filter((row) => isAlive(row, now)).map((row) => row.node);
  }

  heartbeat(now: number): boolean {
    const { lease } = this.#options;
    if (lease === undefined) return true;
    return this.#write(() => {
      const row = this.#connection.prepare('SELECT expires_at FROM nodes WHERE node = ?').get(this.node);
      this.#connection.prepare('UPDATE nodes SET seen_at = ?, expires_at = ? WHERE node = ?').run(now, now + lease.ttlMs, this.node);
      return row !== undefined && (row['expires_at'] as number) > now;
    });
  }

  /** Agents with mail from somebody else since the last call. */
  foreignMail(now: number): AgentKey[] {
    const version = this.#connection.prepare('PRAGMA data_version').get()?.['data_version'] as number;
    if (version === this.#dataVersion) return [];
    this.#dataVersion = version;
    const { agents, last } = this.read((queries) => queries.newMail(this.#seenMail, this.others(now)));
    this.#seenMail = last;
    return agents;
  }

  // ── Upkeep ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #checkpointWhenDue(commits: number): void {
    this.#pagesSinceCheckpoint += commits + 1;
    // A commit writes two pages or more: look at the true size only when the WAL may have grown enough.
    if (this.#pagesSinceCheckpoint < checkpointPages / 4) return;
    this.#pagesSinceCheckpoint = 0;
    let bytes = 0;
    try {
      ({ size: bytes } = statSync(`${this.#options.path}-wal`));
    } catch {
      return;
    }
    if (bytes >= checkpointPages * 4_096) this.#checkpoint();
  }

  /** Moves the WAL into the file while nobody else can write, so that the next writer begins it anew. */
  #checkpoint(): void {
    try {
      this.#guard ??= this.#openGuard();
      this.#guard.exec('BEGIN IMMEDIATE');
    } catch {
      return; // somebody writes: another time
    }
    try {
      failpoint('sqlite:checkpoint');
      this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'BUSY' && code !== 'LOCKED') throw this.#writeError(error);
    } finally {
      this.#guard.exec('ROLLBACK');
    }
  }

  #openGuard(): Connection {
    const guard = connect(this.#options.path);
    guard.exec('PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 0');
    return guard;
  }

  list(filter: AgentFilter): ReturnType<Queries['list']> {
    return this.read((queries) => queries.list(filter));
  }

  close(now: number): void {
    try {
      if (this.node !== 0 && this.#poison === undefined) {
        this.#write(() => this.#connection.prepare('UPDATE nodes SET closed_at = ?, seen_at = ? WHERE node = ?').run(now, now, this.node));
      }
    } finally {
      this.#sync.close();
      this.#guard?.close();
      this.#connection.close();
    }
  }
}

function isFinal(status: string): boolean {
  return status === 'done' || status === 'error' || status === 'stopped';
}

function checkPath(path: string): void {
  let folder: ReturnType<typeof statSync>;
  try {
    if (statSync(path).isDirectory()) {
      throw new StoreOpenError(`${path} is a folder`, { hint: `Give the path of a file, for example ${path.replace(/\/$/, '')}/agents.db.` });
    }
    return;
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new StoreOpenError(`${path} cannot be opened: ${(error as Error).message}`, { cause: error, hint: 'Check the path and its permissions.' });
    }
  }
  try {
    folder = statSync(dirname(path));
    if (folder.isDirectory()) return;
  } catch {
    // told below
  }
  throw new StoreOpenError(`the folder of ${path} does not exist`, { hint: `Make it first: mkdir -p ${dirname(path)}` });
}

function corrupt(path: string, what: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(`${path} is damaged: ${what}`, {
    cause,
    hint: 'Restore the file from a backup, or save what can be read with the sqlite3 shell: .recover',
  });
}

function openError(path: string, error: unknown): unknown {
  if (error instanceof StatewardenError) {
    if (!(error instanceof StorePoisonedError)) return error;
    return new StoreOpenError(error.message, { hint: error.hint, cause: error.cause });
  }
  const message = (error as Error).message;
  switch (codeOf(error)) {
    case 'NOTADB':
      return new CorruptRecordError(`${path} is not a SQLite database, or its header is damaged`, {
        cause: error,
        hint: 'Give the path of a file made by Statewarden, or restore this one from a backup.',
      });
    case 'CORRUPT':
      return corrupt(path, message, error);
    case 'READONLY':
    case 'PERM':
      return new StoreOpenError(`${path} is read-only`, { cause: error, hint: 'Make the file and its folder writable: chmod u+w.' });
    case 'BUSY':
    case 'LOCKED':
      return new StoreUnavailableError(`${path} is locked by another process`, { cause: error, hint: 'End the process that holds it, or wait.' });
    default:
      return new StoreOpenError(`${path} cannot be opened: ${message}`, { cause: error, hint: 'Check the path and its permissions.' });
  }
}
