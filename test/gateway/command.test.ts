/** `statewarden gateway` as a user or a container runs it: what it prints and refuses, how it stops, and what is left when it is killed at each step. */

import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { statewarden } from '../cli/command-line.js';
import { describeRedis, RedisServer } from './redis-server.js';
import { ask, startService, until, type Service } from './service.js';

const main = join(process.cwd(), 'dist', 'cli', 'main.js');

class Running {
  stdout = '';
  stderr = '';
  code: number | null | undefined;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(process.execPath, ['--no-warnings', main, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#child.on('exit', (code) => (this.code = code));
  }

  /** Its URL, once it listens. */
  async url(): Promise<string> {
    await until(() => this.stdout.includes('\n') || this.code !== undefined, `it listens: ${this.stderr}`);
    return /http:\/\/\S+/.exec(this.stdout)?.[0] ?? expect.fail(this.stderr);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.code === undefined) this.#child.kill(signal);
    await this.ended();
  }

  ended(): Promise<void> {
    return until(() => this.code !== undefined, 'it ends');
  }
}

describe('statewarden gateway', function () {
  this.timeout(60_000);
  let service: Service;
  let running: Running[];
  const run = (args: readonly string[], env: Record<string, string> = {}): Running => {
    const one = new Running(['gateway', ...args], env);
    running.push(one);
    return one;
  };
  beforeEach(async () => {
    service = await startService();
    running = [];
  });
  afterEach(async () => {
    for (const one of running) await one.stop('SIGKILL');
    await service.close();
  });

  it('prints where it listens, deduplicates, and stops when told to, after what is under way', async () => {
    const one = run(['--upstream', service.url, '--store', 'memory:', '--port', '0', '--log']);
    const url = await one.url();
    expect(one.stdout).to.equal(`${url} → ${service.url}/, keys in memory:\n`);
    await ask(url);
    expect((await ask(url)).replayed).to.equal(true);
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('the last'));
    const last = ask(url, { key: 'last' });
    await until(() => service.executed.length === 2, 'the last call');
    const stopped = one.stop('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
    finish();
    expect((await last).text).to.equal('the last');
    await stopped;
    expect(one.code).to.equal(0);
    const lines = one.stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(lines.map((line) => (JSON.parse(line) as { outcome: string }).outcome)).to.deep.equal(['forwarded', 'replayed', 'forwarded']);
    expect(one.stderr).to.include('warning: keys are kept in memory');
  });

  it('takes upstream, store and port from the environment', async () => {
    const env = { STATEWARDEN_GATEWAY_UPSTREAM: service.url, STATEWARDEN_GATEWAY_STORE: 'memory:', PORT: '0' };
    const one = run(['--json'], env);
    await until(() => one.stdout.includes('}\n'), 'its document');
    expect(JSON.parse(one.stdout)).to.include({ upstream: `${service.url}/`, store: 'memory:' });
  });

  it('follows its options', async () => {
    const one = run([
      '--upstream',
      service.url,
      '--store',
      'memory:',
      '--port',
      '0',
      '--header',
      'X-Key',
      '--methods',
      'post',
      '--require-key',
      '--max-request',
      '3',
      '--wait',
      '1',
    ]);
    const url = await one.url();
    expect(await ask(url)).to.include({ code: 'KEY_MISSING' });
    expect((await ask(url, { method: 'PUT' })).status).to.equal(200);
    expect(await ask(url, { headers: { 'X-Key': 'a' } })).to.include({ code: 'REQUEST_TOO_LARGE' });
    expect((await ask(url, { headers: { 'X-Key': 'a' }, body: 'abc' })).status).to.equal(200);
  });

  it('says when the port is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const port = String((server.address() as AddressInfo).port);
    const { code, stderr } = await statewarden(['gateway', '--upstream', service.url, '--store', 'memory:', '--port', port]);
    server.close();
    expect(code).to.equal(1);
    expect(stderr).to.match(new RegExp(`BAD_INPUT: 127\\.0\\.0\\.1:${port} is in use\nhint: .*--port`));
  });

  it('says when there is no Redis', async () => {
    const { code, stderr } = await statewarden(['gateway', '--upstream', service.url, '--store', 'redis://:secret@127.0.0.1:1']);
    expect(code).to.equal(1);
    expect(stderr)
      .to.match(/^STORE_UNAVAILABLE: redis:\/\/127\.0\.0\.1:1 cannot be reached.*\nhint: /)
      .and.not.include('secret');
  });

  for (const [args, expected] of [
    [[], /--store is missing\nhint: .*--store redis:/],
    [['--store', 'memory:'], /--upstream is missing\nhint: .*--upstream http/],
    [['--store', 'sqlite:a.db', '--upstream', 'http://a'], /the gateway has no such store/],
    [['--store', 'redis://', '--upstream', 'http://a'], /redis/],
    [['--store', 'memory:', '--upstream', 'pay'], /upstream "pay" is no URL/],
    [['--store', 'memory:', '--upstream', 'http://a', '--port', '70000'], /--port is "70000"/],
    [['--store', 'memory:', '--upstream', 'http://a', '--ttl', 'day'], /--ttl is "day"/],
    [['--store', 'memory:', '--upstream', 'http://a', '--ttl', '5'], /ttlMs is shorter/],
    [['--store', 'memory:', '--upstream', 'http://a', '--on-unknown', 'pray'], /--on-unknown is "pray"/],
    [['--store', 'memory:', '--upstream', 'http://a', '--methods', 'GET'], /methods has GET/],
    [['--store', 'memory:', '--accept-loss'], /--accept-loss is for a Redis/],
    [['--store', 'memory:', '--upstream', 'http://a', '--wait'], /--wait/],
    [['--store', 'memory:', '--upstream', 'http://a', '--nonsense', '1'], /[Uu]nknown option/],
  ] as const) {
    it(`is called wrongly with: gateway ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await statewarden(['gateway', ...args]);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr)
        .to.match(/^USAGE: .*\nhint: .+\n$/)
        .and.to.match(expected);
    });
  }

  it('does what the container’s file tells it to', async () => {
    const lines = readFileSync(join('docker', 'gateway.Dockerfile'), 'utf8').split('\n');
    const [program, ...args] = JSON.parse(/^CMD (\[.*\])$/m.exec(lines.join('\n'))?.[1] ?? '[]') as string[];
    expect([program, args[0]]).to.deep.equal(['statewarden', 'gateway']);
    expect(lines.find((line) => line.startsWith('FROM'))).to.equal('FROM node:24-slim');
    expect(lines).to.include('USER node');
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { peerDependencies: Record<string, string> };
    for (const name of ['redis', 'xstate']) expect(lines.join('\n')).to.include(`"${name}@${String(manifest.peerDependencies[name])}"`);
    const one = run(args.slice(1), { STATEWARDEN_GATEWAY_UPSTREAM: service.url, STATEWARDEN_GATEWAY_STORE: 'memory:', PORT: '0' });
    const url = (await one.url()).replace('0.0.0.0', '127.0.0.1');
    expect((await ask(url)).text).to.equal('done 1');
    await one.stop('SIGTERM');
    expect(one.code).to.equal(0);
  });
});

describeRedis('statewarden gateway that is killed', function () {
  this.timeout(60_000);
  let service: Service;
  let redis: RedisServer;
  before(async () => {
    redis = await RedisServer.start();
  });
  after(() => redis.remove());
  beforeEach(async () => {
    service = await startService();
  });
  afterEach(() => service.close());

  for (const [point, when, left, executed] of [
    ['gateway:claimed', 'before the key was marked as sent', { status: 200, text: 'done 1' }, 1],
    ['gateway:sent', 'before the request left', { status: 409, code: 'OUTCOME_UNKNOWN' }, 0],
    ['gateway:answered', 'before the answer was kept', { status: 409, code: 'OUTCOME_UNKNOWN' }, 1],
    ['gateway:kept', 'before the caller had the answer', { status: 200, text: 'done 1', replayed: true }, 1],
  ] as const) {
    it(`${when}: another one never carries it out again`, async () => {
      const args = ['gateway', '--upstream', service.url, '--store', redis.url, '--port', '0', '--lease', '1', '--timeout', '5'];
      const key = `killed at ${point}`;
      const first = new Running(args, { STATEWARDEN_FAILPOINTS: `${point}=crash` });
      const error: unknown = await ask(await first.url(), { key }).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(Error);
      await first.ended();
      const second = new Running(args);
      const url = await second.url();
      // It waits until the lease of the one that is gone is over.
      expect(await ask(url, { key })).to.include(left);
      expect(await ask(url, { key })).to.include({ status: left.status });
      expect(service.executed).to.have.length(executed);
      await second.stop('SIGTERM');
    });
  }
});
