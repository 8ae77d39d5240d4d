/**
 * Makes SQLite's log durable: one `fdatasync` after each transaction, before its outcome is told.
 *
 * With `synchronous=FULL` SQLite would do it itself, but prebuilt libraries call `fsync`, which also writes the file's times and takes half as long
 * again. `NORMAL` leaves out just that one call: the log's header and checkpoints are synced as in `FULL`. What another process reads
 * in between may not be on the disk yet; whatever it commits on the strength of it goes to the same log, and its own sync takes the
 * earlier frames along. SQLite takes no POSIX locks on the log, so closing this descriptor drops none.
 *
 * A log that grows costs the file system a transaction of its own at each sync, half as long again as one that is written over. So it grows by whole
 * pieces of zeros, ahead of the frames: to SQLite they are frames that are not valid, as are those a log has left over when it begins anew.
 *
 * Its size is asked for only now and then: a file system that keeps fine timestamps for whoever asks (Linux since 6.13) has each write after that
 * change the inode, and the sync wait for it.
 */

import { closeSync, constants, fdatasyncSync, fstatSync, openSync, writeSync } from 'node:fs';

/** A log shorter than this grows by itself: most stores are small. */
const smallBytes = 128 * 1_024;
const piece = new Uint8Array(256 * 1_024);
/** Commits after which the size is looked at. */
const lookEvery = 16;

export class WalSync {
  readonly #path: string;
  readonly #limitBytes: number;
  #descriptor: number | undefined;
  #bytes = 0;
  /** Commits since the size was looked at. */
  #unseen = 0;
  /** The log's size when it was last made longer here. */
  #reserved = smallBytes;

  /** `limitBytes`: size from which on the log is not made longer ahead of time. */
  constructor(path: string, limitBytes: number) {
    this.#path = `${path}-wal`;
    this.#limitBytes = limitBytes;
  }

  /** To be called inside of a write transaction: nobody else may write to the log meanwhile. */
  reserve(): void {
    if (this.#bytes <= this.#reserved || this.#descriptor === undefined) return;
    try {
      // The descriptor appends, wherever the end is now.
      const missing = this.#limitBytes - fstatSync(this.#descriptor).size;
      if (missing > 0) writeSync(this.#descriptor, piece, 0, Math.min(missing, piece.length));
      this.#reserved = missing > 0 ? fstatSync(this.#descriptor).size : this.#limitBytes;
    } catch {
      // No room to spare: whether there is enough is for the transaction's own frames to find out.
      this.#reserved = Infinity;
    }
  }

  /** After a transaction of so many commits. Throws the system's error; the log's state is then known only to the disk. */
  flush(commits: number): void {
    // The log exists from the first write on, and stays as long as a connection is open.
    this.#descriptor ??= openSync(this.#path, constants.O_WRONLY | constants.O_APPEND);
    fdatasyncSync(this.#descriptor);
    this.#unseen += commits;
    if (this.#unseen < lookEvery) return;
    this.#unseen = 0;
    this.#bytes = fstatSync(this.#descriptor).size;
  }

  /** Size of the log in bytes when it was last looked at; 0 before that. */
  get bytes(): number {
    return this.#bytes;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
