/** What the calendar and the faults of a scenario make of the service at each moment. */

import type { Calendar } from './calendar.js';

/** Times are milliseconds since the begin of the scenario. */
export type Fault =
  /** This share of the calls fails, whatever the load. */
  | { readonly kind: 'errors'; readonly fromMs: number; readonly toMs: number; readonly share: number }
  /** So much of the capacity is left. */
  | { readonly kind: 'capacity'; readonly fromMs: number; readonly toMs: number; readonly share: number }
  /** Nothing is answered but refusals; afterwards it is cold and warms up linearly. */
  | { readonly kind: 'outage'; readonly fromMs: number; readonly toMs: number; readonly coldShare: number; readonly warmUpMs: number }
  /** One node reaches nothing; the service is well. */
  | { readonly kind: 'network'; readonly fromMs: number; readonly toMs: number; readonly node: number };

export class Conditions {
  readonly #calendar: Calendar;
  readonly #beginAt: number;
  readonly #faults: readonly Fault[];

  constructor(calendar: Calendar, beginAt: number, faults: readonly Fault[]) {
    this.#calendar = calendar;
    this.#beginAt = beginAt;
    this.#faults = faults;
  }

  up(at: number): boolean {
    const ms = at - this.#beginAt;
    for (const fault of this.#faults) if (fault.kind === 'outage' && within(fault, ms)) return false;
    return true;
  }

  /** Of the full capacity, 0 to 1. */
  capacity(at: number): number {
    const ms = at - this.#beginAt;
    let capacity = 1;
    for (const fault of this.#faults) {
      if (fault.kind === 'capacity' && within(fault, ms)) capacity = Math.min(capacity, fault.share);
      if (fault.kind !== 'outage' || ms < fault.fromMs) continue;
      if (ms < fault.toMs) return 0;
      capacity = Math.min(capacity, fault.coldShare + ((1 - fault.coldShare) * (ms - fault.toMs)) / fault.warmUpMs);
    }
    return capacity;
  }

  failing(at: number): number {
    const ms = at - this.#beginAt;
    let share = this.#calendar.failing(at);
    for (const fault of this.#faults) if (fault.kind === 'errors' && within(fault, ms)) share = Math.max(share, fault.share);
    return share;
  }

  /** Whether this node's network works. */
  connected(at: number, node: number): boolean {
    const ms = at - this.#beginAt;
    return !this.#faults.some((fault) => fault.kind === 'network' && fault.node === node && within(fault, ms));
  }
}

function within({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }, ms: number): boolean {
  return ms >= fromMs && ms < toMs;
}
