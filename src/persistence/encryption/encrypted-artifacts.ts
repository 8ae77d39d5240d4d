/**
 * An artifact store whose contents are encrypted, around another, under the data keys of an encrypted store: one place has all keys, one rotation serves both, and an artifact need not be written again for it.
 *
 * To its callers an artifact is under the SHA-256 of its content, as ever. Below it is kept under that name permuted by a secret key: outsiders cannot tell what it is, nor check a guess, and what is the same is kept once. They see
 * how many there are, how long each is, and when it was put.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { BadInputError, CapabilityMissingError, StatewardenError, StoreNotEncryptedError } from '../../core/errors.js';
import type {
  ArtifactContent,
  ArtifactPage,
  ArtifactPointer,
  ArtifactStore,
  ArtifactStoreSource,
  NamedArtifacts,
} from '../artifacts/artifact-store.js';
import { checkId, checkPointer, contentOf, corrupt, Digest, gathered, missing, piecesOf, verified } from '../artifacts/content.js';
import { EncryptedStore } from './encrypted-store.js';
import { KeyRing } from './key-ring.js';
import { dataKeyIdIn, openContent, plainLength, sealContent, sealedLength } from './sealed-content.js';
import { Unopened, type DataKey } from './sealing.js';
import type { Tokens } from './tokens.js';

export interface EncryptedArtifactsOptions {
  /** Whose data keys are used: what `encrypted()` made. It need not be open; it gets its keys if it has none yet. */
  readonly store: EncryptedStore;
}

/** `artifacts`, encrypted. The place must be new, or have been made so. @throws BadInputError */
export function encryptedArtifacts(artifacts: ArtifactStoreSource, options: EncryptedArtifactsOptions): ArtifactStoreSource {
  const store = options?.store;
  if (typeof artifacts?.open !== 'function' || !(store instanceof EncryptedStore)) {
    throw new BadInputError('encryptedArtifacts() needs a place for artifacts and an encrypted store', {
      hint: "encryptedArtifacts(files('./agents-artifacts'), { store: encrypted(sqlite('./agents.db'), { keys }) }).",
    });
  }
  return {
    name: `encrypted:${artifacts.name}`,
    capabilities: artifacts.capabilities,
    open: async ({ now }) => {
      const ring = new KeyRing(store.keys);
      await store.refresh(ring, now, true);
      const inner = await artifacts.open({ now });
      try {
        const opened = new EncryptedArtifacts(inner, ring, () => store.refresh(ring, now));
        await opened.refusePlain();
        return opened;
      } catch (error) {
        await inner.close();
        throw error;
      }
    },
  };
}

class EncryptedArtifacts implements ArtifactStore {
  readonly name: string;
  readonly #inner: ArtifactStore;
  readonly #named: NamedArtifacts;
  readonly #ring: KeyRing;
  readonly #tokens: Tokens;
  readonly #refresh: () => Promise<void>;

  constructor(inner: ArtifactStore, ring: KeyRing, refresh: () => Promise<void>) {
    if (inner.named === undefined) {
      throw new CapabilityMissingError(`${inner.name} cannot keep artifacts under names that it is given`, {
        hint: 'Encrypt another store of artifacts: files() and memoryArtifacts() can be.',
      });
    }
    this.name = `encrypted:${inner.name}`;
    this.#inner = inner;
    this.#named = inner.named;
    this.#ring = ring;
    this.#tokens = ring.tokens as Tokens;
    this.#refresh = refresh;
  }

  /** Where there is something that is not encrypted, a sweep would take it for what nobody needs. @throws StoreNotEncryptedError */
  async refusePlain(): Promise<void> {
    const { artifacts } = await this.#inner.list({ limit: 1 });
    for (const { id, bytes } of artifacts) {
      let head: string | undefined;
      for await (const piece of this.#named.read({ name: id, bytes })) {
        head = dataKeyIdIn(piece);
        break;
      }
      if (head !== undefined && plainLength(bytes) !== undefined) continue;
      throw new StoreNotEncryptedError(`${this.#inner.name} has artifacts that are not encrypted`, {
        hint: 'Open it without encryptedArtifacts(), or give a new place. Nothing was changed.',
      });
    }
  }

  async put(content: ArtifactContent): Promise<ArtifactPointer> {
    const source = contentOf(content);
    const digest = new Digest();
    const dataKey = this.#ring.current as DataKey;
    if (!(source instanceof Uint8Array)) {
      let pointer: ArtifactPointer | undefined;
      await this.#named.put(sealContent(digested(source, digest), dataKey), () => {
        pointer = digest.pointer();
        return this.#kept(pointer);
      });
      return pointer as unknown as ArtifactPointer;
    }
    for (const piece of piecesOf(source)) {
      digest.update(piece);
      if (digest.bytes < source.length) await nextTurn();
    }
    const pointer = digest.pointer();
    await this.#named.put(sealContent(iterated(source), dataKey), this.#kept(pointer));
    return pointer;
  }

  #kept({ id, bytes }: ArtifactPointer): { readonly name: string; readonly bytes: number } {
    return { name: this.#tokens.nameOf(id), bytes: sealedLength(bytes) };
  }

  get(pointer: ArtifactPointer): Promise<Uint8Array> {
    return gathered(this.read(pointer), pointer.bytes);
  }

  async *read(pointer: ArtifactPointer): AsyncGenerator<Uint8Array> {
    checkPointer(pointer);
    try {
      const sealed = this.#named.read(this.#kept(pointer));
      yield* verified(
        openContent(sealed, (id) => this.#dataKey(id)),
        pointer,
        this.name,
      );
    } catch (error) {
      if (error instanceof Unopened) throw corrupt(pointer, this.name, error.message);
      if (!(error instanceof StatewardenError)) throw error;
      if (error.code === 'ARTIFACT_MISSING') throw missing(pointer, this.name);
      if (error.code === 'CORRUPT_RECORD' && !error.message.includes(pointer.id))
        throw corrupt(pointer, this.name, 'it has another length', error);
      throw error;
    }
  }

  async #dataKey(id: string): Promise<DataKey> {
    if (!this.#ring.dataKeys.has(id)) await this.#refresh();
    const dataKey = this.#ring.dataKeys.get(id);
    if (dataKey === undefined) throw new Unopened(`its data key "${id}" is not in the store`, id);
    return dataKey;
  }

  async list(page: { readonly after?: string | undefined; readonly limit: number }): Promise<ArtifactPage> {
    const { artifacts, next } = await this.#inner.list(page);
    return {
      artifacts: artifacts.map(({ id, bytes, at }) => ({ id: this.#tokens.idOf(id), bytes: plainLength(bytes) ?? bytes, at })),
      next,
    };
  }

  async remove(ids: readonly string[], notAfter: number): Promise<readonly boolean[]> {
    ids.forEach(checkId);
    return this.#inner.remove(
      ids.map((id) => this.#tokens.nameOf(id)),
      notAfter,
    );
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

async function* digested(pieces: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    digest.update(piece);
    yield piece;
  }
}

async function* iterated(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* piecesOf(bytes);
}
