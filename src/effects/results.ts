/**
 * Results of activities on their way to the ledger and back. Each is encoded once and measured; a large one is put into the artifact store before the commit that points to it, and read from there when it is used again.
 *
 * Invariant: what was carried out is not run again because its result could not be put: that is tried until it succeeds, or nobody wants the operation any more.
 */

import type { KeptResult, OperationOutcome, Success } from '../actors/operation.js';
import type { FetchedResults } from '../actors/restore.js';
import { longestTimeoutMs, type Clock } from '../core/clock.js';
import { decode, encode } from '../core/codec.js';
import {
  ArtifactMissingError,
  CorruptRecordError,
  errorMessage,
  ResultTooLargeError,
  StatewardenError,
  StoreUnavailableError,
} from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { Random } from '../core/random.js';
import type { ArtifactPointer, ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import { Digest, piecesOf } from '../persistence/artifacts/content.js';
import type { LoadOutcome, OperationRecord } from '../persistence/store.js';
import { backoffMs, standardRetry } from './retry.js';
import type { Run } from './run.js';

/** Bytes are those of the encoded text in UTF-8. */
export interface ResultLimits {
  readonly artifacts: ArtifactStore | undefined;
  /** A larger one goes to the artifact store, if there is one. */
  readonly inlineBytes: number;
  /** A larger one is not kept. */
  readonly maximumBytes: number;
}

export interface ResultsOptions extends ResultLimits {
  readonly clock: Clock;
  readonly random: Random;
  /** Its result cannot be put, or read, yet. */
  readonly delayed: (run: Run, error: Error, nextRetryAt: number) => void;
}

type Delayed = (error: Error, nextRetryAt: number) => void;
type Kept = Pick<OperationRecord, 'id' | 'outcome' | 'artifact'>;

/** How often one is asked for that an agent needs to come back. */
const recoveryAttempts = 5;
const unheard = (): void => undefined;

export class Results {
  readonly #options: ResultsOptions;

  constructor(options: ResultsOptions) {
    this.#options = options;
  }

  /** The outcome as it can be recorded; or, when its result has to be put first, a promise, and `then` is told. One that cannot be kept was carried out: it is `unknown`. */
  ready(run: Run, { value, since }: Success, then: (outcome: Success) => void): OperationOutcome | Promise<void> {
    try {
      const kept = this.#measured(value, run.activity.name);
      if (!(kept instanceof Uint8Array)) return { ok: true, value, kept, since };
      return this.#putFor(run, kept, (pointer) => then({ ok: true, value, kept: pointer, since }));
    } catch (error) {
      return { ok: false, error, unknown: true };
    }
  }

  async #putFor(run: Run, bytes: Uint8Array, then: (kept: KeptResult) => void): Promise<void> {
    const life = new AbortController();
    // It is under way still: who has no use for it any more must not say that it was not done.
    run.abort = run.stop = (): void => life.abort();
    try {
      const kept = await this.#put(bytes, life.signal, this.#telling(run));
      if (life.signal.aborted) return;
      run.abort = run.stop = undefined;
      then(kept);
    } catch (error) {
      if (!life.signal.aborted) throw error;
    } finally {
      run.ended?.();
    }
  }

  /**
   * A result as it is to be recorded. Rejects only when `signal` is aborted. `activity`: whose it is, for the message.
   * @throws NotSerializableError, ResultTooLargeError
   */
  keep(value: unknown, activity: string, signal: AbortSignal): KeptResult | Promise<KeptResult> {
    const measured = this.#measured(value, activity);
    return measured instanceof Uint8Array ? this.#put(measured, signal, unheard) : measured;
  }

  /** Encoded; as bytes when it goes to the artifact store. */
  #measured(value: unknown, activity: string): KeptResult | Uint8Array {
    const { artifacts, inlineBytes, maximumBytes } = this.#options;
    const text = this.#encoded(value, activity);
    const least = Math.min(artifacts === undefined ? maximumBytes : inlineBytes, maximumBytes);
    // Each unit of the text takes up to three bytes.
    if (text.length * 3 <= least) return { text };
    const bytes = Buffer.byteLength(text);
    if (bytes > maximumBytes) throw this.#tooLarge(activity, `${String(bytes)} bytes`);
    return artifacts === undefined || bytes <= inlineBytes ? { text } : Buffer.from(text);
  }

  #encoded(value: unknown, activity: string): string {
    try {
      return encode(value, `the result of activity "${activity}"`);
    } catch (error) {
      // Longer than a string can be.
      if (error instanceof RangeError && error.message.includes('string length'))
        throw this.#tooLarge(activity, 'more than a string can hold');
      throw error;
    }
  }

  #tooLarge(activity: string, size: string): ResultTooLargeError {
    const { artifacts, maximumBytes } = this.#options;
    return new ResultTooLargeError(
      `activity "${activity}" was carried out, and its result (${size}) is larger than the ${String(maximumBytes)} bytes that may be kept`,
      {
        hint: `Return an id or a pointer in place of the value, or raise results.maximumBytes${artifacts === undefined ? ' and give results.artifacts' : ''}. In the ledger it is unknown: statewarden holds lists it.`,
      },
    );
  }

  /** A result of before, for another operation. Put again, so that a sweep cannot take it between the two. @throws ArtifactMissingError, CorruptRecordError */
  async reused(record: Kept, run: Run): Promise<Success> {
    if (record.artifact === undefined) {
      const text = record.outcome ?? 'null';
      return { ok: true, value: decode(text), kept: { text } };
    }
    const life = new AbortController();
    run.stop = () => life.abort();
    const text = await this.#untilDone(life.signal, this.#telling(run), () => this.textOf(record), isPassing);
    const kept = await this.#put(Buffer.from(text), life.signal, this.#telling(run));
    return { ok: true, value: decode(text), kept };
  }

  #telling(run: Run): Delayed {
    return (error, nextRetryAt) => this.#options.delayed(run, error, nextRetryAt);
  }

  /** @throws ArtifactMissingError, CorruptRecordError, StoreUnavailableError */
  async valueOf(record: Kept): Promise<unknown> {
    return decode(await this.textOf(record));
  }

  /** The encoded result. @throws as `valueOf` */
  async textOf({ id, outcome, artifact }: Kept): Promise<string> {
    if (artifact === undefined) return outcome ?? 'null';
    const { artifacts } = this.#options;
    if (artifacts === undefined) {
      throw new ArtifactMissingError(`the result of operation ${id} is artifact ${artifact}, and there is no artifact store`, {
        hint: 'Give createRuntime({ results: { artifacts } }) the store that it was put in.',
      });
    }
    const pointer = decode(outcome ?? 'null') as ArtifactPointer | null;
    if (pointer?.id !== artifact) {
      throw new CorruptRecordError(`operation ${id} names artifact ${artifact}, and its pointer is another's`, {
        hint: 'Run `statewarden doctor`; restore the store from a backup if it confirms this.',
      });
    }
    return Buffer.from(await artifacts.get(pointer)).toString();
  }

  /** Agents as they were loaded, with the results that their replay is going to need. */
  async fetched<T extends LoadOutcome>(outcomes: readonly T[]): Promise<readonly T[]> {
    if (!outcomes.some(needsResults)) return outcomes;
    return Promise.all(
      outcomes.map(async (outcome) => {
        if (outcome.outcome !== 'loaded' || !needsResults(outcome)) return outcome;
        const results = new Map<string, string | StatewardenError>();
        for (const record of outcome.operations) if (isArtifact(record)) results.set(record.id, await this.#fetch(record));
        const found: T & FetchedResults = { ...outcome, results };
        return found;
      }),
    );
  }

  async #fetch(record: Kept): Promise<string | StatewardenError> {
    let left = recoveryAttempts;
    try {
      const again = (error: unknown): boolean => isPassing(error) && (left -= 1) > 0;
      return await this.#untilDone(new AbortController().signal, unheard, () => this.textOf(record), again);
    } catch (error) {
      if (error instanceof StatewardenError) return error;
      return new StoreUnavailableError(`the result of operation ${record.id} could not be read: ${errorMessage(error)}`, {
        hint: 'See why the artifact store does not answer, then start again.',
        cause: error,
      });
    }
  }

  async #put(bytes: Uint8Array, signal: AbortSignal, delayed: Delayed): Promise<KeptResult> {
    const digest = new Digest();
    for (const piece of piecesOf(bytes)) digest.update(piece);
    const pointer = digest.pointer();
    const artifacts = this.#options.artifacts as ArtifactStore;
    const attempt = async (): Promise<void> => {
      failpoint('result:put');
      const { id, bytes: length, checksum } = await artifacts.put(bytes);
      failpoint('result:stored');
      if (id === pointer.id && length === pointer.bytes && checksum === pointer.checksum) return;
      throw new CorruptRecordError(`${artifacts.name} has kept something else than artifact ${pointer.id}`, {
        hint: 'Correct the artifact store: describeArtifacts of statewarden/testing tries it.',
      });
    };
    await this.#untilDone(signal, delayed, attempt, () => true);
    return { text: encode(pointer, 'the pointer'), artifact: pointer.id };
  }

  /** Tries with growing waits. @throws what `again` says no to, what the signal is aborted with */
  async #untilDone<T>(signal: AbortSignal, delayed: Delayed, attempt: () => Promise<T>, again: (error: unknown) => boolean): Promise<T> {
    const { clock, random } = this.#options;
    for (let failures = 1; ; failures += 1) {
      try {
        return await attempt();
      } catch (thrown) {
        signal.throwIfAborted();
        if (!again(thrown)) throw thrown;
        const waitMs = Math.ceil(backoffMs(standardRetry, failures, random));
        delayed(thrown instanceof Error ? thrown : new Error(String(thrown)), clock.now() + waitMs);
        await pause(clock, waitMs, signal);
        signal.throwIfAborted();
      }
    }
  }
}

/** Trying again may help. */
function isPassing(error: unknown): boolean {
  return !(error instanceof StatewardenError) || error.disposition === 'retry';
}

function isArtifact({ artifact, settledIn }: OperationRecord): boolean {
  return artifact !== undefined && settledIn !== 0;
}

function needsResults(outcome: LoadOutcome): boolean {
  return outcome.outcome === 'loaded' && outcome.tail.length > 0 && outcome.operations.some(isArtifact);
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimeout(done, Math.min(ms, longestTimeoutMs));
    signal.addEventListener('abort', done);
  });
}
