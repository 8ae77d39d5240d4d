/**
 * A node's sign of life, and its look at those of the others. Its one timer also keeps the process up until the runtime is closed.
 *
 * Invariant: where a store may be out of this node's reach alone, the node is told to stop when no sign has been confirmed for a whole term, before anybody else may take what it holds. The term is counted by this process's own
 * monotonic clock, from when the last confirmed sign was sent: the time of day plays no part in it.
 *
 * Invariant: nothing is begun outside by a node whose term is over until it knows what it still holds. A process that gets no processor for so long may learn only then that its agents are another's.
 */

import inspector from 'node:inspector';
import { systemClock, type Clock, type TimerHandle } from '../core/clock.js';
import type { TurnPulse } from '../core/turn-pulse.js';
import type { StoreMovedError } from '../core/errors.js';
import { movedError } from '../persistence/moving/mark.js';
import type { NodeRecord, OpenedStore } from '../persistence/store.js';

export interface LeaseOptions {
  readonly store: Pick<OpenedStore, 'node' | 'nodes' | 'heartbeat' | 'notes'>;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** The store may be out of reach of this node and of no other. */
  readonly remote: boolean;
  readonly pulse: TurnPulse | undefined;
  /** Other nodes are up than before. `gone`: one of those that were is not any more. */
  readonly changed: (change: { readonly gone: boolean }) => Promise<void>;
  /** Its term is over. */
  readonly lapsed: () => void;
  /** The store answers again after that; or the term was over in the store, unnoticed: what others have taken is not this node's any more. */
  readonly letGo: () => Promise<void>;
  /** The rest goes on. */
  readonly renewed: () => Promise<void>;
  /** The agents of the store go to another one. */
  readonly moved: (error: StoreMovedError) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

/** So often the others are looked at, in milliseconds, while there are any and unless terms are short: a node that stops leaves its agents to them for no longer. */
const lookMs = 250;

export class Lease {
  readonly #options: LeaseOptions;
  /** The other nodes that were up at the last look. */
  neighbours: readonly NodeRecord[] = [];
  #timer: TimerHandle;
  /** All in elapsed time. */
  #beatAt = 0;
  #lookAt = 0;
  #endsAt = Infinity;
  #beating: { readonly since: number } | undefined;
  #looking = false;
  #lapsed = false;
  /** Its term was over, and what follows from that is not done yet. */
  #broken = false;
  /** Nor what comes first of it: agents that others have taken may be here still. */
  #isDoubted = false;
  /** Who waits to begin something outside. */
  readonly #unsure: (() => void)[] = [];
  #stopped = false;
  /** When its store was last asked whether its agents are still there: epoch milliseconds. */
  #askedAt: number;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#askedAt = options.clock.now();
  }

  /** The first look, which tells of no change. */
  async start(): Promise<void> {
    const { store, clock, leaseMs } = this.#options;
    this.neighbours = await this.#others(store);
    const now = clock.elapsed();
    this.#endsAt = now + leaseMs;
    this.#beatAt = now + leaseMs / 4;
    this.#lookAt = now + this.#lookMs;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    this.#assure();
  }

  /** Belongs before agents are taken: a process that has slept for longer than its term looks first whether they are still here; undefined: it has looked. @throws StoreMovedError */
  awake(): Promise<void> | undefined {
    const { clock, leaseMs } = this.#options;
    return clock.now() - this.#askedAt < leaseMs ? undefined : this.#askFirst();
  }

  async #askFirst(): Promise<void> {
    const { store, clock } = this.#options;
    const elsewhere = await movedError(store);
    if (elsewhere !== undefined) throw elsewhere;
    this.#askedAt = clock.now();
  }

  /** Belongs before anything is begun outside. Undefined, as nearly always: this node has its agents for certain. Otherwise resolves once a sign of life is confirmed and what others have taken meanwhile is let go, or when it is stopped. */
  confirmed(): Promise<void> | undefined {
    if (this.#isCertain) return undefined;
    // One that is under way, or what follows from it, is waited for; after one that fails comes the next.
    if (this.#beating === undefined && !this.#isDoubted) void this.#beat().catch(this.#options.failed);
    return new Promise((resolve) => this.#unsure.push(resolve));
  }

  get #isCertain(): boolean {
    return this.#stopped || (!this.#isDoubted && this.#options.clock.elapsed() < this.#endsAt);
  }

  #assure(): void {
    if (this.#isCertain) for (const resolve of this.#unsure.splice(0)) resolve();
  }

  get #lookMs(): number {
    const quarter = this.#options.leaseMs / 4;
    return this.neighbours.length === 0 ? quarter : Math.min(lookMs, quarter);
  }

  #arm(): void {
    if (this.#stopped) return;
    const { clock, remote } = this.#options;
    const next = Math.min(this.#beatAt, this.#lookAt, remote && !this.#lapsed ? this.#endsAt : Infinity);
    this.#timer = clock.setTimeout(() => this.#tick(next), Math.max(1, next - clock.elapsed()));
  }

  #tick(planned: number): void {
    const { clock, leaseMs, remote, lapsed, failed } = this.#options;
    const now = clock.elapsed();
    if (now >= this.#beatAt) {
      this.#beatAt = now + leaseMs / 4;
      if (this.#beating === undefined) void this.#beat().catch(failed);
    }
    if (now >= this.#lookAt) {
      this.#lookAt = now + this.#lookMs;
      if (!this.#looking) void this.#look().catch(failed);
    }
    if (remote && !this.#lapsed && now >= this.#endsAt) {
      // A process that was stopped for so long asks first: nothing of it has run since. And a clock that is moved by hand does not wait for a store.
      const stalled = now - planned > leaseMs / 8;
      const early = this.#beating !== undefined && systemClock.elapsed() - this.#beating.since < leaseMs / 4;
      if (stalled || early) this.#endsAt = now + leaseMs / 8;
      else {
        this.#lapsed = true;
        lapsed();
      }
    }
    this.#arm();
  }

  async #beat(): Promise<void> {
    const { store, clock, leaseMs, pulse, letGo, renewed, moved, failed } = this.#options;
    if (pulse !== undefined) pulse.attached = inspector.url() !== undefined;
    const sentAt = clock.elapsed();
    this.#beating = { since: systemClock.elapsed() };
    let unbroken: boolean;
    try {
      unbroken = await store.heartbeat();
    } finally {
      this.#beating = undefined;
    }
    if (this.#stopped) return;
    this.#endsAt = sentAt + leaseMs;
    const over = this.#lapsed || !unbroken;
    this.#broken ||= over;
    this.#isDoubted ||= over;
    this.#assure();
    const elsewhere = await movedError(store);
    this.#askedAt = clock.now();
    if (this.#stopped) return;
    if (elsewhere !== undefined) void moved(elsewhere).catch(failed);
    else if (this.#broken) {
      // What fails here is done with the next sign.
      await letGo();
      this.#isDoubted = false;
      this.#assure();
      await renewed();
      this.#broken = this.#lapsed = false;
    }
  }

  async #look(): Promise<void> {
    const { store, changed } = this.#options;
    this.#looking = true;
    try {
      const before = this.neighbours;
      const up = await this.#others(store);
      if (this.#stopped) return;
      this.neighbours = up;
      const gone = before.some((node) => !isAmong(up, node));
      if (gone || up.some((node) => !isAmong(before, node))) await changed({ gone });
    } finally {
      this.#looking = false;
    }
  }

  async #others(store: LeaseOptions['store']): Promise<readonly NodeRecord[]> {
    return (await store.nodes()).filter(({ node }) => node !== store.node);
  }
}

function isAmong(nodes: readonly NodeRecord[], { node }: NodeRecord): boolean {
  return nodes.some((other) => other.node === node);
}
