/**
 * A supervisor's children while something happens: a copy of the list they are kept in, with their places by id. Places are shared with the lists that are made of it,
 * until a child is forgotten: what happens to one of ten thousand costs no more than a copy of the list.
 */

import type { ResolvedChild } from './spec.js';
import type { ChildState, ChildStatus } from './state.js';

/** One list may hold fewer than its places say: who looks compares. */
const placesOf = new WeakMap<readonly ChildState[], Map<string, number>>();

export function isUp({ status }: ChildState): boolean {
  return status === 'running' || status === 'starting' || status === 'stopping';
}

/** Ended, or not to be started unless somebody says so. */
export function isOver(status: ChildStatus): boolean {
  return status === 'ended' || status === 'terminated' || status === 'down';
}

/** A child in a list, without a search when the list came out of a turn. */
export function childIn(children: readonly ChildState[], id: string): ChildState | undefined {
  let places = placesOf.get(children);
  if (places === undefined) placesOf.set(children, (places = placesIn(children)));
  const child = children[places.get(id) ?? -1];
  return child?.id === id ? child : undefined;
}

function placesIn(children: readonly ChildState[]): Map<string, number> {
  return new Map(children.map(({ id }, place) => [id, place]));
}

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

  /** All take the options of this one. */
  tune({ input, shutdownMs, heartbeatMs }: ResolvedChild): undefined {
    for (const [place, child] of this.list.entries()) this.list[place] = { ...child, input, shutdownMs, heartbeatMs };
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
    return placesIn(this.list);
  }
}
