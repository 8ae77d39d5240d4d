/** Orders of people to breakers, as notes that each node follows once. The last one on a breaker is in force, also for nodes that start later: what is isolated stays so until it is released. */

import type { BreakerBoard } from '../breakers/board.js';
import type { StandardBreaker } from '../breakers/breaker.js';
import type { NoteRecord } from '../persistence/store.js';
import { orders, readOrder, type BreakerOrder } from './breaker-notes.js';
import type { Recalled } from './breaker-recall.js';

export class BreakerOrders {
  readonly #latest = new Map<string, BreakerOrder>();
  readonly #followed = new Map<string, BreakerOrder>();

  constructor(notes: readonly NoteRecord[]) {
    for (const note of notes) this.#take(note);
  }

  /** The last one that a breaker has followed here. */
  followed(name: string): BreakerOrder | null {
    return this.#followed.get(name) ?? null;
  }

  /** A breaker was made: what was ordered before holds for it too. */
  made(breaker: StandardBreaker, recalled: Recalled | undefined): void {
    const { name } = breaker;
    const order = this.#latest.get(name);
    if (order === undefined) return;
    this.#followed.set(name, order);
    if (recalled?.own === true && same(recalled.note.followed ?? undefined, order)) return;
    if (order.order === 'isolate') breaker.isolate();
    // A release ends what was before it, and nothing that came later.
    else if (recalled !== undefined && (breaker.state === 'isolated' || order.at > recalled.note.saved.since)) breaker.release();
  }

  /** What the store says now. */
  heard(notes: readonly NoteRecord[], board: BreakerBoard): void {
    for (const note of notes) {
      const name = this.#take(note);
      const breaker = name === undefined ? undefined : board.get(name);
      if (breaker !== undefined) this.#follow(breaker);
    }
  }

  /** An order of this node's own; it is followed at once. */
  give(breaker: StandardBreaker, order: BreakerOrder['order'], now: number): BreakerOrder {
    const before = this.#latest.get(breaker.name)?.at ?? -Infinity;
    const given = { order, at: Math.max(now, before + 1) };
    this.#latest.set(breaker.name, given);
    this.#follow(breaker);
    return given;
  }

  #follow(breaker: StandardBreaker): void {
    const order = this.#latest.get(breaker.name);
    if (order === undefined) return;
    this.#followed.set(breaker.name, order);
    if (order.order === 'isolate') breaker.isolate();
    else breaker.release();
  }

  /** The name of the breaker, if the order is news. */
  #take(note: NoteRecord): string | undefined {
    const name = note.topic.slice(orders.length);
    const order = readOrder(note);
    if (order === undefined || same(this.#latest.get(name), order)) return undefined;
    this.#latest.set(name, order);
    return name;
  }
}

function same(one: BreakerOrder | undefined, other: BreakerOrder): boolean {
  return one?.at === other.at && one.order === other.order;
}
