/** What the system's errors mean to who keeps artifacts in files: the typed error with what to do about it. Told apart by `errno` name, never by the message. */

import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { StatewardenError, StoreOpenError, StorePoisonedError, StoreUnavailableError } from '../../core/errors.js';

/** The system's name for what went wrong; undefined when it was not the system. */
export function systemCode(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof syscall === 'string' ? code : undefined;
}

const openHints: Readonly<Record<string, string>> = {
  ENOTDIR: 'A part of the path is a file: give one whose folders are folders.',
  EROFS: 'The disk is mounted read-only: mount it writable, or give a path on another.',
};

/** Nothing is made: a directory that is not there yet is made by the first put. @throws StoreOpenError when there cannot be artifacts in `directory`. */
export function checkDirectory(directory: string): void {
  const parent = dirname(directory);
  let exists = true;
  try {
    const found = statSync(directory, { throwIfNoEntry: false });
    if (found?.isDirectory() === false) {
      throw new StoreOpenError(`${directory} is a file`, { hint: `Give the path of a folder, for example ${directory}-artifacts.` });
    }
    exists = found !== undefined;
    const file = exists ? undefined : fileAmong(parent);
    if (file !== undefined)
      throw new StoreOpenError(`${directory} cannot be made: ${file} is a file`, { hint: openHints['ENOTDIR'] as string });
    if (!exists && statSync(parent, { throwIfNoEntry: false }) === undefined) {
      throw new StoreOpenError(`the folder of ${directory} does not exist`, { hint: `Make it first: mkdir -p ${parent}` });
    }
    accessSync(exists ? directory : parent, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof StatewardenError) throw error;
    throw new StoreOpenError(`${directory} cannot be opened: ${(error as Error).message}`, {
      cause: error,
      hint:
        openHints[systemCode(error) ?? ''] ??
        `Check the path and its permissions: ${exists ? directory : parent} must be readable and writable.`,
    });
  }
}

/** The part of a path that is a file, if one is. Some versions of Node say that there is nothing behind it, others throw ENOTDIR. */
function fileAmong(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found !== undefined) return found.isDirectory() ? undefined : at;
    if (dirname(at) === at) return undefined;
  }
}

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space on the disk; it is tried again.',
  EDQUOT: 'The quota is used up: free space, or raise it.',
  EACCES: 'Make the folder and what is in it writable: chmod -R u+rwX.',
  EPERM: 'Make the folder and what is in it writable: chmod -R u+rwX.',
  EROFS: 'The disk is mounted read-only: look at its log, mount it writable.',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n), or do less at once.',
  ENFILE: 'Too many files are open: raise the limit (ulimit -n), or do less at once.',
  ENOENT: 'Somebody removed or moved the folder meanwhile; it is made again when its own folder is there.',
  ENOTDIR: 'A file stands where a folder should be: move it away.',
  EISDIR: 'A folder stands where a file should be: move it away.',
};

/** For what failed and left nothing behind. What did not come from the system is given back as it is. */
export function unavailable(error: unknown, directory: string, verb: 'read' | 'written'): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  return new StoreUnavailableError(`${directory} cannot be ${verb}: ${(error as Error).message}`, {
    cause: error,
    hint: hints[code] ?? 'Look at the disk; it is tried again.',
  });
}

/** A disk that is full says so at the sync too, and what was written is thrown away: that can be tried again. Any other failure leaves unknown what the disk has. */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function poisoned(error: unknown, directory: string): StorePoisonedError {
  return new StorePoisonedError(`${directory} cannot be synced: ${(error as Error).message}`, {
    cause: error,
    hint: 'Look at the disk, then start again: what put() has resolved to is there.',
  });
}

/** A link or a file where a folder of ours should be: whoever follows it would write somewhere else. */
export function notOurs(path: string): StoreOpenError {
  return new StoreOpenError(`${path} is not a folder`, { hint: 'Move it away: links inside of the folder of artifacts are not followed.' });
}
