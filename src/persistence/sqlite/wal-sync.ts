/**
 * Makes SQLite's log durable: one `fdatasync` after each transaction, before its outcome is told.
 *
 * With `synchronous=FULL` SQLite would do it itself, but prebuilt libraries call `fsync`, which also writes the file's times and takes half as long
 * again. `NORMAL` leaves out just that one call: the log's header and checkpoints are synced as in `FULL`. What another process reads
 * in between may not be on the disk yet; whatever it commits on the strength of it goes to the same log, and its own sync takes the
 * earlier frames along. SQLite takes no POSIX locks on the log, so closing this descriptor drops none.
 */

import { closeSync, fdatasyncSync, fstatSync, openSync } from 'node:fs';

export class WalSync {
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = `${path}-wal`;
  }

  /** Throws the system's error; the log's state is then known only to the disk. */
  flush(): void {
    // The log exists from the first write on, and stays as long as a connection is open.
    this.#descriptor ??= openSync(this.#path, 'r+');
    fdatasyncSync(this.#descriptor);
  }

  /** Size of the log in bytes; 0 before the first `flush`. */
  get bytes(): number {
    return this.#descriptor === undefined ? 0 : fstatSync(this.#descriptor).size;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
