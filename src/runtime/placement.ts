/**
 * Where agents belong while several nodes are up: each to one of the nodes that know its kind, evenly, and the same whichever node reckons it. A supervisor and all below it belong together, to where the topmost belongs.
 *
 * Nodes say in a note which kinds they know. Invariant: an agent's home is a wish; who may write it the fence alone decides.
 */

import type { Clock } from '../core/clock.js';
import { homeOf } from '../core/rendezvous.js';
import type { AgentKey, AgentRecord, NodeRecord, NoteName, NoteRecord, OpenedStore } from '../persistence/store.js';

export interface PlacementOptions {
  readonly store: Pick<OpenedStore, 'node' | 'notes' | 'publish' | 'retract' | 'lookup'>;
  readonly clock: Clock;
  readonly kinds: readonly string[];
}

/** `node-kinds/NUMBER`: the kinds that a node knows. */
const topic = 'node-kinds/';

export class Placement {
  readonly #options: PlacementOptions;
  /** Kinds of the nodes that are up, this one among them, as far as they have said. */
  #known = new Map<number, ReadonlySet<string>>();
  #alone = true;
  #announced = false;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** These are up besides: they are told what this node knows, and told so only while there are any. Notes of nodes that are gone are taken away. Resolves to all notes that nodes have for one another. */
  async update(neighbours: readonly NodeRecord[]): Promise<readonly NoteRecord[]> {
    const { store, clock, kinds } = this.#options;
    const known = new Map<number, ReadonlySet<string>>([[store.node, new Set(kinds)]]);
    if (neighbours.length === 0 && this.#alone) return [];
    const notes = await store.notes('node-');
    const up = new Set([store.node, ...neighbours.map(({ node }) => node)]);
    // A node that has come since is not among them yet; its number is higher than theirs.
    const latest = Math.max(...up);
    const isGone = (node: number): boolean => !up.has(node) && node < latest;
    const stale: NoteName[] = [];
    for (const { topic: name, author, data, at } of notes) {
      const [from, to] = [Number(author), Number(name.slice(name.indexOf('/') + 1))];
      if (isGone(from) || isGone(to)) stale.push({ topic: name, author, ifAt: at });
      else if (name.startsWith(topic) && up.has(from)) known.set(from, new Set(JSON.parse(data) as string[]));
    }
    if (stale.length > 0) await store.retract(stale);
    const { topic: name } = this.#note;
    this.#announced = notes.some((note) => note.topic === name);
    if (neighbours.length > 0 && !this.#announced) {
      this.#announced = true;
      await store.publish([{ ...this.#note, data: JSON.stringify(kinds), at: clock.now() }]);
    }
    this.#known = known;
    this.#alone = neighbours.length === 0;
    return notes;
  }

  async withdraw(): Promise<void> {
    if (this.#announced) await this.#options.store.retract([this.#note]);
  }

  get #note(): { readonly topic: string; readonly author: string } {
    const author = String(this.#options.store.node);
    return { topic: `${topic}${author}`, author };
  }

  /** Nobody else is up. */
  get isAlone(): boolean {
    return this.#alone;
  }

  /** Whether each of these belongs here, in their order; one that nobody knows does. */
  async areHome(keys: readonly AgentKey[]): Promise<readonly boolean[]> {
    const { store } = this.#options;
    if (this.#alone || keys.length === 0) return keys.map(() => true);
    const records = await store.lookup(keys);
    const above = await this.#above(records);
    return records.map((record) => record === undefined || this.#homeOf(record, above) === store.node);
  }

  /** The node that an agent without a supervisor belongs to; this one when nobody says that it knows the kind. */
  home(id: string, kind: string): number {
    const { node } = this.#options.store;
    if (this.#alone) return node;
    const able: number[] = [];
    for (const [other, kinds] of this.#known) if (kinds.has(kind)) able.push(other);
    return homeOf(id, able) ?? node;
  }

  /** Where it is held, or the nearest of those above it; nobody holding any, where the topmost belongs. */
  #homeOf(record: AgentRecord, above: ReadonlyMap<string, AgentRecord | undefined>): number {
    let top = record;
    for (let next: AgentRecord | undefined = record; next !== undefined; next = above.get(next.supervisor ?? '')) {
      if (next.owner !== undefined && this.#known.has(next.owner)) return next.owner;
      top = next;
    }
    return this.home(top.id, top.kind);
  }

  /** All supervisors above these, by id. */
  async #above(records: readonly (AgentRecord | undefined)[]): Promise<ReadonlyMap<string, AgentRecord | undefined>> {
    const above = new Map<string, AgentRecord | undefined>();
    for (let level = records; ;) {
      const names = [...new Set(level.flatMap((record) => record?.supervisor ?? []))].filter((id) => !above.has(id));
      if (names.length === 0) return above;
      level = await this.#options.store.lookup(names);
      names.forEach((id, index) => above.set(id, level[index]));
    }
  }
}
