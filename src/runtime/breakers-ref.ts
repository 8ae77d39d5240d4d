/** The breakers of a runtime as code sees them: looked at, told to open or to let go, and the operations that wait for them. */

import type { Observable } from '../core/observables.js';
import type { StandardBreaker } from '../breakers/breaker.js';
import type { Breaker, BreakerChange } from '../breakers/contract.js';
import { BadInputError, UnknownBreakerError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { Node } from './node.js';
import { orderParked, parkedOperations, parkedWork, type ParkedFilter, type ParkedReport, type ParkedWork } from './parked-work.js';

/** Names in a hint. */
const named = 5;

export interface RuntimeBreakers {
  /** A breaker by its name, or `REGISTRY/KEY` of a key that is remembered. @throws UnknownBreakerError */
  get(name: string): Breaker;
  /** Those that were declared, or that activities have named, with the keys of registries that are remembered. */
  all(): readonly Breaker[];
  /** Every change of state from now on, as it happens; `events$` tells of it when it is durable. */
  readonly changes$: Observable<BreakerChange>;
  /**
   * Closes it to all: here at once, and in every other node on the store within about a second, or when it starts. Resolves once that is durable; it holds until `release`.
   * @throws UnknownBreakerError
   */
  isolate(name: string): Promise<void>;
  /** Ends an isolation, or an open period before its time: it ramps. In every node, as `isolate`. @throws UnknownBreakerError */
  release(name: string): Promise<void>;
  /** Operations that wait, of all nodes; in order of agent, the first 1,000 of them unless `limit` says otherwise. */
  parked(filter?: ParkedFilter & { readonly limit?: number }): Promise<readonly ParkedWork[]>;
  /** Lets operations go without waiting for leave: one by its id, or those of a breaker or an agent. Resolves once they are told, durably. @throws BadInputError */
  releaseParked(which: string | ParkedFilter): Promise<ParkedReport>;
  /** Ends operations with `CancelledError`, which their machines meet in `onError`. The calls are not made. @throws BadInputError */
  cancelParked(which: string | ParkedFilter): Promise<ParkedReport>;
}

export class NodeBreakers implements RuntimeBreakers {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  get changes$(): Observable<BreakerChange> {
    return this.#node.breakers.board.changes$;
  }

  get(name: string): Breaker {
    return this.#find(name);
  }

  all(): readonly Breaker[] {
    return [...this.#node.breakers.board.breakers()];
  }

  async isolate(name: string): Promise<void> {
    this.#node.assertOpen();
    await this.#node.breakers.order(this.#find(name, true), 'isolate');
  }

  async release(name: string): Promise<void> {
    this.#node.assertOpen();
    await this.#node.breakers.order(this.#find(name, true), 'release');
  }

  async parked({ limit = 1_000, ...filter }: ParkedFilter & { readonly limit?: number } = {}): Promise<readonly ParkedWork[]> {
    this.#node.assertOpen();
    const all: ParkedWork[] = [];
    for await (const found of parkedOperations(this.#node.store, filter, Math.min(limit, 500))) {
      all.push(...found.slice(0, limit - all.length).map(parkedWork));
      if (all.length >= limit) break;
    }
    return all;
  }

  releaseParked(which: string | ParkedFilter): Promise<ParkedReport> {
    return this.#order(which, 'release');
  }

  cancelParked(which: string | ParkedFilter): Promise<ParkedReport> {
    return this.#order(which, 'cancel');
  }

  async #order(which: string | ParkedFilter, order: 'release' | 'cancel'): Promise<ParkedReport> {
    const node = this.#node;
    node.assertOpen();
    const chosen = typeof which === 'string' ? which !== '' : which?.breaker !== undefined || which?.agentId !== undefined;
    if (!chosen) {
      throw new BadInputError(`${order}Parked() was not told which`, {
        hint: "Give the id of an operation, { breaker: 'search-api' } or { agentId: 'r-1' }.",
      });
    }
    const { clock, store, mailboxCap: cap } = node;
    return orderParked({ store, cap, now: () => clock.now(), mailed: (agent) => node.mail.nudge(agent) }, which, order);
  }

  /** `make`: a key of a registry that is not there yet. */
  #find(name: string, make = false): StandardBreaker {
    const { board } = this.#node.breakers;
    const found = make ? board.obtain(name) : board.get(name);
    if (found !== undefined) return found;
    const names = [...board.breakers()].map((breaker) => breaker.name);
    const [close] = nearest(name, names);
    const known = names.slice(0, named).map((one) => JSON.stringify(one));
    const listed = names.length === 0 ? 'There are none' : `There are ${known.join(', ')}${names.length > named ? ', …' : ''}`;
    throw new UnknownBreakerError(`there is no breaker ${JSON.stringify(name)}`, {
      hint:
        close === undefined
          ? `${listed}: name it as an activity's breaker, or declare it with createRuntime({ breakers: [ … ] }).`
          : `Did you mean ${JSON.stringify(close)}?`,
    });
  }
}
