/**
 * Changes to a file of keys: made new, a key added, a key given up. A file is written beside it, synced and put in its place, for its owner alone, so that a crash leaves the old one or the new one. Two who change one
 * file at the same moment are not kept apart.
 */

import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BadInputError, KeyFileError } from '../../core/errors.js';
import { formatKeys, newFileKey, readKeys, type FileKeys, type KeyKind } from './key-file.js';
import { publicKeyOf } from './x-wing.js';

export interface NewKeyOptions {
  /** Default: `k-` with the day and a few random digits. */
  readonly id?: string | undefined;
  readonly kind: KeyKind;
  readonly now: () => number;
}

/** @throws KeyFileError when there is one already, CapabilityMissingError */
export async function createKeyFile(path: string, options: NewKeyOptions): Promise<FileKeys> {
  const key = await makeKey(options);
  const made: FileKeys = { current: key.id, keys: [key] };
  try {
    await write(path, made, 'wx');
    await syncFolder(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const hint =
      code === 'EEXIST'
        ? `Add a key to it: statewarden keys rotate ${path}. Whatever is encrypted under its keys would be lost without it.`
        : 'Give a path in a folder that you may write to.';
    throw new KeyFileError(code === 'EEXIST' ? `there is a file at ${path}` : `${path} cannot be made: ${code ?? 'unknown'}`, { hint });
  }
  return made;
}

/** Adds a key, which is the current one from now on; those before stay to unwrap. @throws KeyFileError, BadInputError, CapabilityMissingError */
export async function rotateKeyFile(path: string, options: NewKeyOptions): Promise<FileKeys> {
  const { keys } = await readKeys(path);
  const key = await makeKey(options);
  if (keys.some(({ id }) => id === key.id)) {
    throw new BadInputError(`${path} has a key "${key.id}" already`, { hint: 'Give another --id: what is wrapped names its key by it.' });
  }
  return replace(path, { current: key.id, keys: [...keys, key] });
}

/** Gives a key up. What it wraps still is lost by that. @throws KeyFileError, BadInputError */
export async function retireKey(path: string, id: string): Promise<FileKeys> {
  const { current, keys } = await readKeys(path);
  if (!keys.some((key) => key.id === id)) {
    throw new BadInputError(`${path} has no key "${id}"`, { hint: `It has ${keys.map((key) => `"${key.id}"`).join(', ')}.` });
  }
  if (id === current)
    throw new BadInputError(`"${id}" is the current key of ${path}`, { hint: `Rotate first: statewarden keys rotate ${path}.` });
  return replace(path, { current, keys: keys.filter((key) => key.id !== id) });
}

async function makeKey({ id, kind, now }: NewKeyOptions): Promise<FileKeys['keys'][number]> {
  if (id !== undefined && !/^[\w.:/-]{1,100}$/.test(id)) {
    throw new BadInputError(`${JSON.stringify(id)} cannot be the id of a key`, { hint: 'Use up to 100 letters, digits, and _ . : / -.' });
  }
  const createdAt = new Date(now()).toISOString();
  const key = newFileKey(id ?? `k-${createdAt.slice(0, 10)}-${randomBytes(3).toString('hex')}`, kind, createdAt);
  // It is found out now whether it can be used.
  if (kind !== 'aes-256') await publicKeyOf(key.key);
  return key;
}

async function replace(path: string, keys: FileKeys): Promise<FileKeys> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    await write(beside, keys, 'wx');
    await rename(beside, path);
    await syncFolder(path);
    return keys;
  } catch (error) {
    await rm(beside, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new KeyFileError(`${path} cannot be written: ${code ?? 'unknown'}`, {
      hint: 'It is as it was. Give a path in a folder that you may write to.',
    });
  }
}

async function write(path: string, keys: FileKeys, flags: string): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(formatKeys(keys));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Windows cannot. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
