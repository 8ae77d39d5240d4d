/**
 * The data keys of a store, wrapped anew by the current key, so that older keys can be given up. No record is written again, and who has the store open does not notice. All are unwrapped before the first is written; each is
 * written by itself, so that a run that was cut short is simply run again.
 */

import { KeyMissingError } from '../../core/errors.js';
import type { Store } from '../store.js';
import { noteOf, readWrappedKey, unwrapKeys, wrapKey } from './key-ring.js';
import { asked, type KeySource } from './key-source.js';
import { keyTopic } from './marker.js';

export interface RewrapOptions {
  /** Has the keys that wrap now, and the current one. */
  readonly keys: KeySource;
  readonly now: () => number;
  readonly progress?: (done: number, total: number) => void;
}

export interface RewrapReport {
  readonly currentKeyId: string;
  readonly rewrapped: number;
  /** Were wrapped by the current key already. */
  readonly kept: number;
  /** Ids of keys that wrap nothing in this store any more. */
  readonly released: readonly string[];
}

/** `store`: the one below `encrypted()`. @throws KeyMissingError, DecryptionError, CorruptRecordError, StoreUnavailableError */
export async function rewrapKeys(store: Store, { keys, now, progress }: RewrapOptions): Promise<RewrapReport> {
  const observer = await store.open({ now });
  try {
    const found = (await observer.notes(keyTopic)).filter(({ topic }) => topic === keyTopic).map(readWrappedKey);
    if (found.length === 0) {
      throw new KeyMissingError(`${store.name} has no data keys`, { hint: 'It is not encrypted, or was never opened by a runtime.' });
    }
    const currentKeyId = await asked(keys, () => keys.currentKeyId());
    const secrets = await unwrapKeys(keys, found);
    let rewrapped = 0;
    for (const [index, key] of found.entries()) {
      if (key.kek !== currentKeyId) {
        await observer.publish([noteOf(await wrapKey(keys, currentKeyId, secrets.get(key.id) as Buffer, key))]);
        rewrapped += 1;
      }
      progress?.(index + 1, found.length);
    }
    const released = [...new Set(found.map(({ kek }) => kek))].filter((kek) => kek !== currentKeyId);
    return { currentKeyId, rewrapped, kept: found.length - rewrapped, released };
  } finally {
    await observer.close();
  }
}

/** How many data keys each key wraps in a store, by id. */
export async function wrappingKeys(store: Store, now: () => number): Promise<ReadonlyMap<string, number>> {
  const observer = await store.open({ now });
  try {
    const counts = new Map<string, number>();
    for (const note of await observer.notes(keyTopic)) {
      const { kek } = readWrappedKey(note);
      counts.set(kek, (counts.get(kek) ?? 0) + 1);
    }
    return counts;
  } finally {
    await observer.close();
  }
}
