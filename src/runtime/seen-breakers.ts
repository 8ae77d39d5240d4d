/** Breakers as a store has them: what each node last said of its own, what was ordered, and how many operations wait. How a breaker stands is the newest word; a node may know better by now. */

import { UnknownBreakerError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { NodeRecord, OpenedStore } from '../persistence/store.js';
import {
  allNotes,
  authorsOf,
  byTopic,
  orders,
  readOrder,
  readStanding,
  registries,
  standing,
  traceParts,
  type BreakerNote,
  type BreakerOrder,
} from './breaker-notes.js';
import { parkedOperations } from './parked-work.js';

/** What one node says. */
export interface SeenNote {
  readonly author: string;
  /** The node is up. */
  readonly live: boolean;
  readonly at: number;
  readonly note: BreakerNote;
}

export interface SeenBreaker {
  readonly name: string;
  /** Of nodes that are up first, then the newest first; empty for a guard that is no breaker, or that no node has made yet. */
  readonly notes: readonly SeenNote[];
  /** What was ordered last, unless the newest note says that it was followed. */
  readonly pending: BreakerOrder | undefined;
  /** Operations that wait for it. */
  readonly waiting: number;
}

export interface SeenBreakers {
  /** In order of name. */
  readonly breakers: readonly SeenBreaker[];
  /** Names of registries. */
  readonly registries: readonly string[];
  readonly nodes: readonly NodeRecord[];
  /** Orders by name, followed or not. */
  readonly ordered: ReadonlyMap<string, BreakerOrder>;
}

const page = 2_000;

export async function readBreakers(store: OpenedStore): Promise<SeenBreakers> {
  const [notes, nodes] = [await store.notes(allNotes), await store.nodes()];
  const waiting = new Map<string, number>();
  for await (const found of parkedOperations(store, {}, page)) {
    for (const { operation } of found) waiting.set(operation.parkedBy ?? '', (waiting.get(operation.parkedBy ?? '') ?? 0) + 1);
  }
  const alive = authorsOf(nodes);
  const topics = byTopic(notes);
  const of = (prefix: string): string[] =>
    [...topics.keys()].filter((topic) => topic.startsWith(prefix)).map((topic) => topic.slice(prefix.length));
  const ordered = new Map<string, BreakerOrder>();
  for (const name of of(orders)) {
    const order = (topics.get(`${orders}${name}`) ?? []).map(readOrder)[0];
    if (order !== undefined) ordered.set(name, order);
  }
  const isolated = [...ordered].filter(([, { order }]) => order === 'isolate').map(([name]) => name);
  const names = new Set([...of(standing), ...isolated, ...waiting.keys()]);
  const breakers = [...names].sort().map((name): SeenBreaker => {
    const said: SeenNote[] = [];
    for (const record of topics.get(`${standing}${name}`) ?? []) {
      try {
        said.push({ author: record.author, live: alive.has(record.author), at: record.at, note: readStanding(record) });
      } catch {
        // A runtime passes over it too, and writes another.
      }
    }
    said.sort((one, other) => Number(other.live) - Number(one.live) || other.at - one.at);
    return { name, notes: said, pending: pendingOf(ordered.get(name), said[0]), waiting: waiting.get(name) ?? 0 };
  });
  return { breakers, registries: of(registries), nodes, ordered };
}

/** The breaker of a name; for one to come, a key of a registry for example, without notes. @throws UnknownBreakerError with the names that come close */
export function findBreaker(seen: SeenBreakers, typed: string): SeenBreaker {
  const found = seen.breakers.find(({ name }) => name === typed);
  if (found !== undefined) return found;
  const isKey = seen.registries.some((registry) => typed.startsWith(`${registry}/`) && typed.length > registry.length + 1);
  if (isKey || seen.ordered.has(typed)) return { name: typed, notes: [], pending: undefined, waiting: 0 };
  const names = [...seen.breakers.map(({ name }) => name), ...seen.registries];
  const [close] = nearest(typed, names);
  const known =
    names.length === 0
      ? 'This store has none: an activity names one with activity({ breaker }), and a runtime must have been up.'
      : 'List them with `statewarden breakers`.';
  throw new UnknownBreakerError(`there is no breaker ${JSON.stringify(typed)}`, {
    hint: close === undefined ? known : `Did you mean ${JSON.stringify(close)}?`,
  });
}

/** Failure rates of the last ten minutes, oldest first, so that the last part ends about now; null: no calls. */
export function ratesUntil({ trace: { failureRates, everyMs, until } }: BreakerNote, now: number): readonly (number | null)[] {
  const silent = Math.min(traceParts, Math.max(0, Math.floor((now - until) / everyMs)));
  const all = [...Array<null>(traceParts).fill(null), ...failureRates, ...Array<null>(silent).fill(null)];
  return all.slice(-traceParts);
}

function pendingOf(order: BreakerOrder | undefined, newest: SeenNote | undefined): BreakerOrder | undefined {
  if (order === undefined) return undefined;
  const followed = newest?.note.followed;
  if (followed?.at === order.at) return undefined;
  const { state, since } = newest?.note.saved ?? { state: 'closed', since: -Infinity };
  // An order to release means nothing to one that is closed, or has opened since.
  if (order.order === 'release') return state === 'isolated' || (state === 'open' && order.at > since) ? order : undefined;
  return state === 'isolated' ? undefined : order;
}
