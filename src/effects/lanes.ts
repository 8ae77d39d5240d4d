/** How many operations of an activity run at once in a node, where it has a limit. Whoever leaves hands its place over to who waits first, of the highest priority. */

import { priorities, type Priority } from '../breakers/contract.js';

interface Lane {
  running: number;
  /** By priority, each in order. */
  readonly waiting: Readonly<Record<Priority, (() => void)[]>>;
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();

  /** Undefined: there was room, and the place is taken. Else resolves when it is. `first`: before those of its priority that wait. */
  enter(name: string, limit: number, first: boolean, priority: Priority): Promise<void> | undefined {
    if (limit === Infinity) return undefined;
    let lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, (lane = { running: 0, waiting: { high: [], normal: [], low: [] } }));
    if (lane.running < limit) {
      lane.running += 1;
      return undefined;
    }
    const waiting = lane.waiting[priority];
    return new Promise((resolve) => (first ? waiting.unshift(resolve) : waiting.push(resolve)));
  }

  leave(name: string, limit: number): void {
    const lane = limit === Infinity ? undefined : this.#lanes.get(name);
    if (lane === undefined) return;
    const { waiting } = lane;
    const queue = priorities.find((priority) => waiting[priority].length > 0);
    const next = queue === undefined ? undefined : waiting[queue].shift();
    if (next === undefined) lane.running -= 1;
    else next();
  }
}
