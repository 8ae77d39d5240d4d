/**
 * The bank over HTTP. `open`, `identify` and everything that undoes something know idempotency keys: a request with one that was executed gets the first answer again. `reserve`, `disburse` and `notify` know none: asked
 * twice they do it twice. Of the first two it can be asked what became of them.
 */

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { AddressInfo } from 'node:net';
import { Books, deeds, RefusedError, type Deed, type Loan, type Statement } from './books.js';

export interface Bank {
  readonly url: string;
  statement(): Statement;
  close(): Promise<void>;
}

const keyless: readonly Deed[] = ['reserve', 'disburse', 'notify'];

/** `busy`: what is turned away once before it is executed. */
export async function openBank(refused: readonly string[], busy: readonly Deed[] = []): Promise<Bank> {
  const books = new Books(refused);
  const answers = new Map<string, object>();
  const turnedAway = new Set<string>(busy);
  const app = new Hono();
  app.post('/thaw', (context) => {
    books.thaw();
    return context.json({});
  });
  app.post('/:deed', async (context) => {
    const what = context.req.param('deed') as Deed;
    if (!deeds.includes(what)) return context.json({ error: `no such service: ${what}` }, 404);
    const loan = await context.req.json<Loan>();
    if (turnedAway.delete(what)) return context.json({ error: 'busy' }, 503);
    const key = keyless.includes(what) ? undefined : context.req.header('idempotency-key');
    const before = key === undefined ? undefined : answers.get(`${what} ${key}`);
    if (before !== undefined) return context.json(before);
    try {
      const answer = books.execute(what, loan);
      if (key !== undefined) answers.set(`${what} ${key}`, answer);
      return context.json(answer);
    } catch (error) {
      if (error instanceof RefusedError) return context.json({ error: error.message }, 422);
      throw error;
    }
  });
  app.get('/:deed/:id', (context) => {
    const what = context.req.param('deed') as 'reserve' | 'disburse' | 'notify';
    const found = books.find(what, { id: context.req.param('id'), customer: '', amount: 0 });
    return context.json(found === undefined ? { outcome: 'not-done' } : { outcome: 'done', result: found });
  });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    statement: () => books.statement(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
