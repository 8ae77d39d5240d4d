/**
 * An emulator of Cloud Tasks on a free port: `cloud-tasks-emulator` (github.com/aertje/cloud-tasks-emulator, Go) where it is on the PATH, else `gcloud-tasks-emulator` (PyPI, Python). Where there is neither, the tests that
 * need one are pending and say why, unless `STATEWARDEN_REQUIRE` lists `cloud-tasks`: then they fail.
 */

import { credentials } from '@grpc/grpc-js';
import { CloudTasksClient } from '@google-cloud/tasks';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { until } from '../gateway/service.js';

// Nothing here is on Google Cloud: the client need not look whether it is.
process.env['METADATA_SERVER_DETECTION'] ??= 'none';

const folders = (process.env['PATH'] ?? '').split(delimiter);
const found = ['cloud-tasks-emulator', 'gcloud-tasks-emulator'].find((name) => folders.some((folder) => existsSync(join(folder, name))));
let said = false;

/** Only the one in Go keeps names, and follows a queue's retry settings; only the one in Python lets a queue be changed, and changes nothing. */
export const isWhole = found === 'cloud-tasks-emulator';

/** `describe`, where there is an emulator or there has to be one. */
export function describeCloudTasks(title: string, suite: (this: Mocha.Suite) => void): void {
  const required = (process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('cloud-tasks');
  if (found !== undefined || required) {
    describe(`${title} (${found ?? 'no emulator'})`, suite);
    return;
  }
  if (!said) {
    const where = 'neither cloud-tasks-emulator nor gcloud-tasks-emulator is on the PATH';
    process.stdout.write(`pending: ${where} (STATEWARDEN_REQUIRE=cloud-tasks makes that a failure)\n`);
  }
  said = true;
  describe.skip(title, suite);
}

/** A client for what answers in plain text on this port. */
export function plainClient(port: number): CloudTasksClient {
  return new CloudTasksClient({
    apiEndpoint: '127.0.0.1',
    port,
    sslCreds: credentials.createInsecure(),
    projectId: 'p',
  });
}

export class TasksEmulator {
  readonly port: number;
  readonly client: CloudTasksClient;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.client = plainClient(port);
    this.#child = child;
  }

  static async start(): Promise<TasksEmulator> {
    if (found === undefined) throw new Error('STATEWARDEN_REQUIRE lists cloud-tasks, and there is no emulator on the PATH');
    const port = await freePort();
    const args = isWhole ? ['-host', '127.0.0.1', '-port', String(port)] : ['start', '--port', String(port), '--quiet'];
    // The one in Go reads oidc.key and oidc.cert where it is started: they are to lie beside it.
    const cwd = folders.find((folder) => existsSync(join(folder, found)));
    const emulator = new TasksEmulator(port, spawn(found, args, { stdio: 'ignore', ...(cwd === undefined ? {} : { cwd }) }));
    await until(() => answers(port), 'the emulator answers', 30_000);
    return emulator;
  }

  async stop(): Promise<void> {
    await this.client.close();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
