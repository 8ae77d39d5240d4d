/**
 * Our own breaker with its defaults, as its users import it. Where callers park, a line stands before it, as in the runtime: first in,
 * first out, and the first goes when the breaker says that it may.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Breakers from '../../../src/breakers/index.js';
import type { Clock } from '../../../src/core/clock.js';
import { repository } from './peers.js';
import type { Guard, Policy, Surroundings } from './policy.js';

/** A call that was let in and failed lies still for about so long. */
const afterFailureMs = 1_000;

/** None as long as there is no breaker in the build. */
export async function statewardenPolicies(): Promise<Policy[]> {
  const file = join(repository, 'dist', 'breakers', 'index.js');
  if (!existsSync(file)) return [];
  const { adaptiveBreaker } = (await import(pathToFileURL(file).href)) as typeof Breakers;
  return [{ id: 'statewarden', title: 'Statewarden', learns: true, make: (surroundings) => guard(adaptiveBreaker, surroundings) }];
}

function guard(adaptiveBreaker: typeof Breakers.adaptiveBreaker, { clock, random, node, saved, park }: Surroundings): Guard {
  const breaker = adaptiveBreaker({ name: node, level: 'service', clock, random });
  if (saved !== undefined && saved !== null) breaker.restore(saved as Breakers.SavedBreaker);
  const line = park ? new Line(breaker, clock) : undefined;
  return {
    execute: (call) => (line === undefined ? breaker.execute(call as () => ReturnType<typeof call>) : line.execute(call)),
    state: () => breaker.state,
    threshold: () => breaker.figures().threshold,
    admittedRate: () => breaker.figures().admittedRate,
    ...(park ? { park: () => afterFailureMs * (0.5 + random.next()) } : {}),
    exchange: () => breaker.exchange(),
    hear: (other, counters) => breaker.hear(other, counters as Breakers.SharedCounters),
    saved: () => breaker.save(),
  };
}

class Line {
  readonly #breaker: Breakers.Breaker;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #waking = false;

  constructor(breaker: Breakers.Breaker, clock: Clock) {
    this.#breaker = breaker;
    this.#clock = clock;
  }

  async execute<T>(call: () => Promise<T>): Promise<T> {
    for (let waited = false; ; waited = true) {
      if (waited || this.#waiting.length > 0 || this.#breaker.waitMs() > 0) await this.#turn();
      try {
        return await this.#breaker.execute(call);
      } catch (error) {
        if ((error as { code?: string }).code !== 'BREAKER_OPEN') throw error;
      }
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#waking || this.#waiting.length === 0) return;
    this.#waking = true;
    this.#clock.setTimeout(
      () => {
        this.#waking = false;
        if (this.#breaker.waitMs() === 0) this.#waiting.shift()?.();
        this.#wake();
      },
      Math.max(1, this.#breaker.waitMs()),
    );
  }
}
