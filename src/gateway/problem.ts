/**
 * What the gateway itself has to say, as problem details (RFC 9457, application/problem+json). `code` is stable; `carriedOut` says the one thing a
 * caller must know before it does anything else: whether the operation was carried out, by this request or an earlier one with its key.
 */

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  /** What to do about it. */
  readonly hint: string;
  readonly carriedOut: 'yes' | 'no' | 'unknown';
  readonly detail?: string;
  /** Only where the same request may well succeed then. */
  readonly retryAfterSeconds?: number;
}

export function problemResponse(problem: Problem): Response {
  const { status, code, title, hint, carriedOut, detail, retryAfterSeconds } = problem;
  const type = `urn:statewarden:gateway:${code.toLowerCase().replaceAll('_', '-')}`;
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  return new Response(`${JSON.stringify({ type, title, status, detail, code, hint, carriedOut })}\n`, { status, headers });
}

const problem = (
  status: number,
  code: string,
  carriedOut: Problem['carriedOut'],
  title: string,
  hint: string,
  more: Pick<Problem, 'detail' | 'retryAfterSeconds'> = {},
): Problem => ({ status, code, carriedOut, title, hint, ...more });

/** What happened between client and gateway; nothing was forwarded. */
export const keyMissing = (header: string): Problem =>
  problem(400, 'KEY_MISSING', 'no', `the request has no ${header}`, `Send ${header} with a value of its own for each operation.`);

export const keyInvalid = (header: string, detail: string): Problem =>
  problem(400, 'KEY_INVALID', 'no', `the ${header} cannot be used`, 'Send 1 to 255 printable ASCII characters, a UUID for example.', {
    detail,
  });

export const requestTooLarge = (limit: number): Problem =>
  problem(
    413,
    'REQUEST_TOO_LARGE',
    'no',
    'the request is too large',
    `Requests with a key take up to ${String(limit)} bytes (--max-request).`,
  );

export const requestBroken = (detail: string): Problem =>
  problem(400, 'REQUEST_BROKEN', 'unknown', 'the request did not arrive whole', 'Send it again with the same key.', { detail });

/** `carriedOut` is that of the first request; of this one nothing was done. */
export const keyReused = (header: string): Problem =>
  problem(
    422,
    'KEY_REUSED',
    'no',
    `this ${header} was used for another request`,
    'Use a new key for a new operation, and send the same request with the same key.',
  );

export const inProgress = (waitedMs: number): Problem =>
  problem(409, 'IN_PROGRESS', 'unknown', 'the first request with this key is still under way', 'Send it again with the same key, later.', {
    detail: `waited ${String(Math.round(waitedMs / 1_000))} s for it`,
    retryAfterSeconds: 5,
  });

export const closing = (): Problem =>
  problem(503, 'CLOSING', 'unknown', 'the gateway is stopping', 'Send it again with the same key.', { retryAfterSeconds: 1 });

/** What the store says. */
export const storeUnavailable = (detail: string): Problem =>
  problem(
    503,
    'STORE_UNAVAILABLE',
    'unknown',
    'the store of keys does not answer, so nothing was forwarded',
    'Send it again with the same key.',
    {
      detail,
      retryAfterSeconds: 1,
    },
  );

export const claimsLost = (detail: string): Problem =>
  problem(
    503,
    'CLAIMS_LOST',
    'unknown',
    'the store of keys has lost what it held, so this request may have been carried out before',
    'An operator finds out what that means, and then runs `statewarden gateway --store … --accept-loss`.',
    { detail, retryAfterSeconds: 60 },
  );

/** What upstream did. */
export const unreachable = (detail: string): Problem =>
  problem(502, 'UPSTREAM_UNREACHABLE', 'no', 'no connection to upstream: the request was not sent', 'Send it again with the same key.', {
    detail,
    retryAfterSeconds: 1,
  });

export const broken = (reason: 'reset' | 'timeout', detail: string, hint = unknownHint): Problem =>
  reason === 'timeout'
    ? problem(504, 'UPSTREAM_TIMEOUT', 'unknown', 'upstream did not answer in time', hint, { detail })
    : problem(502, 'UPSTREAM_RESET', 'unknown', 'upstream broke the connection before its answer was whole', hint, { detail });

const unknownHint = 'Ask upstream what became of the operation. It is not forwarded again under this key.';

/** To those who waited, when upstream's own words were too many to be passed on. */
export const notCarriedOut = (): Problem =>
  problem(503, 'NOT_CARRIED_OUT', 'no', 'upstream did not take up the first request with this key', 'Send it again with the same key.', {
    retryAfterSeconds: 1,
  });

/** For those that come later. */
export const outcomeUnknown = (detail: string): Problem =>
  problem(409, 'OUTCOME_UNKNOWN', 'unknown', 'it is not known whether the first request with this key was carried out', unknownHint, {
    detail,
  });

export const answerNotKept = (reason: string): Problem =>
  problem(
    409,
    'ANSWER_NOT_KEPT',
    'yes',
    'the first request with this key was answered by upstream, and the answer was not kept',
    'Ask upstream what became of the operation. It is not forwarded again under this key.',
    { detail: reason },
  );

export const defect = (detail: string): Problem =>
  problem(500, 'UNEXPECTED', 'unknown', 'the gateway met something that should not happen', 'Please report it.', { detail });
