/**
 * A store in Google Cloud Spanner, for runtimes on several machines. The database and its tables are there before it is opened (`statewarden migrate`); the package `@google-cloud/spanner` is installed beside this one.
 */

import { hostname } from 'node:os';
import { BadInputError } from '../../core/errors.js';
import { systemRandom } from '../../core/random.js';
import type { AgentKey, LoadedAgent, NodeLease, OpenedStore, Store } from '../store.js';
import { connectSpanner, type SpannerApi } from './api.js';
import { openError } from './faults.js';
import { Memory } from './known.js';
import { Link } from './link.js';
import { LeaseTime } from './liveness.js';
import { MailWatch } from './mail-watch.js';
import { assertNoOthers, migrate, pendingMigration, readEpoch, type Migration, type MigrationStep } from './migrations.js';
import { rememberedViews, SpannerStore } from './opened.js';
import { Ownership } from './ownership.js';
import { Queries } from './queries.js';
import { Upkeep } from './upkeep.js';
import { Whole } from './whole.js';
import { Writer } from './writer.js';

export type { Migration, MigrationStep } from './migrations.js';

export interface SpannerOptions {
  readonly project: string;
  readonly instance: string;
  readonly database: string;
  /** How often to look for mail from other processes. Default 250. */
  readonly mailPollMs?: number;
  /** How old what such a look sees may be: then any replica answers it. Default 100. */
  readonly mailStalenessMs?: number;
  /** Longest time of a call, with all attempts. Default 10,000. */
  readonly callTimeoutMs?: number;
  /**
   * Whose time leases go by. `spanner` (default): the database's own, so that no node's clock matters. `injected`: that of the clock which the runtime has, for tests that move it; then all nodes must have the same.
   */
  readonly leaseTime?: 'spanner' | 'injected';
  /** Options of the package's own client: `keyFilename`, `credentials`, `apiEndpoint`, … */
  readonly client?: object;
}

/** A store in a Spanner database. @throws BadInputError */
export function spanner(options: SpannerOptions): Store {
  const name = nameOf(options);
  return {
    name,
    capabilities: { durable: true, shared: true, remote: true },
    open: ({ lease, now }) => open(options, lease, now),
  };
}

/** What a database lacks of the schema of this version. Changes nothing. @throws StoreOpenError, StoreSchemaError */
export function pendingSpannerMigration(options: SpannerOptions): Promise<Migration> {
  return connected(options, ({ link, name }) => pendingMigration(link, name));
}

/** Brings a database to the schema of this version; the database itself must be there. `onlyEmpty`: not when it has tables of others. @throws StoreOpenError, StoreSchemaError */
export function migrateSpanner(
  options: SpannerOptions,
  began?: (step: MigrationStep) => void,
  { onlyEmpty = false }: { readonly onlyEmpty?: boolean } = {},
): Promise<Migration> {
  return connected(options, async (connection) => {
    if (onlyEmpty) await assertNoOthers(connection.link, connection.name);
    return migrate(connection, began);
  });
}

const idPattern = /^[a-z][-a-z0-9_.:]*[a-z0-9]$/;

/** @throws BadInputError */
function nameOf(options: SpannerOptions): string {
  for (const part of ['project', 'instance', 'database'] as const) {
    if (typeof options?.[part] !== 'string' || !idPattern.test(options[part])) {
      throw new BadInputError(`spanner() was given ${JSON.stringify(options?.[part])} as ${part}`, {
        hint: "Give all three: spanner({ project: 'my-project', instance: 'main', database: 'agents' }).",
      });
    }
  }
  for (const part of ['mailPollMs', 'callTimeoutMs', 'mailStalenessMs'] as const) {
    const value = options[part];
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) {
      throw new BadInputError(`spanner() was given ${String(value)} as ${part}`, { hint: 'Give a number of milliseconds above 0.' });
    }
  }
  if (options.leaseTime !== undefined && !['spanner', 'injected'].includes(options.leaseTime)) {
    throw new BadInputError(`spanner() was given ${JSON.stringify(options.leaseTime)} as leaseTime`, {
      hint: "Give 'spanner' or 'injected'.",
    });
  }
  return `spanner://${options.project}/${options.instance}/${options.database}`;
}

interface Connection {
  readonly name: string;
  readonly api: SpannerApi;
  readonly link: Link;
  readonly database: string;
}

async function connect(options: SpannerOptions): Promise<Connection> {
  const name = nameOf(options);
  const { project, instance } = options;
  const database = `projects/${project}/instances/${instance}/databases/${options.database}`;
  const api = await connectSpanner(project, options.client ?? {}).catch((error: unknown) => {
    throw openError(name, error);
  });
  return { name, api, database, link: new Link({ api, database, timeoutMs: options.callTimeoutMs ?? 10_000 }) };
}

async function connected<T>(options: SpannerOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connect(options);
  try {
    return await work(connection);
  } finally {
    await connection.link.close();
  }
}

async function open(options: SpannerOptions, lease: NodeLease | undefined, now: () => number): Promise<OpenedStore> {
  const { name, link } = await connect(options);
  try {
    const epoch = await readEpoch(link, name);
    const memory = new Memory();
    const queries = new Queries((sql, parameters) => link.read(sql, parameters));
    const time = new LeaseTime(options.leaseTime === 'injected' ? now : undefined);
    const incarnation = systemRandom.id();
    const views = (keys: readonly AgentKey[]): Promise<Map<AgentKey, LoadedAgent>> => rememberedViews(queries, memory, keys);
    const ownership = new Ownership({ name, link, epoch, incarnation, time, lease, views });
    await ownership.enter(hostname(), process.pid);
    const writer = new Writer({ name, link, memory, node: ownership.node, incarnation, epoch });
    const watch = new MailWatch({
      link,
      time,
      node: ownership.node,
      everyMs: options.mailPollMs ?? 250,
      staleMs: options.mailStalenessMs ?? 100,
    });
    const whole = new Whole({ link, memory, time, node: ownership.node });
    return new SpannerStore({ name, now, link, memory, queries, upkeep: new Upkeep(link), ownership, writer, watch, whole });
  } catch (error) {
    await link.close();
    throw openError(name, error);
  }
}
