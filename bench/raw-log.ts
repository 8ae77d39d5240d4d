/**
 * The limit: a plain file, appended to and forced to the disk with fdatasync. Nothing durable on this disk can be faster one by
 * one, or in groups of the same size. `preallocated` writes over space that the file has already, as a log that is used again does;
 * the file then does not grow, and fdatasync has less to do.
 */

import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';

export class RawLog {
  readonly #file: number;
  #position: number | null = null;

  constructor(path: string, preallocated = 0) {
    this.#file = openSync(path, preallocated > 0 ? 'w' : 'a');
    if (preallocated > 0) {
      const zeros = Buffer.alloc(1 << 20);
      for (let written = 0; written < preallocated; written += zeros.length) writeSync(this.#file, zeros);
      fsyncSync(this.#file);
      this.#position = 0;
    }
  }

  append(record: Buffer): void {
    writeSync(this.#file, record, 0, record.length, this.#position);
    if (this.#position !== null) this.#position += record.length;
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}
