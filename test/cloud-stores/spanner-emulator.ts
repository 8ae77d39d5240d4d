/**
 * Google's emulator of Spanner on a free port, with databases that have the tables of this version. It is the `emulator_main` of the Google Cloud SDK whose `gcloud` is on the PATH. Where there is none, the tests that need one are pending and say why, unless
 * `STATEWARDEN_REQUIRE` lists `spanner`: then they fail. Everything is in its memory and goes with it.
 */

import { credentials } from '@grpc/grpc-js';
import { v1 } from '@google-cloud/spanner';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from 'statewarden';
import { migrateSpanner, spanner, type SpannerOptions } from 'statewarden/spanner';
import { componentVersion, sdkFolder } from '../cloud/google-sdk.js';

// Nothing here is on Google Cloud: the client need not look whether it is.
process.env['METADATA_SERVER_DETECTION'] ??= 'none';

const sdk = sdkFolder();
const program = sdk && join(sdk, 'bin', 'cloud_spanner_emulator', 'emulator_main');
const lack =
  program === undefined
    ? 'gcloud is not on the PATH'
    : existsSync(program)
      ? undefined
      : 'the Google Cloud SDK has no cloud_spanner_emulator: gcloud components install cloud-spanner-emulator';
let said = false;

/** The emulator's version, or why there is none. */
export function spannerFound(): { readonly version: string } | string {
  return lack ?? { version: componentVersion(sdk ?? '', 'cloud-spanner-emulator') };
}

/** `describe`, where there is an emulator or there has to be one. */
export function describeSpanner(title: string, suite: (this: Mocha.Suite) => void): void {
  const required = (process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('spanner');
  if (lack === undefined || required) {
    describe(title, suite);
    return;
  }
  if (!said) process.stdout.write(`pending: ${lack} (STATEWARDEN_REQUIRE=spanner makes that a failure)\n`);
  said = true;
  describe.skip(`${title} (${lack})`, suite);
}

const project = 'test-project';
const instance = 'test-instance';
const startMs = 30_000;
const pathOf = (database: string): string => `projects/${project}/instances/${instance}/databases/${database}`;

export class SpannerEmulator {
  readonly port: number;
  readonly #child: ChildProcess;
  #databases = 0;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** On a port of its own choice, or on this one. */
  static async start(port = 0): Promise<SpannerEmulator> {
    if (program === undefined || lack !== undefined) throw new Error(`STATEWARDEN_REQUIRE lists spanner, and ${lack ?? ''}`);
    const child = spawn(program, ['--host_port', `127.0.0.1:${String(port)}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    // However this process ends, nothing is left running.
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const emulator = new SpannerEmulator(await portOf(child), child);
    const admin = new v1.InstanceAdminClient(clientOf(emulator.port));
    try {
      const [made] = await admin.createInstance({
        parent: `projects/${project}`,
        instanceId: instance,
        instance: { config: `projects/${project}/instanceConfigs/emulator-config`, displayName: instance, nodeCount: 1 },
      });
      await made.promise();
    } finally {
      await admin.close();
    }
    return emulator;
  }

  /** How to reach a database of the name; it need not be there. `port`: of what stands between. */
  options(database: string, port = this.port): SpannerOptions {
    return { project, instance, database, client: clientOf(port) };
  }

  /** A new, empty database, with tables unless `bare`. */
  async database({ bare = false } = {}): Promise<SpannerOptions> {
    this.#databases += 1;
    const options = this.options(`test-${String(this.#databases)}`);
    await this.make(options.database);
    if (!bare) await migrateSpanner(options);
    return options;
  }

  /** An empty database without tables. */
  make(name: string): Promise<void> {
    return this.#administer(async (admin) => {
      const [made] = await admin.createDatabase({
        parent: `projects/${project}/instances/${instance}`,
        createStatement: `CREATE DATABASE \`${name}\``,
      });
      await made.promise();
    });
  }

  drop(name: string): Promise<void> {
    return this.#administer(async (admin) => void (await admin.dropDatabase({ database: pathOf(name) })));
  }

  /** Changes its tables. */
  change(name: string, statements: readonly string[]): Promise<void> {
    return this.#administer(async (admin) => {
      const [changed] = await admin.updateDatabaseDdl({ database: pathOf(name), statements: [...statements] });
      await changed.promise();
    });
  }

  async #administer(work: (admin: v1.DatabaseAdminClient) => Promise<void>): Promise<void> {
    const admin = new v1.DatabaseAdminClient(clientOf(this.port));
    try {
      await work(admin);
    } finally {
      await admin.close();
    }
  }

  /** A store in a database of its own, which is made when it is first opened. */
  store(more: Partial<SpannerOptions> = {}): Store & { readonly options: () => Promise<SpannerOptions> } {
    let made: Promise<SpannerOptions> | undefined;
    const options = (): Promise<SpannerOptions> => (made ??= this.database());
    return {
      name: 'spanner://test',
      capabilities: { durable: true, shared: true, remote: true },
      open: async (opening) => spanner({ ...(await options()), ...more }).open(opening),
      options,
    };
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Changes rows behind the store's back. */
export async function runSql({ port }: SpannerEmulator, database: string, sql: string): Promise<void> {
  const client = new v1.SpannerClient(clientOf(port));
  try {
    const [{ name }] = await client.createSession({ database: pathOf(database) });
    const session = name as string;
    const [{ metadata }] = await client.executeSql({ session, transaction: { begin: { readWrite: {} } }, sql });
    await client.commit({ session, transactionId: metadata?.transaction?.id ?? null });
  } finally {
    await client.close();
  }
}

/** Options of Google's client for what answers in plain text on this port. */
export function clientOf(port: number): { servicePath: string; port: number; sslCreds: ReturnType<typeof credentials.createInsecure> } {
  return { servicePath: '127.0.0.1', port, sslCreds: credentials.createInsecure() };
}

/** The emulator says where it listens. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`the emulator does not start: ${text}`)), startMs);
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const [, port] = /Server address: 127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
    child.once('exit', (code) => reject(new Error(`the emulator ended with ${String(code)}: ${text}`)));
  });
}
