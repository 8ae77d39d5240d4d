/**
 * Keeps the write-ahead log short: moves it into the file when it has grown to its limit, so that the next writer begins it anew. A log that is
 * used again is quicker to sync than one that grows.
 *
 * SQLite 3.7.0 to 3.51.2 can lose pages when one connection checkpoints while another commits and thereby resets the log. So automatic checkpoints are
 * off, and ours run only while a second connection of ours holds the write lock: it shuts out every other writer and, since all of us
 * do it so, every other checkpoint. See docs/stores-sqlite.md.
 */

import { failpoint } from '../../core/failpoint.js';
import { connect, type Connection } from './driver.js';
import { isBusy } from './faults.js';

/** Log size that brings a checkpoint. */
export const logLimitBytes = 16 * 2 ** 20;

export class Checkpointer {
  readonly #path: string;
  readonly #connection: Connection;
  #guard: Connection | undefined;
  /** Log size to be exceeded: more than the limit while a reader keeps the log from beginning anew. */
  #next = logLimitBytes;

  constructor(path: string, connection: Connection) {
    this.#path = path;
    this.#connection = connection;
    // A log that was longer is cut to the limit when it begins anew, so that its size tells when it is full again.
    connection.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${String(logLimitBytes)}`);
  }

  /** To be called after a write, outside of transactions, with the log's size. Throws the library's error when the disk fails. */
  written(logBytes: number): void {
    if (logBytes <= logLimitBytes) this.#next = logLimitBytes;
    else if (logBytes > this.#next && this.#checkpoint()) this.#next = logBytes + logLimitBytes / 4;
  }

  /** Moves all of the log that nobody reads into the file, whatever its size. */
  empty(): void {
    this.#checkpoint();
  }

  /** False when somebody else writes just now. */
  #checkpoint(): boolean {
    try {
      this.#guard ??= this.#openGuard();
      this.#guard.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
    try {
      failpoint('sqlite:checkpoint');
      // Passive: waits for nobody, moves what no reader still needs, and syncs the log before and the file after.
      this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
      return true;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    } finally {
      this.#guard.exec('ROLLBACK');
    }
  }

  #openGuard(): Connection {
    const guard = connect(this.#path);
    guard.exec('PRAGMA busy_timeout = 0; PRAGMA wal_autocheckpoint = 0');
    return guard;
  }

  close(): void {
    this.#guard?.close();
    this.#guard = undefined;
  }
}
