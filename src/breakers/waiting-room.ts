/** Who waits for a breaker, in the order in which they go: by priority, and within it each agent in turn, so that one with a thousand calls does not keep out the others. */

import { priorities, type Priority } from './contract.js';

export interface Waiting {
  /** Whose turn it is is counted by this: the agent, or whoever makes calls. */
  readonly caller: string;
  readonly priority: Priority;
}

/** First in, first out, with removal; nothing is moved when one leaves. */
class Line<T> {
  readonly #waiting = new Set<T>();

  get size(): number {
    return this.#waiting.size;
  }

  add(one: T): void {
    this.#waiting.add(one);
  }

  first(): T | undefined {
    return this.#waiting.values().next().value;
  }

  delete(one: T): boolean {
    return this.#waiting.delete(one);
  }

  values(): IterableIterator<T> {
    return this.#waiting.values();
  }
}

export class WaitingRoom<T extends Waiting> {
  /** By priority: the lines of the callers, in order of whose turn it is. */
  readonly #callers: Readonly<Record<Priority, Map<string, Line<T>>>> = { high: new Map(), normal: new Map(), low: new Map() };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(one: T): void {
    const lines = this.#callers[one.priority];
    let line = lines.get(one.caller);
    if (line === undefined) lines.set(one.caller, (line = new Line()));
    line.add(one);
    this.#size += 1;
  }

  /** Who goes next; undefined: nobody waits. */
  first(): T | undefined {
    for (const priority of priorities) {
      const line = this.#callers[priority].values().next().value;
      if (line !== undefined) return line.first();
    }
    return undefined;
  }

  /** Lets one go that went first, or takes one out that does not want to wait any more. False: it does not wait here. */
  delete(one: T): boolean {
    const lines = this.#callers[one.priority];
    const line = lines.get(one.caller);
    if (line === undefined) return false;
    const itsTurn = line.first() === one;
    if (!line.delete(one)) return false;
    this.#size -= 1;
    if (itsTurn || line.size === 0) lines.delete(one.caller);
    // The others of this priority come first now. Whoever was not up yet and leaves takes nobody's turn.
    if (itsTurn && line.size > 0) lines.set(one.caller, line);
    return true;
  }

  *values(): IterableIterator<T> {
    for (const priority of priorities) for (const line of this.#callers[priority].values()) yield* line.values();
  }
}
