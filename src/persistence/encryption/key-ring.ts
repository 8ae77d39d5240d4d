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

/**
 * Proves a key for records by the key for searching, and that one by itself: whoever knows the public half of a hybrid key could wrap a key of his own, and must not have it taken for one of the store's.
 */
function checkOf(search: Uint8Array, secret: Uint8Array, { id, use }: Pick<WrappedKey, 'id' | 'use'>): Buffer {
  return createHmac('sha256', search)
    .update(`check of ${contextOf(id, use)}`)
    .update(secret)
    .digest()
    .subarray(0, 16);
}

/**
 * The secrets of all keys, or of those that are not `known`, each proven. `searchId`: the search key that counts; else the one that was chosen.
 * @throws KeyMissingError, DecryptionError, CorruptRecordError, StoreUnavailableError
 */
export async function unwrapKeys(
  source: KeySource,
  keys: readonly WrappedKey[],
  known: ReadonlyMap<string, DataKey> = new Map(),
  searchId = chosenOf(keys)?.id,
): Promise<ReadonlyMap<string, Buffer>> {
  const fresh = keys.filter(({ id }) => !known.has(id));
  const secrets = await Promise.all(fresh.map(({ kek, wrapped, id, use }) => unwrapped(source, kek, wrapped, contextOf(id, use))));
  const found = new Map(fresh.map(({ id }, index) => [id, secrets[index] as Buffer]));
  const search = searchId === undefined ? undefined : (known.get(searchId)?.secret ?? found.get(searchId));
  // What proves the others comes first.
  for (const key of [...fresh].sort((one, other) => Number(other.use === 'search') - Number(one.use === 'search'))) {
    const secret = found.get(key.id) as Buffer;
    const prover = key.use === 'search' ? secret : search;
    if (prover === undefined) throw damagedKey('has no key for searching beside it');
    const check = checkOf(prover, secret, key);
    if (key.check.length === check.length && timingSafeEqual(check, key.check)) continue;
    if (key.use === 'search') throw wrongKey(key.kek, source.name);
    throw damagedKey(`("${key.id}") is not one that this store has made`);
  }
  return found;
}

export async function wrapKey(
  source: KeySource,
  kek: string,
  secret: Uint8Array,
  key: Omit<WrappedKey, 'kek' | 'wrapped'>,
): Promise<WrappedKey> {
  const wrapped = await asked(source, () => source.wrap(kek, secret, contextOf(key.id, key.use)));
  return { ...key, kek, wrapped: Buffer.from(wrapped) };
}

export class KeyRing {
  readonly #source: KeySource;
  readonly #kept = new Map<string, WrappedKey>();
  readonly #dataKeys = new Map<string, DataKey>();
  #sealer: Sealer | undefined;
  #sealsUnder = '';
  /** Does not change any more once it is known. */
  #searchId: string | undefined;
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
    return {
      keys: [...this.#dataKeys.values()].map(({ id, secret }) => ({ id, secret })),
      search: this.#searchId ?? '',
      current: this.#sealsUnder,
    };
  }

  /** Reads what the store has now. Writes nothing. @throws KeyMissingError, DecryptionError, CorruptRecordError, StoreUnavailableError */
  async read(store: Pick<OpenedStore, 'notes'>): Promise<void> {
    const notes = await store.notes(encryptionTopics);
    this.#redirects = new Map(notes.filter(({ topic }) => topic === redirectTopic).map((note) => [note.author, note]));
    const found = notes.filter(({ topic }) => topic === keyTopic).map(readWrappedKey);
    const secrets = await unwrapKeys(this.#source, found, this.#dataKeys, this.#searchId);
    for (const [id, secret] of secrets) this.#dataKeys.set(id, new DataKey(id, secret));
    for (const key of found) this.#kept.set(key.id, key);
    await this.#choose();
  }

  /** Which keys are used from now on, of those there are. */
  async #choose(): Promise<void> {
    const kept = [...this.#kept.values()];
    this.#searchId ??= chosenOf(kept)?.id;
    const searchKey = this.#searchId === undefined ? undefined : this.#dataKeys.get(this.#searchId);
    if (searchKey === undefined) return;
    this.#tokens ??= new Tokens(searchKey);
    const kek = await this.#currentKek();
    const records = kept.filter(({ use }) => use === 'records').sort((one, other) => one.at - other.at);
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
    if (this.isEmpty) {
      await store.publish([noteOf(await this.#make('search', kek, now()))]);
      if (await others()) await pause(settleMs);
      await this.read(store);
      const search = chosenOf([...this.#kept.values()]);
      if (search !== undefined && !search.chosen) await store.publish([noteOf({ ...search, chosen: true })]);
    }
    if (this.#hasRecordsKey(kek)) return;
    await store.publish([noteOf(await this.#make('records', kek, now()))]);
    await this.read(store);
  }

  async #make(use: Use, kek: string, at: number): Promise<WrappedKey> {
    const secret = randomBytes(keyBytes);
    const id = randomBytes(6).toString('base64url');
    const search = use === 'search' ? secret : this.#dataKeys.get(this.#searchId ?? '')?.secret;
    const check = checkOf(search as Uint8Array, secret, { id, use });
    return wrapKey(this.#source, kek, secret, { id, use, at, check, chosen: false });
  }
}

/** The search key that was chosen; else by id, which is the same for all who see the same. */
function chosenOf(keys: readonly WrappedKey[]): WrappedKey | undefined {
  const search = keys.filter(({ use }) => use === 'search');
  return search.sort((one, other) => Number(other.chosen) - Number(one.chosen) || (one.id < other.id ? -1 : 1))[0];
}
