/**
 * Bringing a database to the schema of this version, and telling which it has. Each step can be run again: one that was cut off is completed by the next run. The first also gives the database its epoch, by which a store knows it again: a database that was dropped and
 * made anew is another one.
 */

import { StatewardenError, StoreOpenError, StoreSchemaError } from '../../core/errors.js';
import { systemRandom } from '../../core/random.js';
import type { SpannerApi } from './api.js';
import { codeOf, openError, status } from './faults.js';
import type { Link } from './link.js';
import { Mutations } from './mutations.js';
import { metaTable, migrations, schemaVersion } from './schema.js';

export interface MigrationStep {
  readonly version: number;
  readonly title: string;
}

/** What there is to do, or was done. */
export interface Migration {
  /** Version of the database before; 0: it has no tables of Statewarden. */
  readonly from: number;
  /** That this code reads and writes. */
  readonly to: number;
  readonly steps: readonly MigrationStep[];
}

interface Meta {
  readonly version: number;
  readonly epoch: string | undefined;
}

/** Undefined: no tables of Statewarden. */
async function readMeta(link: Link): Promise<Meta | undefined> {
  try {
    const rows = await link.read('SELECT m.name, m.value FROM statewarden_meta m');
    const values = new Map(rows.map((row) => [row['name'], row['value'] as string]));
    return { version: Number(values.get('schema') ?? 0), epoch: values.get('epoch') };
  } catch (error) {
    if (codeOf(error) === status.invalidArgument && /table not found/i.test(String(error))) return undefined;
    throw error;
  }
}

/** The epoch of a database whose schema is the one of this code. @throws StoreOpenError, StoreSchemaError */
export async function readEpoch(link: Link, name: string): Promise<string> {
  const meta = await readMeta(link);
  const command = `Run: statewarden migrate ${name}`;
  if (meta?.epoch === undefined || meta.version === 0) {
    throw new StoreOpenError(`${name} has no tables of Statewarden`, { hint: `${command}; or look at the name of the database.` });
  }
  if (meta.version > schemaVersion) throw newer(name, meta.version);
  if (meta.version < schemaVersion) {
    throw new StoreSchemaError(
      `${name} has the tables of version ${String(meta.version)}, this Statewarden needs ${String(schemaVersion)}`,
      { hint: `Stop the runtimes that use it, then: ${command.slice(5)}` },
    );
  }
  return meta.epoch;
}

const newer = (name: string, version: number): StoreSchemaError =>
  new StoreSchemaError(
    `${name} was migrated by a newer Statewarden: its tables are of version ${String(version)}, this one knows ${String(schemaVersion)}`,
    {
      hint: 'Install that version of statewarden or a later one.',
    },
  );

/** @throws StoreOpenError, StoreSchemaError */
export async function pendingMigration(link: Link, name: string): Promise<Migration> {
  try {
    const from = (await readMeta(link))?.version ?? 0;
    if (from > schemaVersion) throw newer(name, from);
    const steps: MigrationStep[] = [];
    for (let version = from + 1; version <= schemaVersion; version += 1) {
      steps.push({ version, title: migrations[version]?.title ?? '' });
    }
    return { from, to: schemaVersion, steps };
  } catch (error) {
    throw openError(name, error);
  }
}

/** @throws StoreOpenError when the database has tables that are not Statewarden's */
export async function assertNoOthers(link: Link, name: string): Promise<void> {
  try {
    const rows = await link.read("SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = ''");
    const other = rows.map((row) => row['table_name'] as string).find((table) => !ownTables.has(table));
    if (other === undefined) return;
    throw new StoreOpenError(`${name} has tables of others: ${other}`, {
      hint: `Give a database of its own; or, if they are to stand side by side: statewarden migrate ${name}`,
    });
  } catch (error) {
    throw openError(name, error);
  }
}

const ownTables: ReadonlySet<string | undefined> = new Set(
  [metaTable, ...Object.values(migrations).flatMap(({ statements }) => statements)].map((text) => /^CREATE TABLE (\w+)/.exec(text)?.[1]),
);

/** Does what is pending. `began` hears of each step before it begins. @throws StoreOpenError, StoreSchemaError */
export async function migrate(
  { link, api, database, name }: { readonly link: Link; readonly api: SpannerApi; readonly database: string; readonly name: string },
  began: (step: MigrationStep) => void = () => undefined,
): Promise<Migration> {
  const pending = await pendingMigration(link, name);
  if (pending.steps.length === 0) return pending;
  const admin = api.admin();
  try {
    const change = async (statements: readonly string[]): Promise<void> => {
      const [operation] = await admin.updateDatabaseDdl({ database, statements: statements.map(unlessThere) });
      await operation.promise();
    };
    for (const step of pending.steps) {
      began(step);
      if (step.version === 1) await change([metaTable]);
      await change(migrations[step.version]?.statements ?? []);
      await record(link, step.version);
    }
    return pending;
  } catch (error) {
    if (error instanceof StatewardenError) throw error;
    throw openError(name, error);
  } finally {
    await admin.close();
  }
}

/** Tables and indexes that an earlier run has made stay as they are. */
function unlessThere(statement: string): string {
  return statement.replace(/^CREATE (TABLE|(?:UNIQUE |NULL_FILTERED )*INDEX) /, 'CREATE $1 IF NOT EXISTS ');
}

function record(link: Link, version: number): Promise<void> {
  return link.transact(async ({ query }) => {
    const rows = await query("SELECT m.value FROM statewarden_meta m WHERE m.name = 'epoch'");
    const mutations = new Mutations();
    mutations.upsert('statewarden_meta', { name: 'schema', value: String(version) });
    if (rows.length === 0) mutations.insert('statewarden_meta', { name: 'epoch', value: systemRandom.id() });
    return { result: undefined, mutations: mutations.list };
  });
}
