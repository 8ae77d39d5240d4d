/** The console as routes (hono): reading, the stream of what happens, orders, the page. What `api.ts` says, and how each error is told. */

import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE } from 'hono/streaming';
import type { ServerResponse } from 'node:http';
import { sleep, type Clock, type TimerHandle } from '../core/clock.js';
import { BadInputError, StatewardenError } from '../core/errors.js';
import { agentDetail, agentList, statusOf } from './agents.js';
import type { About, Done, Failure } from './api.js';
import type { Breakers } from './breakers.js';
import { pagePolicy, refuseHost, refuseOrigin, type Refusal, type Token } from './guard.js';
import { machinePage } from './machines.js';
import type { Monitor } from './monitor.js';
import * as orders from './orders.js';
import { Letters, peoplePage, runtimePage, treePage } from './overview.js';
import { notBuilt, type PageFiles } from './page-files.js';
import { moment, turnPage } from './past.js';
import { failureOf, type Source } from './source.js';
import { batchMs, topicsOf, type Hub } from './stream.js';

export interface AppParts {
  readonly version: string;
  readonly source: Source;
  readonly monitor: Monitor;
  readonly breakers: Breakers;
  readonly hub: Hub;
  readonly token: Token;
  readonly page: PageFiles;
  /** A page that takes nothing for so long is cut off. */
  readonly stallMs: number;
}

interface Env {
  Bindings: { readonly outgoing?: ServerResponse };
}

type AnyContext = Context<Env>;

const largestBody = 2_097_152;

const statusesByCode: Readonly<Record<string, 400 | 404 | 503>> = {
  UNKNOWN_AGENT: 404,
  UNKNOWN_BREAKER: 404,
  UNKNOWN_OPERATION: 404,
  UNKNOWN_KIND: 404,
  BAD_INPUT: 400,
  BAD_EVENT: 400,
  EVENT_TOO_LARGE: 400,
  NOT_SERIALIZABLE: 400,
  MAILBOX_FULL: 503,
  RUNTIME_CLOSED: 503,
};

export function consoleApp(parts: AppParts): Hono<Env> {
  const { version, source, monitor, breakers, hub, token, page, stallMs } = parts;
  const { runtime, clock, redactor } = source;
  const letters = new Letters(source);
  const app = new Hono<Env>();

  app.use('*', async (c, next) => {
    const refusal = refuseHost(c.req.header('host'));
    if (refusal !== undefined) return refuse(c as AnyContext, refusal);
    await next();
    const { headers } = c.res;
    headers.set('x-content-type-options', 'nosniff');
    headers.set('referrer-policy', 'no-referrer');
    headers.set('cross-origin-resource-policy', 'same-origin');
    headers.set('content-security-policy', pagePolicy);
  });
  app.use('/api/*', async (c, next) => {
    const isOrder = c.req.method !== 'GET' && c.req.method !== 'HEAD';
    const refusal = refuseOrigin(
      { host: c.req.header('host'), origin: c.req.header('origin'), site: c.req.header('sec-fetch-site') },
      isOrder,
    );
    const refused = refusal ?? (isOrder ? token.refuse(c.req.header('authorization')) : undefined);
    if (refused !== undefined) return refuse(c as AnyContext, refused);
    await next();
    c.res.headers.set('cache-control', 'no-store');
  });

  app.get('/api/about', (c) => {
    const about: About = {
      version,
      store: redactor.text(source.storeName),
      live: runtime !== undefined,
      acts: runtime !== undefined && token.isSet,
      replays: runtime?.tools.kinds ?? [],
      now: clock.now(),
    };
    return c.json(about);
  });
  // An order that changes nothing: whoever may give one has the token.
  app.post('/api/token', (c) => c.json({ done: true } satisfies Done));
  app.get('/api/agents', async (c) => {
    const query = (name: string): string | undefined => textOf(c, name);
    return c.json(
      await agentList(source, {
        prefix: query('prefix'),
        kind: query('kind'),
        status: statusOf(query('status')),
        state: query('state'),
        after: query('after'),
        limit: numberOf(c, 'limit', 1, 500, 100),
      }),
    );
  });
  app.get('/api/agents/:id', async (c) => c.json(await agentDetail(source, c.req.param('id'))));
  app.get('/api/agents/:id/turns', async (c) => {
    const last = c.req.query('last');
    const choice =
      last === undefined
        ? { after: numberOf(c, 'after', 0, Infinity, 0), limit: numberOf(c, 'limit', 1, 1_000, 200) }
        : { last: numberOf(c, 'last', 1, 1_000, 200) };
    return c.json(await turnPage(source, c.req.param('id'), choice));
  });
  app.get('/api/agents/:id/at/:seq', async (c) => {
    const sequenceNumber = Number(c.req.param('seq'));
    if (!Number.isSafeInteger(sequenceNumber) || sequenceNumber < 1) {
      throw new BadInputError(`${JSON.stringify(c.req.param('seq'))} is no sequence number`, { hint: 'Turns are numbered from 1.' });
    }
    return c.json(await moment(source, c.req.param('id'), sequenceNumber));
  });
  app.get('/api/machines/:kind', async (c) => {
    const version = c.req.query('version') === undefined ? undefined : numberOf(c, 'version', 0, Infinity, 0);
    return c.json(await machinePage(source.store, c.req.param('kind'), { version, schema: textOf(c, 'schema') }));
  });
  app.get('/api/tree', async (c) => c.json(await treePage(source)));
  app.get('/api/breakers', async (c) => c.json(await breakers.lines()));
  app.get('/api/dead-letters', async (c) =>
    c.json(
      await letters.page({
        to: textOf(c, 'to'),
        group: textOf(c, 'group'),
        after: numberOf(c, 'after', 0, Infinity, 0),
        limit: numberOf(c, 'limit', 1, 500, 100),
      }),
    ),
  );
  app.get('/api/people', async (c) => c.json(await peoplePage(source)));
  app.get('/api/runtime', async (c) => c.json(await runtimePage(source, monitor)));

  app.get('/api/stream', async (c) => {
    // Nobody would read it.
    if (c.req.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' });
    const client = await hub.open({ agent: textOf(c, 'agent'), topics: topicsOf(c.req.query('topics')) });
    const cut = (): void => {
      client.close();
      c.env.outgoing?.destroy();
    };
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => client.close());
      try {
        while (!client.closed && !stream.aborted) {
          // What cannot be read now is read with the next batch.
          for (const event of await client.compose().catch(() => [])) {
            const written = stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
            if (!(await endsWithin(clock, written, stallMs))) return;
          }
          await sleep(clock, batchMs);
        }
      } finally {
        cut();
      }
    });
  });

  const limited = bodyLimit({
    maxSize: largestBody,
    onError: (c) => fail(c as AnyContext, 400, { code: 'TOO_LARGE', message: `an order has at most ${String(largestBody)} bytes` }),
  });
  type Order = (body: orders.Body, param: (name: string) => string) => Promise<unknown>;
  const order = (path: string, carryOut: Order): void => {
    app.post(path, limited, async (c) => c.json(await carryOut(await bodyOf(c), (name) => c.req.param(name as never) ?? '')));
  };
  if (runtime !== undefined) {
    order('/api/agents/:id/send', (body, param) => orders.sendOrder(source, runtime, param('id'), body));
    order('/api/agents/:id/stop', (_, param) => orders.stopOrder(source, runtime, param('id')));
    order('/api/agents/:id/restart', (_, param) => orders.restartOrder(source, runtime, param('id')));
    order('/api/dead-letters/redrive', (body) => orders.redriveOrder(source, runtime, body));
    order('/api/dead-letters/discard', (body) => orders.discardOrder(runtime, body));
    order('/api/people/approvals/:operation', (body, param) => orders.approvalOrder(runtime, param('operation'), body));
    order('/api/people/holds/:operation', (body, param) => orders.holdOrder(runtime, param('operation'), body));
    order('/api/people/sagas/:saga', (body, param) => orders.sagaOrder(runtime, param('saga'), body));
    order('/api/breakers/:name', (body, param) => orders.breakerOrder(runtime, param('name'), body));
  }
  app.all('/api/*', (c) =>
    fail(c, 404, {
      code: 'NOT_FOUND',
      message: `there is nothing at ${c.req.method} ${c.req.path}`,
      hint: 'See src/console/api.ts for what there is.',
    }),
  );

  app.get('*', (c) => {
    const name = c.req.path === '/' ? 'index.html' : c.req.path.slice(1);
    const file = page.get(name);
    if (file !== undefined) {
      return c.body(file.body, 200, {
        'content-type': file.type,
        'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
    }
    c.header('cache-control', 'no-store');
    if (!page.isBuilt) return c.text(notBuilt, 503);
    // What there is to see has its address behind `#`.
    return /\.[a-z0-9]+$/.test(name) ? c.text('not found\n', 404) : c.redirect('/');
  });
  app.onError((error, c) => {
    const failure = failureOf(error, redactor);
    if (error instanceof StatewardenError) {
      return fail(
        c,
        statusesByCode[error.code] ?? (error.disposition === 'retry' ? 503 : error.disposition === 'defect' ? 500 : 409),
        failure,
      );
    }
    return fail(c, 500, failure);
  });
  return app;
}

function fail(c: AnyContext, status: 400 | 401 | 403 | 404 | 409 | 500 | 503, failure: Failure): Response {
  c.header('cache-control', 'no-store');
  return c.json(failure, status);
}

function refuse(c: AnyContext, { status, ...failure }: Refusal): Response {
  if (status === 401) c.header('www-authenticate', 'Bearer');
  return fail(c, status, failure);
}

/** What is empty is not said. */
function textOf(c: AnyContext, name: string): string | undefined {
  const text = c.req.query(name);
  return text === '' ? undefined : text;
}

/** @throws BadInputError */
function numberOf(c: AnyContext, name: string, least: number, most: number, otherwise: number): number {
  const text = c.req.query(name);
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return Math.min(value, most);
  throw new BadInputError(`${name} is ${JSON.stringify(text)}`, { hint: `Give a whole number from ${String(least)}.` });
}

/** @throws BadInputError */
async function bodyOf(c: AnyContext): Promise<orders.Body> {
  const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new BadInputError('an order is application/json', { hint: 'Say so in Content-Type.' });
  let body: unknown;
  try {
    body = JSON.parse(await c.req.text());
  } catch (cause) {
    throw new BadInputError(`the order is not JSON: ${(cause as Error).message}`, { hint: 'Send one JSON object.', cause });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadInputError('the order is no object', { hint: 'Send one JSON object.' });
  return body as orders.Body;
}

/** Whether it has ended by then. */
async function endsWithin(clock: Clock, work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: TimerHandle;
  const late = new Promise<false>((resolve) => (timer = clock.setTimeout(() => resolve(false), ms)));
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
