/**
 * The way to upstream, over `node:http`: bytes go through as they are, nothing is decompressed, no redirect is followed, nothing is tried
 * again. What matters most is said exactly: whether a request that failed can have arrived. Requests with a key get a connection of their own,
 * since one that was idle may be closed by the other side in the moment it is used, and then nobody knows.
 */

import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import type { Clock } from '../core/clock.js';
import { endToEnd, type Answer, type Header } from './answer.js';

export interface Outgoing {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: readonly Header[];
}

export type Sent =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** Longer than the limit: so much has come, and the rest is coming. */
  | { readonly kind: 'large'; readonly head: Omit<Answer, 'body'>; readonly body: Readable }
  /** There was no connection: it cannot have arrived. */
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** It may have arrived. */
  | { readonly kind: 'broken'; readonly reason: 'reset' | 'timeout'; readonly detail: string };

export interface UpstreamOptions {
  readonly url: URL;
  /** Until the answer is whole; of one without a key until it begins. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
}

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #base: string;
  readonly #secure: boolean;
  readonly #kept: HttpAgent;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#secure = options.url.protocol === 'https:';
    this.#base = options.url.pathname.replace(/\/$/, '');
    this.#kept = this.#secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  /** Sends it once and reads the whole answer, up to `limit` bytes. Never rejects. */
  send(outgoing: Outgoing, body: Uint8Array, limit: number): Promise<Sent> {
    return new Promise((resolve) => {
      let reason: 'reset' | 'timeout' = 'reset';
      const call = this.#open(outgoing, false);
      const timer = this.#options.clock.setTimeout(() => {
        reason = 'timeout';
        call.request.destroy(new Error(`no whole answer in ${String(this.#options.timeoutMs)} ms`));
      }, this.#options.timeoutMs);
      const end = (sent: Sent): void => {
        this.#options.clock.clearTimeout(timer);
        resolve(sent);
      };
      const failed = (error: Error): void => {
        const detail = describe(error);
        end(call.connected() ? { kind: 'broken', reason, detail } : { kind: 'unreachable', detail });
      };
      // Once it is resolved, later words change nothing.
      call.request.on('error', failed);
      call.request.on('close', () => failed(new Error('the connection was closed')));
      call.request.on('response', (response) => {
        response.on('error', failed);
        collect(response, limit).then(end, failed);
      });
      call.request.end(body);
    });
  }

  /** Sends it as it comes, and gives the answer as it comes. Never rejects. */
  pass(outgoing: Outgoing, body: ReadableStream | null): Promise<Exclude<Sent, { kind: 'answer' }>> {
    // Of some methods Node sends a body without saying where it ends, unless it is told to.
    const framed = body === null || outgoing.headers.some(([name]) => name === 'content-length');
    const headers: readonly Header[] = framed ? outgoing.headers : [...outgoing.headers, ['transfer-encoding', 'chunked']];
    const { request, connected } = this.#open({ ...outgoing, headers }, true);
    return new Promise((resolve) => {
      let reason: 'reset' | 'timeout' = 'reset';
      const timer = this.#options.clock.setTimeout(() => {
        reason = 'timeout';
        request.destroy(new Error(`no answer in ${String(this.#options.timeoutMs)} ms`));
      }, this.#options.timeoutMs);
      const failed = (error: Error): void => {
        this.#options.clock.clearTimeout(timer);
        const detail = describe(error);
        resolve(connected() ? { kind: 'broken', reason, detail } : { kind: 'unreachable', detail });
      };
      request.on('error', failed);
      request.on('close', () => failed(new Error('the connection was closed')));
      request.on('response', (response) => {
        this.#options.clock.clearTimeout(timer);
        const head = headOf(response);
        if (head.status >= 200 && head.status <= 599) resolve({ kind: 'large', head, body: response });
        else request.destroy(new Error(`upstream answered with status ${String(head.status)}`));
      });
      if (body === null) {
        request.end();
        return;
      }
      const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
      source.on('error', (error) => request.destroy(error));
      source.pipe(request);
    });
  }

  close(): void {
    this.#kept.destroy();
  }

  #open({ method, target, headers }: Outgoing, keep: boolean): { request: ClientRequest; connected: () => boolean } {
    const { url } = this.#options;
    const flat: string[] = ['Host', url.host];
    for (const [name, value] of headers) flat.push(name, value);
    const request = (this.#secure ? httpsRequest : httpRequest)({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      method,
      path: `${this.#base}${target}`,
      headers: flat as unknown as Record<string, string>,
      agent: keep ? this.#kept : false,
      setHost: false,
    });
    let connected = false;
    request.on('socket', (socket) => {
      if (socket.connecting) socket.once(this.#secure ? 'secureConnect' : 'connect', () => (connected = true));
      else connected = true;
    });
    return { request, connected: () => connected };
  }
}

function headOf({ statusCode = 0, rawHeaders }: IncomingMessage): Omit<Answer, 'body'> {
  const headers: Header[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) headers.push([rawHeaders[index] as string, rawHeaders[index + 1] as string]);
  return { status: statusCode, headers: endToEnd(headers) };
}

/** Reads until the end or the limit. Rejects for an answer that breaks off, and for one that is no HTTP. */
async function collect(response: IncomingMessage, limit: number): Promise<Sent> {
  const head = headOf(response);
  if (head.status < 200 || head.status > 599) throw new Error(`upstream answered with status ${String(head.status)}`);
  const chunks: Buffer[] = [];
  let length = 0;
  const source = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const next = await source.next();
    if (next.done === true) break;
    chunks.push(next.value);
    length += next.value.length;
    if (length > limit) return { kind: 'large', head, body: Readable.from(following(chunks, source), { objectMode: false }) };
  }
  if (!response.complete) throw new Error('the answer broke off');
  return { kind: 'answer', answer: { ...head, body: Buffer.concat(chunks) } };
}

async function* following(chunks: readonly Buffer[], source: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
    for (;;) {
      const next = await source.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Whoever stops in the middle lets go of the connection.
    await source.return?.();
  }
}

function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  // What connect() tried on several addresses has no message of its own.
  const inner = (error as AggregateError).errors as readonly Error[] | undefined;
  const message = error.message === '' ? (inner?.map((one) => one.message).join('; ') ?? '') : error.message;
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}
