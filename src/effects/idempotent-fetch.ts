/**
 * An HTTP call as an activity's body, with the activity's idempotency key in a header: the service, or a gateway before it, can then tell
 * that an attempt is the one it has seen. Every attempt carries the same key, also after a crash. Whether the other side heeds it, this
 * cannot know. An answer of 400 or more is an `HttpError`, which says whether trying again can help.
 */

import { createHash } from 'node:crypto';
import { parseRetryAfter } from '../breakers/retry-after.js';
import { systemClock, type Clock } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import type { ActivityContext } from './activity.js';
import { dispositionOf, HttpError } from './http-error.js';
import { TerminalError } from './retry.js';

export interface HttpRequest {
  readonly url: string | URL;
  /** Default POST: a call that changes nothing needs no key. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes and forms as they are; anything else as JSON, then with `content-type: application/json` unless `headers` has one. */
  readonly body?: unknown;
}

export interface IdempotentFetchOptions<TInput = HttpRequest, TOutput = unknown> {
  /** The request for an input. Default: the input itself. The same input must make the same request. */
  readonly request?: (input: TInput) => HttpRequest;
  /** Where the key goes. Default `Idempotency-Key`. */
  readonly header?: string;
  /**
   * The activity's output, from an answer below 400. Default: the body, parsed when its type is JSON, else as text; undefined when there is
   * none. Only that, because the output is saved with the agent, and what a machine goes on with is the body. Whoever needs the status or a
   * header takes them here.
   */
  readonly read?: (response: Response) => Promise<TOutput> | TOutput;
  /** Default `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** For dates in `Retry-After`. Default: the machine's. */
  readonly clock?: Pick<Clock, 'now'>;
}

/** `run` of an activity. */
export type FetchingRun<TInput, TOutput> = (input: TInput, context: Pick<ActivityContext, 'signal' | 'idempotencyKey'>) => Promise<TOutput>;

const longestErrorBody = 2_048;

/**
 * Makes the body of an activity: `activity({ name: 'charge', run: idempotentFetch({ request: (order: Order) => ({ url, body: order }) }) })`.
 * The function throws `HttpError` for an answer of 400 or more, `TerminalError` for JSON that is none, `BadInputError` for a request that
 * cannot be made, and what `fetch` throws when there is no answer: that is tried again.
 * @throws BadInputError for a wrong option.
 */
export function idempotentFetch<TInput = HttpRequest, TOutput = unknown>(
  options: IdempotentFetchOptions<TInput, TOutput> = {},
): FetchingRun<TInput, TOutput> {
  const { header = 'Idempotency-Key', clock = systemClock } = options;
  if (typeof header !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header)) {
    throw new BadInputError(`idempotentFetch: header is ${JSON.stringify(header)}`, {
      hint: "Give the name of a header: 'Idempotency-Key'.",
    });
  }
  for (const option of ['request', 'read', 'fetch'] as const) {
    const value: unknown = options[option];
    if (value === undefined || typeof value === 'function') continue;
    throw new BadInputError(`idempotentFetch: ${option} is ${typeof value}`, { hint: `Give a function for ${option}, or leave it out.` });
  }
  const read = options.read ?? (readBody as (response: Response) => Promise<TOutput>);
  return async (input, { signal, idempotencyKey }) => {
    const { url, init } = requestOf(options.request?.(input) ?? (input as HttpRequest), header, idempotencyKey);
    const response = await (options.fetch ?? globalThis.fetch)(url, { ...init, signal });
    if (response.status < 400) return read(response);
    throw await errorOf(response, `${init.method} ${url.origin}${url.pathname}`, clock);
  };
}

/** A key as services take it: up to 255 printable ASCII characters. Another one is told by its SHA-256, the same at every attempt. */
function sendable(key: string): string {
  return key.length <= 255 && /^[!-~]([ -~]*[!-~])?$/.test(key) ? key : createHash('sha256').update(key).digest('hex');
}

/** @throws BadInputError */
function requestOf(
  request: HttpRequest,
  header: string,
  key: string,
): { url: URL; init: { method: string; headers: Headers; body: NonNullable<RequestInit['body']> | null } } {
  const wrong = (what: string, hint: string, cause?: unknown): BadInputError =>
    new BadInputError(`idempotentFetch: ${what}`, cause === undefined ? { hint } : { hint, cause });
  const { url, method = 'POST', headers, body } = (request as Partial<HttpRequest> | null) ?? {};
  let target: URL;
  try {
    target = new URL(url as string);
  } catch (cause) {
    throw wrong(`${JSON.stringify(url)} is no URL`, "Give the whole URL: { url: 'https://pay.example/charges' }.", cause);
  }
  let sent: Headers;
  try {
    sent = new Headers(headers);
  } catch (cause) {
    throw wrong(`the headers cannot be sent: ${(cause as Error).message}`, 'Names and values of headers are plain ASCII.', cause);
  }
  if (sent.has(header))
    throw wrong(
      `the request has a header ${header} of its own`,
      'Leave it out: the activity has a key. For one of your own give activity({ key }).',
    );
  sent.set(header, sendable(key));
  if (body === undefined) return { url: target, init: { method, headers: sent, body: null } };
  if (asItIs(body)) return { url: target, init: { method, headers: sent, body } };
  if (!sent.has('content-type')) sent.set('content-type', 'application/json');
  return { url: target, init: { method, headers: sent, body: JSON.stringify(body) } };
}

function asItIs(body: unknown): body is NonNullable<RequestInit['body']> {
  if (typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return true;
  return body instanceof URLSearchParams || body instanceof FormData || body instanceof Blob;
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return undefined;
  if (!/^[^;]*[/+]json\s*(;|$)/i.test(response.headers.get('content-type') ?? '')) return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // With the same key the same is said again.
    throw new TerminalError(`the answer of ${response.url} is not the JSON that it says it is`, { cause });
  }
}

async function errorOf(response: Response, what: string, clock: Pick<Clock, 'now'>): Promise<HttpError> {
  const { status } = response;
  const body = await firstOf(response);
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after') ?? undefined, clock);
  const disposition = dispositionOf(status, body, retryAfterMs);
  const said = body.trim().replace(/\s+/g, ' ').slice(0, 200);
  return new HttpError(`${what} answered ${String(status)}${said === '' ? '' : `: ${said}`}`, {
    hint:
      disposition === 'retry'
        ? 'Try again with the same key: it is the same operation.'
        : 'Trying again does not help: handle it in onError, or correct the request.',
    status,
    body,
    retryAfterMs,
    disposition,
  });
}

/** So much of the body as an error keeps. What breaks off in the middle is kept as far as it came: the status has said enough. */
async function firstOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < longestErrorBody) {
      const read = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
      if (read.value === undefined) break;
      chunks.push(read.value);
      length += read.value.length;
    }
    await reader.cancel();
  } catch {
    // As above.
  }
  // A character that was cut in the middle is left out.
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, longestErrorBody), { stream: true });
}
