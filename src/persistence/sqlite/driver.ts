/**
 * One synchronous SQLite connection, whichever library gives it: `node:sqlite` where the running Node has it, else `libsql` (prebuilt, with
 * better-sqlite3's interface). Nothing above this file knows which.
 */

import { createRequire } from 'node:module';

export type Value = string | number | null | Uint8Array;

/** Values are bound by position. */
export interface Statement {
  run(...values: readonly Value[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: readonly Value[]): Record<string, Value> | undefined;
  all(...values: readonly Value[]): Record<string, Value>[];
}

export interface Connection {
  readonly driver: 'node:sqlite' | 'libsql';
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Library {
  readonly driver: Connection['driver'];
  open(path: string): Omit<Connection, 'driver'>;
}

const require = createRequire(import.meta.url);

function library(): Library {
  const builtin = (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule?.('node:sqlite') as
    { DatabaseSync: new (path: string) => Omit<Connection, 'driver'> } | undefined;
  if (builtin !== undefined && process.env['STATEWARDEN_SQLITE'] !== 'libsql') {
    return { driver: 'node:sqlite', open: (path) => new builtin.DatabaseSync(path) };
  }
  const Libsql = require('libsql') as new (path: string) => Omit<Connection, 'driver'>;
  return { driver: 'libsql', open: (path) => new Libsql(path) };
}

/** Opens a file. Throws the library's own error: see `codeOf`. */
export function connect(path: string): Connection {
  const { driver, open } = library();
  const inner = open(path);
  return {
    driver,
    exec: (sql) => inner.exec(sql),
    prepare: (sql) => (driver === 'libsql' ? positional(inner.prepare(sql)) : inner.prepare(sql)),
    close: () => inner.close(),
  };
}

/** libsql takes one array as it is; separate values it copies first, and a lone `null` it takes for named parameters. */
function positional(statement: Statement): Statement {
  const inner = statement as unknown as Record<'run' | 'get' | 'all', (values: readonly Value[]) => never>;
  return {
    run: (...values) => inner.run(values),
    get: (...values) => inner.get(values),
    all: (...values) => inner.all(values),
  };
}

const names: Readonly<Record<number, string>> = {
  3: 'PERM',
  5: 'BUSY',
  6: 'LOCKED',
  7: 'NOMEM',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  23: 'AUTH',
  26: 'NOTADB',
};

/** The primary result code's name (`BUSY`, `CORRUPT`, …), or undefined for an error that is not SQLite's. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown };
  for (const number of [errcode, rawCode]) {
    if (typeof number === 'number') return names[number & 0xff] ?? `ERROR ${String(number)}`;
  }
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return undefined;
  return Object.values(names).find((name) => code.startsWith(`SQLITE_${name}`)) ?? code.slice(7);
}
