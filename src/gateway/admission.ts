/**
 * A request as the gateway takes it: what its key is, whose, and what exactly is asked for. Two requests are the same operation when upstream, scope
 * and key are the same; they are the same request when method, path, query and body are. Keys and scopes are only kept as hashes.
 */

import { createHash } from 'node:crypto';
import { endToEnd, type Header } from './answer.js';
import { keyInvalid, keyMissing, requestBroken, requestTooLarge, type Problem } from './problem.js';

export interface AdmissionRules {
  /** Where the key stands. */
  readonly header: string;
  readonly methods: readonly string[];
  readonly requireKey: boolean;
  /** The header that says whose keys they are; undefined: all are one's. */
  readonly scopeHeader: string | undefined;
  readonly maximumRequestBytes: number;
  /** Keys of two upstreams are two keys. */
  readonly upstream: string;
}

export type Admission =
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'keyed'; readonly key: string; readonly fingerprint: string; readonly body: Uint8Array };

export async function admit(request: Request, rules: AdmissionRules): Promise<Admission> {
  const { header, methods, requireKey } = rules;
  if (!methods.includes(request.method)) return { kind: 'passed' };
  const key = request.headers.get(header);
  if (key === null) return requireKey ? refused(keyMissing(header)) : { kind: 'passed' };
  if (key === '') return refused(keyInvalid(header, 'it is empty'));
  if (key.length > 255) return refused(keyInvalid(header, `it has ${String(key.length)} characters`));
  if (!/^[ -~]+$/.test(key)) return refused(keyInvalid(header, 'it has characters that are not printable ASCII'));
  const body = await bodyOf(request, rules.maximumRequestBytes);
  if (!(body instanceof Uint8Array)) return refused(body);
  const scope = rules.scopeHeader === undefined ? '' : (request.headers.get(rules.scopeHeader) ?? '');
  return {
    kind: 'keyed',
    key: hash(JSON.stringify([rules.upstream, scope, key])),
    fingerprint: hash(JSON.stringify([request.method, targetOf(request), hash(body)])),
    body,
  };
}

/** Path and query. */
export function targetOf(request: Request): string {
  const { pathname, search } = new URL(request.url);
  return `${pathname}${search}`;
}

/** What goes on to upstream. `body`: when it is known, its length is said. */
export function forwardedHeaders(request: Request, remoteAddress: string | undefined, body: Uint8Array | undefined): Header[] {
  const incoming: Header[] = [...request.headers];
  const kept = endToEnd(incoming).filter(([name]) => {
    // A length is only said of a body that follows: a GET's has been left out by then.
    return !['host', 'expect', ...(body === undefined && request.body !== null ? [] : ['content-length'])].includes(name);
  });
  const given = (name: string): string | null => request.headers.get(name);
  const forwarded = new Map<string, string>([
    ['x-forwarded-host', given('x-forwarded-host') ?? given('host') ?? new URL(request.url).host],
    ['x-forwarded-proto', given('x-forwarded-proto') ?? new URL(request.url).protocol.replace(':', '')],
  ]);
  if (remoteAddress !== undefined) {
    const before = given('x-forwarded-for');
    forwarded.set('x-forwarded-for', before === null ? remoteAddress : `${before}, ${remoteAddress}`);
  }
  const length: Header[] = body === undefined ? [] : [['content-length', String(body.length)]];
  return [...kept.filter(([name]) => !forwarded.has(name)), ...forwarded, ...length];
}

const refused = (problem: Problem): Admission => ({ kind: 'refused', problem });

async function bodyOf(request: Request, limit: number): Promise<Uint8Array | Problem> {
  if (Number(request.headers.get('content-length')) > limit) return requestTooLarge(limit);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > limit) return requestTooLarge(limit);
      chunks.push(chunk);
    }
  } catch (error) {
    return requestBroken(error instanceof Error ? error.message : String(error));
  }
  return Buffer.concat(chunks);
}

function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
