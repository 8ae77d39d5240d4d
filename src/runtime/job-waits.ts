/** Who waits for jobs of a fleet to end: however many they are, the fleet is watched once, as long as somebody waits. */

import type { Observable, Subscription } from '../core/observables.js';
import type { FleetState, JobResult } from '../supervisor/fleet/state.js';

interface Waiting {
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

export class JobWaits {
  readonly #minds$: Observable<{ readonly fleet?: FleetState | undefined }>;
  readonly #waiting = new Map<string, Waiting[]>();
  #subscription: Subscription | undefined;
  #last: FleetState | undefined;

  /** `minds$`: the current state of the fleet's supervisor first; each result is in one of them. */
  constructor(minds$: Observable<{ readonly fleet?: FleetState | undefined }>) {
    this.#minds$ = minds$;
  }

  /** Resolves when the job has ended, or has already; to undefined for one that `isKnown` does not know. */
  wait(id: string, isKnown: (fleet: FleetState) => boolean, ended: () => unknown): Promise<JobResult | undefined> {
    return new Promise((resolve, reject) => {
      const others = this.#waiting.get(id);
      const waiting: Waiting = { resolve, reject };
      if (others === undefined) this.#waiting.set(id, [waiting]);
      else others.push(waiting);
      const look = (fleet: FleetState): void => {
        const result = fleet.results.findLast(({ job }) => job === id);
        if (result !== undefined) this.#tell(id, result);
        else if (!isKnown(fleet)) {
          resolve(undefined);
          this.#forget(id, waiting);
        }
      };
      if (this.#last !== undefined) look(this.#last);
      else this.#first.push(look);
      this.#subscription ??= this.#watch(ended);
    });
  }

  #first: ((fleet: FleetState) => void)[] = [];

  #watch(ended: () => unknown): Subscription {
    const fail = (error: unknown): void => {
      const all = [...this.#waiting.values()].flat();
      this.#waiting.clear();
      this.#stop();
      for (const { reject } of all) reject(error);
    };
    return this.#minds$.subscribe({
      next: (mind) => {
        const fleet = mind.fleet as FleetState;
        const fresh = this.#last === undefined ? 0 : fleet.done + fleet.failed - this.#last.done - this.#last.failed;
        this.#last = fleet;
        if (fresh > 0) for (const result of fleet.results.slice(-fresh)) this.#tell(result.job, result);
        const first = this.#first;
        this.#first = [];
        for (const look of first) look(fleet);
      },
      error: fail,
      complete: () => fail(ended()),
    });
  }

  #tell(id: string, result: JobResult): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#rest();
    for (const { resolve } of waiting) resolve(result);
  }

  #forget(id: string, waiting: Waiting): void {
    const left = (this.#waiting.get(id) ?? []).filter((other) => other !== waiting);
    if (left.length > 0) this.#waiting.set(id, left);
    else this.#waiting.delete(id);
    this.#rest();
  }

  /** Nobody waits: the fleet may leave memory. Not at once, because the next one may be about to ask. */
  #rest(): void {
    if (this.#waiting.size > 0) return;
    queueMicrotask(() => {
      if (this.#waiting.size === 0) this.#stop();
    });
  }

  #stop(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#last = undefined;
    this.#first = [];
  }
}
