/**
 * Which store a command looks at: `--store`, else STATEWARDEN_STORE, else `store` in `statewarden.config.json` of the working folder, else `sqlite:./agents.db`. Opening never makes a database: a command that looks has no business leaving an empty
 * store behind because of a typing error in a path.
 */

import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BadInputError } from '../core/errors.js';
import type { EncryptedStore } from '../persistence/encryption/encrypted-store.js';
import { refuseEncrypted } from '../persistence/encryption/marker.js';
import type { OpenedStore, Store } from '../persistence/store.js';
import { parseStoreUrl, type StorePlace } from '../persistence/urls/store-url.js';
import { UsageError } from './usage-error.js';

const fallback = 'sqlite:./agents.db';
const configName = 'statewarden.config.json';

/** @throws UsageError */
export function findStore(option: string | undefined, env: NodeJS.ProcessEnv, folder: string): StorePlace {
  if (option !== undefined) return placeOf(option, folder);
  const variable = env['STATEWARDEN_STORE'];
  if (variable !== undefined && variable !== '') return placeOf(variable, folder);
  return placeOf(configured(folder, 'store') ?? fallback, folder);
}

/** @throws UsageError for a scheme that this version has no store for. */
export function placeOf(url: string, folder: string): StorePlace {
  try {
    return parseStoreUrl(url, folder);
  } catch (error) {
    throw asUsage(error);
  }
}

/** A URL that cannot be meant is a command called wrongly. */
export function asUsage(error: unknown): unknown {
  return error instanceof BadInputError ? new UsageError(error.message, error.hint) : error;
}

/** Whether a word that may be something else is meant as a store: it says so, or a file is there. */
export function looksLikeStore(word: string, folder: string): boolean {
  if (/^[a-z][a-z0-9+.-]+:/i.test(word) || /\.(db|sqlite3?)$/i.test(word)) return true;
  return word !== '' && statSync(resolve(folder, word), { throwIfNoEntry: false })?.isFile() === true;
}

/** What `statewarden.config.json` of the folder says. @throws UsageError */
export function configured(folder: string, name: 'store' | 'artifacts'): string | undefined {
  const config = readConfig(join(folder, configName));
  const value = config?.[name];
  if (typeof value === 'string') return value;
  if (value === undefined && (config === undefined || name !== 'store')) return undefined;
  throw new UsageError(`${configName} names no ${name === 'store' ? 'store' : 'artifact store'}`, hint);
}

const hint = 'It holds one JSON object: {"store": "sqlite:./agents.db"}.';

function readConfig(path: string): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`${configName} cannot be read: ${(error as Error).message}`, 'Correct it, or say --store.');
  }
  try {
    const config: unknown = JSON.parse(text);
    return typeof config === 'object' && config !== null ? (config as Record<string, unknown>) : {};
  } catch (error) {
    throw new UsageError(`${configName} is not JSON: ${(error as Error).message}`, hint);
  }
}

/** Any, also one that a command may make. @throws UsageError */
export async function anyStore(place: StorePlace): Promise<Store> {
  return place.store(false).catch((error: unknown) => Promise.reject(asUsage(error) as Error));
}

/** Not opened yet; opening it throws StoreOpenError when there is none. @throws UsageError */
export async function existingStore(place: StorePlace): Promise<Store> {
  return place.store(true).catch((error: unknown) => Promise.reject(asUsage(error) as Error));
}

/** Opens it to look and to post, without a lease. `keys`: the key file of an encrypted one. @throws StoreOpenError, StoreSchemaError, CorruptRecordError, KeyMissingError, and what the key file has to say */
export async function openStore(place: StorePlace, now: () => number, keys: string | undefined): Promise<OpenedStore> {
  const sealed = await sealedStore(place, keys);
  if (sealed !== undefined) return sealed.open({ now });
  const opened = await (await existingStore(place)).open({ now });
  try {
    await refuseEncrypted(opened, place.name, 'Give the key file: --keys FILE, or STATEWARDEN_KEYS. Nothing was changed.');
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Not opened yet. Undefined without a key file. @throws UsageError */
export async function sealedStore(place: StorePlace, keys: string | undefined): Promise<EncryptedStore | undefined> {
  if (keys === undefined) return undefined;
  const [{ encrypted }, { keyFile }] = await Promise.all([
    import('../persistence/encryption/encrypted-store.js'),
    import('../persistence/encryption/key-file.js'),
  ]);
  return encrypted(await existingStore(place), { keys: keyFile(keys) });
}
