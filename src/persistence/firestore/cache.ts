/**
 * What this node knows of documents that it has read or written: where the agents that it holds stand, and which ids are whose. Each with the time at which it was last written, which the next write names as its condition: what is outdated here is refused by Firestore, forgotten,
 * and read anew. So nothing here has to be true for the store to be safe.
 */

import type { AgentKey, AgentRecord } from '../store.js';
import type { Doc } from './calls.js';
import { agentRecord, isFinal } from './rows.js';
import type { Stamp } from './values.js';

/** Where an agent stands. */
export interface Head {
  readonly record: AgentRecord;
  readonly updateTime: Stamp;
  /** It has had a message id. */
  readonly marked: boolean;
  /** Ids of its timers; undefined: not known. */
  readonly timers: ReadonlySet<string> | undefined;
}

/** Whose an id is. */
export interface Name {
  readonly id: string;
  readonly key: AgentKey;
  readonly owner: number | undefined;
  readonly ended: boolean;
  readonly updateTime: Stamp;
}

const most = { heads: 50_000, names: 50_000, chunked: 50_000 };

export class Cache {
  readonly #heads = new Map<AgentKey, Head>();
  /** Of agents that have not ended. */
  readonly #names = new Map<string, Name>();
  /** Names of chunks, by the path of the document that has them. */
  readonly #chunked = new Map<string, readonly string[]>();

  head(key: AgentKey): Head | undefined {
    return this.#heads.get(key);
  }

  name(id: string): Name | undefined {
    return this.#names.get(id);
  }

  setHead(head: Head): void {
    keep(this.#heads, head.record.key, head, most.heads);
  }

  setName(name: Name): void {
    if (name.ended) this.#names.delete(name.id);
    else keep(this.#names, name.id, name, most.names);
  }

  forget(keys: Iterable<AgentKey>, ids: Iterable<string>): void {
    for (const key of keys) this.#heads.delete(key);
    for (const id of ids) this.#names.delete(id);
  }

  /** Remembers what stands beside a document. */
  setChunks(path: string, names: readonly string[]): void {
    if (names.length > 0) keep(this.#chunked, path, names, most.chunked);
    else if (this.#chunked.size > 0) this.#chunked.delete(path);
  }

  chunksOf = (path: string): readonly string[] => this.#chunked.get(path) ?? [];
}

function keep<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > limit) for (const oldest of map.keys()) return void map.delete(oldest);
}

export function headOf(doc: Doc): Head {
  return { record: agentRecord(doc), updateTime: doc.updateTime, marked: doc.fields['marked'] === true, timers: undefined };
}

export function nameOf({ fields, updateTime }: Doc): Name {
  return {
    id: fields['id'] as string,
    key: fields['key'] as number,
    owner: typeof fields['owner'] === 'number' ? fields['owner'] : undefined,
    ended: fields['ended'] === true,
    updateTime,
  };
}

export function nameFields({ key, id, owner, status }: AgentRecord): {
  key: number;
  id: string;
  owner: number | undefined;
  ended: boolean;
} {
  return { key, id, owner, ended: isFinal(status) };
}
