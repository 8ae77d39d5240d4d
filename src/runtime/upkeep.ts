/**
 * The upkeep of a store. Of results: those that are too old are forgotten, and artifacts that nothing points to any more are removed. It comes round at times, by one node for all: whoever begins leaves a note, and who finds one that is not
 * older than a round leaves it be. The note is no lock: two at once do no harm, only twice the work. Cold agents are seen to by `Tiering`, on every node.
 */

import type { TimerHandle } from '../core/clock.js';
import { longestTimeoutMs } from '../core/clock.js';
import { sweepArtifacts } from '../persistence/artifacts/sweep.js';
import type { Expired, NoteRecord } from '../persistence/store.js';
import type { LoadedOutcome } from './archives.js';
import type { ResolvedResults } from './options.js';
import { Tiering, type TieringOptions } from './tiering.js';

export interface UpkeepOptions extends TieringOptions {
  readonly results: ResolvedResults;
}

const topic = 'results/upkeep';
/** A node looks so soon after its start whether there was a round. */
const firstMs = 60_000;
/** Operations that are looked at together. */
const part = 1_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #tiering: Tiering;
  #timer: TimerHandle;
  #stopped = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#tiering = new Tiering(options);
  }

  /** As the store's, with those agents brought back that were archived. */
  load(names: readonly (string | number)[]): Promise<readonly LoadedOutcome[]> {
    return this.#tiering.load(names);
  }

  /** Without artifacts, and with results that are kept for ever, it does nothing. */
  start(): void {
    this.#tiering.start();
    const { archive, results } = this.#options;
    const { artifacts, lifetimeMs, sweepMs } = results;
    if (((artifacts ?? archive.artifacts) === undefined && lifetimeMs === Infinity) || sweepMs === Infinity) return;
    this.#arm(Math.min(firstMs, sweepMs));
  }

  stop(): void {
    this.#stopped = true;
    this.#tiering.stop();
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

  /** Of archives as of results: they may be in one artifact store. */
  async #sweep(): Promise<void> {
    const { store, clock, results, archive } = this.#options;
    const { artifacts: kept, graceMs, reachable: needed } = results;
    for (const artifacts of new Set([kept, archive.artifacts])) {
      if (artifacts === undefined || this.#stopped) continue;
      await sweepArtifacts({
        artifacts,
        graceMs,
        now: () => clock.now(),
        reachable: async (ids) => {
          const [pointed, others] = await Promise.all([store.hasArtifacts(ids), artifacts === kept ? needed?.(ids) : undefined]);
          return pointed.map((points, index) => points || (others !== undefined && others[index] !== false));
        },
      });
    }
  }
}
