/**
 * What a call's outcome says about the service. The default knows HTTP answers and errors (fetch, undici, axios, SDKs of LLM providers), gRPC codes, system errors and aborts. A 4xx is the caller's affair and counts as
 * nothing, except 408 and 429; a rate limit slows calls down and is no failure.
 */

import { StatewardenError } from '../core/errors.js';
import { retryAfterOf, type WallClock } from './retry-after.js';

export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** `ignored`: says nothing about the service. `throttled`: the service lives and wants less. */
export type Verdict = 'success' | 'failure' | 'ignored' | 'throttled';

export interface Classification {
  readonly verdict: Verdict;
  /** The other side wants no call for so long. */
  readonly retryAfterMs?: number | undefined;
  /** The call was given up as too slow: a sign of overload rather than of a fault. */
  readonly timedOut?: boolean;
}

/** Returns undefined to leave it to the default. */
export type Classify = (outcome: Outcome) => Verdict | Classification | undefined;

export const success: Classification = { verdict: 'success' };
const failure: Classification = { verdict: 'failure' };
const ignored: Classification = { verdict: 'ignored' };
const throttled: Classification = { verdict: 'throttled' };
const timedOut: Classification = { verdict: 'failure', timedOut: true };

const byVerdict: Readonly<Record<Verdict, Classification>> = { success, failure, ignored, throttled };

/** What the user's function says, or the default. What is no verdict counts as a failure, so that a mistake shows; whatever it is, the call ends as it ended. */
export function classifyWith(classify: Classify | undefined, outcome: Outcome, clock: WallClock): Classification {
  try {
    const said = classify?.(outcome);
    if (said !== undefined) return checked(said);
    return outcome.ok ? classifyValue(outcome.value, clock) : classifyError(outcome.error, clock);
  } catch {
    return failure;
  }
}

function checked(said: Verdict | Classification): Classification {
  if (typeof said === 'string') return isVerdict(said) ? byVerdict[said] : failure;
  if (!isVerdict(said?.verdict)) return failure;
  const { retryAfterMs, ...rest } = said;
  return retryAfterMs === undefined || (typeof retryAfterMs === 'number' && retryAfterMs >= 0) ? said : rest;
}

function isVerdict(said: unknown): said is Verdict {
  return typeof said === 'string' && Object.hasOwn(byVerdict, said);
}

/** `clock` gives epoch milliseconds, for dates in `Retry-After`. */
export function classifyValue(value: unknown, clock: WallClock): Classification {
  if (typeof value !== 'object' || value === null) return success;
  const { status, headers } = value as { status?: unknown; headers?: unknown };
  // Only what looks like an HTTP answer: results of one's own may well have a status.
  if (typeof status !== 'number' || typeof headers !== 'object' || headers === null) return success;
  return status < 400 ? success : classifyStatus(status, value, clock);
}

export function classifyError(error: unknown, clock: WallClock): Classification {
  if (typeof error !== 'object' || error === null) return failure;
  const { name, code } = error as Record<string, unknown>;
  if (error instanceof StatewardenError) {
    // Whatever else this library has to say, it is not the service that says it. `HttpError` of effects/http-error passes on what it said.
    const passedOn = code === 'HTTP' ? answeredStatus(error) : undefined;
    if (passedOn !== undefined) return classifyStatus(passedOn, error, clock);
    return code === 'TIMEOUT' ? timedOut : ignored;
  }
  if (name === 'AbortError' || code === 'ABORT_ERR' || code === 'ERR_CANCELED') return ignored;
  if (name === 'TimeoutError' || code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT') return timedOut;
  // The SDKs of OpenAI and Anthropic tell these two by nothing but the class.
  const className: unknown = error.constructor?.name;
  if (className === 'APIUserAbortError') return ignored;
  if (className === 'APIConnectionTimeoutError') return timedOut;
  // Of effects/retry: the outside has answered, and trying again would not help.
  if (name === 'TerminalError') return ignored;
  const answered = answeredStatus(error);
  if (answered !== undefined) return classifyStatus(answered, error, clock);
  if (typeof code === 'number') {
    if (httpStatus(code) !== undefined) return classifyStatus(code, error, clock);
    return classifyGrpc(code, error, clock);
  }
  if (typeof code === 'string') {
    if (code.startsWith('UND_ERR_')) return code.endsWith('_TIMEOUT') ? timedOut : code === 'UND_ERR_ABORTED' ? ignored : failure;
    if (code === 'rate_limit_exceeded' || code === 'RESOURCE_EXHAUSTED') return withRetryAfter(throttled, error, clock);
  }
  const { type, cause } = error as { type?: unknown; cause?: unknown };
  if (type === 'rate_limit_error') return withRetryAfter(throttled, error, clock);
  // fetch puts what happened into the cause of a TypeError.
  if (error instanceof TypeError && typeof cause === 'object' && cause !== null && cause !== error) return classifyError(cause, clock);
  return failure;
}

/** The HTTP status that an error tells of, where clients and SDKs put it; undefined: none. */
export function answeredStatus(error: object): number | undefined {
  const { status, statusCode, response } = error as Record<string, unknown>;
  return httpStatus(status) ?? httpStatus(statusCode) ?? httpStatus((response as { status?: unknown } | undefined | null)?.status);
}

function httpStatus(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 100 && value <= 599 ? value : undefined;
}

function classifyStatus(status: number, source: object, clock: WallClock): Classification {
  if (status === 429) return withRetryAfter(throttled, source, clock);
  if (status === 408 || status === 504) return timedOut;
  if (status >= 500) return withRetryAfter(failure, source, clock);
  // Closed by the client before there was an answer (nginx).
  return status < 400 ? success : ignored;
}

/** https://grpc.io/docs/guides/status-codes/: what says that the server, or the way to it, is ill. */
function classifyGrpc(code: number, error: object, clock: WallClock): Classification {
  switch (code) {
    case 0:
      return success;
    case 4: // DEADLINE_EXCEEDED
      return timedOut;
    case 8: // RESOURCE_EXHAUSTED
      return withRetryAfter(throttled, error, clock);
    case 2: // UNKNOWN
    case 13: // INTERNAL
    case 14: // UNAVAILABLE
    case 15: // DATA_LOSS
      return withRetryAfter(failure, error, clock);
    default:
      return code >= 1 && code <= 16 ? ignored : failure;
  }
}

function withRetryAfter(classification: Classification, source: object, clock: WallClock): Classification {
  const retryAfterMs = retryAfterOf(source, clock);
  return retryAfterMs === undefined ? classification : { ...classification, retryAfterMs };
}
