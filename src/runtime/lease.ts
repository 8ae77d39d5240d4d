/** A node's sign of life, and its look at those of the others: what one of them left that is gone since is to be adopted. Its timer also keeps the process up until the runtime is closed. */

import inspector from 'node:inspector';
import type { Clock, TimerHandle } from '../core/clock.js';
import type { TurnPulse } from '../core/turn-pulse.js';
import type { OpenedStore } from '../persistence/store.js';

export interface LeaseOptions {
  readonly store: Pick<OpenedStore, 'node' | 'nodes' | 'heartbeat'>;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly pulse: TurnPulse | undefined;
  /** Another node is gone. */
  readonly orphaned: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export class Lease {
  readonly #options: LeaseOptions;
  /** Other nodes that were up at the last look. */
  #neighbours: ReadonlySet<number> = new Set();
  #timer: TimerHandle;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get hasNeighbours(): boolean {
    return this.#neighbours.size > 0;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
  }

  #beat(): void {
    const { store, clock, leaseMs, pulse, failed } = this.#options;
    this.#timer = clock.setTimeout(() => {
      if (pulse !== undefined) pulse.attached = inspector.url() !== undefined;
      store
        .heartbeat()
        .then(() => this.#look())
        .catch(failed)
        .finally(() => {
          if (!this.#stopped) this.#beat();
        });
    }, leaseMs / 3);
  }

  async #look(): Promise<void> {
    const { store, orphaned } = this.#options;
    const up = new Set((await store.nodes()).map(({ node }) => node));
    const gone = [...this.#neighbours].some((node) => !up.has(node));
    up.delete(store.node);
    this.#neighbours = up;
    if (gone && !this.#stopped) await orphaned();
  }
}
