/**
 * The outside's own record of the calls it was asked for: one line when a call begins, one when it ends, written by the provider and not by the
 * runtime. It is the independent witness: what really was executed, to be compared with what the ledger says.
 *
 * Lines are appended with O_APPEND in one write each, so that a kill leaves whole lines; a torn last line is skipped.
 */

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export type CallLine =
  /** A process began to work on the run; `recorded` are the calls whose success the ledger held already, `about` what the run was begun with. */
  | {
      readonly type: 'open';
      readonly run: string;
      readonly pid: number;
      readonly at: number;
      readonly recorded: readonly string[];
      readonly about: Readonly<Record<string, unknown>>;
    }
  /** It ended in good order, finished or not. An `open` without a `close` is a process that was killed. */
  | { readonly type: 'close'; readonly run: string; readonly pid: number; readonly at: number }
  /** `key` is the idempotency key that the call carried. */
  | {
      readonly type: 'start';
      readonly key: string;
      readonly task: string;
      readonly attempt: number;
      readonly pid: number;
      readonly at: number;
    }
  | { readonly type: 'done' | 'failed'; readonly key: string; readonly attempt: number; readonly pid: number; readonly at: number };

export class CallLog {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    const { size } = fstatSync(this.#file);
    const last = Buffer.alloc(1);
    if (size > 0 && readSync(this.#file, last, 0, 1, size - 1) === 1 && last[0] !== 10) writeSync(this.#file, '\n');
  }

  append(line: CallLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The lines of a log, oldest first; none when there is no log yet. */
export function readCallLog(path: string): CallLine[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as CallLine];
    } catch {
      return [];
    }
  });
}
