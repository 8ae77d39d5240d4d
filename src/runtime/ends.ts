/** Who waits for an agent's end. Waiting costs the agent nothing: it may leave memory and end much later. */

import type { Agent } from '../actors/agent.js';

/** Given the agent that has ended, or undefined when it has left this node's care. */
export type EndListener = (agent: Agent | undefined) => void;

export class Ends {
  readonly #waiting = new Map<string, Set<EndListener>>();

  /** Returns how to stop waiting. */
  wait(id: string, listener: EndListener): () => void {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(listener));
    return () => {
      waiting.delete(listener);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    };
  }

  wake(id: string, agent: Agent | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const listener of waiting ?? []) listener(agent);
  }

  wakeAll(): void {
    for (const id of [...this.#waiting.keys()]) this.wake(id, undefined);
  }
}
