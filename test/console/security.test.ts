/** Whom the console answers: its own page at its own name; who has the token may order. */

import { expect } from 'chai';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { memory, type Runtime } from 'statewarden';
import { serveConsole, type ServedConsole } from 'statewarden/console';
import { ask, order } from './asking.js';
import { openFleet } from './fleet.js';

describe('a console on the loopback address', () => {
  let runtime: Runtime;
  let served: ServedConsole;
  before(async () => {
    runtime = await openFleet(memory());
    await runtime.spawn('worker', { id: 'w-1' } as never);
    served = await serveConsole(runtime, { port: 0, token: 'a-token-for-the-tests' });
  });
  after(() => runtime.close());

  it('has its token behind the # of its address only', () => {
    expect(served.link).to.equal(`${served.url}#token=a-token-for-the-tests`);
    expect(new URL(served.link).search).to.equal('');
    expect(new URL(served.url).hostname).to.equal('127.0.0.1');
  });

  it('refuses names that were made to point here', async () => {
    for (const host of ['evil.example', 'evil.example:4747', '127.0.0.1.evil.example', '0.0.0.0:1']) {
      const { status, body } = await ask(served, '/api/about', { headers: { host } });
      expect([host, status, body.code]).to.deep.equal([host, 403, 'FORBIDDEN_HOST']);
    }
    for (const host of ['localhost:9', '127.0.0.1', '[::1]:80'])
      expect((await ask(served, '/api/about', { headers: { host } })).status).to.equal(200);
    expect((await ask(served, '/', { headers: { host: 'evil.example' } })).status).to.equal(403);
  });

  it('refuses pages of other origins, the stream too', async () => {
    const host = `127.0.0.1:${String(served.port)}`;
    for (const origin of ['http://evil.example', 'null', `https://${host}`, 'http://127.0.0.1:1']) {
      const { status, body } = await ask(served, '/api/stream?topics=counts', { headers: { host, origin } });
      expect([origin, status, body.code]).to.deep.equal([origin, 403, 'FORBIDDEN_ORIGIN']);
    }
    const { status } = await ask(served, '/api/agents', { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(status).to.equal(403);
    const nameless = await ask(served, '/api/agents/w-1/stop', {
      method: 'POST',
      headers: { host, 'content-type': 'application/json', authorization: 'Bearer a-token-for-the-tests' },
      body: '{}',
    });
    expect([nameless.status, nameless.body.code], 'an order that names no origin').to.deep.equal([403, 'FORBIDDEN_ORIGIN']);
  });

  it('takes no order without the token, or with another one, and says where it is', async () => {
    for (const [token, code] of [
      [undefined, 'TOKEN_MISSING'],
      ['another-token-of-16', 'TOKEN_WRONG'],
      ['a-token-for-the-test', 'TOKEN_WRONG'],
    ] as const) {
      const { status, body, headers } = await order<{ code: string; hint: string }>(
        { ...served, pages: 0, token: undefined },
        '/api/agents/w-1/stop',
        {},
        token,
      );
      expect([status, body.code]).to.deep.equal([401, code]);
      expect(body.hint).to.contain('#token=');
      expect(headers['www-authenticate']).to.equal('Bearer');
    }
    const query = await ask(served, '/api/agents/w-1/stop?token=a-token-for-the-tests', {
      method: 'POST',
      headers: {
        host: `127.0.0.1:${String(served.port)}`,
        origin: `http://127.0.0.1:${String(served.port)}`,
        'content-type': 'application/json',
      },
      body: '{}',
    });
    expect(query.status, 'a token in the query is none').to.equal(401);
    expect((await runtime.store.lookup(['w-1']))[0]?.status).to.equal('active');
  });

  it('says of a token whether it is the one, and does nothing', async () => {
    expect((await order(served, '/api/token', {}, 'a-token-for-the-tests')).status).to.equal(200);
    expect((await order(served, '/api/token', {}, 'another-token-of-16')).status).to.equal(401);
  });

  it('compares a token in a time that does not depend on where it differs', async () => {
    const given: (readonly [number, number])[] = [];
    const original = crypto.timingSafeEqual;
    crypto.timingSafeEqual = (one, other) => {
      given.push([one.byteLength, other.byteLength]);
      return original(one, other);
    };
    syncBuiltinESMExports();
    try {
      for (const token of ['x', 'a-token-for-the-testz', 'a-token-for-the-tests-and-more'.repeat(20)])
        expect((await order(served, '/api/agents/w-1/stop', {}, token)).status).to.equal(401);
    } finally {
      crypto.timingSafeEqual = original;
      syncBuiltinESMExports();
    }
    // Digests, all of one length: not even the token's own length is told.
    expect(given).to.deep.equal([
      [32, 32],
      [32, 32],
      [32, 32],
    ]);
  });

  it('takes orders as JSON, of a sane size', async () => {
    const host = `127.0.0.1:${String(served.port)}`;
    const headers = { host, origin: `http://${host}`, authorization: 'Bearer a-token-for-the-tests' };
    const send = (type: string, body: string): Promise<number> =>
      ask(served, '/api/agents/w-1/send', { method: 'POST', headers: { ...headers, 'content-type': type }, body }).then(
        ({ status }) => status,
      );
    expect(await send('text/plain', '{"event":{"type":"WORK"}}')).to.equal(400);
    expect(await send('application/json', '{')).to.equal(400);
    expect(await send('application/json', '[]')).to.equal(400);
    expect(await send('application/json', `{"event":{"type":"WORK","x":"${'x'.repeat(3_000_000)}"}}`)).to.equal(400);
    expect(await send('application/json; charset=utf-8', '{"event":{"type":"WORK"}}')).to.equal(200);
  });

  it('keeps nothing in caches and lets nothing into its page', async () => {
    const { headers } = await ask(served, '/api/agents');
    expect(headers['cache-control']).to.equal('no-store');
    expect(headers['x-content-type-options']).to.equal('nosniff');
    const policy = String((await ask(served, '/')).headers['content-security-policy']);
    expect(policy).to.contain("default-src 'none'").and.contain("script-src 'self'").and.contain("frame-ancestors 'none'");
    expect(policy).not.to.contain('unsafe');
    expect((await ask(served, '/api/nothing')).status).to.equal(404);
    for (const name of ['/../package.json', '/%2e%2e/package.json', '/..%2f..%2fpackage.json', '/assets/../../server.js']) {
      expect((await ask(served, name)).text, name).not.to.contain('"name": "statewarden"');
    }
  });

  it('only reads when no token is wanted, and refuses one that is short', async () => {
    const reading = await serveConsole(runtime, { port: 0, token: false });
    expect((await ask<{ acts: boolean }>(reading, '/api/about')).body.acts).to.equal(false);
    expect(reading.link).to.equal(reading.url);
    const refused = await order<{ code: string }>(reading, '/api/agents/w-1/stop', {}, 'x'.repeat(20));
    expect([refused.status, refused.body.code]).to.deep.equal([403, 'READ_ONLY']);
    await reading.close();
    const short = await serveConsole(runtime, { port: 0, token: 'short' }).catch((error: unknown) => (error as { code: string }).code);
    expect(short).to.equal('BAD_INPUT');
  });

  it('says which port is in use', async () => {
    const error = await serveConsole(runtime, { port: served.port }).then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; message: string; hint: string },
    );
    expect(error).to.include({ code: 'PORT_IN_USE', message: `port ${String(served.port)} of 127.0.0.1 is in use` });
    expect(error?.hint).to.contain(`--port ${String(served.port + 1)}`);
  });
});
