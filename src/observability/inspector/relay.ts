/**
 * The relay: a page and a WebSocket on 127.0.0.1 alone. Whoever connects has the token; a browser comes from a page of this machine or of Stately's; the host asked for is this machine,
 * so that a name which was bound to it elsewhere does not lead here. A client may also send messages, as @statelyai/inspect's own does: they are passed on to the others.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { systemClock, type Clock } from '../../core/clock.js';
import { BadInputError } from '../../core/errors.js';
import { leftOut } from './message.js';
import { defaultLimits, Outbox, type OutboxLimits, type Parcel } from './outbox.js';
import { pageOf } from './page.js';

export interface RelayOptions {
  /** Default 0: any that is free. */
  readonly port?: number | undefined;
  /** Who has it may look. Default: a fresh one. At least 16 characters. */
  readonly token?: string | undefined;
  /** Origins of pages that may connect, besides this machine's and Stately's: `https://inspector.example`. */
  readonly origins?: readonly string[] | undefined;
  /** Where the inspector is that the page shows. Default `https://stately.ai/inspect`. */
  readonly page?: string | undefined;
  /** What may wait for a client that reads slowly. */
  readonly limits?: Partial<OutboxLimits> | undefined;
  readonly clock?: Clock | undefined;
}

export interface RelayEvents {
  joined(client: Client): void;
  left?(client: Client): void;
}

/** Somebody who looks. */
export interface Client {
  send(parcel: Parcel): void;
  /** Resolves when it has read nearly all; to false when it is gone. */
  ready(): Promise<boolean>;
}

const stately = /^https:\/\/([a-z0-9-]+\.)*stately\.ai$/;
const local = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
/** Clients at a time. */
const mostClients = 32;
/** Of a message that a client sends. */
const largestMessage = 1_048_576;
const goingAway = 1001;
const types: ReadonlySet<unknown> = new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']);

export class Relay {
  readonly #options: RelayOptions;
  readonly #events: RelayEvents;
  readonly #token: string;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #clients = new Map<WebSocket, Outbox>();
  #port = 0;

  /** @throws BadInputError */
  constructor(options: RelayOptions, events: RelayEvents) {
    checkRelay(options);
    this.#options = options;
    this.#events = events;
    this.#token = options.token ?? randomBytes(24).toString('base64url');
    const page = pageOf(options.page ?? 'https://stately.ai/inspect');
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: largestMessage, perMessageDeflate: false });
    this.#server = createServer((request, response) => {
      const [status, body] = this.#isHere(request) ? ([200, page] as const) : ([403, 'not for this host\n'] as const);
      response.writeHead(status, {
        'content-type': status === 200 ? 'text/html; charset=utf-8' : 'text/plain',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
      response.end(body);
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
  }

  /** @throws BadInputError for a port that is in use */
  async listen(): Promise<void> {
    const { port = 0 } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(whyNot(error, port)));
      this.#server.listen({ port, host: '127.0.0.1' }, resolve);
    });
    this.#server.on('error', () => undefined);
    // Whoever only looks keeps no process alive.
    this.#server.unref();
    this.#server.on('connection', (socket) => socket.unref());
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** For a browser. Whoever has it may look. */
  get url(): string {
    return `http://127.0.0.1:${String(this.#port)}/#token=${encodeURIComponent(this.#token)}`;
  }

  /** For a program: `createWebSocketReceiver({ server })`. */
  get socketUrl(): string {
    return `ws://127.0.0.1:${String(this.#port)}/?token=${encodeURIComponent(this.#token)}`;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Keeps the process alive while it listens. */
  hold(): void {
    this.#server.ref();
  }

  async close(): Promise<void> {
    for (const [socket, outbox] of this.#clients) {
      outbox.close();
      socket.close(goingAway, 'the process ends');
      socket.terminate();
    }
    this.#clients.clear();
    this.#sockets.close();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** The host asked for is this machine. */
  #isHere({ headers }: IncomingMessage): boolean {
    return ['127.0.0.1', 'localhost', '[::1]'].some((name) => headers.host === `${name}:${String(this.#port)}`);
  }

  #mayCome({ headers: { origin } }: IncomingMessage): boolean {
    // Programs have none.
    if (origin === undefined) return true;
    return local.test(origin) || stately.test(origin) || this.#options.origins?.includes(origin) === true;
  }

  #knowsToken({ url = '/' }: IncomingMessage): boolean {
    const given = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('token') ?? '';
    return timingSafeEqual(digest(given), digest(this.#token));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    if (!this.#isHere(request) || !this.#mayCome(request)) return refuse(socket, '403 Forbidden', 'not from this page');
    if (!this.#knowsToken(request)) return refuse(socket, '401 Unauthorized', 'the token is wrong');
    if (this.#clients.size >= mostClients) return refuse(socket, '503 Service Unavailable', 'too many look already');
    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#joined(client));
  }

  #joined(socket: WebSocket): void {
    const { clock = systemClock, limits } = this.#options;
    const outbox = new Outbox({
      clock,
      write: (text, written) => socket.send(text, written),
      cutOff: () => socket.terminate(),
      leftOut,
      limits: { ...defaultLimits, ...limits },
    });
    this.#clients.set(socket, outbox);
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData) => this.#passOn(socket, data));
    socket.on('close', () => {
      outbox.close();
      this.#clients.delete(socket);
      this.#events.left?.(outbox);
    });
    this.#events.joined(outbox);
  }

  #passOn(from: WebSocket, data: RawData): void {
    const text = (data as Buffer).toString('utf8');
    let message: Readonly<Record<string, unknown>>;
    try {
      message = JSON.parse(text) as never;
    } catch {
      return;
    }
    const { type, sessionId } = message ?? {};
    if (!types.has(type) || typeof sessionId !== 'string') return;
    for (const [socket, outbox] of this.#clients) if (socket !== from) outbox.send({ type: type as string, sessionId, text });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refuse(socket: Duplex, status: string, why: string): void {
  const body = `${why}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
  );
}

/** @throws BadInputError */
export function checkRelay({ port = 0, token, origins = [], page }: RelayOptions): void {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new BadInputError(`the inspector's port is ${String(port)}`, { hint: 'Give a number from 0 (any that is free) to 65535.' });
  }
  if (token !== undefined && !(typeof token === 'string' && token.length >= 16)) {
    throw new BadInputError("the inspector's token is too short", {
      hint: 'Give at least 16 characters, or none: then a fresh one is made.',
    });
  }
  for (const origin of origins) {
    if (originOf(origin) === origin) continue;
    throw new BadInputError(`the inspector's origin ${JSON.stringify(origin)} is none`, {
      hint: "Give origins: ['https://inspector.example'].",
    });
  }
  if (page !== undefined && originOf(page) === undefined) {
    throw new BadInputError(`the inspector's page is ${JSON.stringify(page)}`, { hint: "Give page: 'https://stately.ai/inspect'." });
  }
}

function originOf(url: unknown): string | undefined {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  return parsed !== undefined && /^https?:$/.test(parsed.protocol) ? parsed.origin : undefined;
}

function whyNot(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return error;
  const what = error.code === 'EADDRINUSE' ? 'is in use' : 'cannot be listened on';
  return new BadInputError(`the inspector's port ${String(port)} ${what}`, {
    hint: 'Give another one, or 0 for any that is free.',
    cause: error,
  });
}
