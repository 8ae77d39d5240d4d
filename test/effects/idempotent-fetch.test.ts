/** An HTTP call as an activity's body, against a real server: what it sends, what it makes of answers, and what of them is tried again. */

import { expect } from 'chai';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { assign, setup } from 'xstate';
import { activity, BadInputError, createRuntime, HttpError, idempotentFetch, memory, TerminalError } from 'statewarden';
import { classifyError } from '#src/breakers/classification.js';
import { systemClock } from '#src/core/clock.js';
import { decode, encodeThrown } from '#src/core/codec.js';
import { isTerminal } from '#src/effects/retry.js';
import { ManualClock } from '../runtime/manual-clock.js';

interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('idempotentFetch', () => {
  let server: Server;
  let url: string;
  let seen: Seen[];
  let answer: (response: ServerResponse, nth: number) => void;
  beforeEach(async () => {
    seen = [];
    answer = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
        answer(response, seen.length);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/charges`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const context = (idempotencyKey = 'key-1') => ({ idempotencyKey, signal: new AbortController().signal });
  const failure = async (run: Promise<unknown>): Promise<HttpError> => {
    const error: unknown = await run.then(
      (value) => expect.fail(`it came to ${JSON.stringify(value)}`),
      (thrown: unknown) => thrown,
    );
    return error as HttpError;
  };

  it('sends the key in the header, an object as JSON with POST, and gives the parsed body', async () => {
    const output = await idempotentFetch()({ url, body: { cents: 999 } }, context());
    expect(output).to.deep.equal({ ok: true });
    expect(seen[0]).to.include({ method: 'POST', body: '{"cents":999}' });
    expect(seen[0]?.headers).to.include({ 'idempotency-key': 'key-1', 'content-type': 'application/json' });
  });

  it('puts the key where it is told to, and makes the request that it is told to make', async () => {
    const run = idempotentFetch({
      header: 'X-Request-Id',
      request: (cents: number) => ({ url, method: 'PUT', headers: { 'content-type': 'text/plain', a: 'b' }, body: `cents=${cents}` }),
      read: async (response) => ({ status: response.status, length: (await response.text()).length }),
    });
    expect(await run(5, context())).to.deep.equal({ status: 200, length: 11 });
    expect(seen[0]).to.include({ method: 'PUT', body: 'cents=5' });
    expect(seen[0]?.headers).to.include({ 'x-request-id': 'key-1', 'content-type': 'text/plain', a: 'b' });
    expect(seen[0]?.headers).not.to.have.property('idempotency-key');
  });

  it('sends bytes and forms as they are', async () => {
    await idempotentFetch()({ url, body: new TextEncoder().encode('bytes') }, context());
    await idempotentFetch()({ url, body: new URLSearchParams({ a: '1' }) }, context());
    expect(seen.map(({ body, headers }) => [body, headers['content-type']])).to.deep.equal([
      ['bytes', undefined],
      ['a=1', 'application/x-www-form-urlencoded;charset=UTF-8'],
    ]);
  });

  it('gives text where it is no JSON, and undefined where there is nothing', async () => {
    answer = (response) => response.writeHead(201, { 'content-type': 'text/plain' }).end('done');
    expect(await idempotentFetch()({ url }, context())).to.equal('done');
    answer = (response) => response.writeHead(204).end();
    expect(await idempotentFetch()({ url }, context())).to.equal(undefined);
  });

  it('tells a key that no header can carry by its hash, the same each time', async () => {
    for (const key of ['bestellung/ö-1', 'bestellung/ö-1', 'a\nb', 'x'.repeat(256), ' padded '])
      await idempotentFetch()({ url }, context(key));
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys.every((key) => /^[0-9a-f]{64}$/.test(String(key)))).to.equal(true);
    expect(keys[0]).to.equal(keys[1]);
    expect(new Set(keys).size).to.equal(4);
  });

  for (const [status, headers, body, disposition, verdict] of [
    [400, {}, 'no such field', 'terminal', 'ignored'],
    [402, {}, 'no money', 'terminal', 'ignored'],
    [404, {}, '', 'terminal', 'ignored'],
    [409, {}, 'sold out', 'terminal', 'ignored'],
    [409, { 'retry-after': '1' }, 'in progress', 'retry', 'ignored'],
    [409, {}, '{"error":{"code":"idempotency_key_in_use"}}', 'retry', 'ignored'],
    [422, {}, 'key used for another request', 'terminal', 'ignored'],
    [408, {}, '', 'retry', 'failure'],
    [425, {}, '', 'retry', 'ignored'],
    [429, { 'retry-after': '2' }, '', 'retry', 'throttled'],
    [500, {}, 'oh', 'retry', 'failure'],
    [503, { 'retry-after': '2' }, '', 'retry', 'failure'],
    [504, {}, '', 'retry', 'failure'],
  ] as const) {
    const more = Object.keys(headers).length > 0 ? ' with Retry-After' : '';
    it(`makes of ${status}${more} (${body}) an error: ${disposition}, to a breaker ${verdict}`, async () => {
      answer = (response) => response.writeHead(status, headers).end(body);
      const error = await failure(idempotentFetch()({ url }, context()));
      expect(error).to.be.instanceOf(HttpError);
      expect(error).to.include({ code: 'HTTP', status, body, disposition });
      expect(isTerminal(error)).to.equal(disposition === 'terminal');
      expect(error.hint).to.be.a('string').and.not.equal('');
      expect(error.message).to.match(new RegExp(`^POST http://127\\.0\\.0\\.1:\\d+/charges answered ${status}`));
      const asked = 'retry-after' in headers ? Number(headers['retry-after']) * 1_000 : undefined;
      expect(error.retryAfterMs).to.equal(asked);
      const classified = classifyError(error, systemClock);
      expect(classified.verdict).to.equal(verdict);
      if (verdict !== 'ignored') expect(classified.retryAfterMs).to.equal(asked);
    });
  }

  it('keeps the first 2 kB of an error, and the status across a restart', async () => {
    answer = (response) => response.writeHead(400).end('€'.repeat(5_000));
    const error = await failure(idempotentFetch()({ url }, context()));
    expect(error.body).to.equal('€'.repeat(682));
    expect(decode(encodeThrown(error))).to.include({ name: 'HttpError', code: 'HTTP', status: 400, disposition: 'terminal' });
  });

  it('does not try again what answers with JSON that is none: the key would bring the same', async () => {
    answer = (response) => response.writeHead(200, { 'content-type': 'application/problem+json; charset=utf-8' }).end('{');
    const error = await failure(idempotentFetch()({ url }, context()));
    expect(error).to.be.instanceOf(TerminalError);
    expect(isTerminal(error)).to.equal(true);
  });

  it('refuses what it cannot send, and what would be a second key', async () => {
    const wrong = [{ url: 'pay' }, { url, headers: { 'idempotency-key': 'mine' } }, { url, headers: { 'ä b': 'c' } }, undefined];
    for (const request of wrong) {
      const error = await failure(idempotentFetch()(request as never, context()));
      expect(error).to.be.instanceOf(BadInputError);
      expect(isTerminal(error)).to.equal(true);
    }
    expect(() => idempotentFetch({ header: 'not a header' })).to.throw(BadInputError, /header is "not a header"/);
    expect(() => idempotentFetch({ read: 1 as never })).to.throw(BadInputError, /read is number/);
    expect(seen).to.deep.equal([]);
  });

  it('ends with its signal', async () => {
    answer = () => undefined;
    const controller = new AbortController();
    const running = failure(idempotentFetch()({ url }, { idempotencyKey: 'k', signal: controller.signal }));
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('left'));
    expect(await running).to.have.property('message', 'left');
  });

  it('as an activity sends one key at all attempts, until there is an answer', async () => {
    answer = (response, nth) => {
      if (nth === 1) response.writeHead(503).end();
      else if (nth === 2) response.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"charge":"ch-1"}');
    };
    const charge = activity({
      name: 'charge',
      run: idempotentFetch<{ cents: number }, { charge: string }>({ request: (body) => ({ url, body }) }),
      retry: { initialMs: 0 },
    });
    const machine = setup({
      types: { context: {} as { charge: string }, output: {} as string },
      actors: { charge },
    }).createMachine({
      context: { charge: '' },
      initial: 'charging',
      states: {
        charging: {
          invoke: {
            src: 'charge',
            input: { cents: 5 },
            onDone: { target: 'end', actions: assign({ charge: ({ event }) => event.output.charge }) },
          },
        },
        end: { type: 'final' },
      },
      output: ({ context }) => context.charge,
    });
    await using runtime = await createRuntime({ store: memory(), agents: { order: { machine, version: 1 } } });
    const agent = await runtime.spawn('order', { id: 'orders/ü-1' });
    expect(await agent.result()).to.equal('ch-1');
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys).to.have.length(3);
    expect(new Set(keys).size).to.equal(1);
  });

  it('as an activity waits for as long as the service asks', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const charge = activity({
      name: 'charge',
      run: () => {
        at.push(clock.now());
        if (at.length > 1) return 'done';
        throw new HttpError('busy', { hint: 'later', status: 429, body: '', retryAfterMs: 5_000, disposition: 'retry' });
      },
      retry: { initialMs: 0 },
    });
    const machine = setup({ actors: { charge } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'charge', onDone: 'off' } }, off: { type: 'final' } },
    });
    await using runtime = await createRuntime({ store: memory(), clock, agents: { order: { machine, version: 1 } } });
    const agent = await runtime.spawn('order', { id: 'o-1' });
    await clock.advance(10_000);
    await agent.result();
    expect((at[1] ?? 0) - (at[0] ?? 0)).to.equal(5_000);
  });
});
