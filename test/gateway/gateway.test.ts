/** What the gateway makes of requests and answers, over real connections, with keys in memory. */

import { expect } from 'chai';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { BadInputError } from 'statewarden';
import { createGateway, memoryKeys, serveGateway, type Gateway, type GatewayOptions, type LogLine, type Served } from 'statewarden/gateway';
import { SimulatedClock } from 'statewarden/testing';
import { ask, startService, until, type Answered, type Ask, type Service } from './service.js';

describe('the gateway', () => {
  let service: Service;
  let gateway: Gateway;
  let served: Served;
  const start = async (options: Partial<GatewayOptions> = {}): Promise<void> => {
    gateway = createGateway({ upstream: service.url, store: memoryKeys(), ...options });
    served = await serveGateway(gateway, { port: 0, host: '127.0.0.1' });
  };
  const send = (one?: Ask): Promise<Answered> => ask(served.url, one);
  beforeEach(async () => {
    service = await startService();
  });
  afterEach(async () => {
    await service.close();
    await served.close();
  });

  it('gives 1,000 concurrent duplicates to upstream once, and its answer to all', async function () {
    this.timeout(60_000);
    await start();
    service.answer = (response) => void setTimeout(() => response.writeHead(201).end('charged'), 300);
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => send()));
    expect(service.executed).to.have.length(1);
    expect(new Set(answers.map(({ status, text }) => `${String(status)} ${text}`))).to.deep.equal(new Set(['201 charged']));
    expect(answers.filter(({ replayed }) => replayed)).to.have.length(999);
    const { outcomes, calls } = gateway.stats();
    expect(calls).to.equal(1);
    expect(outcomes.forwarded + outcomes.held + outcomes.replayed).to.equal(1_000);
  });

  it('replays status, headers and body, whatever bytes they are, and adds one header', async () => {
    await start();
    const body = gzipSync(Buffer.from([...Array(256).keys()]));
    service.answer = (response) => {
      response.writeHead(203, [
        ['Set-Cookie', 'a=1; Path=/'],
        ['Set-Cookie', 'b=2'],
        ['Content-Encoding', 'gzip'],
        ['X-Thing', 'one'],
        ['Date', 'Tue, 03 Jun 2031 10:00:00 GMT'],
        ['Connection', 'X-Hop'],
        ['X-Hop', 'this one only'],
      ]);
      response.end(body);
    };
    const first = await send();
    const second = await send();
    expect(service.executed).to.have.length(1);
    for (const { status, headers, body: got } of [first, second]) {
      expect(status).to.equal(203);
      expect(got.equals(body)).to.equal(true);
      expect(headers).to.deep.include({ 'set-cookie': ['a=1; Path=/', 'b=2'], 'content-encoding': 'gzip', 'x-thing': 'one' });
      expect(headers.date).to.equal('Tue, 03 Jun 2031 10:00:00 GMT');
      expect(headers).not.to.have.any.keys('x-hop', 'content-type');
      expect(headers['content-length']).to.equal(String(body.length));
    }
    expect([first.replayed, second.replayed]).to.deep.equal([false, true]);
  });

  it('forwards method, path, query, headers and bytes, and says where they came from', async () => {
    await start();
    const body = Buffer.from([0, 255, 10, 13, 0]);
    await send({
      method: 'PUT',
      path: '/a%20b/ü?q=1&r=%2F',
      body,
      headers: { Cookie: 'c=1', 'X-Forwarded-For': '10.0.0.1', Expect: '100-continue', TE: 'trailers', 'X-Mine': 'yes' },
    });
    const [{ method, url, headers, body: got } = expect.fail('nothing came')] = service.executed;
    expect([method, url]).to.deep.equal(['PUT', '/a%20b/%C3%BC?q=1&r=%2F']);
    expect(got.equals(body)).to.equal(true);
    expect(headers).to.include({ cookie: 'c=1', 'x-mine': 'yes', 'idempotency-key': 'key-1', host: new URL(service.url).host });
    expect(headers).to.include({
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(served.url).host,
    });
    expect(headers).not.to.have.any.keys('te', 'expect', 'transfer-encoding');
  });

  it('puts the path of upstream before all paths, and never goes to another host', async () => {
    await start({ upstream: `${service.url}/v1/` });
    await send({ path: '/charges', key: 'a' });
    const raw = await gateway.fetch(new Request('http://gateway//evil.example/x', { method: 'POST', headers: { 'idempotency-key': 'b' } }));
    expect(raw.status).to.equal(200);
    expect(service.executed.map(({ url }) => url)).to.deep.equal(['/v1/charges', '/v1//evil.example/x']);
  });

  it('takes chunked requests, and gives chunked answers whole', async () => {
    await start();
    service.answer = (response) => {
      response.write('first ');
      setImmediate(() => response.end('second'));
    };
    const { text, headers } = await send({ headers: { 'Transfer-Encoding': 'chunked' } });
    expect(text).to.equal('first second');
    expect(headers['content-length']).to.equal('12');
    expect(service.executed[0]?.headers).to.include({ 'content-length': '8' });
    expect((await send()).text).to.equal('first second');
  });

  it('passes on what has no key, and what changes nothing, as it comes', async () => {
    await start();
    service.answer = (response, { method }) => response.writeHead(200, { 'X-Method': method, 'Content-Length': 4 }).end('done');
    await send({ key: null });
    await send({ key: null });
    expect((await send({ method: 'GET' })).text).to.equal('done');
    await send({ method: 'GET' });
    const head = await send({ method: 'HEAD' });
    expect(head.headers).to.include({ 'x-method': 'HEAD', 'content-length': '4' });
    expect(await send({ method: 'OPTIONS', body: '' })).to.include({ status: 200, text: 'done' });
    expect(service.executed.map(({ method }) => method)).to.deep.equal(['POST', 'POST', 'GET', 'GET', 'HEAD', 'OPTIONS']);
    expect(gateway.stats().outcomes.passed).to.equal(6);
  });

  it('says where a body ends, whatever the method, so that nothing of it is taken for a request', async () => {
    await start();
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const headers of [{ 'Transfer-Encoding': 'chunked' }, { 'Content-Length': String(smuggled.length) }] as const) {
      for (const method of ['DELETE', 'POST', 'OPTIONS']) await send({ method, key: null, body: smuggled, headers });
    }
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
    socket.write(
      `GET /with-body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${String(smuggled.length)}\r\n\r\n${smuggled}`,
    );
    await new Promise((resolve) => socket.on('close', resolve).on('error', resolve).resume());
    expect(service.executed.map(({ method, body }) => [method, body.toString()])).to.deep.equal([
      ...[...Array(2).keys()].flatMap(() => ['DELETE', 'POST', 'OPTIONS'].map((method) => [method, smuggled])),
      ['GET', ''],
    ]);
  });

  it('passes redirects on, follows none, and replays them', async () => {
    await start();
    service.answer = (response) => response.writeHead(303, { Location: '/elsewhere' }).end();
    for (let time = 0; time < 2; time += 1) {
      const { status, headers } = await send();
      expect([status, headers['location']]).to.deep.equal([303, '/elsewhere']);
    }
    expect(service.executed).to.have.length(1);
  });

  it('refuses a request without a key only when told to', async () => {
    await start({ requireKey: true });
    expect(await send({ key: null })).to.include({ status: 400, code: 'KEY_MISSING' });
    expect(await send({ key: null, method: 'GET' })).to.include({ status: 200 });
  });

  for (const [what, key] of [
    ['empty', ''],
    ['longer than 255 characters', 'x'.repeat(256)],
    ['with a control character', 'a\tb'],
    ['not ASCII', 'schl\u00fcssel'],
  ] as const) {
    it(`refuses a key that is ${what}`, async () => {
      await start();
      expect(await send({ key })).to.include({ status: 400, code: 'KEY_INVALID' });
      expect(service.executed).to.deep.equal([]);
    });
  }

  it('takes a key of 255 characters, in the header of the user’s choice', async () => {
    await start({ header: 'X-Request-Id' });
    const headers = { 'X-Request-Id': 'x'.repeat(255) };
    await send({ key: null, headers });
    expect((await send({ key: null, headers })).replayed).to.equal(true);
    expect(service.executed).to.have.length(1);
  });

  it('tells another request under the same key, by method, path, query or body, with 422', async () => {
    await start();
    await send();
    for (const other of [{ method: 'PUT' }, { path: '/refunds' }, { path: '/charges?x=1' }, { body: 'charge 6' }]) {
      const { status, code, headers } = await send(other);
      expect({ status, code }).to.deep.equal({ status: 422, code: 'KEY_REUSED' });
      expect(headers['content-type']).to.equal('application/problem+json');
    }
    expect(service.executed).to.have.length(1);
  });

  it('tells another request also while the first is under way', async () => {
    await start();
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('done'));
    const first = send();
    await until(() => service.executed.length === 1, 'the first call');
    expect(await send({ body: 'another' })).to.include({ status: 422, code: 'KEY_REUSED' });
    finish();
    expect((await first).text).to.equal('done');
  });

  it('keeps the keys of tenants apart, by Authorization or the header that names them', async () => {
    await start();
    for (const Authorization of ['Bearer a', 'Bearer b', 'Bearer a']) await send({ headers: { Authorization } });
    expect(service.executed).to.have.length(2);
    await served.close();
    await start({ scopeHeader: 'X-Tenant' });
    for (const [tenant, Authorization] of [
      ['t', '1'],
      ['t', '2'],
      ['u', '2'],
    ] as const) {
      await send({ headers: { 'X-Tenant': tenant, Authorization } });
    }
    expect(service.executed).to.have.length(4);
    await served.close();
    await start({ scopeHeader: 'none' });
    for (const Authorization of ['1', '2']) await send({ headers: { Authorization } });
    expect(service.executed).to.have.length(5);
  });

  it('never keeps what upstream marked with no-store, and never forwards it again', async () => {
    const store = memoryKeys();
    await start({ store });
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.writeHead(200, { 'Cache-Control': 'private, No-Store' }).end('secret'));
    const first = send();
    await until(() => service.executed.length === 1, 'the first call');
    const held = send();
    await until(() => gateway.stats().waiting === 2, 'the second waits');
    finish();
    expect((await first).text).to.equal('secret');
    for (const answer of [await held, await send()]) expect(answer).to.include({ status: 409, code: 'ANSWER_NOT_KEPT' });
    expect(service.executed).to.have.length(1);
  });

  it('gives an answer that is too large to the first alone, whole, and does not forward it again', async () => {
    await start({ maximumAnswerBytes: 1_000 });
    const large = Buffer.alloc(300_000, 'x');
    service.answer = (response) => response.end(large);
    const first = await send();
    expect(first.body.equals(large)).to.equal(true);
    expect(await send()).to.include({ status: 409, code: 'ANSWER_NOT_KEPT' });
    expect(service.executed).to.have.length(1);
  });

  it('says that the outcome is unknown when upstream failed with an answer that was not kept', async () => {
    await start({ maximumAnswerBytes: 10 });
    for (const [key, headers, text] of [
      ['no-store', { 'Cache-Control': 'no-store' }, 'oh'],
      ['large', {}, 'x'.repeat(11)],
    ] as const) {
      service.answer = (response) => response.writeHead(500, headers).end(text);
      expect(await send({ key })).to.include({ status: 500, text });
      expect(await send({ key })).to.include({ status: 409, code: 'OUTCOME_UNKNOWN' });
    }
    expect(service.executed).to.have.length(2);
  });

  it('frees the key also when upstream says at length that it did nothing', async () => {
    await start({ maximumAnswerBytes: 10 });
    const answers: (() => void)[] = [];
    service.answer = (response) => void answers.push(() => response.writeHead(429).end('x'.repeat(11)));
    const first = send();
    await until(() => answers.length === 1, 'the call');
    const held = send();
    await until(() => gateway.stats().waiting === 2, 'both wait');
    answers[0]?.();
    expect(await first).to.include({ status: 429, text: 'x'.repeat(11) });
    expect(await held).to.include({ status: 503, code: 'NOT_CARRIED_OUT' });
    service.answer = (response) => response.end('done');
    expect(await send()).to.include({ status: 200, text: 'done' });
  });

  it('tells a status that there is not', async () => {
    await start();
    service.answer = (response) => response.socket?.end('HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n');
    for (const key of ['a', null]) expect(await send({ key })).to.include({ status: 502, code: 'UPSTREAM_RESET' });
  });

  it('keeps an answer of exactly the size that is kept', async () => {
    await start({ maximumAnswerBytes: 1_000 });
    service.answer = (response) => response.end(Buffer.alloc(1_000, 'x'));
    await send();
    expect((await send()).replayed).to.equal(true);
  });

  for (const [status, headers] of [
    [429, {}],
    [425, {}],
    [408, {}],
    [503, { 'Retry-After': '1' }],
    [400, { 'Idempotency-Stored': 'false' }],
    [500, { 'Idempotency-Stored': '?0' }],
  ] as const) {
    it(`forwards again after ${String(status)} ${JSON.stringify(headers)}: nothing was carried out`, async () => {
      await start();
      service.answer = (response, _, nth) => (nth === 1 ? response.writeHead(status, headers).end('no') : response.end('done'));
      expect(await send()).to.include({ status, text: 'no', replayed: false });
      expect(await send()).to.include({ status: 200, text: 'done' });
      expect((await send()).replayed).to.equal(true);
      expect(service.executed).to.have.length(2);
    });
  }

  it('gives those who waited for a call that was not carried out the same answer, and calls no more for them', async () => {
    await start();
    service.answer = (response) => void setTimeout(() => response.writeHead(429, { 'Retry-After': '3' }).end(), 200);
    const answers = await Promise.all(Array.from({ length: 20 }, () => send()));
    expect(answers.every(({ status, headers }) => status === 429 && headers['retry-after'] === '3')).to.equal(true);
    expect(service.executed).to.have.length(1);
  });

  for (const status of [400, 404, 409, 500, 502, 503]) {
    it(`replays ${String(status)}, for what it may have done`, async () => {
      await start();
      service.answer = (response) => response.writeHead(status).end('no');
      await send();
      expect(await send()).to.include({ status, text: 'no', replayed: true });
      expect(service.executed).to.have.length(1);
    });
  }

  it('forwards again after a 5xx only when told to release what is unknown', async () => {
    await start({ onUnknown: 'release' });
    service.answer = (response, _, nth) => response.writeHead(nth === 1 ? 500 : 200).end();
    expect((await send()).status).to.equal(500);
    expect((await send()).status).to.equal(200);
  });

  it('tells an upstream that breaks off in the middle of a body, and never forwards it again', async () => {
    await start();
    for (const [key, answer] of [
      ['length', (socket: { write: (text: string) => void }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')],
      [
        'chunked',
        (socket: { write: (text: string) => void }) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
      ],
      ['head', (socket: { write: (text: string) => void }) => socket.write('HTTP/1.1 200 OK\r\nContent-Le')],
      ['nothing', () => undefined],
    ] as const) {
      const before = service.executed.length;
      service.answer = (response) => {
        const { socket } = response;
        if (socket === null) return;
        answer(socket);
        setTimeout(() => socket.resetAndDestroy(), 30);
      };
      expect(await send({ key }), key).to.include({ status: 502, code: 'UPSTREAM_RESET' });
      expect(await send({ key }), key).to.include({ status: 409, code: 'OUTCOME_UNKNOWN' });
      expect((await send({ key })).headers).not.to.have.property('retry-after');
      expect(service.executed.length - before, key).to.equal(1);
    }
  });

  it('tells also of a request without a key whether it may have been carried out', async () => {
    await start({ timeoutMs: 100 });
    service.answer = () => undefined;
    expect(await send({ key: null })).to.include({ status: 504, code: 'UPSTREAM_TIMEOUT' });
    service.answer = (response) => response.socket?.resetAndDestroy();
    const { code, text } = await send({ key: null });
    expect(code).to.equal('UPSTREAM_RESET');
    expect(JSON.parse(text)).to.include({ carriedOut: 'unknown' });
  });

  it('breaks an answer off that upstream breaks off, when it passes it on', async () => {
    await start();
    service.answer = (response) => {
      response.write('half');
      setTimeout(() => response.socket?.resetAndDestroy(), 50);
    };
    const error: unknown = await send({ key: null }).then(
      ({ text }) => text,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
  });

  it('breaks the answer off too when a large one breaks off while it is passed through', async () => {
    await start({ maximumAnswerBytes: 10 });
    service.answer = (response) => {
      response.writeHead(200, { 'Content-Length': 1_000 });
      response.write('x'.repeat(100));
      setTimeout(() => response.socket?.resetAndDestroy(), 50);
    };
    const error: unknown = await send().then(
      () => 'whole',
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(Error);
    expect(await send()).to.include({ status: 409, code: 'ANSWER_NOT_KEPT' });
    expect((await ask(served.url, { method: 'GET', path: '/.gateway/health' })).status).to.equal(200);
  });

  it('tells an upstream that answers nonsense', async () => {
    const nonsense = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => nonsense.listen(0, '127.0.0.1', resolve));
    await start({ upstream: `http://127.0.0.1:${String((nonsense.address() as AddressInfo).port)}` });
    expect(await send()).to.include({ status: 502, code: 'UPSTREAM_RESET' });
    expect(await send()).to.include({ status: 409, code: 'OUTCOME_UNKNOWN' });
    nonsense.close();
  });

  it('tells an upstream that is too slow, once the request was sent', async () => {
    await start({ timeoutMs: 100 });
    service.answer = () => undefined;
    expect(await send()).to.include({ status: 504, code: 'UPSTREAM_TIMEOUT' });
    expect(await send()).to.include({ status: 409, code: 'OUTCOME_UNKNOWN' });
    expect(service.executed).to.have.length(1);
  });

  it('frees the key when there is no connection: nothing was sent', async () => {
    const { url } = service;
    await start();
    await service.close();
    for (const key of ['key-1', null]) {
      const { status, code, headers } = await send({ key });
      expect({ status, code }).to.deep.equal({ status: 502, code: 'UPSTREAM_UNREACHABLE' });
      expect(headers['retry-after']).to.equal('1');
    }
    service = await startService();
    await served.close();
    const store = memoryKeys();
    await start({ store, upstream: url });
    expect(await send()).to.include({ code: 'UPSTREAM_UNREACHABLE' });
  });

  it('goes on when the first caller hangs up, and has the answer for the next', async () => {
    await start();
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('done'));
    const controller = new AbortController();
    const first = send({ signal: controller.signal }).catch(() => 'gone');
    await until(() => service.executed.length === 1, 'the call');
    const second = send();
    await until(() => gateway.stats().waiting === 2, 'both wait');
    controller.abort();
    expect(await first).to.equal('gone');
    await until(() => gateway.stats().waiting === 1, 'the first is gone');
    finish();
    expect(await second).to.include({ text: 'done', replayed: true });
    expect(await send()).to.include({ text: 'done', replayed: true });
    expect(service.executed).to.have.length(1);
  });

  it('ends a duplicate’s wait with 409 and Retry-After, and leaves the first in peace', async () => {
    await start({ waitMs: 50 });
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('done'));
    const first = send();
    await until(() => service.executed.length === 1, 'the call');
    const held = await send();
    expect(held).to.include({ status: 409, code: 'IN_PROGRESS' });
    expect(held.headers).to.have.property('retry-after');
    finish();
    expect((await first).text).to.equal('done');
  });

  it('refuses a request that is too large, said or not, and one that breaks off', async () => {
    await start({ maximumRequestBytes: 10 });
    expect(await send({ body: 'x'.repeat(11) })).to.include({ status: 413, code: 'REQUEST_TOO_LARGE' });
    expect(await send({ body: 'x'.repeat(11), headers: { 'Transfer-Encoding': 'chunked' } })).to.include({ status: 413 });
    expect(await send({ body: 'x'.repeat(10) })).to.include({ status: 200 });
    expect(await send({ key: null, body: 'x'.repeat(11) })).to.include({ status: 200 });
  });

  it('forgets a key after its time, and not before', async () => {
    const clock = new SimulatedClock();
    const store = memoryKeys({ clock });
    await start({ store, ttlMs: 3_600_000 });
    await send();
    await clock.advance(3_599_000);
    expect((await send()).replayed).to.equal(true);
    await clock.advance(2_000);
    expect((await send()).replayed).to.equal(false);
    expect(service.executed).to.have.length(2);
  });

  it('takes no new keys when memory is full, and keeps those it has', async () => {
    await start({ store: memoryKeys({ maximumBytes: 1_000 }) });
    service.answer = (response) => response.end('x'.repeat(900));
    await send();
    expect(await send({ key: 'other' })).to.include({ status: 503, code: 'STORE_UNAVAILABLE' });
    expect((await send()).replayed).to.equal(true);
    expect(service.executed).to.have.length(1);
  });

  it('says how it is, what it did, and a line for each request, without the key', async () => {
    const lines: LogLine[] = [];
    await start({ log: (line) => lines.push(line) });
    await send({ key: 'a secret key' });
    await send({ key: 'a secret key' });
    await send({ key: 'a secret key', body: 'other' });
    expect(lines.map(({ outcome, status, method, path }) => [outcome, status, method, path])).to.deep.equal([
      ['forwarded', 200, 'POST', '/charges'],
      ['replayed', 200, 'POST', '/charges'],
      ['conflict', 422, 'POST', '/charges'],
    ]);
    expect(JSON.stringify(lines)).not.to.include('secret');
    expect(lines[2]).to.include({ code: 'KEY_REUSED' });
    const health = await ask(served.url, { method: 'GET', path: '/.gateway/health' });
    expect([health.status, (JSON.parse(health.text) as { state: string }).state]).to.deep.equal([200, 'ready']);
    const stats = await ask(served.url, { method: 'GET', path: '/.gateway/stats' });
    expect(JSON.parse(stats.text)).to.deep.include({ calls: 1, flights: 0 });
  });

  it('lets what is under way end when it is closed, and takes nothing more', async () => {
    await start();
    let finish: () => void = () => undefined;
    service.answer = (response) => void (finish = () => response.end('done'));
    const first = send();
    await until(() => service.executed.length === 1, 'the call');
    const closed = served.close();
    const late = await gateway.fetch(new Request('http://gateway/charges', { method: 'POST', headers: { 'idempotency-key': 'late' } }));
    expect([late.status, ((await late.json()) as { code: string }).code]).to.deep.equal([503, 'CLOSING']);
    finish();
    expect((await first).text).to.equal('done');
    await closed;
    expect(service.executed).to.have.length(1);
  });

  it('can be put into an application of one’s own', async () => {
    await start();
    const app = new Hono();
    app.all('/pay/*', (context) => gateway.fetch(context.req.raw));
    const request = (): Request => new Request('http://app/pay/1', { method: 'POST', body: 'x', headers: { 'idempotency-key': 'k' } });
    await app.fetch(request());
    expect((await app.fetch(request())).headers.get('idempotency-replayed')).to.equal('true');
  });

  for (const [what, options] of [
    ['an upstream that is no URL', { upstream: 'pay' }],
    ['an upstream of another scheme', { upstream: 'ftp://pay' }],
    ['an upstream with a password', { upstream: 'http://a:b@pay' }],
    ['an upstream with a query', { upstream: 'http://pay/?a=1' }],
    ['no store', { store: undefined }],
    ['a header that is none', { header: 'a b' }],
    ['a safe method', { methods: ['GET'] }],
    ['no method', { methods: [] }],
    ['a time that is none', { waitMs: -1 }],
    ['keys that are forgotten while a call is under way', { ttlMs: 1_000 }],
    ['a word it does not know', { onUnknown: 'maybe' }],
  ] as const) {
    it(`is not made with ${what}`, async () => {
      await start();
      expect(() => createGateway({ upstream: service.url, store: memoryKeys(), ...options } as never)).to.throw(
        BadInputError,
        /^gateway: /,
      );
    });
  }
});
