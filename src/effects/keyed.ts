/** Operations under the user's own keys: while one runs, others with the same key wait for it, and then take its result. Across nodes and time the ledger says whether there is one. */

import { resolutionsOf, type Success } from '../actors/operation.js';
import { errorOf } from '../core/codec.js';
import { KeyConflictError } from '../core/operation-errors.js';
import type { OpenedStore, OperationRecord } from '../persistence/store.js';
import type { Results } from './results.js';
import type { Run } from './run.js';

export interface KeyedOptions {
  readonly store: Pick<OpenedStore, 'keyed'>;
  readonly results: Pick<Results, 'reused'>;
  readonly now: () => number;
  /** It is there, and to be run. */
  readonly has: (run: Run) => boolean;
  readonly enter: (run: Run, resumed: boolean) => Promise<void>;
  /** Another operation's result was found. */
  readonly reused: (run: Run, outcome: Success) => void;
  /** Another operation with its key was carried out, its result is gone, and it is not to be carried out twice. */
  readonly lost: (run: Run, error: Error) => void;
  /** Nobody knows whether another one with its key was carried out, and it is not to be carried out twice. */
  readonly doubtful: (run: Run, other: OperationRecord) => void;
  readonly failed: (run: Run, error: unknown) => void;
}

export class Keyed {
  readonly #options: KeyedOptions;
  /** Those that run now. */
  readonly #running = new Map<string, { readonly operation: OperationRecord; readonly ended: Promise<void> }>();

  constructor(options: KeyedOptions) {
    this.#options = options;
  }

  async begin(run: Run, userKey: string, resumed: boolean): Promise<void> {
    const { store, now, has, enter, doubtful, failed } = this.#options;
    const { name, reuseMs = Infinity, caution } = run.activity;
    const { record } = run.operation;
    const slot = `${name} ${userKey}`;
    for (let other = this.#running.get(slot); other !== undefined; other = this.#running.get(slot)) {
      if (other.operation.input !== record.input) {
        failed(run, conflict(record, other.operation));
        return;
      }
      await other.ended;
    }
    if (!has(run)) return;
    let release: () => void = () => undefined;
    this.#running.set(slot, { operation: record, ended: new Promise((resolve) => (release = resolve)) });
    try {
      const known = await store.keyed(name, userKey);
      const other = known === undefined || known.id === record.id ? undefined : known;
      if (!has(run)) return;
      if (other?.status === 'succeeded' && (other.settledAt ?? 0) + reuseMs <= now()) await enter(run, resumed);
      else if (other !== undefined && other.input !== record.input) failed(run, conflict(record, other));
      else if (other?.status === 'succeeded') await this.#reuse(run, other, resumed);
      else if (other !== undefined && caution.onUnknown !== 'retry') doubtful(run, other);
      else await enter(run, resumed);
    } catch (error) {
      failed(run, error);
    } finally {
      this.#running.delete(slot);
      release();
    }
  }

  async #reuse(run: Run, other: OperationRecord, resumed: boolean): Promise<void> {
    const { results, has, enter, reused, lost } = this.#options;
    let outcome: Success;
    try {
      // As old as the other one's.
      outcome = { ...(await results.reused(other, run)), since: other.settledAt };
    } catch (error) {
      if (!has(run)) return;
      // A person who has seen this before says: run it.
      const isTold = resolutionsOf(run.operation.record).at(-1)?.order === 'retry';
      if (isTold || run.activity.caution.onUnknown === 'retry') await enter(run, resumed);
      else lost(run, errorOf(error));
      return;
    }
    if (has(run)) reused(run, outcome);
  }
}

function conflict(one: OperationRecord, other: OperationRecord): KeyConflictError {
  return new KeyConflictError(
    `operations ${JSON.stringify(one.id)} and ${JSON.stringify(other.id)} of activity "${one.activity}" have the key ${JSON.stringify(one.userKey)} and different inputs`,
    { hint: 'Make the key of all that the result depends on: key: ({ orderId, amount }) => `${orderId}:${amount}`.' },
  );
}
