/**
 * Google's emulator of Firestore on a free port, one for all suites of this process: each takes a project of its own. It is the one of the Google Cloud SDK whose `gcloud` is on the PATH, run with `java`. Where there is none, the tests that
 * need one are pending and say why, unless `STATEWARDEN_REQUIRE` lists `firestore`: then they fail.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { until } from '../gateway/service.js';
import { componentVersion, onPath, sdkFolder } from './google-sdk.js';
import { freePort } from './tasks-emulator.js';

// Nothing here is on Google Cloud: the client need not look whether it is.
process.env['METADATA_SERVER_DETECTION'] ??= 'none';

const jarPath = ['platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar'];
const found = find();
let said = false;
let running: Promise<FirestoreEmulator> | undefined;
let projects = 0;

/** Where the emulator is, or why there is none. */
function find(): { readonly jar: string; readonly version: string } | string {
  const sdk = sdkFolder();
  if (sdk === undefined) return 'gcloud is not on the PATH';
  if (onPath('java') === undefined) return 'java is not on the PATH';
  const jar = join(sdk, ...jarPath);
  if (!existsSync(jar)) return 'the Google Cloud SDK has no Firestore emulator: gcloud components install cloud-firestore-emulator';
  return { jar, version: componentVersion(sdk, 'cloud-firestore-emulator') };
}

/** The emulator's version, or why there is none. */
export function firestoreFound(): { readonly version: string } | string {
  return found;
}

/** `describe`, where there is an emulator or there has to be one. */
export function describeFirestore(title: string, suite: (this: Mocha.Suite) => void): void {
  const required = (process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('firestore');
  if (!said) {
    process.stdout.write(
      typeof found === 'string'
        ? `pending: Firestore: ${found} (STATEWARDEN_REQUIRE=firestore makes that a failure)\n`
        : `found: Firestore emulator ${found.version}\n`,
    );
    said = true;
    after(() => stopFirestore());
  }
  if (typeof found !== 'string' || required) describe(title, suite);
  else describe.skip(`${title} (${found})`, suite);
}

/** The one that all suites share, started when it is first asked for; it is stopped at the end of all. STATEWARDEN_TEST_FIRESTORE: where one runs that another process started and stops. */
export function firestoreEmulator(): Promise<FirestoreEmulator> {
  const shared = process.env['STATEWARDEN_TEST_FIRESTORE'];
  return (running ??= shared === undefined ? FirestoreEmulator.start() : Promise.resolve(new FirestoreEmulator(shared)));
}

async function stopFirestore(): Promise<void> {
  const emulator = await running?.catch(() => undefined);
  running = undefined;
  await emulator?.stop();
}

/** A project that no other suite has. */
export function newProject(): string {
  projects += 1;
  return `p-${String(process.pid)}-${String(projects)}`;
}

export class FirestoreEmulator {
  /** `host:port` */
  readonly host: string;
  readonly #child: ChildProcess | undefined;

  constructor(host: string, child?: ChildProcess) {
    this.host = host;
    this.#child = child;
  }

  /** `port`: that of one that was stopped, to start it anew; it keeps nothing. */
  static async start(port?: number): Promise<FirestoreEmulator> {
    if (typeof found === 'string') throw new Error(`STATEWARDEN_REQUIRE lists firestore, and there is no emulator: ${found}`);
    const at = port ?? (await freePort());
    const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
    const args = ['-Duser.language=en', '-Xmx512m', '-cp', found.jar, main, '--host=127.0.0.1', `--port=${String(at)}`];
    const child = spawn('java', args, { stdio: 'ignore' });
    // However this process ends, nothing is left running.
    process.once('exit', () => child.kill('SIGKILL'));
    process.once('SIGTERM', () => process.exit(143));
    const emulator = new FirestoreEmulator(`127.0.0.1:${String(at)}`, child);
    await until(() => answers(at), 'the Firestore emulator answers', 60_000);
    return emulator;
  }

  get port(): number {
    return Number(this.host.split(':')[1]);
  }

  /** Takes all documents of a project away, as a restart would. */
  async wipe(project: string): Promise<void> {
    const path = `/emulator/v1/projects/${project}/databases/(default)/documents`;
    await new Promise<void>((resolve, reject) => {
      request({ host: '127.0.0.1', port: this.port, path, method: 'DELETE' }, (response) => {
        response.resume();
        response.once('end', resolve);
      })
        .once('error', reject)
        .end();
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port, path: '/', method: 'GET' }, (response) => {
      response.resume();
      resolve(true);
    })
      .once('error', () => resolve(false))
      .end();
  });
}
