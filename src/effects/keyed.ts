/** Operations under the user's own keys: while one runs, others with the same key wait for it, and then take its result. Across nodes and time the ledger says whether there is one. */

import { decode } from '../core/codec.js';
import type { OperationOutcome } from '../actors/operation.js';
import type { OpenedStore } from '../persistence/store.js';
import type { Run } from './run.js';

export interface KeyedOptions {
  readonly store: Pick<OpenedStore, 'succeeded'>;
  /** It is there, and to be run. */
  readonly has: (run: Run) => boolean;
  readonly enter: (run: Run, resumed: boolean) => Promise<void>;
  /** Another operation's result was found. */
  readonly reused: (run: Run, value: unknown) => void;
  readonly failed: (run: Run, error: unknown) => void;
}

export class Keyed {
  readonly #options: KeyedOptions;
  /** Those that run now. */
  readonly #running = new Map<string, Promise<OperationOutcome>>();

  constructor(options: KeyedOptions) {
    this.#options = options;
  }

  async begin(run: Run, userKey: string, resumed: boolean): Promise<void> {
    const { store, has, enter, reused, failed } = this.#options;
    const { name } = run.activity;
    const slot = `${name} ${userKey}`;
    for (let other = this.#running.get(slot); other !== undefined; other = this.#running.get(slot)) await other;
    if (!has(run)) return;
    let release: (outcome: OperationOutcome) => void = () => undefined;
    this.#running.set(slot, new Promise((resolve) => (release = resolve)));
    try {
      const known = await store.succeeded(name, userKey);
      if (known?.outcome !== undefined && has(run)) reused(run, decode(known.outcome));
      else await enter(run, resumed);
    } catch (error) {
      failed(run, error);
    } finally {
      this.#running.delete(slot);
      release({ ok: true, value: undefined });
    }
  }
}
