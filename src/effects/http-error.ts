/**
 * What an HTTP service answered when it did not do what it was asked to. Whether trying again can help stands in the `disposition`: by
 * status, for a call that carries an idempotency key, so that trying again is safe. Breakers read `status` and `retryAfterMs` from it.
 */

import { StatewardenError, type Disposition, type ErrorDetails } from '../core/errors.js';

/** The service answered with a status of 400 or more. `retry`: 5xx, 408, 425, 429, and 409 while another request with the key is under way. */
export class HttpError extends StatewardenError {
  readonly code = 'HTTP';
  readonly disposition: Disposition;
  readonly status: number;
  /** The first 2 kB of the answer's body, as text. */
  readonly body: string;
  /** What `Retry-After` asks for; undefined: nothing. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails & Pick<HttpError, 'status' | 'body' | 'retryAfterMs' | 'disposition'>) {
    super(message, details);
    this.status = details.status;
    this.body = details.body;
    this.retryAfterMs = details.retryAfterMs;
    this.disposition = details.disposition;
  }
}

/** Statuses below 500 that say: not now, and nothing was done. */
const notNow: readonly number[] = [408, 425, 429];

/**
 * A 409 is the caller's affair, unless it says that the first request with the key is still under way: the IETF's draft of the header names
 * that status for it and Stripe a code; our gateway adds `Retry-After`, which no other 409 of its own has.
 */
export function dispositionOf(status: number, body: string, retryAfterMs: number | undefined): 'retry' | 'terminal' {
  if (status >= 500 || notNow.includes(status)) return 'retry';
  return status === 409 && (retryAfterMs !== undefined || body.includes('idempotency_key_in_use')) ? 'retry' : 'terminal';
}
