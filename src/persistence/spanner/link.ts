/**
 * A line to one database: sessions, queries, commits, transactions. Each call has a deadline. What only reads is tried again while there is time; a commit never is once it may have been done, except where Spanner says that
 * it was not (ABORTED).
 */

import { systemClock } from '../../core/clock.js';
import { systemRandom } from '../../core/random.js';
import type { CallLimits, SpannerApi, WireMutation, WireValue } from './api.js';
import { codeOf, isAborted, isDatabaseGone, isSessionGone, status } from './faults.js';
import { longTextsIn, textsQuery, withLongTexts } from './long-texts.js';
import { pairs, RowReader, type Parameter, type Row } from './wire.js';

export type Parameters = Readonly<Record<string, Parameter>>;

export interface LinkOptions {
  readonly api: SpannerApi;
  /** `projects/P/instances/I/databases/D`. */
  readonly database: string;
  /** Longest time of a call, with all attempts. */
  readonly timeoutMs: number;
}

/** A read-write transaction under way. */
export interface Transaction {
  query(sql: string, parameters?: Parameters): Promise<readonly Row[]>;
}

/** 1: of the lease. */
type Lane = 0 | 1;
const lanes = 2;
const readers = 4;
const retryMs = { initial: 4, maximum: 500 };
/** A lease is to be extended in time. */
const leaseRetryMs = 32;
const farewellMs = 1_000;
const inDoubt: readonly (number | undefined)[] = [status.unavailable, status.internal, status.resourceExhausted];

export class Link {
  readonly #options: LinkOptions;
  /** The first are for writing, one for each lane: one transaction at a time has a session. */
  #sessions: Promise<readonly string[]> | undefined;
  #turn = 0;
  #seqno = 0;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get #calls(): SpannerApi['calls'] {
    return this.#options.api.calls;
  }

  #limits(timeout: number): CallLimits {
    return { timeout: Math.max(1, timeout), retry: null };
  }

  async #session(index: number): Promise<string> {
    this.#sessions ??= this.#open();
    try {
      return (await this.#sessions)[index] as string;
    } catch (error) {
      this.#sessions = undefined;
      throw error;
    }
  }

  async #open(): Promise<readonly string[]> {
    const { database, timeoutMs } = this.#options;
    const sessions: string[] = [];
    // The service may give fewer than asked for.
    while (sessions.length < lanes + readers) {
      const [{ session }] = await this.#calls.batchCreateSessions(
        { database, sessionCount: lanes + readers - sessions.length },
        this.#limits(timeoutMs),
      );
      sessions.push(...session.map(({ name }) => name));
    }
    return sessions;
  }

  /** Runs `attempt` until it succeeds, fails for good or time is up. */
  async #insist<T>(
    attempt: (timeoutMs: number) => Promise<T>,
    again: (error: unknown) => boolean,
    longestMs = retryMs.maximum,
  ): Promise<T> {
    const end = systemClock.elapsed() + this.#options.timeoutMs;
    let waitMs = retryMs.initial;
    let renewed = false;
    for (;;) {
      try {
        return await attempt(end - systemClock.elapsed());
      } catch (error) {
        const stale = isSessionGone(error) && !renewed;
        if (stale) {
          // Sessions end after an hour without use: nothing was done in this one.
          renewed = true;
          this.#sessions = undefined;
          continue;
        }
        const rest = end - systemClock.elapsed();
        if (this.#closed || isDatabaseGone(error) || !again(error) || rest <= waitMs) throw error;
        await new Promise<void>(
          (resolve) => void systemClock.setTimeout(resolve, Math.max(waitMs * (0.5 + systemRandom.next()), serverDelay(error))),
        );
        waitMs = Math.min(waitMs * 2, longestMs);
      }
    }
  }

  /** Reads in one consistent view. `staleMs`: it may be so old, and is cheaper then. */
  read(sql: string, parameters: Parameters = {}, staleMs?: number): Promise<readonly Row[]> {
    const maxStaleness = staleMs === undefined ? undefined : { seconds: Math.floor(staleMs / 1_000), nanos: (staleMs % 1_000) * 1e6 };
    const bound = maxStaleness === undefined ? { strong: true } : { maxStaleness };
    return this.#insist(
      async (timeoutMs) => {
        this.#turn = (this.#turn + 1) % readers;
        const session = await this.#session(lanes + this.#turn);
        const at = (readOnly: object): object => ({ session, transaction: { singleUse: { readOnly } } });
        const reader = await this.#execute({ ...at({ ...bound, returnReadTimestamp: true }), sql }, parameters, timeoutMs);
        const rows = reader.rows();
        const long = longTextsIn(rows);
        if (long.length === 0) return rows;
        const { readTimestamp } = reader.transaction ?? {};
        const places = pairs(long.map(({ owner, place }) => [String(owner), place]));
        const texts = await this.#execute({ ...at({ readTimestamp }), sql: textsQuery }, { places }, timeoutMs);
        return withLongTexts(rows, texts.rows());
      },
      (error) => inDoubt.includes(codeOf(error)) || isAborted(error),
    );
  }

  async #execute(request: object, parameters: Parameters, timeoutMs: number): Promise<RowReader> {
    const fields: Record<string, WireValue> = {};
    const paramTypes: Record<string, object> = {};
    for (const [name, { type, value }] of Object.entries(parameters)) {
      fields[name] = value;
      paramTypes[name] = type;
    }
    const reader = new RowReader();
    const limits = { ...this.#limits(timeoutMs), retryRequestOptions: { retries: 0, noResponseRetries: 0 } as const };
    const stream = this.#calls.executeStreamingSql({ ...request, params: { fields }, paramTypes }, limits);
    for await (const part of stream) reader.add(part);
    return reader;
  }

  /** All or nothing, in one call. Rejects at once when what became of it is not known. */
  async write(mutations: readonly WireMutation[], lane: Lane = 0): Promise<void> {
    await this.#insist(
      async (timeoutMs) => {
        const session = await this.#session(lane);
        await this.#calls.commit({ session, singleUseTransaction: { readWrite: {} }, mutations }, this.#limits(timeoutMs));
      },
      isAborted,
      lane === 1 ? leaseRetryMs : retryMs.maximum,
    );
  }

  /** Reads with `work`, then commits the mutations that it gives. Begun with the first query; run anew when it is aborted. They come one after the other. */
  transact<T>(
    work: (transaction: Transaction) => Promise<{ readonly result: T; readonly mutations: readonly WireMutation[] }>,
  ): Promise<T> {
    return this.#insist(async (timeoutMs) => {
      const session = await this.#session(0);
      let id: Uint8Array | undefined;
      const query: Transaction['query'] = async (sql, parameters = {}) => {
        const transaction = id === undefined ? { begin: { readWrite: {} } } : { id };
        this.#seqno += 1;
        const reader = await this.#execute({ session, sql, transaction, seqno: this.#seqno }, parameters, timeoutMs);
        id ??= reader.transaction?.id;
        return reader.rows();
      };
      try {
        const { result, mutations } = await work({ query });
        const place = id === undefined ? { singleUseTransaction: { readWrite: {} } } : { transactionId: id };
        if (mutations.length > 0) await this.#calls.commit({ session, ...place, mutations }, this.#limits(timeoutMs));
        else await this.#rollback(session, id);
        return result;
      } catch (error) {
        if (!isAborted(error)) await this.#rollback(session, id);
        throw error;
      }
    }, isAborted);
  }

  async #rollback(session: string, transactionId: Uint8Array | undefined): Promise<void> {
    if (transactionId === undefined) return;
    // Courtesy: what is not rolled back ends by itself.
    await this.#calls.rollback({ session, transactionId }, this.#limits(farewellMs)).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const sessions = await (this.#sessions ?? Promise.resolve([])).catch(() => []);
    await Promise.all(sessions.map((name) => this.#calls.deleteSession({ name }, this.#limits(farewellMs)).catch(() => undefined)));
    await this.#calls.close();
  }
}

/** Milliseconds that the server asks to wait for (`google.rpc.RetryInfo`: a duration in field 1, with seconds in its field 1 and nanoseconds in its field 2). */
function serverDelay(error: unknown): number {
  const metadata = (error as { metadata?: { get?(key: string): unknown[] } } | undefined)?.metadata;
  const [bytes] = metadata?.get?.('google.rpc.retryinfo-bin') ?? [];
  if (!(bytes instanceof Uint8Array) || bytes[0] !== 0x0a) return 0;
  let ms = 0;
  let at = 2;
  while (at < bytes.length) {
    const field = (bytes[at] as number) >> 3;
    let value = 0;
    let factor = 1;
    for (at += 1; at < bytes.length; at += 1, factor *= 128) {
      value += ((bytes[at] as number) & 0x7f) * factor;
      if ((bytes[at] as number) < 0x80) break;
    }
    at += 1;
    ms += field === 1 ? value * 1_000 : value / 1e6;
  }
  return ms;
}
