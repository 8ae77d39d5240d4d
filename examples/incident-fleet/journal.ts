/**
 * What the outside saw, written by the outside and not by the runtime: which calls began and ended, which faults struck, when a process opened and closed. It
 * is the independent witness that the run is judged by.
 *
 * Lines are appended with O_APPEND in one write each, so that a kill leaves whole lines; a torn last line is skipped.
 */

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export type Entry = { readonly pid: number; readonly at: number } &
  /** A process began; `recorded` are the calls whose success the ledger held by then. */
  (
    | { readonly type: 'open'; readonly recorded: readonly string[] }
    /** It ended in good order. An `open` without a `close` was killed. */
    | { readonly type: 'close' }
    /** `key`: the idempotency key that the call carried. */
    | { readonly type: 'start' | 'done' | 'failed'; readonly call: string; readonly key: string }
    /** The outside did something for the first time, and would not do it again for the same key. */
    | { readonly type: 'applied'; readonly key: string; readonly what: string }
    /** A scripted fault struck. */
    | { readonly type: 'fault'; readonly fault: string }
  );

type Draft = Entry extends infer T ? (T extends Entry ? Omit<T, 'pid' | 'at'> : never) : never;

export class Journal {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    const { size } = fstatSync(this.#file);
    const last = Buffer.alloc(1);
    if (size > 0 && readSync(this.#file, last, 0, 1, size - 1) === 1 && last[0] !== 10) writeSync(this.#file, '\n');
  }

  append(entry: Draft): void {
    writeSync(this.#file, `${JSON.stringify({ ...entry, pid: process.pid, at: Date.now() })}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Oldest first; none when there is no journal yet. */
export function readJournal(path: string): Entry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Entry];
    } catch {
      return [];
    }
  });
}
