/**
 * What is kept of breakers in a store, as notes: each node says how its own stand, people leave orders. Everybody reads: a node when it starts, nodes beside it, the command line. A note is the word of its author and nobody's
 * state: what cannot be read is passed over.
 */

import type { BreakerFigures, BreakerLevel, SavedBreaker, SharedCounters } from '../breakers/contract.js';
import { checkSaved } from '../breakers/saved.js';
import { BadInputError } from '../core/errors.js';
import type { NodeRecord, NoteRecord } from '../persistence/store.js';

/** How all topics here begin. */
export const allNotes = 'breaker';
/** `breaker/NAME`: how it stands. */
export const standing = 'breaker/';
/** `breaker-memory/NAME`: what it has learned. */
export const memory = 'breaker-memory/';
/** `breaker-registry/NAME`: what the keys of a registry have learned together. */
export const registries = 'breaker-registry/';
/** `breaker-order/NAME`: what a person has ordered. */
export const orders = 'breaker-order/';
/** What a node has counted, of all its breakers. */
export const counts = 'breaker-counts';

/** Who leaves orders. */
export const operator = 'operator';

/** A trace has so many parts of so many milliseconds. */
export const traceParts = 60;
export const traceEveryMs = 10_000;

/** Figures as JSON has them: nothing is undefined, and null is also what was Infinity. */
export type NotedFigures = { readonly [Name in keyof BreakerFigures]: number | null };

export interface BreakerNote {
  readonly name: string;
  readonly level: BreakerLevel;
  readonly kind: string;
  /** Name of the breaker it stands within. */
  readonly within: string | null;
  readonly saved: Omit<SavedBreaker, 'memory'>;
  /** The last order that it has followed. */
  readonly followed: BreakerOrder | null;
  readonly figures: NotedFigures;
  readonly trace: Trace;
  /** Since the node was started. */
  readonly totals: SharedCounters;
  /** Operations that wait for it in the node. */
  readonly parked: number;
}

/** Failure rates, oldest first, of parts of time that lie side by side; null for one without calls. */
export interface Trace {
  readonly everyMs: number;
  /** End of the last part: epoch milliseconds. */
  readonly until: number;
  readonly failureRates: readonly (number | null)[];
}

export interface BreakerOrder {
  readonly order: 'isolate' | 'release';
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface RegistryNote {
  readonly name: string;
  readonly level: BreakerLevel;
  readonly kind: string;
  readonly within: string | null;
  /** Keys that are remembered. */
  readonly keys: number;
  readonly memory: unknown;
}

/** Calls and failures by name, since the node was started. */
export type CountsNote = Readonly<Record<string, readonly [calls: number, failures: number]>>;

/** @throws SyntaxError, BadInputError */
export function readStanding({ data, topic }: NoteRecord): BreakerNote {
  const note = JSON.parse(data) as BreakerNote;
  checkSaved({ ...note?.saved, memory: undefined }, topic.slice(standing.length));
  const { figures, trace, level, name } = note;
  const whole = typeof figures === 'object' && Array.isArray(trace?.failureRates) && typeof level === 'string' && typeof name === 'string';
  if (whole && figures !== null) return note;
  throw new BadInputError(`the note on "${topic}" says nothing of a breaker`, { hint: 'It is passed over; the next one takes its place.' });
}

/** Undefined: it is none. */
export function readOrder({ data }: NoteRecord): BreakerOrder | undefined {
  try {
    const { order, at } = JSON.parse(data) as BreakerOrder;
    return (order === 'isolate' || order === 'release') && Number.isFinite(at) ? { order, at } : undefined;
  } catch {
    return undefined;
  }
}

export function orderNote(name: string, order: BreakerOrder): NoteRecord {
  return { topic: `${orders}${name}`, author: operator, data: JSON.stringify(order), at: order.at };
}

/** Empty for what is none. */
export function readCounts({ data }: NoteRecord): readonly (readonly [name: string, counters: SharedCounters])[] {
  try {
    return Object.entries(JSON.parse(data) as CountsNote).flatMap(([name, [calls, failures]]) =>
      calls >= failures && failures >= 0 ? [[name, { calls, failures }] as const] : [],
    );
  } catch {
    return [];
  }
}

/** As whom a node leaves notes: a name of the user's is the same in its next life, a number never comes again. `others`: nodes that are up. */
export function authorOf(node: number, name: string | undefined, others: readonly NodeRecord[]): string {
  if (name === undefined) return `#${String(node)}`;
  return others.some((other) => other.node !== node && other.name === name) ? `${name}#${String(node)}` : name;
}

/** All names under which these nodes may leave notes. */
export function authorsOf(nodes: readonly NodeRecord[]): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ node, name }) => [name, `#${String(node)}`, `${name}#${String(node)}`]));
}

/** Its node is never started again under this name. */
export function isPassing(author: string): boolean {
  return /#\d+$/.test(author);
}

/** The note to go on from: the author's own, else the one that was written last. */
export function newest(notes: readonly NoteRecord[], own?: string): NoteRecord | undefined {
  return (
    notes.find(({ author }) => author === own) ??
    notes.reduce<NoteRecord | undefined>((one, other) => (other.at >= (one?.at ?? -Infinity) ? other : one), undefined)
  );
}

/** Notes by topic. */
export function byTopic(notes: readonly NoteRecord[]): ReadonlyMap<string, readonly NoteRecord[]> {
  const groups = new Map<string, NoteRecord[]>();
  for (const note of notes) {
    const group = groups.get(note.topic);
    if (group === undefined) groups.set(note.topic, [note]);
    else group.push(note);
  }
  return groups;
}
