/** A service that knows no keys, on a free port: it counts how often it did what it was asked to, and answers as a test says. */

import { createServer, request as httpRequest, Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Executed {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Service {
  readonly url: string;
  /** All that it was asked to do. */
  readonly executed: Executed[];
  answer: (response: ServerResponse, executed: Executed, nth: number) => void;
  close(): Promise<void>;
}

export async function startService(): Promise<Service> {
  const executed: Executed[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      executed.push(one);
      service.answer(response, one, executed.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const service: Service = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    executed,
    answer: (response, _, nth) => response.end(`done ${String(nth)}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return service;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** Of a problem. */
  readonly code: string | undefined;
  readonly replayed: boolean;
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  /** Null: none. */
  readonly key?: string | null;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const agent = new Agent({ maxSockets: Infinity });

/** As a client does it, over a real connection. Rejects when the connection breaks. */
export function ask(
  url: string,
  { method = 'POST', path = '/charges', key = 'key-1', body = 'charge 5', headers = {}, signal }: Ask = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const given = { ...(key === null ? {} : { 'Idempotency-Key': key }), ...headers };
    const options = { method, headers: given, agent, ...(signal === undefined ? {} : { signal }) };
    const request = httpRequest(new URL(path, url), options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        const problem = response.headers['content-type'] === 'application/problem+json';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: whole,
          text: whole.toString(),
          code: problem ? (JSON.parse(whole.toString()) as { code: string }).code : undefined,
          replayed: response.headers['idempotency-replayed'] === 'true',
        });
      });
    });
    request.on('error', reject);
    request.end(method === 'GET' || method === 'HEAD' ? undefined : body);
  });
}

/** Until it holds: for what happens in another process or behind a socket. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
