/**
 * One operation on its way, and all requests in this process that wait for it. It claims the key, or waits until whoever holds it has ended;
 * marks it as sent; calls upstream once; and writes down how that ended before anybody is answered. It goes on when its callers have gone.
 *
 * Invariant: upstream is called only after the store has acknowledged, to this flight's token, that the request is about to be sent.
 */

import type { Clock } from '../core/clock.js';
import { StatewardenError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { Random } from '../core/random.js';
import { decodeAnswer, encodeAnswer, type Answer } from './answer.js';
import { ClaimsLostError, type DoneReason, type Ending, type KeyStore, type Standing } from './key-store.js';
import {
  answerNotKept,
  broken,
  claimsLost,
  closing,
  inProgress,
  keyReused,
  notCarriedOut,
  outcomeUnknown,
  storeUnavailable,
  unreachable,
} from './problem.js';
import type { Reply } from './reply.js';
import type { Outgoing, Sent, Upstream } from './upstream.js';
import { verdictOf } from './verdict.js';

export interface FlightOptions {
  readonly store: KeyStore;
  readonly upstream: Pick<Upstream, 'send'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly header: string;
  readonly notStoredHeader: string;
  readonly onUnknown: 'hold' | 'release';
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly maximumAnswerBytes: number;
}

/** What came of it: for the request that made it, and for those that waited beside it. */
export interface Landing {
  readonly first: Reply;
  readonly others: Reply;
}

/** How long a deed that the store did not take is tried again. */
const longestAftermathMs = 600_000;

export class Flight {
  readonly key: string;
  readonly fingerprint: string;
  readonly landing: Promise<Landing>;
  /** Resolves when nothing is left to be written. Never rejects. */
  readonly over: Promise<void>;
  /** Requests that wait now. */
  passengers = 0;
  /** The key is this flight's: upstream's time runs. */
  sending = false;
  readonly #options: FlightOptions;
  readonly #outgoing: Outgoing;
  readonly #body: Uint8Array;
  #closed = false;
  #wake: (() => void) | undefined;
  #aftermath: Promise<void> = Promise.resolve();

  constructor(key: string, fingerprint: string, outgoing: Outgoing, body: Uint8Array, options: FlightOptions) {
    this.key = key;
    this.fingerprint = fingerprint;
    this.#outgoing = outgoing;
    this.#body = body;
    this.#options = options;
    this.landing = this.#fly();
    this.over = this.landing.then(
      () => this.#aftermath,
      () => this.#aftermath,
    );
  }

  /** A flight that only waits ends; one that has called upstream goes on to its end, but tries no more what the store does not take. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async #fly(): Promise<Landing> {
    const { store, clock, leaseMs, ttlMs, onUnknown } = this.#options;
    const startedAt = clock.elapsed();
    // One passenger comes with the flight, but only boards after this.
    await Promise.resolve();
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
      const token = this.#options.random.id();
      const claim = { token, fingerprint: this.fingerprint, leaseMs, ttlMs, retake: onUnknown === 'release' };
      let standing: Standing;
      try {
        standing = await store.claim(this.key, claim);
      } catch (error) {
        return both(notAsked(error));
      }
      if (standing.state === 'yours') {
        failpoint('gateway:claimed');
        this.sending = true;
        const landing = await this.#forward(token);
        if (landing !== undefined) return landing;
        this.sending = false;
        continue;
      }
      if (standing.fingerprint !== this.fingerprint) return both({ outcome: 'conflict', problem: keyReused(this.#options.header) });
      if (standing.state !== 'under-way') return both(replyOf(standing));
      if (this.#closed) return both({ outcome: 'refused', problem: closing() });
      if (this.passengers === 0) return both({ outcome: 'in-progress', problem: inProgress(clock.elapsed() - startedAt) });
      await this.#pause(pauseMs);
    }
  }

  /** Undefined: the claim was taken over before anything was sent. */
  async #forward(token: string): Promise<Landing | undefined> {
    const { store, upstream, leaseMs, ttlMs, maximumAnswerBytes } = this.#options;
    const { key } = this;
    try {
      if (!(await store.markSent(key, token, leaseMs, ttlMs))) return undefined;
    } catch (error) {
      // It may be marked all the same, and nothing was sent.
      this.#aftermath = this.#insist(() => store.release(key, token));
      return both(notAsked(error));
    }
    failpoint('gateway:sent');
    const stopRenewing = this.#renew(token);
    let sent: Sent;
    try {
      sent = await upstream.send(this.#outgoing, this.#body, maximumAnswerBytes);
    } finally {
      stopRenewing();
    }
    failpoint('gateway:answered');
    const { ending, landing } = this.#land(sent);
    await this.#write(() => (ending === undefined ? store.release(key, token) : store.settle(key, token, ending, ttlMs)));
    failpoint('gateway:kept');
    return landing;
  }

  /** `ending` undefined: the key is free again. */
  #land(sent: Sent): { ending: Ending | undefined; landing: Landing } {
    const { onUnknown, notStoredHeader } = this.#options;
    const held = (ending: Ending): Ending | undefined => (onUnknown === 'release' ? undefined : ending);
    switch (sent.kind) {
      case 'unreachable':
        return { ending: undefined, landing: both({ outcome: 'unreachable', problem: unreachable(sent.detail) }) };
      case 'broken': {
        const reply: Reply = { outcome: 'unknown', problem: broken(sent.reason, sent.detail) };
        return { ending: held({ state: 'unknown', reason: sent.reason }), landing: both(reply) };
      }
      case 'answer': {
        const { answer } = sent;
        const verdict = verdictOf(answer.status, answer.headers, notStoredHeader);
        const landing = answered(answer);
        if (verdict.carriedOut === 'no') return { ending: undefined, landing };
        if (verdict.keep === 'no-store') return this.#unkept(landing.first, verdict.carriedOut, 'no-store');
        const ending: Ending = { state: 'done', reason: 'kept', answer: encodeAnswer(answer) };
        return { ending: verdict.carriedOut === 'yes' ? ending : held(ending), landing };
      }
      case 'large': {
        const { head, body } = sent;
        const { carriedOut } = verdictOf(head.status, head.headers, notStoredHeader);
        const first: Reply = { outcome: 'forwarded', answer: head, stream: body };
        if (carriedOut !== 'no') return this.#unkept(first, carriedOut, 'too-large');
        return { ending: undefined, landing: { first, others: { outcome: 'in-progress', problem: notCarriedOut() } } };
      }
    }
  }

  /** The first alone gets the answer. One of 500 or more does not even say whether anything was done. */
  #unkept(first: Reply, carriedOut: 'yes' | 'perhaps', reason: 'no-store' | 'too-large'): { ending: Ending | undefined; landing: Landing } {
    if (carriedOut === 'yes') return { ending: { state: 'done', reason, answer: undefined }, landing: { first, others: notKept(reason) } };
    const ending: Ending = { state: 'unknown', reason: 'failed' };
    const landing: Landing = { first, others: { outcome: 'unknown', problem: outcomeUnknown(whyUnknown.failed) } };
    return { ending: this.#options.onUnknown === 'release' ? undefined : ending, landing };
  }

  /** What the store does not take is tried again behind the callers' backs: they have their answer, and until then the key stands as sent. */
  async #write(deed: () => Promise<boolean>): Promise<void> {
    if (!(await tried(deed))) this.#aftermath = this.#insist(deed);
  }

  async #insist(deed: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#options;
    const until = clock.elapsed() + longestAftermathMs;
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      if (await tried(deed)) return;
      if (this.#closed || clock.elapsed() >= until) return;
      await this.#pause(pauseMs);
    }
  }

  #renew(token: string): () => void {
    const { store, clock, leaseMs } = this.#options;
    const renew = (): void => {
      // A lease that runs out meanwhile makes others say that the outcome is unknown, until it is settled.
      store.renew(this.key, token, leaseMs).catch(() => undefined);
      handle = clock.setTimeout(renew, leaseMs / 3);
    };
    let handle = clock.setTimeout(renew, leaseMs / 3);
    return () => clock.clearTimeout(handle);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const handle = clock.setTimeout(resolve, ms);
      this.#wake = () => {
        clock.clearTimeout(handle);
        resolve();
      };
    });
  }
}

const both = (reply: Reply): Landing => ({ first: reply, others: reply });

function answered(answer: Answer): Landing {
  return { first: { outcome: 'forwarded', answer }, others: { outcome: 'replayed', answer } };
}

const whyNotKept: Readonly<Record<Exclude<DoneReason, 'kept'>, string>> = {
  'no-store': 'upstream said Cache-Control: no-store',
  'too-large': 'it was larger than --max-body',
};
const whyUnknown = {
  crashed: 'the gateway that sent it was gone before there was an answer',
  reset: 'the connection to upstream broke before there was a whole answer',
  timeout: 'upstream did not answer in time',
  failed: 'upstream answered with an error, which was not kept',
} as const;

function notKept(reason: Exclude<DoneReason, 'kept'>): Reply {
  return { outcome: 'not-kept', problem: answerNotKept(whyNotKept[reason]) };
}

function replyOf(standing: Standing & { readonly state: 'done' | 'unknown' }): Reply {
  if (standing.state === 'unknown') return { outcome: 'unknown', problem: outcomeUnknown(whyUnknown[standing.reason]) };
  if (standing.answer !== undefined) return { outcome: 'replayed', answer: decodeAnswer(standing.answer) };
  return notKept(standing.reason === 'kept' ? 'no-store' : standing.reason);
}

/** Nothing was sent, because the store did not say that it may be. */
function notAsked(error: unknown): Reply {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof ClaimsLostError) return { outcome: 'lost', problem: claimsLost(detail) };
  if (error instanceof StatewardenError) return { outcome: 'store-unavailable', problem: storeUnavailable(detail) };
  throw error;
}

/** Whether there is nothing left to do: it was done, or there is nothing to do it to. */
async function tried(deed: () => Promise<boolean>): Promise<boolean> {
  try {
    await deed();
    return true;
  } catch (error) {
    return error instanceof ClaimsLostError;
  }
}
