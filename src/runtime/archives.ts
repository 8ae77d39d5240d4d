/**
 * Archived agents, as a node meets them: whoever loads one finds it brought back. Many at once are read side by side, a few at a time. One that cannot be read stays archived, and says why; when trying again may help, it is tried
 * again later, since its mail waits.
 *
 * Invariant: what is being archived here is not loaded meanwhile, and the other way round. So an agent in memory is never one that has just been archived.
 */

import { setImmediate } from 'node:timers';
import type { Clock, TimerHandle } from '../core/clock.js';
import type { WithoutTime } from '../actors/host.js';
import { AgentArchivedError, errorMessage, StatewardenError, StoreUnavailableError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import { restoreAgent } from '../persistence/tiers/archiver.js';
import type { AgentKey, AgentRecord, LoadOutcome, OpenedStore } from '../persistence/store.js';

export interface ArchivesOptions {
  readonly store: OpenedStore;
  readonly clock: Clock;
  readonly artifacts: ArtifactStore | undefined;
  readonly tell: (event: WithoutTime<RuntimeEvent>) => void;
  /** There may be mail for it. */
  readonly nudge: (key: AgentKey) => void;
}

/** As the store says; of an archived agent that could not be brought back, why. */
export type LoadedOutcome = Exclude<LoadOutcome, { outcome: 'archived' }> | ArchivedOutcome;
interface ArchivedOutcome {
  readonly outcome: 'archived';
  readonly record: AgentRecord;
  readonly error: StatewardenError;
}

/** Read side by side. */
const abreast = 8;
/** Somebody archives it as often as it is restored: nobody does. */
const attempts = 5;
const retryMs = 10_000;
const remembered = 10_000;

export class Archives {
  readonly #options: ArchivesOptions;
  /** When agents were brought back here. */
  readonly #restoredAt = new Map<AgentKey, number>();
  /** Those that could not be brought back, why, and when it is tried again. */
  readonly #retries = new Map<AgentKey, { readonly timer: TimerHandle; readonly error: StatewardenError }>();
  /** How many load it, by id and by key. */
  readonly #loading = new Map<string | AgentKey, number>();
  /** Those that are being archived. */
  readonly #leaving = new Map<string | AgentKey, Promise<unknown>>();

  constructor(options: ArchivesOptions) {
    this.#options = options;
  }

  /** As the store's, with those brought back that were archived. Nearly always nobody is: then nothing comes between the store's answer and whoever waits for it. */
  load(names: readonly (string | AgentKey)[]): Promise<readonly LoadedOutcome[]> {
    return this.#leaving.size === 0 ? this.#loadNow(names) : this.#loadLater(names);
  }

  async #loadLater(names: readonly (string | AgentKey)[]): Promise<readonly LoadedOutcome[]> {
    while (this.#leaving.size > 0) {
      const leaving = names.flatMap((name) => this.#leaving.get(name) ?? []);
      if (leaving.length === 0) break;
      await Promise.all(leaving);
    }
    return this.#loadNow(names);
  }

  #loadNow(names: readonly (string | AgentKey)[]): Promise<readonly LoadedOutcome[]> {
    for (const name of names) this.#loading.set(name, (this.#loading.get(name) ?? 0) + 1);
    // By then they are in memory.
    const over = (): void => void setImmediate(() => names.forEach((name) => this.#loaded(name)));
    const found = this.#options.store.load(names);
    return found.then(
      (outcomes) => {
        if (outcomes.some(({ outcome }) => outcome === 'archived')) return this.#brought([...outcomes], names).finally(over);
        over();
        return outcomes as readonly LoadedOutcome[];
      },
      (error: unknown) => {
        over();
        throw error;
      },
    );
  }

  #loaded(name: string | AgentKey): void {
    const others = (this.#loading.get(name) ?? 1) - 1;
    if (others === 0) this.#loading.delete(name);
    else this.#loading.set(name, others);
  }

  /** Does something while nobody loads the agent. Undefined: somebody does. */
  async whileAway<T>({ id, key }: AgentRecord, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#loading.has(id) || this.#loading.has(key) || this.#leaving.has(id)) return undefined;
    const done = work();
    const settled = done.catch(() => undefined);
    for (const name of [id, key]) this.#leaving.set(name, settled);
    try {
      return await done;
    } finally {
      for (const name of [id, key]) this.#leaving.delete(name);
    }
  }

  /** Whoever names an agent by its key does so for its mail: that waits until it is tried again. */
  async #brought(outcomes: LoadOutcome[], names: readonly (string | AgentKey)[]): Promise<readonly LoadedOutcome[]> {
    const { store } = this.#options;
    const failures = new Map<AgentKey, StatewardenError>();
    for (const name of names) {
      const waiting = typeof name === 'number' ? this.#retries.get(name) : undefined;
      if (waiting !== undefined) failures.set(name as AgentKey, waiting.error);
    }
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const archived = outcomes.flatMap((outcome, index) =>
        outcome.outcome === 'archived' && !failures.has(outcome.record.key) ? [{ index, record: outcome.record }] : [],
      );
      if (archived.length === 0) break;
      for (let from = 0; from < archived.length; from += abreast) {
        await Promise.all(archived.slice(from, from + abreast).map(({ record }) => this.#restore(record, failures)));
      }
      const back = archived.filter(({ record }) => !failures.has(record.key));
      const again = back.length === 0 ? [] : await store.load(back.map(({ record }) => record.key));
      back.forEach(({ index }, n) => (outcomes[index] = again[n] as LoadOutcome));
    }
    return outcomes.map((outcome) => {
      if (outcome.outcome !== 'archived') return outcome;
      return { ...outcome, error: failures.get(outcome.record.key) ?? archivedAgain(outcome.record) };
    });
  }

  async #restore(record: AgentRecord, failures: Map<AgentKey, StatewardenError>): Promise<void> {
    const { store, artifacts, clock, tell } = this.#options;
    const { key, id, kind } = record;
    if (artifacts === undefined) {
      failures.set(key, noArtifacts(record));
      return;
    }
    const started = clock.elapsed();
    try {
      if ((await restoreAgent({ store, artifacts }, record)) !== 'restored') return;
      this.#remember(key);
      tell({ type: 'unarchived', agentId: id, kind, durationMs: clock.elapsed() - started });
    } catch (thrown) {
      const error = thrown instanceof StatewardenError ? thrown : unreadable(record, thrown);
      failures.set(key, error);
      tell({ type: 'store', state: 'unavailable', error });
      if (error.disposition === 'retry') this.#tryLater(key, error);
    }
  }

  /** Whether it was brought back here so recently that it is not to go again. */
  isRecent(key: AgentKey, since: number): boolean {
    return (this.#restoredAt.get(key) ?? -Infinity) > since;
  }

  #remember(key: AgentKey): void {
    this.#restoredAt.delete(key);
    this.#restoredAt.set(key, this.#options.clock.now());
    if (this.#restoredAt.size > remembered) this.#restoredAt.delete(this.#restoredAt.keys().next().value as AgentKey);
  }

  #tryLater(key: AgentKey, error: StatewardenError): void {
    if (this.#retries.has(key)) return;
    const { clock, nudge } = this.#options;
    const timer = clock.setTimeout(() => {
      this.#retries.delete(key);
      nudge(key);
    }, retryMs);
    this.#retries.set(key, { timer, error });
  }

  stop(): void {
    for (const { timer } of this.#retries.values()) this.#options.clock.clearTimeout(timer);
    this.#retries.clear();
  }
}

function noArtifacts({ id }: AgentRecord): AgentArchivedError {
  return new AgentArchivedError(`agent "${id}" is archived, and there is no artifact store to bring it back from`, {
    hint: 'Give createRuntime({ archive: { artifacts } }) the one that it was archived to, or run `statewarden restore`.',
  });
}

function archivedAgain({ id }: AgentRecord): StoreUnavailableError {
  return new StoreUnavailableError(`agent "${id}" was archived as often as it was brought back`, { hint: 'See who archives it.' });
}

function unreadable({ id }: AgentRecord, cause: unknown): StoreUnavailableError {
  return new StoreUnavailableError(`agent "${id}" could not be brought back from its archive: ${errorMessage(cause)}`, {
    hint: 'See why the artifact store does not answer.',
    cause,
  });
}
