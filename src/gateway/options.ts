/** What a gateway can be told, what it does without being told, and what it refuses. */

import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { systemRandom, type Random } from '../core/random.js';
import type { KeyStore } from './key-store.js';
import type { Outcome } from './reply.js';

export interface GatewayOptions {
  /** Where requests go: `http:` or `https:`, with a path before all paths if need be. */
  readonly upstream: string | URL;
  /** `memoryKeys()`, `redisKeys(url)`, or your own. The gateway opens it, and closes it. */
  readonly store: KeyStore;
  /** Where the key stands. Default `Idempotency-Key`. */
  readonly header?: string;
  /** What is deduplicated. Default POST, PATCH, PUT, DELETE. */
  readonly methods?: readonly string[];
  /** Refuse what has no key with 400, instead of passing it on. Default false. */
  readonly requireKey?: boolean;
  /** The header that says whose keys they are; `none`: all are one's. Default `Authorization`. */
  readonly scopeHeader?: string;
  /** The header with which upstream says, by `false`, that it did not carry out an operation. Default `Idempotency-Stored`. */
  readonly notStoredHeader?: string;
  /** What becomes of a key whose outcome nobody knows. `release` forwards again: that may carry it out twice. Default `hold`. */
  readonly onUnknown?: 'hold' | 'release';
  /** A key is forgotten after it. Default 24 hours. */
  readonly ttlMs?: number;
  /** So long a duplicate waits for the first. Default 60 s. */
  readonly waitMs?: number;
  /** So long upstream has for a whole answer. Default 30 s. */
  readonly timeoutMs?: number;
  /** After so long without a sign a gateway counts as gone. Default 15 s. */
  readonly leaseMs?: number;
  /** Answers up to this size are kept. Default 1 MiB. */
  readonly maximumAnswerBytes?: number;
  /** Requests with a key may be so large. Default 10 MiB. */
  readonly maximumRequestBytes?: number;
  /** Hears of each request, once it is answered. */
  readonly log?: (line: LogLine) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly outcome: Outcome;
  readonly status: number;
  readonly ms: number;
  /** The beginning of the key's hash: it tells operations apart and is no secret. */
  readonly key?: string;
  /** Of a problem. */
  readonly code?: string;
}

export type ResolvedGatewayOptions = Required<Omit<GatewayOptions, 'upstream' | 'log'>> & {
  readonly upstream: URL;
  readonly log: ((line: LogLine) => void) | undefined;
};

/** @throws BadInputError */
export function resolveGateway(options: GatewayOptions): ResolvedGatewayOptions {
  const wrong = (what: string, hint: string): BadInputError => new BadInputError(`gateway: ${what}`, { hint });
  const given = (options as GatewayOptions | undefined) ?? ({} as GatewayOptions);
  const resolved = {
    header: 'Idempotency-Key',
    methods: ['POST', 'PATCH', 'PUT', 'DELETE'],
    requireKey: false,
    scopeHeader: 'Authorization',
    notStoredHeader: 'Idempotency-Stored',
    onUnknown: 'hold' as const,
    ttlMs: 86_400_000,
    waitMs: 60_000,
    timeoutMs: 30_000,
    leaseMs: 15_000,
    maximumAnswerBytes: 1_048_576,
    maximumRequestBytes: 10_485_760,
    clock: systemClock,
    random: systemRandom,
    log: undefined,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  } as Omit<ResolvedGatewayOptions, 'upstream' | 'store'>;
  const upstream = upstreamOf(given.upstream, wrong);
  if (typeof (given.store as Partial<KeyStore> | undefined)?.claim !== 'function') {
    throw wrong('it has no store', 'Give store: memoryKeys(), or redisKeys("redis://…").');
  }
  for (const option of ['header', 'scopeHeader', 'notStoredHeader'] as const) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(resolved[option])) continue;
    throw wrong(`${option} is ${JSON.stringify(resolved[option])}`, 'Give the name of a header.');
  }
  for (const option of ['ttlMs', 'waitMs', 'timeoutMs', 'leaseMs', 'maximumAnswerBytes', 'maximumRequestBytes'] as const) {
    const least = option === 'waitMs' || option === 'maximumAnswerBytes' || option === 'maximumRequestBytes' ? 0 : 1;
    if (Number.isSafeInteger(resolved[option]) && resolved[option] >= least) continue;
    throw wrong(`${option} is ${String(resolved[option])}`, `Give a whole number from ${String(least)}.`);
  }
  if (resolved.ttlMs < resolved.timeoutMs + resolved.leaseMs) {
    throw wrong(
      'ttlMs is shorter than a call to upstream may take',
      'Keep keys for longer than timeoutMs and leaseMs together; a day is usual.',
    );
  }
  if (!['hold', 'release'].includes(resolved.onUnknown)) throw wrong(`onUnknown is "${resolved.onUnknown}"`, "Use 'hold' or 'release'.");
  const methods = resolved.methods.map((method) => method.toUpperCase());
  const safe = methods.find((method) => ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'].includes(method) || !/^[A-Z]+$/.test(method));
  if (safe !== undefined || methods.length === 0) {
    throw wrong(`methods has ${safe ?? 'nothing'}`, 'Give methods that change something: POST, PATCH, PUT, DELETE.');
  }
  return { ...resolved, methods, upstream, store: given.store };
}

function upstreamOf(given: string | URL, wrong: (what: string, hint: string) => BadInputError): URL {
  const hint = 'Give a URL without a query: http://localhost:9000 or https://pay.example/v1.';
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw wrong(`upstream "${String(given)}" is no URL`, hint);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong(`upstream has the scheme ${url.protocol}`, hint);
  if (url.username !== '' || url.password !== '')
    throw wrong('upstream has a password in it', 'Let callers send the Authorization header.');
  if (url.search !== '' || url.hash !== '') throw wrong('upstream has a query or a fragment', hint);
  return url;
}
