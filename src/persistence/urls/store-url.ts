/**
 * Which store a URL means: `sqlite:PATH` or a plain path, `firestore://PROJECT[/DATABASE[/PREFIX]]`, `spanner://PROJECT/INSTANCE/DATABASE`. Told apart before anything is loaded, opened or made.
 */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BadInputError, StoreOpenError } from '../../core/errors.js';
import type { Store } from '../store.js';

export interface StorePlace {
  /** For people: `sqlite:./agents.db`. */
  readonly name: string;
  /** Of the database file; '' where there is none. */
  readonly path: string;
  /** Loads the driver. `mustExist`: where opening would make a store, it fails instead. @throws BadInputError */
  readonly store: (mustExist: boolean) => Promise<Store>;
  /** Set for a database in Spanner. */
  readonly spanner?: { readonly project: string; readonly instance: string; readonly database: string };
}

export interface StoreAtOptions {
  /** What a relative path starts from. Default: the working folder. */
  readonly folder?: string;
  /** Opening fails where there is no store yet, for programs that only look. Default false: SQLite and Firestore make one. A database in Spanner and its tables are there before, always. */
  readonly mustExist?: boolean;
}

const schemes =
  'Write sqlite:./agents.db (or the path alone), firestore://PROJECT/DATABASE/PREFIX, or spanner://PROJECT/INSTANCE/DATABASE.';

/** The store that a URL means, not yet opened. @throws BadInputError */
export async function storeAt(url: string, { folder = '.', mustExist = false }: StoreAtOptions = {}): Promise<Store> {
  return parseStoreUrl(url, folder).store(mustExist);
}

/** @throws BadInputError for a scheme that this version has no store for. */
export function parseStoreUrl(url: string, folder: string): StorePlace {
  if (typeof url !== 'string') throw new BadInputError(`the store is ${typeof url}, not a URL`, { hint: schemes });
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  const path = scheme === undefined ? url : rest.replace(/^\/\//, '');
  switch (scheme) {
    case 'memory':
      throw new BadInputError('a memory store is seen only by its own process', { hint: schemes });
    case 'firestore':
      return firestorePlace(rest);
    case 'spanner':
      return spannerPlace(path);
    case 'sqlite':
    case undefined:
      return sqlitePlace(path, folder);
    default:
      throw new BadInputError(`there is no store for "${scheme}:" in this version`, { hint: schemes });
  }
}

function sqlitePlace(path: string, folder: string): StorePlace {
  if (path === '') throw new BadInputError('the store has no path', { hint: 'Give the path of a SQLite file: sqlite:./agents.db.' });
  const place = { name: `sqlite:${path}`, path: resolve(folder, path) };
  const store = async (mustExist: boolean): Promise<Store> => {
    const { sqlite } = await import('../sqlite/index.js');
    const made = sqlite(place.path);
    if (!mustExist) return made;
    return {
      ...made,
      open: async (options) => {
        assertFile(place);
        return made.open(options);
      },
    };
  };
  return { ...place, store };
}

/** @throws StoreOpenError */
function assertFile({ name, path }: Pick<StorePlace, 'name' | 'path'>): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    throw new StoreOpenError(`there is no store at ${name}`, { hint: 'Look at the path; a runtime makes the store when it starts.' });
  }
  if (size === 0) {
    throw new StoreOpenError(`${name} is an empty file`, { hint: 'Start the runtime that uses it first, or give another path.' });
  }
}

/** `//PROJECT[/DATABASE[/PREFIX]]` */
function firestorePlace(rest: string): StorePlace {
  const [, project, database, prefix] = /^\/\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?\/?$/.exec(rest) ?? [];
  if (project === undefined) {
    throw new BadInputError(`"firestore:${rest}" names no project`, {
      hint: 'Say firestore://PROJECT, or firestore://PROJECT/DATABASE/PREFIX.',
    });
  }
  const place = { project, ...(database === undefined ? {} : { database }), ...(prefix === undefined ? {} : { prefix }) };
  return {
    name: `firestore:${rest}`,
    path: '',
    store: async (mustExist) => (await import('../firestore/index.js')).firestore({ ...place, mustExist }),
  };
}

function spannerPlace(path: string): StorePlace {
  const [project = '', instance = '', database = '', ...more] = path.split('/');
  if (project === '' || instance === '' || database === '' || more.length > 0) {
    throw new BadInputError(`"spanner://${path}" is no Spanner database`, {
      hint: 'Name all three: spanner://PROJECT/INSTANCE/DATABASE.',
    });
  }
  const spanner = { project, instance, database };
  return {
    name: `spanner://${project}/${instance}/${database}`,
    path: '',
    store: async () => (await import('../spanner/index.js')).spanner(spanner),
    spanner,
  };
}
