/**
 * Our own breaker with its defaults, as its users import it. Where callers park, a line stands before it, as in the runtime: first in,
 * first out, and the first goes when the breaker says that it may.
 */

import type { Clock } from '../../../src/core/clock.js';
import { adaptiveBreaker, type Breaker, type Permit, type SavedBreaker, type SharedCounters } from '../../statewarden.js';
import type { Guard, Policy, Surroundings } from './policy.js';

/** A call that was let in and failed lies still for about so long. */
const afterFailureMs = 1_000;

export const statewarden: Policy = { id: 'statewarden', title: 'Statewarden', learns: true, make: guard };

function guard({ clock, random, node, saved, park }: Surroundings): Guard {
  const breaker = adaptiveBreaker({ name: node, level: 'service', clock, random });
  if (saved !== undefined && saved !== null) breaker.restore(saved as SavedBreaker);
  const line = park ? new Line(breaker, clock) : undefined;
  return {
    execute: (call) => (line === undefined ? breaker.execute(call as () => ReturnType<typeof call>) : line.execute(call)),
    state: () => breaker.state,
    threshold: () => breaker.figures().threshold,
    admittedRate: () => breaker.figures().admittedRate,
    ...(park ? { park: () => afterFailureMs * (0.5 + random.next()) } : {}),
    exchange: () => breaker.exchange(),
    hear: (other, counters) => breaker.hear(other, counters as SharedCounters),
    saved: () => breaker.save(),
  };
}

/** The first asks for leave itself, rather than looking at `waitMs`: a refusal is how a ramp learns that somebody waits. */
class Line {
  readonly #breaker: Breaker;
  readonly #clock: Clock;
  readonly #waiting: ((permit: Permit) => void)[] = [];
  #waking = false;

  constructor(breaker: Breaker, clock: Clock) {
    this.#breaker = breaker;
    this.#clock = clock;
  }

  async execute<T>(call: () => Promise<T>): Promise<T> {
    const permit = await new Promise<Permit>((resolve) => {
      this.#waiting.push(resolve);
      this.#serve();
    });
    try {
      const value = await call();
      permit.settle({ ok: true, value });
      return value;
    } catch (error) {
      permit.settle({ ok: false, error });
      throw error;
    }
  }

  #serve(): void {
    if (this.#waking) return;
    while (this.#waiting.length > 0) {
      const leave = this.#breaker.admit();
      if (leave.refused) {
        this.#waking = true;
        this.#clock.setTimeout(
          () => {
            this.#waking = false;
            this.#serve();
          },
          Math.max(10, leave.retryAfterMs),
        );
        return;
      }
      this.#waiting.shift()?.(leave);
    }
  }
}
