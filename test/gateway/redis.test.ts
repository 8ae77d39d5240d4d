/** Gateways on a real Redis: several of them, and what happens to the promise when Redis is killed, stopped, emptied, or may have forgotten. */

import { expect } from 'chai';
import { CapabilityMissingError, StoreOpenError, StoreUnavailableError } from 'statewarden';
import { createGateway, redisKeys, serveGateway, type GatewayOptions, type RedisKeysOptions, type Served } from 'statewarden/gateway';
import { connectRedis } from '#src/gateway/redis-link.js';
import { ask, startService, until, type Answered, type Service } from './service.js';
import { statewarden } from '../cli/command-line.js';
import { describeRedis, durable, forgetful, freePort, RedisServer } from './redis-server.js';

describeRedis('the gateway on Redis', function () {
  this.timeout(60_000);
  let service: Service;
  let redis: RedisServer;
  const open: Served[] = [];
  const start = async (keys: RedisKeysOptions = {}, options: Partial<GatewayOptions> = {}): Promise<string> => {
    const gateway = createGateway({
      upstream: service.url,
      store: redisKeys(redis.url, { callMs: 500, ...keys }),
      leaseMs: 2_000,
      ...options,
    });
    await gateway.open();
    const served = await serveGateway(gateway, { port: 0, host: '127.0.0.1' });
    open.push(served);
    return served.url;
  };
  const healthOf = async (url: string): Promise<{ state: string; detail: string; warnings: string[] }> =>
    JSON.parse((await ask(url, { method: 'GET', path: '/.gateway/health' })).text) as { state: string; detail: string; warnings: string[] };
  const ready = (url: string): Promise<void> => until(async () => (await healthOf(url)).state === 'ready', 'the gateway is ready');
  beforeEach(async () => {
    service = await startService();
  });
  afterEach(async () => {
    await service.close();
    for (const served of open.splice(0)) await served.close();
    await redis.remove();
  });

  it('gives 1,000 concurrent duplicates at two gateways to upstream once', async () => {
    redis = await RedisServer.start();
    const urls = [await start(), await start()];
    service.answer = (response) => void setTimeout(() => response.writeHead(201, { 'X-Id': '7' }).end(Buffer.from([0, 255])), 300);
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, nth) => ask(urls[nth % 2]!)));
    expect(service.executed).to.have.length(1);
    expect(
      new Set(answers.map(({ status, headers, body }) => `${status} ${String(headers['x-id'])} ${body.toString('hex')}`)),
    ).to.deep.equal(new Set(['201 7 00ff']));
    expect(answers.filter(({ replayed }) => replayed)).to.have.length(999);
  });

  it('keeps answers over its own restart', async () => {
    redis = await RedisServer.start();
    await ask(await start());
    await open.pop()?.close();
    expect(await ask(await start())).to.include({ text: 'done 1', replayed: true });
    expect(service.executed).to.have.length(1);
  });

  it('keeps its promise when Redis is killed and started again, or says 503', async () => {
    redis = await RedisServer.start();
    const url = await start();
    expect((await healthOf(url)).warnings).to.deep.equal([]);
    await ask(url);
    for (let time = 0; time < 3; time += 1) {
      await redis.kill();
      const { status, code, headers } = await ask(url);
      expect({ status, code }).to.deep.equal({ status: 503, code: 'STORE_UNAVAILABLE' });
      expect(headers).to.have.property('retry-after');
      await redis.restart();
      await ready(url);
      expect(await ask(url)).to.include({ status: 200, text: 'done 1', replayed: true });
    }
    expect(service.executed).to.have.length(1);
  });

  it('keeps its promise when Redis is killed in the middle of 1,000 duplicates', async () => {
    redis = await RedisServer.start();
    const urls = [await start(), await start()];
    service.answer = (response) => void setTimeout(() => response.end('charged'), 1_000);
    const answers = Array.from({ length: 1_000 }, (_, nth) => ask(urls[nth % 2]!));
    await until(() => service.executed.length === 1, 'the call');
    await redis.kill();
    await redis.restart();
    const all: Answered[] = await Promise.all(answers);
    for (const { status, code } of all.filter((answer) => answer.text !== 'charged')) {
      expect({ status, code }).to.deep.equal({ status: 503, code: 'STORE_UNAVAILABLE' });
    }
    expect(all.filter(({ text }) => text === 'charged').length).to.be.greaterThan(400);
    for (const url of urls) {
      await ready(url);
      await until(async () => (await ask(url)).text === 'charged', 'the answer was kept');
    }
    expect(service.executed).to.have.length(1);
  });

  it('answers the first caller although Redis is gone by then, and has the answer kept when it is back', async () => {
    redis = await RedisServer.start();
    const url = await start();
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('charged'));
    const first = ask(url);
    await until(() => service.executed.length === 1, 'the call');
    await redis.kill();
    finish();
    expect((await first).text).to.equal('charged');
    expect(await ask(url, { key: 'other' })).to.include({ status: 503 });
    await redis.restart();
    await ready(url);
    await until(async () => (await ask(await start())).text === 'charged', 'another gateway has the answer');
    expect(service.executed).to.have.length(1);
  });

  it('forwards nothing with a key while Redis is gone or hangs, and everything without one', async () => {
    redis = await RedisServer.start();
    const url = await start();
    await redis.kill('SIGSTOP');
    expect(await ask(url)).to.include({ status: 503, code: 'STORE_UNAVAILABLE' });
    await redis.kill('SIGCONT');
    await ready(url);
    await redis.kill();
    expect(await ask(url)).to.include({ status: 503, code: 'STORE_UNAVAILABLE' });
    expect(service.executed).to.deep.equal([]);
    expect((await ask(url, { key: null })).status).to.equal(200);
    expect((await healthOf(url)).state).to.equal('away');
  });

  for (const [what, lose] of [
    ['emptied', () => redis.command('FLUSHALL')],
    [
      'restarted without what it had',
      async () => {
        await redis.kill();
        await redis.restart();
      },
    ],
  ] as const) {
    it(`says 503 when Redis was ${what}, as do gateways that start after it, until an operator accepts`, async () => {
      redis = await RedisServer.start(what === 'emptied' ? durable : forgetful);
      const url = await start();
      await ask(url);
      await lose();
      const lost = async (at: string): Promise<void> => {
        await until(async () => (await ask(at)).code === 'CLAIMS_LOST', 'the loss is seen');
        expect((await healthOf(at)).state).to.equal('lost');
      };
      await lost(url);
      await lost(await start());
      expect(service.executed).to.have.length(1);
      const { code, stdout } = await statewarden(['gateway', '--store', redis.url, '--accept-loss']);
      expect({ code, stdout }).to.deep.equal({ code: 0, stdout: `${redis.url}: gateways go on\n` });
      await until(async () => (await ask(url)).status === 200, 'it goes on');
      expect((await ask(url)).replayed).to.equal(true);
      expect(service.executed).to.have.length(2);
    });
  }

  it('is not fooled by a Redis that comes back with an older state', async () => {
    redis = await RedisServer.start(forgetful);
    const url = await start();
    await ask(url, { key: 'saved' });
    await redis.command('SAVE');
    await ask(url, { key: 'not saved' });
    await redis.kill();
    await redis.restart();
    await until(async () => (await ask(url, { key: 'not saved' })).code === 'CLAIMS_LOST', 'the loss is seen');
    expect(service.executed).to.have.length(2);
  });

  it('sees the loss of its last writes also where restarts are trusted', async () => {
    redis = await RedisServer.start(forgetful);
    const url = await start({ trustRestarts: true });
    await ask(url, { key: 'saved' });
    await redis.command('SAVE');
    await redis.kill();
    await redis.restart();
    await ready(url);
    expect((await ask(url, { key: 'saved' })).replayed).to.equal(true);
    await ask(url, { key: 'not saved' });
    await redis.kill();
    await redis.restart();
    await until(async () => (await ask(url, { key: 'not saved' })).code === 'CLAIMS_LOST', 'the loss is seen');
    expect(service.executed).to.have.length(2);
  });

  it('sees at its start that Redis was restarted and may have forgotten, while nobody looked', async () => {
    redis = await RedisServer.start(forgetful);
    await ask(await start());
    await redis.command('SAVE');
    await open.pop()?.close();
    await redis.kill();
    await redis.restart();
    expect(await ask(await start())).to.include({ code: 'CLAIMS_LOST' });
    expect(await ask(await start({ acceptLoss: true }))).to.include({ status: 200 });
  });

  it('warns of a Redis that does not keep all it acknowledges', async () => {
    redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']);
    const [warning] = (await healthOf(await start())).warnings;
    expect(warning).to.include('appendfsync is everysec').and.to.include('--accept-loss');
    expect((await healthOf(await start({ trustRestarts: true }))).warnings).to.deep.equal([]);
  });

  it('works with one that refuses CONFIG and CLIENT, as managed ones do, and warns for what it cannot know', async () => {
    redis = await RedisServer.start();
    await redis.command('ACL', 'SETUSER', 'managed', 'on', '>word', '~*', '+@all', '-config', '-client');
    const store = redisKeys(redis.url.replace('//', '//managed:word@'));
    const gateway = createGateway({ upstream: service.url, store });
    await gateway.open();
    expect((await gateway.health()).warnings[0]).to.include('it does not say what appendfsync is');
    const request = (): Request => new Request('http://gateway/', { method: 'POST', headers: { 'idempotency-key': 'k' } });
    expect((await gateway.fetch(request())).status).to.equal(200);
    expect((await gateway.fetch(request())).headers.get('idempotency-replayed')).to.equal('true');
    await gateway.close();
  });

  it('is not opened on a Redis that may throw keys away', async () => {
    redis = await RedisServer.start([...durable, '--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru']);
    const store = redisKeys(redis.url);
    const error: unknown = await store.open().catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CapabilityMissingError);
    expect((error as Error).message).to.include('maxmemory-policy is volatile-lru, not noeviction');
  });

  it('says 503 when Redis has no room, and forwards nothing', async () => {
    redis = await RedisServer.start([...durable, '--maxmemory', '100mb', '--maxmemory-policy', 'noeviction']);
    const url = await start();
    await redis.command('CONFIG', 'SET', 'maxmemory', '500kb');
    expect(await ask(url)).to.include({ status: 503, code: 'STORE_UNAVAILABLE' });
    expect(service.executed).to.deep.equal([]);
  });

  it('tells a wrong password, and a Redis that is not there', async () => {
    redis = await RedisServer.start([...durable, '--requirepass', 'right']);
    expect(
      await redisKeys(redis.url.replace('//', '//:wrong@'))
        .open()
        .catch((thrown: unknown) => thrown),
    ).to.be.instanceOf(StoreOpenError);
    expect(
      await redisKeys(redis.url)
        .open()
        .catch((thrown: unknown) => thrown),
    ).to.be.instanceOf(StoreOpenError);
    const nowhere = await redisKeys(`redis://u:secret@127.0.0.1:${await freePort()}`)
      .open()
      .catch((thrown: unknown) => thrown as Error);
    expect(nowhere).to.be.instanceOf(StoreUnavailableError);
    expect((nowhere as Error).message).not.to.include('secret');
  });
});

describe('the package "redis"', () => {
  it('is asked for by name where it is missing', async () => {
    const missing = (): Promise<never> =>
      Promise.reject(Object.assign(new Error("Cannot find package 'redis'"), { code: 'ERR_MODULE_NOT_FOUND' }));
    const error: unknown = await connectRedis(
      new URL('redis://x'),
      { name: 'x', lost: () => undefined, ready: () => undefined },
      missing,
    ).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(CapabilityMissingError);
    expect((error as CapabilityMissingError).hint).to.include('npm install redis');
  });
});
