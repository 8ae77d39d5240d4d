/**
 * Notes on breakers on their way to the store: one publication at a time, of what is true when it is made, so that however often a breaker changes meanwhile the next one says how it stands. What changed goes at once; figures
 * and memories are rationed by the round. What a store that is away did not take waits for the next round.
 */

import type { BreakerChange } from '../breakers/contract.js';
import { failpoint } from '../core/failpoint.js';
import type { NoteName, NoteRecord, OpenedStore } from '../persistence/store.js';
import type { KeptBreaker, KeptRegistry } from './breaker-kept.js';
import { counts } from './breaker-notes.js';

/** Notes of one publication; and of one round, those apart that tell of changes. */
const most = 200;

export interface OutboxOptions {
  readonly store: Pick<OpenedStore, 'publish' | 'retract'>;
  readonly author: string;
  readonly now: () => number;
  /** How it stands, encoded. */
  readonly standing: (kept: KeptBreaker) => string;
  /** Notes of others that a note on this topic takes the place of; each is named once. */
  readonly leftovers: (topic: string) => readonly NoteName[];
  /** Durable. */
  readonly told: (change: BreakerChange) => void;
}

interface Batch {
  /** With what is told of them when it is durable. */
  readonly standing: readonly (readonly [KeptBreaker, readonly BreakerChange[]])[];
  readonly learned: readonly (KeptBreaker | KeptRegistry)[];
  readonly notes: readonly NoteRecord[];
  readonly gone: readonly NoteName[];
}

export class BreakerOutbox {
  readonly #options: OutboxOptions;
  readonly #changed = new Set<KeptBreaker>();
  readonly #stale = new Set<KeptBreaker>();
  readonly #learned = new Set<KeptBreaker | KeptRegistry>();
  #gone: NoteName[] = [];
  #counts: string | undefined;
  #isCounting = false;
  #allowance = most;
  #busy = false;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Its state is another one: as soon as everybody who is at it now has ended. */
  changed(kept: KeptBreaker): void {
    this.#changed.add(kept);
    if (!this.#busy && this.#changed.size === 1) queueMicrotask(() => this.flush());
  }

  /** Its note is old. */
  stale(kept: KeptBreaker): void {
    this.#stale.add(kept);
  }

  /** There is something new to remember. */
  learned(kept: KeptBreaker | KeptRegistry): void {
    this.#learned.add(kept);
  }

  /** What this node has counted. */
  counted(data: string): void {
    this.#counts = data;
  }

  /** Notes that nobody needs any more. */
  outdated(names: readonly NoteName[]): void {
    this.#gone.push(...names);
  }

  /** A round begins: so many more figures and memories. */
  round(): void {
    this.#allowance = most;
    this.flush();
  }

  flush(): void {
    if (this.#busy || this.#stopped) return;
    this.#busy = true;
    this.#work = this.#publish();
  }

  /** All that there is, once. */
  async close(): Promise<void> {
    this.#allowance = Infinity;
    this.#counts = undefined;
    if (this.#isCounting) this.#gone.push({ topic: counts, author: this.#options.author });
    this.flush();
    await this.#work;
    this.#stopped = true;
  }

  stop(): void {
    this.#stopped = true;
  }

  async #publish(): Promise<void> {
    const { store } = this.#options;
    for (let batch = this.#batch(); batch !== undefined && !this.#stopped; batch = this.#batch()) {
      try {
        failpoint('breakers:publish');
        if (batch.notes.length > 0) await store.publish(batch.notes);
        if (batch.gone.length > 0) await store.retract(batch.gone);
        failpoint('breakers:published');
      } catch {
        this.#takeBack(batch);
        break;
      }
      const changes = batch.standing.flatMap(([, untold]) => untold);
      for (const change of changes.sort((one, other) => one.at - other.at)) this.#options.told(change);
    }
    this.#busy = false;
  }

  /** Undefined: there is nothing to publish now. */
  #batch(): Batch | undefined {
    if (this.#changed.size === 0 && this.#gone.length === 0 && this.#counts === undefined) {
      if (this.#allowance <= 0 || this.#stale.size + this.#learned.size === 0) return undefined;
    }
    const { author, now } = this.#options;
    const at = now();
    const kept = new Set(first(this.#changed, most));
    const changed = kept.size;
    for (const one of first(this.#stale, Math.min(this.#allowance, most - changed))) kept.add(one);
    const learned = first(this.#learned, Math.min(this.#allowance - (kept.size - changed), most - kept.size));
    this.#allowance -= kept.size - changed + learned.length;
    const notes: NoteRecord[] = [];
    const gone = this.#gone;
    this.#gone = [];
    if (this.#counts !== undefined) {
      notes.push({ topic: counts, author, data: this.#counts, at });
      this.#isCounting = true;
      this.#counts = undefined;
    }
    for (const one of kept) this.#standing(one, at, notes, gone);
    for (const one of learned) {
      const data = one.memory();
      if (data === undefined) continue;
      notes.push({ topic: one.memoryTopic, author, data, at });
      gone.push(...this.#options.leftovers(one.memoryTopic));
    }
    // Making the notes may have let time act: what has changed by that is in them.
    const standing = [...kept].map((one) => {
      this.#changed.delete(one);
      return [one, one.takeUntold()] as const;
    });
    return { standing, learned, notes, gone };
  }

  #standing(kept: KeptBreaker, at: number, notes: NoteRecord[], gone: NoteName[]): void {
    const { topic } = kept;
    const { author, standing, leftovers } = this.#options;
    gone.push(...leftovers(topic));
    if (kept.isSilent) {
      if (kept.noted) gone.push({ topic, author });
      kept.noted = false;
      return;
    }
    kept.noted = true;
    notes.push({ topic, author, data: standing(kept), at });
  }

  #takeBack({ standing, learned, notes, gone }: Batch): void {
    for (const [kept, untold] of standing) {
      kept.noted = true;
      kept.putBack(untold);
      if (untold.length > 0) this.#changed.add(kept);
      else this.#stale.add(kept);
    }
    for (const one of learned) {
      one.forgetMemory();
      this.#learned.add(one);
    }
    this.#counts ??= notes.find(({ topic }) => topic === counts)?.data;
    // Of our own it is decided anew.
    this.#gone.push(...gone.filter(({ ifAt, topic }) => ifAt !== undefined || topic === counts));
  }
}

/** Takes the first ones out. */
function first<T>(set: Set<T>, count: number): T[] {
  const taken: T[] = [];
  for (const one of set) {
    if (taken.length >= count) break;
    set.delete(one);
    taken.push(one);
  }
  return taken;
}
