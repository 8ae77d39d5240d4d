/**
 * Artifacts in memory, for tests and beside `memory()`. The source keeps them: opening it again finds what was put, opening it twice makes two nodes
 * on one place. Nothing survives the process.
 */

import type {
  ArtifactContent,
  ArtifactName,
  ArtifactPage,
  ArtifactPointer,
  ArtifactStore,
  ArtifactStoreSource,
  NamedArtifacts,
} from './artifact-store.js';
import {
  checkId,
  checkPage,
  checkPointer,
  closed,
  contentOf,
  corrupt,
  Digest,
  gathered,
  lengthFault,
  missing,
  piecesOf,
  verified,
} from './content.js';

interface Kept {
  readonly content: Uint8Array;
  at: number;
}

/** A new, empty place. */
export function memoryArtifacts(): ArtifactStoreSource {
  const kept = new Map<string, Kept>();
  return {
    name: 'memory:',
    capabilities: { durable: false },
    open: async ({ now }) => new MemoryArtifacts(kept, now),
  };
}

class MemoryArtifacts implements ArtifactStore {
  readonly name = 'memory:';
  readonly #kept: Map<string, Kept>;
  readonly #now: () => number;
  #closed = false;

  constructor(kept: Map<string, Kept>, now: () => number) {
    this.#kept = kept;
    this.#now = now;
  }

  #checkOpen(): void {
    if (this.#closed) throw closed(this.name);
  }

  async put(content: ArtifactContent): Promise<ArtifactPointer> {
    this.#checkOpen();
    const source = contentOf(content);
    const digest = new Digest();
    const pieces: Uint8Array[] = [];
    for await (const piece of source instanceof Uint8Array ? piecesOf(source) : source) {
      digest.update(piece);
      pieces.push(new Uint8Array(piece));
    }
    const pointer = digest.pointer();
    this.#keep(pointer.id, pieces);
    return pointer;
  }

  #keep(id: string, pieces: readonly Uint8Array[]): void {
    const known = this.#kept.get(id);
    if (known === undefined) this.#kept.set(id, { content: Buffer.concat(pieces), at: this.#now() });
    else known.at = this.#now();
  }

  readonly named: NamedArtifacts = {
    put: async (content, name) => {
      this.#checkOpen();
      const pieces: Uint8Array[] = [];
      if (typeof name === 'function' || !this.#kept.has(name.name)) {
        for await (const piece of content) pieces.push(new Uint8Array(piece));
      }
      this.#keep((typeof name === 'function' ? name() : name).name, pieces);
    },
    read: (name) => this.#readNamed(name),
  };

  get(pointer: ArtifactPointer): Promise<Uint8Array> {
    return gathered(this.read(pointer), pointer.bytes);
  }

  async *read(pointer: ArtifactPointer): AsyncGenerator<Uint8Array> {
    this.#checkOpen();
    checkPointer(pointer);
    yield* verified(this.#pieces(pointer), pointer, this.name);
  }

  async *#readNamed({ name, bytes }: ArtifactName): AsyncGenerator<Uint8Array> {
    this.#checkOpen();
    yield* this.#pieces({ id: name, bytes });
  }

  #pieces(wanted: Pick<ArtifactPointer, 'id' | 'bytes'>): AsyncGenerator<Uint8Array> {
    const content = this.#kept.get(wanted.id)?.content;
    if (content === undefined) throw missing(wanted, this.name);
    if (content.length !== wanted.bytes) throw corrupt(wanted, this.name, lengthFault(content.length, wanted));
    return copies(content);
  }

  async list(page: { readonly after?: string | undefined; readonly limit: number }): Promise<ArtifactPage> {
    this.#checkOpen();
    checkPage(page);
    const { after, limit } = page;
    // By id: what is put or removed meanwhile moves nothing from one page to another.
    const ids = [...this.#kept.keys()].filter((id) => after === undefined || id > after).sort();
    const artifacts = ids.slice(0, limit).map((id) => {
      const { content, at } = this.#kept.get(id) as Kept;
      return { id, bytes: content.length, at };
    });
    return { artifacts, next: ids.length > limit ? artifacts.at(-1)?.id : undefined };
  }

  async remove(ids: readonly string[], notAfter: number): Promise<readonly boolean[]> {
    this.#checkOpen();
    ids.forEach(checkId);
    return ids.map((id) => {
      const known = this.#kept.get(id);
      return known !== undefined && known.at <= notAfter && this.#kept.delete(id);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** The reader may do with them what it likes. */
async function* copies(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const piece of piecesOf(content)) yield new Uint8Array(piece);
}
