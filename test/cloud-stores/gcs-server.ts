/**
 * A server of Cloud Storage's JSON API on a free port: `fake-gcs-server` (github.com/fsouza/fake-gcs-server, Go), in memory, behind a front that adds the conditions it passes over and makes the weather. Where it is neither on
 * the PATH nor in Go's folder of programs, the tests that need one are pending and say why, unless `STATEWARDEN_REQUIRE` lists `gcs`: then they fail.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gcs, type GcsOptions } from 'statewarden/gcs';
import type { ArtifactStore } from 'statewarden/artifacts';
import { GcsFront } from './gcs-front.js';

// Nothing here is on Google Cloud: the client need not look whether it is.
process.env['METADATA_SERVER_DETECTION'] ??= 'none';

const folders = [...(process.env['PATH'] ?? '').split(delimiter), process.env['GOBIN'] ?? '', join(homedir(), 'go', 'bin')];
const found = folders
  .filter((folder) => folder !== '')
  .map((folder) => join(folder, 'fake-gcs-server'))
  .find((path) => existsSync(path));
let said = false;

/** As Go says it of what it has installed. */
function versionOf(path: string): string {
  const { stdout } = spawnSync('go', ['version', '-m', path], { encoding: 'utf8' });
  return /\tmod\t\S+\t(\S+)/.exec(stdout ?? '')?.[1] ?? 'of unknown version';
}

/** `describe`, where there is a server or there has to be one. */
export function describeGcs(title: string, suite: (this: Mocha.Suite) => void): void {
  const required = (process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('gcs');
  if (found !== undefined || required) {
    describe(`${title} (${found === undefined ? 'no server' : `fake-gcs-server ${versionOf(found)}`})`, suite);
    return;
  }
  const why = 'fake-gcs-server is neither on the PATH nor in ~/go/bin';
  if (!said) process.stdout.write(`pending: ${why} (STATEWARDEN_REQUIRE=gcs makes that a failure)\n`);
  said = true;
  describe.skip(`${title} (${why})`, suite);
}

export class GcsServer {
  readonly front: GcsFront;
  /** Of the server itself, without the front. */
  readonly direct: string;
  readonly #child: ChildProcess;
  #buckets = 0;

  private constructor(front: GcsFront, direct: string, child: ChildProcess) {
    this.front = front;
    this.direct = direct;
    this.#child = child;
  }

  static async start(): Promise<GcsServer> {
    if (found === undefined) {
      throw new Error(
        'STATEWARDEN_REQUIRE lists gcs, and there is no fake-gcs-server: go install github.com/fsouza/fake-gcs-server@latest',
      );
    }
    const port = await freePort();
    const args = ['-scheme', 'http', '-backend', 'memory', '-host', '127.0.0.1', '-port', String(port), '-log-level', 'error'];
    const child = spawn(found, args, { stdio: 'ignore' });
    const direct = `http://127.0.0.1:${String(port)}`;
    for (const end = Date.now() + 30_000; ;) {
      const answer = await fetch(`${direct}/_internal/healthcheck`).catch(() => undefined);
      if (answer?.ok === true) break;
      if (Date.now() > end || child.exitCode !== null) throw new Error('fake-gcs-server does not answer');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new GcsServer(await new GcsFront(port).start(), direct, child);
  }

  async stop(): Promise<void> {
    await this.front.stop();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** The server and all that it had is gone; another one answers at the same place, and has nothing. */
  newName(): string {
    this.#buckets += 1;
    return `bucket-${String(this.#buckets)}`;
  }

  /** A new, empty bucket. */
  async bucket(name = this.newName(), settings: object = {}): Promise<string> {
    const answer = await fetch(`${this.direct}/storage/v1/b?project=p`, { method: 'POST', body: JSON.stringify({ name, ...settings }) });
    if (!answer.ok && answer.status !== 409) throw new Error(`no bucket ${name}: ${await answer.text()}`);
    return name;
  }

  options(bucket: string, more: Partial<GcsOptions> = {}): GcsOptions {
    return { bucket, project: 'p', apiEndpoint: this.front.url, ...more };
  }

  open(bucket: string, more: Partial<GcsOptions> = {}, now: () => number = Date.now): Promise<ArtifactStore> {
    return gcs(this.options(bucket, more)).open({ now });
  }

  /** Behind everybody's back. */
  async overwrite(bucket: string, name: string, content: Uint8Array): Promise<void> {
    const url = `${this.direct}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`;
    const answer = await fetch(url, { method: 'POST', body: content, headers: { 'content-type': 'application/octet-stream' } });
    if (!answer.ok) throw new Error(await answer.text());
  }

  async content(bucket: string, name: string): Promise<Buffer> {
    const answer = await fetch(`${this.direct}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`);
    return Buffer.from(await answer.arrayBuffer());
  }

  async erase(bucket: string, name: string): Promise<void> {
    await fetch(`${this.direct}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  async names(bucket: string, prefix = ''): Promise<string[]> {
    const answer = await fetch(`${this.direct}/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`);
    const { items = [] } = (await answer.json()) as { items?: { name: string }[] };
    return items.map(({ name }) => name);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
