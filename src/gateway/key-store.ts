/**
 * Where the gateway writes down what it knows of keys: plain bytes and words, never HTTP. The one rule a store must keep: a key is given to one
 * token at a time, and what was acknowledged is still there at the next call, or the call throws. A store that cannot tell says so; it never guesses.
 */

import { StatewardenError } from '../core/errors.js';

export interface Claim {
  /** Of this attempt alone: whoever has it may change the key. */
  readonly token: string;
  /** What the request is; kept with the key and given back. */
  readonly fingerprint: string;
  /** After so long without `renew` the claim's holder counts as gone. */
  readonly leaseMs: number;
  /** The key is forgotten so long after the last write. */
  readonly ttlMs: number;
  /** Also take a key of the same fingerprint whose outcome is unknown. */
  readonly retake: boolean;
}

/** Why an outcome is unknown: the holder is gone, the connection broke, it took too long, or upstream failed with an answer that was not kept. */
export type UnknownReason = 'crashed' | 'reset' | 'timeout' | 'failed';
/** Whether the answer is there, and why not. */
export type DoneReason = 'kept' | 'no-store' | 'too-large';

/** How a key stands. */
export type Standing =
  | { readonly state: 'yours' }
  | { readonly state: 'under-way'; readonly fingerprint: string }
  | { readonly state: 'done'; readonly fingerprint: string; readonly reason: DoneReason; readonly answer: Uint8Array | undefined }
  | { readonly state: 'unknown'; readonly fingerprint: string; readonly reason: UnknownReason };

/** How a call ended. `answer` only with `kept`. */
export type Ending =
  | { readonly state: 'done'; readonly reason: DoneReason; readonly answer: Uint8Array | undefined }
  | { readonly state: 'unknown'; readonly reason: UnknownReason };

export interface StoreHealth {
  /** `lost`: it has forgotten what it acknowledged, or may have; only an operator can go on. */
  readonly state: 'ready' | 'away' | 'lost';
  readonly detail: string;
  /** What weakens the promise here. */
  readonly warnings: readonly string[];
}

/**
 * Every method but `open` and `close` throws `StoreUnavailableError` when the store does not answer, after which the deed may have been done, and
 * `ClaimsLostError` when what it acknowledged before is not there.
 */
export interface KeyStore {
  /** For people; without a password. */
  readonly name: string;
  open(): Promise<void>;
  /** Free keys, and those whose holder was gone before it marked them as sent, become `yours`. */
  claim(key: string, claim: Claim): Promise<Standing>;
  /** The request is about to leave. False: the key is not this token's any more, and the request must not leave. */
  markSent(key: string, token: string, leaseMs: number, ttlMs: number): Promise<boolean>;
  renew(key: string, token: string, leaseMs: number): Promise<boolean>;
  /** Of a key that was marked as sent. */
  settle(key: string, token: string, ending: Ending, ttlMs: number): Promise<boolean>;
  /** The key is free again: nothing was done. */
  release(key: string, token: string): Promise<boolean>;
  health(): Promise<StoreHealth>;
  close(): Promise<void>;
}

/** The store has lost claims, or may have: requests with a key are refused until an operator has said that it may go on. */
export class ClaimsLostError extends StatewardenError {
  readonly code = 'CLAIMS_LOST';
  readonly disposition = 'terminal' as const;
}
