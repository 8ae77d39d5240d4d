/**
 * What nobody can have: it sees whether the service is up and what is inside of it, and admits exactly what can be answered while the
 * caller waits. It is the mark for what can be served, and never counted as a rival. Where callers park, it keeps them in a line.
 */

import type { Conditions } from '../world/conditions.js';
import { fullCapacity, longestMs, type Service, workers } from '../world/service.js';
import type { Guard, Policy } from './policy.js';

/** Half a second's worth of work in the queue keeps the workers busy between two callers' tries. */
const reserveS = 0.5;
const patienceS = 2;

class Oracle implements Guard {
  readonly #service: Service;
  readonly #conditions: Conditions;
  readonly #now: () => number;
  readonly #line: (() => void)[] | undefined;
  /** Let in, and not yet seen by the service. */
  #onTheWay = 0;

  constructor(service: Service, conditions: Conditions, now: () => number, line: boolean) {
    this.#service = service;
    this.#conditions = conditions;
    this.#now = now;
    this.#line = line ? [] : undefined;
  }

  async execute<T>(call: (signal?: AbortSignal) => Promise<T>): Promise<T> {
    if (!this.#room()) {
      if (this.#line === undefined) throw new Error('the oracle says that there is no room');
      await new Promise<void>((resolve) => this.#line?.push(resolve));
      this.#onTheWay -= 1;
    }
    return call();
  }

  state(): string {
    // Asked after every event: the moment to let the next one in.
    while (this.#line !== undefined && this.#line.length > 0 && this.#room()) {
      this.#onTheWay += 1;
      this.#line.shift()?.();
    }
    return 'closed';
  }

  park(): number {
    return 0;
  }

  #room(): boolean {
    const now = this.#now();
    if (!this.#conditions.up(now)) return false;
    const capacity = this.#conditions.capacity(now);
    // The last in the queue must be answered while its caller waits, even when its own call is a long one.
    const waitS = Math.max(0, Math.min(reserveS, (patienceS - longestMs / 1_000 / capacity) / 4));
    return this.#service.load + this.#onTheWay < workers + Math.floor(waitS * fullCapacity * capacity);
  }
}

export const oracle: Policy = {
  id: 'oracle',
  title: 'oracle that knows the capacity',
  make: ({ service, conditions, clock, park }) => new Oracle(service, conditions, () => clock.now(), park),
};
