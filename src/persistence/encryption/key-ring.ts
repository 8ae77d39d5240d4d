/**
 * The data keys of a store, which it keeps itself as notes, each wrapped by a key of the key source: `{ v, use, kek, wrapped, check, at }` under the data key's id. Records name the data key only, so that
 * wrapping one anew (`rewrapKeys`) needs no record to be written again.
 *
 * A store has one key for searching, which is never replaced: what is equal must look equal for ever. It has a key for records for each key that was current when a node was started. Nothing is unwrapped
 * that does not fit its check: a wrong key is found before anything else is read.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { NoteRecord, OpenedStore } from '../store.js';
import { asked, damagedKey, keyBytes, unwrapped, wrongKey, type KeySource } from './key-source.js';
import { encryptionTopics, keyTopic, redirectTopic } from './marker.js';
import { DataKey, Sealer } from './sealing.js';
import type { ThreadKeys } from './thread-keys.js';
import { Tokens } from './tokens.js';

export type RingNotes = Pick<OpenedStore, 'notes' | 'publish'>;

/** What a data key is for. */
type Use = 'records' | 'search';

export interface WrappedKey {
  readonly id: string;
  readonly use: Use;
  /** Id of the key that wraps it. */
  readonly kek: string;
  readonly wrapped: Buffer;
  readonly check: Buffer;
  readonly at: number;
  /** Of two search keys that were made at the same moment, this one was chosen. */
  readonly chosen: boolean;
}

interface StoredKey {
  readonly v: 1;
  readonly use: Use;
  readonly kek: string;
  readonly wrapped: string;
  readonly check: string;
  readonly chosen?: true;
}

/** Two nodes that make a new store their own at the same moment see each other's search key within this time. */
const settleMs = 500;

export function readWrappedKey({ author, data, at }: NoteRecord): WrappedKey {
  let stored: Partial<StoredKey>;
  try {
    stored = JSON.parse(data) as Partial<StoredKey>;
  } catch (cause) {
    throw damagedKey('is not readable', cause);
  }
  const { v, use, kek, wrapped, check, chosen } = stored;
  if (
    v !== 1 ||
    (use !== 'records' && use !== 'search') ||
    typeof kek !== 'string' ||
    typeof wrapped !== 'string' ||
    typeof check !== 'string'
  )
    throw damagedKey('is not one that this version knows');
  return {
    id: author,
    use,
    kek,
    wrapped: Buffer.from(wrapped, 'base64'),
    check: Buffer.from(check, 'base64'),
    at,
    chosen: chosen === true,
  };
}

export function noteOf({ id, use, kek, wrapped, check, at, chosen }: WrappedKey): NoteRecord {
  const stored: StoredKey = {
    v: 1,
    use,
    kek,
    wrapped: wrapped.toString('base64'),
    check: check.toString('base64'),
    ...(chosen ? { chosen } : {}),
  };
  return { topic: keyTopic, author: id, data: JSON.stringify(stored), at };
}

/** What is authenticated with a wrapped key. */
const contextOf = (id: string, use: Use): string => `statewarden data key 1 ${use} ${id}`;

function checkOf(secret: Uint8Array, id: string, use: Use): Buffer {
  return createHmac('sha256', secret)
    .update(`check of ${contextOf(id, use)}`)
    .digest()
    .subarray(0, 16);
}

/** @throws KeyMissingError, DecryptionError, StoreUnavailableError */
export async function unwrapKey(source: KeySource, key: WrappedKey): Promise<Buffer> {
  const secret = await unwrapped(source, key.kek, key.wrapped, contextOf(key.id, key.use));
  const check = checkOf(secret, key.id, key.use);
  if (key.check.length !== check.length || !timingSafeEqual(check, key.check)) throw wrongKey(key.kek, source.name);
  return secret;
}

export async function wrapKey(
  source: KeySource,
  kek: string,
  secret: Uint8Array,
  key: Pick<WrappedKey, 'id' | 'use' | 'at'>,
): Promise<WrappedKey> {
  const { id, use, at } = key;
  const wrapped = await asked(source, () => source.wrap(kek, secret, contextOf(id, use)));
  return { id, use, at, kek, wrapped: Buffer.from(wrapped), check: checkOf(secret, id, use), chosen: false };
}

export class KeyRing {
  readonly #source: KeySource;
  readonly #kept = new Map<string, WrappedKey>();
  readonly #dataKeys = new Map<string, DataKey>();
  #sealer: Sealer | undefined;
  #sealsUnder = '';
  #tokens: Tokens | undefined;
  /** By name: what redirects a message. */
  #redirects: ReadonlyMap<string, NoteRecord> = new Map();

  constructor(source: KeySource) {
    this.#source = source;
  }

  get isEmpty(): boolean {
    return this.#tokens === undefined;
  }

  get dataKeys(): ReadonlyMap<string, DataKey> {
    return this.#dataKeys;
  }

  /** Undefined before the store has keys: then it has no records either. */
  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  get sealer(): Sealer | undefined {
    return this.#sealer;
  }

  /** The data key that is used for what is written from now on. */
  get current(): DataKey | undefined {
    return this.#dataKeys.get(this.#sealsUnder);
  }

  redirect(name: string): NoteRecord | undefined {
    return this.#redirects.get(name);
  }

  /** For another thread of this process. */
  forThread(): ThreadKeys {
    const search = chosenOf([...this.#kept.values()].filter(({ use }) => use === 'search'));
    return {
      keys: [...this.#dataKeys.values()].map(({ id, secret }) => ({ id, secret })),
      search: search?.id ?? '',
      current: this.#sealsUnder,
    };
  }

  /** Reads what the store has now. Writes nothing. @throws KeyMissingError, DecryptionError, CorruptRecordError, StoreUnavailableError */
  async read(store: Pick<OpenedStore, 'notes'>): Promise<void> {
    const notes = await store.notes(encryptionTopics);
    this.#redirects = new Map(notes.filter(({ topic }) => topic === redirectTopic).map((note) => [note.author, note]));
    const found = notes.filter(({ topic }) => topic === keyTopic).map(readWrappedKey);
    const fresh = found.filter(({ id }) => !this.#dataKeys.has(id));
    const secrets = await Promise.all(fresh.map((key) => unwrapKey(this.#source, key)));
    fresh.forEach((key, index) => this.#dataKeys.set(key.id, new DataKey(key.id, secrets[index] as Buffer)));
    for (const key of found) this.#kept.set(key.id, key);
    await this.#choose();
  }

  /** Which keys are used from now on, of those there are. */
  async #choose(): Promise<void> {
    const search = chosenOf([...this.#kept.values()].filter(({ use }) => use === 'search'));
    const searchKey = search && this.#dataKeys.get(search.id);
    if (searchKey === undefined) return;
    this.#tokens ??= new Tokens(searchKey);
    const kek = await this.#currentKek();
    const records = [...this.#kept.values()].filter(({ use }) => use === 'records').sort((one, other) => one.at - other.at);
    const best = records.filter((key) => key.kek === kek).at(-1) ?? records.at(-1);
    if (best !== undefined) this.#sealUnder(best.id);
  }

  #sealUnder(id: string): void {
    if (this.#sealsUnder === id) return;
    this.#sealsUnder = id;
    this.#sealer = new Sealer(this.#dataKeys.get(id) as DataKey);
  }

  /** Whether it has all that is needed to write. */
  async isComplete(): Promise<boolean> {
    return !this.isEmpty && this.#hasRecordsKey(await this.#currentKek());
  }

  #currentKek(): Promise<string> {
    return asked(this.#source, () => this.#source.currentKeyId());
  }

  #hasRecordsKey(kek: string): boolean {
    return [...this.#kept.values()].some((key) => key.use === 'records' && key.kek === kek);
  }

  /** Makes the keys that are missing: all of them in a new store, one for records when the current key is a new one. `others`: whether another node may be at it too. */
  async complete(store: RingNotes, now: () => number, others: () => Promise<boolean>): Promise<void> {
    const kek = await this.#currentKek();
    const isNew = this.isEmpty;
    const made: WrappedKey[] = [];
    if (isNew) made.push(await this.#make('search', kek, now()));
    if (!this.#hasRecordsKey(kek)) made.push(await this.#make('records', kek, now()));
    if (made.length === 0) return;
    await store.publish(made.map(noteOf));
    if (isNew && (await others())) await pause(settleMs);
    await this.read(store);
    if (!isNew) return;
    const search = chosenOf([...this.#kept.values()].filter(({ use }) => use === 'search'));
    if (search !== undefined && !search.chosen) await store.publish([noteOf({ ...search, chosen: true })]);
  }

  async #make(use: Use, kek: string, at: number): Promise<WrappedKey> {
    const secret = randomBytes(keyBytes);
    return wrapKey(this.#source, kek, secret, { id: randomBytes(6).toString('base64url'), use, at });
  }
}

/** The one that was chosen; else by id, which is the same for all who see the same. */
function chosenOf(keys: readonly WrappedKey[]): WrappedKey | undefined {
  return [...keys].sort((one, other) => Number(other.chosen) - Number(one.chosen) || (one.id < other.id ? -1 : 1))[0];
}
