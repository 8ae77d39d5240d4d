/**
 * The gateway: an HTTP proxy that gives each operation, told by the key in its header, to upstream at most once, and its answer to all who ask.
 * It promises so much as its store does; what upstream does with one request is upstream's affair. `fetch` is all that a server needs of it.
 */

import { Hono } from 'hono';
import type { Readable } from 'node:stream';
import { admit, forwardedHeaders, targetOf, type AdmissionRules } from './admission.js';
import { answerResponse } from './answer.js';
import { Flight, type Landing } from './flight.js';
import { resolveGateway, type GatewayOptions, type ResolvedGatewayOptions } from './options.js';
import { broken, closing, defect, inProgress, problemResponse, unreachable } from './problem.js';
import { outcomes, type Outcome, type Reply } from './reply.js';
import type { StoreHealth } from './key-store.js';
import { Upstream } from './upstream.js';

/** As Hono's server for Node gives it: who is at the other end. */
export interface Connection {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } };
  /** Destroyed when an answer breaks off on its way, so that nobody takes it for whole. */
  readonly outgoing?: { destroy(): unknown };
}

export interface Gateway {
  /** Opens the store. @throws StoreUnavailableError, CapabilityMissingError, StoreOpenError */
  open(): Promise<void>;
  /** Never rejects. */
  fetch(request: Request, connection?: Connection): Promise<Response>;
  stats(): GatewayStats;
  health(): Promise<StoreHealth>;
  /** Takes nothing new with a key, lets calls that are under way end, closes the store. */
  close(): Promise<void>;
}

export interface GatewayStats {
  /** Requests answered, by outcome. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Calls of upstream for requests with a key. */
  readonly calls: number;
  /** Operations under way now. */
  readonly flights: number;
  /** Requests that wait now. */
  readonly waiting: number;
}

/** @throws BadInputError */
export function createGateway(options: GatewayOptions): Gateway {
  return new IdempotencyGateway(resolveGateway(options));
}

class IdempotencyGateway implements Gateway {
  readonly #options: ResolvedGatewayOptions;
  readonly #rules: AdmissionRules;
  readonly #upstream: Upstream;
  readonly #app = new Hono<{ Bindings: Connection }>();
  readonly #flights = new Map<string, Flight>();
  readonly #outcomes = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  #calls = 0;
  #waiting = 0;
  #opened: Promise<void> | undefined;
  #closed = false;

  constructor(options: ResolvedGatewayOptions) {
    this.#options = options;
    const { upstream, clock, timeoutMs, scopeHeader, header, methods, requireKey, maximumRequestBytes } = options;
    this.#upstream = new Upstream({ url: upstream, timeoutMs, clock });
    this.#rules = {
      header,
      methods,
      requireKey,
      scopeHeader: scopeHeader === 'none' ? undefined : scopeHeader,
      maximumRequestBytes,
      upstream: upstream.href,
    };
    this.#app.get('/.gateway/health', async (context) => {
      const health = await this.health();
      return context.json(health, health.state === 'ready' ? 200 : 503);
    });
    this.#app.get('/.gateway/stats', (context) => context.json(this.stats()));
    this.#app.all('*', (context) => this.#handle(context.req.raw, context.env));
    this.#app.onError((error) => problemResponse(defect(error.message)));
  }

  open(): Promise<void> {
    return (this.#opened ??= this.#options.store.open());
  }

  async fetch(request: Request, connection: Connection = {}): Promise<Response> {
    return this.#app.fetch(request, connection);
  }

  stats(): GatewayStats {
    return { outcomes: { ...this.#outcomes }, calls: this.#calls, flights: this.#flights.size, waiting: this.#waiting };
  }

  async health(): Promise<StoreHealth> {
    if (this.#closed) return { state: 'away', detail: 'the gateway is stopping', warnings: [] };
    return this.#options.store.health();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const flight of this.#flights.values()) flight.close();
    await Promise.all([...this.#flights.values()].map((flight) => flight.over));
    this.#upstream.close();
    await this.#options.store.close();
  }

  async #handle(request: Request, connection: Connection): Promise<Response> {
    const { clock } = this.#options;
    const startedAt = clock.elapsed();
    const remoteAddress = connection.incoming?.socket?.remoteAddress;
    const admission = await admit(request, this.#rules);
    let key: string | undefined;
    let reply: Reply;
    switch (admission.kind) {
      case 'refused':
        reply = { outcome: 'refused', problem: admission.problem };
        break;
      case 'passed':
        reply = await this.#pass(request, remoteAddress);
        break;
      case 'keyed':
        key = admission.key;
        reply = await this.#deduplicate(request, key, admission.fingerprint, admission.body, remoteAddress);
    }
    return this.#respond(request, connection, reply, startedAt, key);
  }

  async #deduplicate(
    request: Request,
    key: string,
    fingerprint: string,
    body: Uint8Array,
    remoteAddress: string | undefined,
  ): Promise<Reply> {
    if (this.#closed) return { outcome: 'refused', problem: closing() };
    await this.open().catch(() => undefined); // what is wrong with it, it says when it is asked
    const slot = `${key} ${fingerprint}`;
    const boarded = this.#flights.get(slot);
    if (boarded !== undefined) return this.#wait(boarded, request.signal);
    const outgoing = { method: request.method, target: targetOf(request), headers: forwardedHeaders(request, remoteAddress, body) };
    const upstream = {
      send: (...call: Parameters<Upstream['send']>) => {
        this.#calls += 1;
        return this.#upstream.send(...call);
      },
    };
    const flight = new Flight(key, fingerprint, outgoing, body, { ...this.#options, upstream });
    this.#flights.set(slot, flight);
    void flight.over.then(() => this.#flights.delete(slot));
    return this.#lead(flight, request.signal);
  }

  /** The one that made the flight waits for upstream as long as upstream may take, and for another process as long as anybody. */
  async #lead(flight: Flight, signal: AbortSignal): Promise<Reply> {
    const reply = await this.#ride(flight, signal, 'first');
    if (reply.outcome === 'gone') flight.landing.then(({ first }) => letGo(first)).catch(() => undefined);
    return reply;
  }

  async #wait(flight: Flight, signal: AbortSignal): Promise<Reply> {
    const reply = await this.#ride(flight, signal, 'others');
    return reply.outcome === 'replayed' ? { ...reply, outcome: 'held' } : reply;
  }

  async #ride(flight: Flight, signal: AbortSignal, seat: keyof Landing): Promise<Reply> {
    const { clock, waitMs } = this.#options;
    flight.passengers += 1;
    this.#waiting += 1;
    let leave: () => void = () => undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        const gone = (): void => resolve({ outcome: 'gone', problem: inProgress(0) });
        const late = (): void => {
          if (seat === 'first' && flight.sending) return;
          resolve({ outcome: 'in-progress', problem: inProgress(waitMs) });
        };
        const timer = clock.setTimeout(late, waitMs);
        signal.addEventListener('abort', gone, { once: true });
        leave = () => {
          clock.clearTimeout(timer);
          signal.removeEventListener('abort', gone);
        };
        flight.landing.then((landing) => resolve(landing[seat]), reject);
        if (signal.aborted) gone();
      });
    } finally {
      leave();
      flight.passengers -= 1;
      this.#waiting -= 1;
    }
  }

  async #pass(request: Request, remoteAddress: string | undefined): Promise<Reply> {
    const outgoing = { method: request.method, target: targetOf(request), headers: forwardedHeaders(request, remoteAddress, undefined) };
    const sent = await this.#upstream.pass(outgoing, request.body);
    if (sent.kind === 'large') return { outcome: 'passed', answer: sent.head, stream: sent.body };
    if (sent.kind === 'unreachable') return { outcome: 'unreachable', problem: unreachable(sent.detail) };
    return { outcome: 'unknown', problem: broken(sent.reason, sent.detail, 'Ask upstream what became of it.') };
  }

  #respond(request: Request, connection: Connection, reply: Reply, startedAt: number, key: string | undefined): Response {
    const { clock, log } = this.#options;
    this.#outcomes[reply.outcome] += 1;
    const response = responseTo(request, connection, reply);
    log?.({
      at: clock.now(),
      method: request.method,
      path: new URL(request.url).pathname,
      outcome: reply.outcome,
      status: response.status,
      ms: Math.round(clock.elapsed() - startedAt),
      ...(key === undefined ? {} : { key: key.slice(0, 12) }),
      ...('problem' in reply ? { code: reply.problem.code } : {}),
    });
    return response;
  }
}

function responseTo(request: Request, { outgoing }: Connection, reply: Reply): Response {
  if ('problem' in reply) return problemResponse(reply.problem);
  const replayed = reply.outcome === 'replayed' || reply.outcome === 'held';
  if (!('stream' in reply)) return answerResponse(reply.answer, reply.answer.body, replayed);
  const { stream } = reply;
  if (request.method === 'HEAD' || request.signal.aborted) {
    letGo(reply);
    return answerResponse(reply.answer, null, replayed);
  }
  const breakOff = outgoing === undefined ? undefined : (): unknown => outgoing.destroy();
  return answerResponse(reply.answer, following(stream, breakOff), replayed);
}

/** Hono's server for Node ends an answer whose body fails with the error's text, as if it were whole: with `breakOff` it never hears of it. */
function following(stream: Readable, breakOff: (() => unknown) | undefined): ReadableStream {
  const source = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const next = await source.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (error) {
          if (breakOff === undefined) {
            controller.error(error);
            return;
          }
          breakOff();
          controller.close();
        }
      },
      cancel() {
        stream.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Of an answer that nobody reads: its connection. */
function letGo(reply: Reply): void {
  if ('stream' in reply) reply.stream.on('error', () => undefined).destroy();
}
