/**
 * Nodes on one store tell each other what they have counted, about once a second and only while there are several: totals, so that a note that nobody read is no loss. What the first note of a node says was counted before
 * anybody listened, and counts for nothing.
 */

import type { BreakerBoard } from '../breakers/board.js';
import type { SharedCounters } from '../breakers/contract.js';
import type { NoteRecord } from '../persistence/store.js';
import type { KeptBreaker } from './breaker-kept.js';
import { counts, readCounts, type CountsNote } from './breaker-notes.js';

/** So many breakers are told of in a note at most: those that had calls last. */
const most = 500;

export class BreakerSharing {
  /** A breaker is told of for so long after a call: who reads once a second must not miss it. */
  static readonly toldForMs = 5_000;
  readonly #author: string;
  readonly #heard = new Map<string, { data: string; readonly totals: Map<string, SharedCounters> }>();
  constructor(author: string) {
    this.#author = author;
  }

  /** What was counted of those that had calls lately, encoded; undefined: there are none. */
  note(lately: Iterable<KeptBreaker>): string | undefined {
    const counted = [...lately].sort((one, other) => other.movedAt - one.movedAt).slice(0, most);
    if (counted.length === 0) return undefined;
    const totals: CountsNote = Object.fromEntries(
      counted.map(({ breaker: { name }, count: { calls, failures } }) => [name, [calls, failures]]),
    );
    return JSON.stringify(totals);
  }

  /** Hands on what the others have counted since their notes were last read. */
  hear(notes: readonly NoteRecord[], board: BreakerBoard): void {
    const authors = new Set<string>();
    for (const note of notes) {
      const { author, data, topic } = note;
      if (author === this.#author || topic !== counts) continue;
      authors.add(author);
      let heard = this.#heard.get(author);
      if (heard === undefined) this.#heard.set(author, (heard = { data: '', totals: new Map() }));
      if (heard.data === data) continue;
      heard.data = data;
      for (const [name, { calls, failures }] of readCounts(note)) {
        const before = heard.totals.get(name);
        heard.totals.set(name, { calls, failures });
        // Fewer than before: it was started anew.
        if (before === undefined || calls <= before.calls || failures < before.failures) continue;
        board.get(name)?.hear(author, { calls: calls - before.calls, failures: failures - before.failures });
      }
    }
    for (const author of this.#heard.keys()) if (!authors.has(author)) this.#heard.delete(author);
  }
}
