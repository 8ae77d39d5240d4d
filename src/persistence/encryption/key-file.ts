/**
 * Keys in a local file, JSON, for its owner alone: `{ "statewardenKeys": 1, "current": ID, "keys": [{ "id", "kind", "key", "createdAt" }] }`. A key is 32 random bytes as base64: an AES-256 key, or the seed of a hybrid one. The
 * file is read whenever it is asked, so that a rotation is seen by the next store that is opened.
 *
 * Invariant: no key is part of a message, a name or an error. It promises nothing against who can read the file; it does refuse one that others can.
 */

import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BadInputError, KeyFileError } from '../../core/errors.js';
import { unwrapAes, wrapAes } from './aes-wrap.js';
import { hybrid } from './hybrid.js';
import { keyBytes, keyMissing, wrongKey, type KeySource } from './key-source.js';

export const keyKinds = ['aes-256', 'x25519-mlkem768'] as const;
export type KeyKind = (typeof keyKinds)[number];

export interface FileKey {
  readonly id: string;
  readonly kind: KeyKind;
  readonly key: Uint8Array;
  /** ISO 8601; for people. */
  readonly createdAt: string;
}

export interface FileKeys {
  readonly current: string;
  /** Oldest first. */
  readonly keys: readonly FileKey[];
}

const shape =
  'It is what `statewarden keys create FILE` makes: {"statewardenKeys": 1, "current": ID, "keys": [{"id": ID, "kind": "aes-256", "key": BASE64}]}.';

/** The keys in a file that `statewarden keys create` made. @throws BadInputError */
export function keyFile(path: string): KeySource {
  if (typeof path !== 'string' || path === '') {
    throw new BadInputError(`keyFile() was given ${JSON.stringify(path)} as the path`, {
      hint: "Give the path of a file: keyFile('./agents.keys').",
    });
  }
  const name = `keys:${path}`;
  const find = async (keyId: string): Promise<FileKey> => {
    const { keys } = await readKeys(path);
    const key = keys.find(({ id }) => id === keyId);
    if (key === undefined)
      throw keyMissing(
        keyId,
        path,
        keys.map(({ id }) => id),
      );
    return key;
  };
  const seeded = ({ id, key }: FileKey): KeySource => hybrid({ currentKeyId: id, keys: [{ id, seed: key }] });
  return {
    name,
    currentKeyId: async () => (await readKeys(path)).current,
    wrap: async (keyId, dataKey, context) => {
      const key = await find(keyId);
      return key.kind === 'aes-256' ? wrapAes(key.key, dataKey, contextOf(keyId, context)) : seeded(key).wrap(keyId, dataKey, context);
    },
    unwrap: async (keyId, wrapped, context) => {
      const key = await find(keyId);
      if (key.kind !== 'aes-256') return seeded(key).unwrap(keyId, wrapped, context);
      const dataKey = unwrapAes(key.key, wrapped, contextOf(keyId, context));
      if (dataKey === undefined) throw wrongKey(keyId, path);
      return dataKey;
    },
  };
}

const contextOf = (keyId: string, context: string): string => `${context} by ${keyId}`;

/** @throws KeyFileError */
export async function readKeys(path: string): Promise<FileKeys> {
  let text: string;
  try {
    const file = await open(path, 'r');
    try {
      const { mode } = await file.stat();
      // Windows has no such bits.
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        throw new KeyFileError(`others may read ${path} (mode ${(mode & 0o777).toString(8)})`, {
          hint: `Make it yours alone: chmod 600 ${path}. If others could have read it, rotate: statewarden keys rotate ${path}, then keys rewrap.`,
        });
      }
      text = await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof KeyFileError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new KeyFileError(
      missing ? `there is no key file at ${path}` : `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`,
      {
        hint: missing
          ? `Make one: statewarden keys create ${path}. An encrypted store needs the one that it was made with.`
          : 'Give the path of a file that you may read.',
      },
    );
  }
  return parseKeys(text, path);
}

/** What is wrong is told without what is there: it may be a key. @throws KeyFileError */
function parseKeys(text: string, path: string): FileKeys {
  const broken = (what: string): KeyFileError => new KeyFileError(`${path}: ${what}`, { hint: shape });
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw broken('it is not JSON');
  }
  const { statewardenKeys, current, keys } = (typeof read === 'object' && read !== null ? read : {}) as Record<string, unknown>;
  if (statewardenKeys !== 1 || typeof current !== 'string' || !Array.isArray(keys))
    throw broken('it is no file of keys that this version knows');
  const found = keys.map((entry: unknown, index): FileKey => {
    const { id, kind, key, createdAt } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
    if (typeof id !== 'string' || id === '') throw broken(`key ${String(index + 1)} has no id`);
    const known = keyKinds.find((one) => one === kind);
    if (known === undefined) throw broken(`key "${id}" is of no kind that this version knows`);
    const bytes = typeof key === 'string' && /^[A-Za-z0-9+/]+=*$/.test(key) ? Buffer.from(key, 'base64') : Buffer.alloc(0);
    if (bytes.length !== keyBytes) throw broken(`key "${id}" is not ${String(keyBytes)} bytes of base64`);
    return { id, kind: known, key: bytes, createdAt: typeof createdAt === 'string' ? createdAt : '' };
  });
  if (new Set(found.map(({ id }) => id)).size !== found.length) throw broken('two keys have one id');
  if (!found.some(({ id }) => id === current)) throw broken(`its current key "${current}" is not there`);
  return { current, keys: found };
}

/** As it stands in the file. */
export function formatKeys({ current, keys }: FileKeys): string {
  const entries = keys.map(({ id, kind, key, createdAt }) => ({ id, kind, key: Buffer.from(key).toString('base64'), createdAt }));
  return `${JSON.stringify({ statewardenKeys: 1, current, keys: entries }, undefined, 2)}\n`;
}

export function newFileKey(id: string, kind: KeyKind, createdAt: string): FileKey {
  return { id, kind, key: randomBytes(keyBytes), createdAt };
}
