/**
 * What a store says of breakers when a node starts, given back to each breaker when it is made: its own note if there is one, else the newest. It was not closed when it was last heard of, so it is not closed now: that is seen
 * to by `restore`. A note that cannot be read is as good as none.
 */

import type { StandardBreaker } from '../breakers/breaker.js';
import type { StandardRegistry } from '../breakers/registry.js';
import { errorOf } from '../core/codec.js';
import type { NoteName, NoteRecord } from '../persistence/store.js';
import { byTopic, isPassing, memory, newest, readStanding, registries, standing, type BreakerNote } from './breaker-notes.js';

const dayMs = 86_400_000;
/** What nobody has taken up for so long is forgotten. */
const longestMs = 30 * dayMs;

export interface RecallOptions {
  /** On topics of breakers, of all authors. */
  readonly notes: readonly NoteRecord[];
  /** As whom this node speaks. */
  readonly author: string;
  /** Names under which nodes that are up may have spoken. */
  readonly alive: ReadonlySet<string>;
  readonly now: number;
  readonly unreadable: (breaker: string, error: Error) => void;
}

/** A breaker's note, and whether it is of this node's own. */
export interface Recalled {
  readonly note: BreakerNote;
  readonly own: boolean;
}

export class Recall {
  readonly #options: RecallOptions;
  readonly #notes: ReadonlyMap<string, readonly NoteRecord[]>;
  /** Given back, or named, already. */
  readonly #done = new Set<string>();

  constructor(options: RecallOptions) {
    this.#options = options;
    this.#notes = byTopic(options.notes.filter(({ topic }) => [standing, memory, registries].some((prefix) => topic.startsWith(prefix))));
  }

  /** Undefined: nothing is known of how it stood. */
  breaker(breaker: StandardBreaker): Recalled | undefined {
    const { name } = breaker;
    // Who is made anew later begins anew.
    const found = this.#first(`${standing}${name}`) ? this.#read(name) : undefined;
    const learned = this.#first(`${memory}${name}`) ? this.#memory(`${memory}${name}`, name) : undefined;
    const wall = breaker.surroundings.clock.now();
    const never = {
      format: 1,
      state: 'closed',
      reason: undefined,
      since: wall,
      openUntil: 0,
      reopened: 0,
      troubleSince: wall,
      savedAt: wall,
    } as const;
    const saved = found?.note.saved ?? never;
    try {
      if (learned !== undefined) breaker.restore({ ...saved, memory: learned });
      else if (found !== undefined) breaker.restore({ ...saved, memory: undefined });
    } catch (error) {
      // Of what it has learned, which comes first: how it stood is another note.
      this.#options.unreadable(name, errorOf(error));
      if (found !== undefined) breaker.restore({ ...saved, memory: undefined });
    }
    return found;
  }

  registry({ name, baseline }: StandardRegistry): void {
    const learned = this.#memory(`${registries}${name}`, name) as Parameters<NonNullable<typeof baseline>['restore']>[0] | null | undefined;
    if (baseline === undefined || learned === undefined || learned === null) return;
    try {
      baseline.restore(learned);
    } catch (error) {
      this.#options.unreadable(name, errorOf(error));
    }
  }

  /** There is a note of this node's own. */
  isNoted(topic: string): boolean {
    return this.#notes.get(topic)?.some(({ author }) => author === this.#options.author) === true;
  }

  /** Notes of nodes that are gone for good, which one of this node's own takes the place of; each is named once. */
  leftovers(topic: string): readonly NoteName[] {
    const notes = this.#first(`leftovers ${topic}`, topic) ? (this.#notes.get(topic) ?? []) : [];
    return notes.filter((note) => this.#isGone(note) && isPassing(note.author)).map(nameOf);
  }

  /** Notes of nodes that are gone for long, and of which there are newer ones, or that nobody wants any more. */
  outdated(): readonly NoteName[] {
    const { now } = this.#options;
    return [...this.#notes.values()].flatMap((notes) => {
      const last = newest(notes);
      return notes.filter((note) => this.#isGone(note) && now - note.at > (note === last ? longestMs : dayMs)).map(nameOf);
    });
  }

  #isGone({ author }: NoteRecord): boolean {
    return author !== this.#options.author && !this.#options.alive.has(author);
  }

  /** There are notes on the topic, and this was not asked before. */
  #first(what: string, topic = what): boolean {
    if (!this.#notes.has(topic) || this.#done.has(what)) return false;
    this.#done.add(what);
    return true;
  }

  #read(name: string): Recalled | undefined {
    const { author, unreadable } = this.#options;
    const notes = [...(this.#notes.get(`${standing}${name}`) ?? [])];
    for (let note = newest(notes, author); note !== undefined; note = newest(notes, author)) {
      try {
        return { note: readStanding(note), own: note.author === author };
      } catch (error) {
        unreadable(name, errorOf(error));
        notes.splice(notes.indexOf(note), 1);
      }
    }
    return undefined;
  }

  #memory(topic: string, name: string): unknown {
    const { author, unreadable } = this.#options;
    const note = newest(this.#notes.get(topic) ?? [], author);
    try {
      return note === undefined ? undefined : (JSON.parse(note.data) as { readonly memory?: unknown } | null)?.memory;
    } catch (error) {
      unreadable(name, errorOf(error));
      return undefined;
    }
  }
}

function nameOf({ topic, author, at }: NoteRecord): NoteName {
  return { topic, author, ifAt: at };
}
