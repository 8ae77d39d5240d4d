/**
 * A store whose records are encrypted, around any other. Its data keys are kept in the store below, wrapped.
 *
 * Invariant: before anything else is asked of the store below, its data keys are unwrapped and checked by an observer, which writes nothing. So a wrong or a missing key touches nothing. A store that has
 * records and no data keys is refused: to read what is sealed and what is not alike would let whoever can write to it put in what he likes.
 */

import { BadInputError, StoreNotEncryptedError } from '../../core/errors.js';
import type { OpenedStore, Store } from '../store.js';
import { KeyRing } from './key-ring.js';
import type { KeySource } from './key-source.js';
import { OpenedEncrypted } from './opened.js';

export interface EncryptionOptions {
  /** Who wraps the data keys: `keyFile(path)`, `kms({ … })`, `hybrid({ … })`. */
  readonly keys: KeySource;
}

/** `store`, encrypted. It must be new, or have been made so. @throws BadInputError */
export function encrypted(store: Store, options: EncryptionOptions): EncryptedStore {
  if (typeof store?.open !== 'function') {
    throw new BadInputError('encrypted() was given no store', {
      hint: "Give one that is not opened: encrypted(sqlite('./agents.db'), { keys }).",
    });
  }
  const keys = options?.keys;
  if (typeof keys?.unwrap !== 'function' || typeof keys.wrap !== 'function' || typeof keys.currentKeyId !== 'function') {
    throw new BadInputError('encrypted() was given no keys', {
      hint: "Give { keys: keyFile('./agents.keys') }, kms({ … }) or hybrid({ … }).",
    });
  }
  return new EncryptedStore(store, keys);
}

export class EncryptedStore implements Store {
  readonly name: string;
  readonly capabilities: Store['capabilities'];
  /** The store below. */
  readonly inner: Store;
  readonly keys: KeySource;
  #completing: Promise<void> | undefined;

  constructor(inner: Store, keys: KeySource) {
    this.name = `encrypted:${inner.name}`;
    this.capabilities = inner.capabilities;
    this.inner = inner;
    this.keys = keys;
  }

  readonly open: Store['open'] = async ({ lease, now }) => {
    const ring = new KeyRing(this.keys);
    const observer = await this.#observe(ring, now);
    if (lease === undefined) return new OpenedEncrypted(observer, ring, now);
    await observer.close();
    const opened = await this.inner.open({ lease, now });
    try {
      await ring.read(opened);
      await ring.complete(opened, now, async () => (await opened.nodes()).some(({ node }) => node !== opened.node));
      return new OpenedEncrypted(opened, ring, now);
    } catch (error) {
      await opened.close();
      throw error;
    }
  };

  /** For what is encrypted beside it under the same data keys: brings a ring up to what the store has now. With `complete` a new store gets its keys. */
  async refresh(ring: KeyRing, now: () => number, complete = false): Promise<void> {
    await (await this.#observe(ring, now)).close();
    if (!complete || (await ring.isComplete())) return;
    this.#completing ??= this.open({ lease: { name: 'keys', ttlMs: 60_000 }, now })
      .then((opened) => opened.close())
      .finally(() => (this.#completing = undefined));
    await this.#completing;
    await (await this.#observe(ring, now)).close();
  }

  async #observe(ring: KeyRing, now: () => number): Promise<OpenedStore> {
    const observer = await this.inner.open({ now });
    try {
      await ring.read(observer);
      if (ring.isEmpty && (await hasRecords(observer))) {
        // Another node may have made it its own meanwhile.
        await ring.read(observer);
        if (ring.isEmpty) throw notEncrypted(this.inner.name);
      }
      return observer;
    } catch (error) {
      await observer.close();
      throw error;
    }
  }
}

async function hasRecords(store: OpenedStore): Promise<boolean> {
  const found = await Promise.all([store.list({ limit: 1 }), store.deadLetters({ after: 0, limit: 1 }), store.notes(''), store.machines()]);
  return found.some((records) => records.length > 0);
}

function notEncrypted(name: string): StoreNotEncryptedError {
  return new StoreNotEncryptedError(`${name} has records that are not encrypted`, {
    hint: 'Open it without encrypted(), or give encrypted() a new store and move the agents there: docs/encryption.md says how. Nothing was changed.',
  });
}
