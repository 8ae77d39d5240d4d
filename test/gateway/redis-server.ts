/**
 * A real Redis in a folder of its own, on a free port, that a test may kill and start again. Where there is none on the PATH the tests that need
 * it are pending and say why, unless `STATEWARDEN_REQUIRE` lists `redis`: then they fail.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { until } from './service.js';

export const durable: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
export const forgetful: readonly string[] = ['--appendonly', 'no', '--save', ''];

const present = spawnSync('redis-server', ['--version']).error === undefined;
let said = false;

/** `describe`, where there is a Redis or there has to be one. */
export function describeRedis(title: string, suite: (this: Mocha.Suite) => void): void {
  const required = (process.env['STATEWARDEN_REQUIRE'] ?? '').split(',').includes('redis');
  if (present || required) {
    describe(title, suite);
    return;
  }
  if (!said) process.stdout.write('pending: no redis-server on the PATH (STATEWARDEN_REQUIRE=redis makes that a failure)\n');
  said = true;
  describe.skip(title, suite);
}

export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'statewarden-redis-'));
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, options: readonly string[]) {
    this.port = port;
    this.url = `redis://127.0.0.1:${String(port)}`;
    this.#options = options;
  }

  static async start(options: readonly string[] = durable): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    await server.restart();
    return server;
  }

  async restart(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, ...this.#options];
    this.#child = spawn('redis-server', args, { stdio: 'ignore' });
    const up = (): Promise<boolean> =>
      this.command('PING').then(
        (reply) => reply === 'PONG',
        (error: unknown) => (error as Error).message.startsWith('NOAUTH'),
      );
    await until(up, 'redis-server answers');
  }

  /** One command over a connection of its own. */
  async command(...words: string[]): Promise<unknown> {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }

  /** As a power cut or the kernel does it: no last words. */
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    child.kill(signal);
    if (signal !== 'SIGKILL') return Promise.resolve();
    this.#child = undefined;
    return new Promise((resolve) => child.once('exit', () => resolve()));
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
