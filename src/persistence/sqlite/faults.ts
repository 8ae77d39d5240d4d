/**
 * What the library's and the system's errors mean to the caller: for each place where one can come from, the typed error with what to do about it.
 * Told apart by SQLite's result code or the system's `errno` name, never by the message.
 */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  CorruptRecordError,
  InvariantViolationError,
  StatewardenError,
  StoreOpenError,
  StorePoisonedError,
  StoreUnavailableError,
} from '../../core/errors.js';
import { codeOf } from './driver.js';

/** System errors of our own `fdatasync`, as SQLite would name them. */
const systemCodes: Readonly<Record<string, string>> = { ENOSPC: 'FULL', EDQUOT: 'FULL', EIO: 'IOERR', EROFS: 'READONLY' };

function meaning(error: unknown): string | undefined {
  return codeOf(error) ?? systemCodes[String((error as NodeJS.ErrnoException | undefined)?.code)];
}

/** @throws StoreOpenError when no file can be at this path. */
export function checkPath(path: string): void {
  try {
    if (!statSync(path).isDirectory()) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new StoreOpenError(`${path} cannot be opened: ${(error as Error).message}`, {
        cause: error,
        hint: 'Check the path and its permissions.',
      });
    }
    if (statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory() === true) return;
    throw new StoreOpenError(`the folder of ${path} does not exist`, { hint: `Make it first: mkdir -p ${dirname(path)}` });
  }
  throw new StoreOpenError(`${path} is a folder`, { hint: `Give the path of a file, for example ${path.replace(/\/$/, '')}/agents.db.` });
}

export function corrupt(path: string, what: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(`${path} is damaged: ${what}`, {
    cause,
    hint: 'Restore the file from a backup, or save what can be read with the sqlite3 shell: .recover',
  });
}

export function isCorruption(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'CORRUPT' || code === 'NOTADB';
}

export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'BUSY' || code === 'LOCKED';
}

export function openError(path: string, error: unknown): unknown {
  if (error instanceof StatewardenError) {
    if (!(error instanceof StorePoisonedError)) return error;
    return new StoreOpenError(error.message, { hint: error.hint, cause: error.cause });
  }
  const message = (error as Error).message;
  switch (meaning(error)) {
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
      return new StoreUnavailableError(`${path} is locked by another process`, {
        cause: error,
        hint: 'End the process that holds it, or wait.',
      });
    default:
      return new StoreOpenError(`${path} cannot be opened: ${message}`, { cause: error, hint: 'Check the path and its permissions.' });
  }
}

export function readError(path: string, error: unknown): unknown {
  if (error instanceof StatewardenError) return error;
  if (isCorruption(error)) return corrupt(path, (error as Error).message, error);
  const message = `${path} cannot be read: ${(error as Error).message}`;
  if (codeOf(error) === undefined) return new InvariantViolationError(message, { cause: error, hint: 'Please report it.' });
  return new StoreUnavailableError(message, { cause: error, hint: 'It is tried again.' });
}

const poisonHints: Readonly<Record<string, string>> = {
  FULL: 'Free space on the disk, then start again: everything acknowledged is in the file.',
  READONLY: 'Make the file and its folder writable, then start again.',
  IOERR: 'Look at the disk, then start again: recovery reads what it has.',
  CORRUPT: 'Restore the file from a backup; `statewarden doctor` tells what is damaged.',
};

/** `StoreUnavailableError` when nothing was written and it can be tried again; `StorePoisonedError` for everything that is not understood. */
export function writeError(path: string, error: unknown): StatewardenError {
  if (error instanceof StatewardenError) return error;
  const message = `${path} cannot be written: ${(error as Error).message}`;
  if (isBusy(error)) {
    return new StoreUnavailableError(message, { cause: error, hint: 'Another process holds the file for long; it is tried again.' });
  }
  return new StorePoisonedError(message, {
    cause: error,
    hint: poisonHints[meaning(error) ?? ''] ?? 'Nothing further is written; look at the cause, then start again.',
  });
}
