/**
 * Cold agents leave the store: those that have ended, or have had nothing to do, for long enough. Every node looks for its own, and for those of nodes that are gone. It takes one agent at a time and rests as long as that took, so that
 * others hardly notice. Two nodes that archive the same one do no harm: the second finds it changed.
 */

import type { WithoutTime } from '../actors/host.js';
import { longestTimeoutMs, type Clock, type TimerHandle } from '../core/clock.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import { archiveAgent, isFinished, whyNotByRecord } from '../persistence/tiers/archiver.js';
import type { AgentKey, AgentRecord, OpenedStore } from '../persistence/store.js';
import type { ResolvedArchive } from './archive-options.js';
import { Archives, type LoadedOutcome } from './archives.js';
import type { Residents } from './residents.js';

export interface TieringOptions {
  readonly store: OpenedStore;
  readonly clock: Clock;
  readonly archive: ResolvedArchive;
  readonly residents: Residents;
  /** There may be mail for it. */
  readonly nudge: (key: AgentKey) => void;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
  readonly failed: (error: unknown) => void;
}

/** A node begins so soon after its start. */
const firstMs = 60_000;
/** Records that are looked at together. */
const page = 500;
const longestRestMs = 1_000;

export class Tiering {
  readonly #options: TieringOptions;
  readonly #archives: Archives;
  #timer: TimerHandle;
  #stopped = false;

  constructor(options: TieringOptions) {
    this.#options = options;
    const { store, clock, archive, tell, nudge } = options;
    this.#archives = new Archives({ store, clock, artifacts: archive.artifacts, tell, nudge });
  }

  /** As the store's, with those brought back that were archived. */
  load(names: readonly (string | AgentKey)[]): Promise<readonly LoadedOutcome[]> {
    return this.#archives.load(names);
  }

  start(): void {
    const { everyMs, artifacts } = this.#options.archive;
    if (artifacts !== undefined && everyMs !== Infinity) this.#arm(Math.min(firstMs, everyMs));
  }

  stop(): void {
    this.#stopped = true;
    this.#archives.stop();
    this.#options.clock.clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    if (this.#stopped) return;
    const { clock, archive, failed } = this.#options;
    this.#timer = clock.setTimeout(
      () => {
        void this.#round()
          .catch((error: unknown) => {
            if (!this.#stopped) failed(error);
          })
          .then(() => this.#arm(archive.everyMs));
      },
      Math.min(ms, longestTimeoutMs),
    );
  }

  async #round(): Promise<void> {
    const { store, clock } = this.#options;
    const others = new Set((await store.nodes()).map(({ node }) => node));
    others.delete(store.node);
    for (let after: string | undefined, more = true; more && !this.#stopped;) {
      const records: readonly AgentRecord[] = await store.list({ limit: page, ...(after === undefined ? {} : { after }) });
      for (const record of records) {
        if (this.#stopped) return;
        if (record.owner !== undefined && others.has(record.owner)) continue;
        if (this.#isDue(record)) await this.#archive(record, clock.elapsed());
      }
      more = records.length === page;
      after = records.at(-1)?.id;
    }
  }

  #isDue(record: AgentRecord): boolean {
    return (
      whyNotByRecord(record) === undefined &&
      !this.#archives.isRecent(record.key, this.#since(record)) &&
      record.updatedAt <= this.#since(record)
    );
  }

  /** Untouched since then it is cold. */
  #since(record: AgentRecord): number {
    const { clock, archive } = this.#options;
    return clock.now() - (isFinished(record) ? archive.finishedAfterMs : archive.idleAfterMs);
  }

  async #archive(record: AgentRecord, started: number): Promise<void> {
    const { store, clock, archive, residents, tell, failed } = this.#options;
    const { key, id, kind } = record;
    const { artifacts } = archive;
    const here = residents.get(key);
    if (artifacts === undefined || here?.idle === false) return;
    if (here !== undefined) {
      residents.leave(here);
      tell({ type: 'passivated', agentId: id, kind });
    }
    try {
      const done = await this.#archives.whileAway(record, () =>
        archiveAgent({ store, artifacts, now: () => clock.now() }, key, this.#since(record)),
      );
      if (done?.outcome === 'archived')
        tell({ type: 'archived', agentId: id, kind, bytes: done.pointer.bytes, durationMs: clock.elapsed() - started });
    } catch (error) {
      // One that cannot be archived does not keep the others from it.
      if (!this.#stopped) failed(error);
    }
    await this.#rest(clock.elapsed() - started);
  }

  #rest(tookMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) resolve();
      else this.#timer = this.#options.clock.setTimeout(resolve, Math.min(Math.max(1, tookMs), longestRestMs));
    });
  }
}
