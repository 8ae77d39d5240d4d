/**
 * The agents in memory, by id and by key, and who leaves when they are too many. Invariant: an id has at most one resident agent, and only idle ones are
 * passivated.
 */

import type { Agent } from '../actors/agent.js';

export class Residents {
  readonly #cap: number;
  readonly #byId = new Map<string, Agent>();
  readonly #byKey = new Map<number, Agent>();
  readonly #counter: { uses: number };

  /** `counter.uses` counts uses of any agent, and so tells in which order they were used. */
  constructor(cap: number, counter: { uses: number }) {
    this.#cap = cap;
    this.#counter = counter;
  }

  get(idOrKey: string | number): Agent | undefined {
    return typeof idOrKey === 'string' ? this.#byId.get(idOrKey) : this.#byKey.get(idOrKey);
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Agent[] {
    return [...this.#byId.values()];
  }

  add(agent: Agent): void {
    this.#byId.set(agent.id, agent);
    this.#byKey.set(agent.key, agent);
  }

  remove(agent: Agent): void {
    if (this.#byId.get(agent.id) === agent) this.#byId.delete(agent.id);
    if (this.#byKey.get(agent.key) === agent) this.#byKey.delete(agent.key);
  }

  /**
   * The least recently used idle agents leave: of all when the cap is small, else of some that stand first in line, so that a sweep
   * costs the same with any number of agents. A large cap is swept below itself, so that not every new agent brings a sweep.
   */
  passivate(): readonly Agent[] {
    const excess = this.#byId.size - this.#cap;
    if (excess <= 0) return [];
    const leaving = excess + Math.floor(Math.min(this.#cap, 16_384) / 64);
    let looks = Math.min(this.#byId.size, 2 * leaving + 32);
    const idle: Agent[] = [];
    for (const agent of this.#byId.values()) {
      if (looks === 0) break;
      looks -= 1;
      this.#byId.delete(agent.id);
      this.#byId.set(agent.id, agent);
      if (agent.usedAt === 0) agent.usedAt = this.#counter.uses += 1;
      else if (agent.idle) idle.push(agent);
    }
    idle.sort((one, other) => one.usedAt - other.usedAt);
    const left = idle.slice(0, leaving);
    for (const agent of left) this.leave(agent);
    return left;
  }

  /** An idle one goes; what it waits for is in the store. */
  leave(agent: Agent): void {
    agent.host.operations.rest(agent.operations.values());
    agent.gone = true;
    this.remove(agent);
  }
}
