/**
 * The upkeep of results: those that are too old are forgotten, and artifacts that nothing points to any more are removed. It comes round at times, by one node for all: whoever begins leaves a note, and who finds one that is not
 * older than a round leaves it be. The note is no lock: two at once do no harm, only twice the work.
 */

import type { Clock, TimerHandle } from '../core/clock.js';
import { longestTimeoutMs } from '../core/clock.js';
import { sweepArtifacts } from '../persistence/artifacts/sweep.js';
import type { Expired, NoteRecord, OpenedStore } from '../persistence/store.js';
import type { ResolvedResults } from './options.js';

export interface UpkeepOptions {
  readonly store: Pick<OpenedStore, 'node' | 'notes' | 'publish' | 'retract' | 'hasArtifacts' | 'expire'>;
  readonly clock: Clock;
  readonly results: ResolvedResults;
  readonly failed: (error: unknown) => void;
}

const topic = 'results/upkeep';
/** A node looks so soon after its start whether there was a round. */
const firstMs = 60_000;
/** Operations that are looked at together. */
const part = 1_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  #timer: TimerHandle;
  #stopped = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Without artifacts, and with results that are kept for ever, it does nothing. */
  start(): void {
    const { artifacts, lifetimeMs, sweepMs } = this.#options.results;
    if ((artifacts === undefined && lifetimeMs === Infinity) || sweepMs === Infinity) return;
    this.#arm(Math.min(firstMs, sweepMs));
  }

  stop(): void {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimeout(
      () => {
        void this.#round()
          .catch((error: unknown) => {
            if (!this.#stopped) this.#options.failed(error);
            return this.#options.results.sweepMs;
          })
          .then((nextMs) => this.#arm(nextMs));
      },
      Math.min(ms, longestTimeoutMs),
    );
  }

  /** Resolves to the milliseconds until the next. */
  async #round(): Promise<number> {
    const { store, clock, results } = this.#options;
    const { sweepMs } = results;
    const author = String(store.node);
    const at = clock.now();
    const before = (await this.#others(author, at)).at(-1);
    if (before !== undefined) return Math.max(1_000, before.at + sweepMs - at);
    await store.publish([{ topic, author, data: '"begun"', at }]);
    // Whoever has begun in the same moment has seen neither: the one with the smaller name goes on.
    const rivals = await this.#others(author, at);
    if (rivals.some((rival) => rival.at < at || (rival.at === at && rival.author < author))) {
      await store.retract([{ topic, author, ifAt: at }]);
      return sweepMs;
    }
    try {
      await this.#expire();
      await this.#sweep();
    } catch (error) {
      // Another one may try.
      await store.retract([{ topic, author, ifAt: at }]);
      throw error;
    }
    const old = (await store.notes(topic)).filter((note) => note.at <= clock.now() - sweepMs);
    await store.retract(old.map((note) => ({ topic, author: note.author, ifAt: note.at })));
    return sweepMs;
  }

  /** Rounds of other nodes that are not so long ago, oldest first. */
  async #others(author: string, now: number): Promise<readonly NoteRecord[]> {
    const { store, results } = this.#options;
    const notes = (await store.notes(topic)).filter((note) => note.author !== author && note.at > now - results.sweepMs);
    return notes.sort((one, other) => one.at - other.at);
  }

  async #expire(): Promise<void> {
    const { store, clock, results } = this.#options;
    if (results.lifetimeMs === Infinity) return;
    const before = clock.now() - results.lifetimeMs;
    for (let after: Expired['next'] = undefined, more = true; more && !this.#stopped; more = after !== undefined) {
      ({ next: after } = await store.expire({ before, limit: part, ...(after === undefined ? {} : { after }) }));
    }
  }

  async #sweep(): Promise<void> {
    const { store, clock, results } = this.#options;
    const { artifacts, graceMs, reachable: needed } = results;
    if (artifacts === undefined || this.#stopped) return;
    await sweepArtifacts({
      artifacts,
      graceMs,
      now: () => clock.now(),
      reachable: async (ids) => {
        const [pointed, others] = await Promise.all([store.hasArtifacts(ids), needed?.(ids)]);
        return pointed.map((points, index) => points || (others !== undefined && others[index] !== false));
      },
    });
  }
}
