/**
 * Which store a command looks at: `--store`, else STATEWARDEN_STORE, else `store` in `statewarden.config.json` of the working folder, else
 * `sqlite:./agents.db`. A plain path means SQLite, `firestore://PROJECT[/DATABASE[/PREFIX]]` Firestore, `spanner://PROJECT/INSTANCE/DATABASE` Spanner. Opening never makes a database: a command that looks has no business leaving an empty
 * store behind because of a typing error in a path.
 */

import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StoreOpenError } from '../core/errors.js';
import { encrypted } from '../persistence/encryption/encrypted-store.js';
import { keyFile } from '../persistence/encryption/key-file.js';
import { refuseEncrypted } from '../persistence/encryption/marker.js';
import { sqlite } from '../persistence/sqlite/index.js';
import type { OpenedStore, Store } from '../persistence/store.js';
import { UsageError } from './usage-error.js';

export interface StoreUrl {
  /** For people: `sqlite:./agents.db`. */
  readonly name: string;
  /** Of the database file; '' where there is none. */
  readonly path: string;
  /** Makes the store, where it is no file. What it needs is loaded only then. */
  readonly load?: () => Promise<Store>;
  /** Set for a database in Spanner. */
  readonly spanner?: { readonly project: string; readonly instance: string; readonly database: string };
}

const fallback = 'sqlite:./agents.db';
const configName = 'statewarden.config.json';

/** @throws UsageError */
export function findStore(option: string | undefined, env: NodeJS.ProcessEnv, folder: string): StoreUrl {
  if (option !== undefined) return parseStoreUrl(option, folder);
  const variable = env['STATEWARDEN_STORE'];
  if (variable !== undefined && variable !== '') return parseStoreUrl(variable, folder);
  return parseStoreUrl(configured(folder, 'store') ?? fallback, folder);
}

/** @throws UsageError for a scheme that this version has no store for. */
export function parseStoreUrl(url: string, folder: string): StoreUrl {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  const path = scheme === undefined ? url : rest.replace(/^\/\//, '');
  if (scheme === 'memory') {
    throw new UsageError('a memory store is seen only by its own process', 'Give the path of a SQLite file: --store sqlite:./agents.db.');
  }
  if (scheme === 'firestore') return firestoreUrl(rest);
  if (scheme === 'spanner') return spannerUrl(path);
  if (scheme !== undefined && scheme !== 'sqlite') {
    throw new UsageError(
      `there is no store for "${scheme}:" in this version`,
      'Give the path of a SQLite file: --store sqlite:./agents.db.',
    );
  }
  if (path === '') throw new UsageError('the store has no path', 'Give the path of a SQLite file: --store sqlite:./agents.db.');
  return { name: `sqlite:${path}`, path: resolve(folder, path) };
}

/** `//PROJECT[/DATABASE[/PREFIX]]` */
function firestoreUrl(rest: string): StoreUrl {
  const [, project, database, prefix] = /^\/\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?\/?$/.exec(rest) ?? [];
  if (project === undefined) {
    throw new UsageError(`"firestore:${rest}" names no project`, 'Say firestore://PROJECT, or firestore://PROJECT/DATABASE/PREFIX.');
  }
  const place = { project, ...(database === undefined ? {} : { database }), ...(prefix === undefined ? {} : { prefix }) };
  return {
    name: `firestore:${rest}`,
    path: '',
    load: async () => (await import('../persistence/firestore/index.js')).firestore({ ...place, mustExist: true }),
  };
}

/** @throws UsageError */
function spannerUrl(path: string): StoreUrl {
  const [project = '', instance = '', database = '', ...more] = path.split('/');
  if (project === '' || instance === '' || database === '' || more.length > 0) {
    throw new UsageError(`"spanner://${path}" is no Spanner database`, 'Name all three: --store spanner://PROJECT/INSTANCE/DATABASE.');
  }
  const spanner = { project, instance, database };
  const load = async (): Promise<Store> => (await import('../persistence/spanner/index.js')).spanner(spanner);
  return { name: `spanner://${project}/${instance}/${database}`, path: '', load, spanner };
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

/** Any, also one that a command may make. */
export async function storeAt({ path, load }: StoreUrl): Promise<Store> {
  return load === undefined ? sqlite(path) : load();
}

/** Whether there is one. */
export function isThere({ path }: StoreUrl): boolean {
  return path === '' || (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** @throws StoreOpenError when there is none */
export async function existingStore(url: StoreUrl): Promise<Store> {
  const { name, path } = url;
  if (path === '') return storeAt(url);
  let size: number;
  try {
    size = statSync(path).size;
  } catch (cause) {
    throw new StoreOpenError(`there is no store at ${name}`, {
      cause,
      hint: 'Say where it is with --store sqlite:PATH or STATEWARDEN_STORE; a runtime makes it when it starts.',
    });
  }
  if (size === 0) {
    throw new StoreOpenError(`${name} is an empty file`, {
      hint: 'Start the runtime that uses it first, or give another path with --store.',
    });
  }
  return storeAt(url);
}

/** Opens it to look and to post, without a lease. `keys`: the key file of an encrypted one. @throws StoreOpenError, StoreSchemaError, CorruptRecordError, KeyMissingError, and what the key file has to say */
export async function openStore(url: StoreUrl, now: () => number, keys: string | undefined): Promise<OpenedStore> {
  const store = await existingStore(url);
  if (keys !== undefined) return encrypted(store, { keys: keyFile(keys) }).open({ now });
  const opened = await store.open({ now });
  try {
    await refuseEncrypted(opened, url.name, 'Give the key file: --keys FILE, or STATEWARDEN_KEYS. Nothing was changed.');
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}
