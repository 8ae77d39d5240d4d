/** Where a console has its data from: an opened store, and, where a runtime is at work in this process, the runtime. What is costly to read and asked for often is kept for a moment. */

import type { Clock } from '../core/clock.js';
import { StatewardenError } from '../core/errors.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { OpenedStore, StoreCounts } from '../persistence/store.js';
import type { SeeingPlace } from '../runtime/seen-agent.js';
import { readBreakers, type SeenBreakers } from '../runtime/seen-breakers.js';
import { readTree, type TreeNode } from '../supervisor/tree.js';
import type { Runtime } from '../runtime.js';
import type { Failure } from './api.js';
import type { Redactor } from './shown.js';

export interface SourceOptions {
  readonly store: OpenedStore;
  /** For people. */
  readonly storeName: string;
  readonly runtime: Runtime | undefined;
  readonly artifacts: () => Promise<ArtifactStore | undefined>;
  readonly clock: Clock;
  readonly redactor: Redactor;
}

/** What is kept is read again when it is older, or older than so many times what reading it took: reading never takes more than a twentieth of the time. */
const patience = 20;

export class Source implements SeeingPlace {
  readonly store: OpenedStore;
  readonly storeName: string;
  readonly runtime: Runtime | undefined;
  readonly artifacts: () => Promise<ArtifactStore | undefined>;
  readonly clock: Clock;
  readonly redactor: Redactor;
  readonly counts: () => Promise<StoreCounts>;
  readonly tree: () => Promise<readonly TreeNode[]>;
  readonly breakers: () => Promise<SeenBreakers>;

  constructor(options: SourceOptions) {
    const { store, storeName, runtime, artifacts, clock, redactor } = options;
    [this.store, this.storeName, this.runtime] = [store, storeName, runtime];
    [this.artifacts, this.clock, this.redactor] = [artifacts, clock, redactor];
    this.counts = kept(clock, 1_000, () => store.counts());
    this.tree = kept(clock, 500, () => readTree(store));
    this.breakers = kept(clock, 1_000, () => readBreakers(store));
  }

  /** Whether the past of agents of this kind can be run again here. */
  replays(kind: string): boolean {
    return this.runtime?.tools.kinds.includes(kind) === true;
  }
}

/** Asked again within `forMs`, or while it is being read, it answers the same. A failure is not kept. */
export function kept<T>(clock: Clock, forMs: number, read: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  let until = Infinity;
  return () => {
    if (last !== undefined && clock.elapsed() < until) return last;
    const began = clock.elapsed();
    until = Infinity;
    const reading = read();
    last = reading;
    reading.then(
      () => {
        const now = clock.elapsed();
        until = now + Math.max(forMs, patience * (now - began));
      },
      () => (last = undefined),
    );
    return reading;
  };
}

/** An error as a page is told of it. */
export function failureOf(error: unknown, redactor: Redactor): Failure {
  const message = redactor.text(error instanceof Error ? error.message : String(error)).slice(0, 2_000);
  if (error instanceof StatewardenError) return { code: error.code, message, hint: error.hint };
  return { code: 'UNEXPECTED', message };
}
