/**
 * A supervisor's children while something happens: a copy of the list they are kept in, with their places by id. Places are shared with the lists that are made of it,
 * until a child is forgotten: what happens to one of ten thousand costs no more than a copy of the list.
 */

import type { ChildState } from './state.js';

/** One list may hold fewer than its places say: who looks compares. */
const placesOf = new WeakMap<readonly ChildState[], Map<string, number>>();

export class Children {
  list: ChildState[];
  #places: Map<string, number>;

  constructor(children: readonly ChildState[]) {
    this.list = [...children];
    this.#places = placesOf.get(children) ?? this.#count();
    placesOf.set(this.list, this.#places);
  }

  find(id: string): ChildState | undefined {
    const child = this.list[this.place(id)];
    return child?.id === id ? child : undefined;
  }

  /** -1 for none. */
  place(id: string): number {
    return this.#places.get(id) ?? -1;
  }

  change(id: string, change: Partial<ChildState>): void {
    const place = this.place(id);
    this.list[place] = { ...(this.list[place] as ChildState), ...change };
  }

  add(child: ChildState): void {
    // Another list that was made of the same one has grown already.
    if (this.list.length < this.#places.size) this.#renew();
    this.#places.set(child.id, this.list.push(child) - 1);
  }

  forget(ids: ReadonlySet<string>): void {
    this.list = this.list.filter(({ id }) => !ids.has(id));
    this.#renew();
  }

  #renew(): void {
    this.#places = this.#count();
    placesOf.set(this.list, this.#places);
  }

  #count(): Map<string, number> {
    return new Map(this.list.map(({ id }, place) => [id, place]));
  }
}
