/** Breakers that do not learn: so many failures in a row, or such a share of the calls of a sliding window. */

import type { Trip, Tripwire, Usual } from './tripwire.js';
import { degradedForSlowCalls, openForConsecutiveFailures, openForFailures } from './tripwire.js';
import type { RollingWindow } from './window.js';

/** What both have in common: they know nothing but what they count. */
abstract class CountingTripwire implements Tripwire {
  abstract success(now: number, latencyMs: number): Trip | undefined;
  abstract failure(now: number, latencyMs: number): Trip | undefined;
  abstract threshold(): number;
  abstract hardLimit(): number;
  abstract entered(): void;

  expected(): undefined {
    return undefined;
  }

  tolerated(): undefined {
    return undefined;
  }

  usual(): Usual | undefined {
    return undefined;
  }

  hear(): undefined {
    return undefined;
  }

  nodes(): number {
    return 1;
  }

  save(): unknown {
    return undefined;
  }

  restore(): void {
    // There is nothing that it would not count anew.
  }
}

/** Opens after so many failures with no success between them. */
export class ConsecutiveTripwire extends CountingTripwire {
  readonly #failures: number;
  #inRow = 0;

  constructor(failures: number) {
    super();
    this.#failures = failures;
  }

  success(): undefined {
    this.#inRow = 0;
    return undefined;
  }

  failure(): Trip | undefined {
    this.#inRow += 1;
    return this.#inRow >= this.#failures ? openForConsecutiveFailures : undefined;
  }

  threshold(): number {
    return 0.5;
  }

  hardLimit(): number {
    return 0.5;
  }

  entered(): void {
    this.#inRow = 0;
  }
}

export interface SlidingWindowSettings {
  readonly failureRate: number;
  readonly minimumCalls: number;
  readonly slowMs: number | undefined;
  readonly slowRate: number;
}

/** Opens when the share of failures among the last calls is too large, and degrades when that of slow ones is. */
export class SlidingWindowTripwire extends CountingTripwire {
  readonly #settings: SlidingWindowSettings;
  readonly #window: RollingWindow;

  constructor(settings: SlidingWindowSettings, window: RollingWindow) {
    super();
    this.#settings = settings;
    this.#window = window;
  }

  success(now: number, latencyMs: number): Trip | undefined {
    return this.#slow(now, latencyMs);
  }

  failure(now: number, latencyMs: number): Trip | undefined {
    const { calls, failures } = this.#window;
    const { failureRate, minimumCalls } = this.#settings;
    if (calls >= minimumCalls && failures >= failureRate * calls) return openForFailures;
    return this.#slow(now, latencyMs);
  }

  threshold(): number {
    return this.#settings.failureRate;
  }

  hardLimit(): number {
    return this.#settings.failureRate;
  }

  /** A call that takes half of what is slow is taken for usual. */
  override usual(): Usual | undefined {
    const { slowMs } = this.#settings;
    return slowMs === undefined ? undefined : { callsPerSecond: this.#window.callsPerSecond, latencyMs: slowMs / 2 };
  }

  entered(): void {
    this.#window.clear();
  }

  #slow(now: number, latencyMs: number): Trip | undefined {
    const { slowMs, slowRate, minimumCalls } = this.#settings;
    if (slowMs === undefined || !(latencyMs > slowMs)) return undefined;
    const window = this.#window;
    window.slowCall(now);
    return window.calls >= minimumCalls && window.slow >= slowRate * window.calls ? degradedForSlowCalls : undefined;
  }
}
