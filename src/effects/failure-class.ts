/**
 * What a failed attempt says about trying again: `transient`, it was not done and may go another time; `persistent`, it was not done and never will be; `partial`, it may have been done, wholly
 * or in part, so that it is tried again only under the same idempotency key. The default reads what breakers read (`breakers/classification`): HTTP answers, gRPC and system codes, this library's own errors.
 */

import { answeredStatus } from '../breakers/classification.js';
import { retryAfterOf, type WallClock } from '../breakers/retry-after.js';
import { StatewardenError, TimeoutError } from '../core/errors.js';
import type { Caution } from './caution.js';
import { isTerminal } from './retry.js';

export type FailureClass = 'transient' | 'persistent' | 'partial';

/** Returns undefined to leave it to the default. */
export type ClassifyFailure = (error: unknown) => FailureClass | undefined;

/** Statuses below 500 that say: not now. */
const notNow: readonly number[] = [408, 409, 423, 425, 429];
/** The service has done nothing, and says so. */
const turnedAway: readonly number[] = [408, 425, 429, 503];
/** Nobody was reached. */
const unreached: readonly string[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];
/** The connection went while something was under way. */
const cut: readonly string[] = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'ECONNABORTED'];

/** https://grpc.io/docs/guides/status-codes/: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED. */
const refusedByGrpc: readonly number[] = [3, 5, 6, 7, 9, 11, 12, 16];
/** RESOURCE_EXHAUSTED and ABORTED: nothing was done. */
const notDoneByGrpc: readonly number[] = [8, 10];

interface Classified {
  readonly classify?: ClassifyFailure | undefined;
  readonly caution: Caution;
}

/** What the user's function says, or the default. What is no class, and what throws, is left to the default too: how the attempt ended is not changed by it. */
export function classOf(error: unknown, { classify, caution }: Classified): FailureClass {
  if (isTerminal(error)) return 'persistent';
  try {
    const said = classify?.(error);
    if (said === 'transient' || said === 'persistent' || said === 'partial') return said;
  } catch {
    // The attempt has failed already, and of something else.
  }
  try {
    // Whoever takes care is not to guess that what it does not know came before the fact.
    return byDefault(error) ?? (caution.declared && caution.onUnknown !== 'retry' ? 'partial' : 'transient');
  } catch {
    // It cannot even be looked at.
    return caution.declared && caution.onUnknown !== 'retry' ? 'partial' : 'transient';
  }
}

/** Longest that an error (a breaker's, or a service's `Retry-After`) may ask for. */
const longestPauseMs = 60_000;

/** Milliseconds that the service, or a guard, asks to be left alone, a minute at the most; 0: it does not. `clock` gives epoch milliseconds. */
export function askedMs(error: unknown, clock: WallClock): number {
  try {
    return typeof error === 'object' && error !== null ? Math.min(retryAfterOf(error, clock) ?? 0, longestPauseMs) : 0;
  } catch {
    return 0;
  }
}

/** Undefined: it says nothing about it. */
function byDefault(error: unknown): FailureClass | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if (error instanceof TimeoutError) return 'partial';
  const status = answeredStatus(error);
  if (status !== undefined && status >= 400) {
    if (turnedAway.includes(status)) return 'transient';
    return status >= 500 ? 'partial' : notNow.includes(status) ? 'transient' : 'persistent';
  }
  const { code, name, cause } = error as { code?: unknown; name?: unknown; cause?: unknown };
  // A number alone may be a process's exit code.
  if (typeof code === 'number' && 'metadata' in error && 'details' in error) {
    return refusedByGrpc.includes(code) ? 'persistent' : notDoneByGrpc.includes(code) ? 'transient' : 'partial';
  }
  if (typeof code === 'string') {
    if (unreached.includes(code)) return 'transient';
    if (cut.includes(code) || code.startsWith('UND_ERR_')) return 'partial';
  }
  if (name === 'TimeoutError' || name === 'AbortError') return 'partial';
  // fetch puts what happened into the cause of a TypeError.
  if (error instanceof TypeError && typeof cause === 'object' && cause !== null && cause !== error) return byDefault(cause);
  // This library's own say it of themselves.
  return error instanceof StatewardenError ? 'transient' : undefined;
}
