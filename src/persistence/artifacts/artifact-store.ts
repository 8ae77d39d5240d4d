/**
 * The artifact store's contract: large values, kept apart from the records, each under the SHA-256 of its content, so that the same content is one
 * artifact. Nobody owns one: it stays while `sweep` finds it reachable. It asks of a driver what file systems and object stores both have: to make
 * a whole artifact visible at once, its time, and to remove one unless that time has changed. No rename, no order, no lock is part of it.
 *
 * When `put` resolves the artifact is durable and has a time that is not before the call. Times are epoch milliseconds by the store's own clock,
 * which may differ from the caller's. What it does not promise: to find damage before something is read.
 */

/**
 * Where an artifact is and what it must be: plain data, for a record. `id` is what we trust: what is read is digested again. `checksum` is beside
 * it for the other side: crc32c is what the object stores have in common, so with it an upload, or what is there already, is verified without a download.
 */
export interface ArtifactPointer {
  /** SHA-256 of the content, 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly bytes: number;
  /** crc32c of the content, unsigned. */
  readonly checksum: number;
}

/** Text is kept as UTF-8. Bytes must not change before `put` has settled. A stream (a `Readable` too) is read once, as fast as it is kept. */
export type ArtifactContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** What a store knows of an artifact without reading it. */
export interface ArtifactEntry {
  readonly id: string;
  readonly bytes: number;
  /** When it was last put. */
  readonly at: number;
}

export interface ArtifactPage {
  /** At most `limit`; there may be fewer, or none, although there are more pages. */
  readonly artifacts: readonly ArtifactEntry[];
  /** What the next page is asked for with; undefined after the last. Means something to its own store only. */
  readonly next: string | undefined;
}

export interface ArtifactStore {
  /** For people: `files:./agents-artifacts`. */
  readonly name: string;

  /**
   * Keeps the content. One that is there already is not written again, but its time is made new, atomically against `remove`. A crash or an error leaves it
   * whole or not at all. An error of the stream is thrown as it is.
   * @throws BadInputError, StoreUnavailableError (nothing is known to be kept), StorePoisonedError
   */
  put(content: ArtifactContent): Promise<ArtifactPointer>;
  /** The content, verified. @throws ArtifactMissingError, CorruptRecordError when it is not what the pointer says, StoreUnavailableError, BadInputError */
  get(pointer: ArtifactPointer): Promise<Uint8Array>;
  /**
   * As `get`, piece by piece; errors are thrown where it is iterated. The last piece is given only when the whole was found right: who has seen fewer than
   * `bytes` bytes has seen nothing that is verified.
   */
  read(pointer: ArtifactPointer): AsyncIterable<Uint8Array>;

  /**
   * All artifacts, page by page, in no order. One that is there from the first page to the last is listed, once or more; one that is put or removed
   * meanwhile may be. May take away what puts left that came to no end in more than an hour.
   */
  list(page: { readonly after?: string | undefined; readonly limit: number }): Promise<ArtifactPage>;
  /**
   * Removes those whose time, when it happens, is not after `notAfter`: one that was put again stays. Resolves to whether each was removed by this
   * call; those that are not there are no fault. When it rejects some may be removed.
   */
  remove(ids: readonly string[], notAfter: number): Promise<readonly boolean[]>;

  /** For who keeps something else than the content, and so names it himself. Absent: the store has no such way. */
  readonly named?: NamedArtifacts;

  /** Takes no more calls; those under way come to their end. */
  close(): Promise<void>;
}

/** A name, 64 lower-case hexadecimal digits, and how long what is kept under it is. */
export interface ArtifactName {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Artifacts under names that the caller gives, as when they are encrypted: the store does not know that what it has is right, only whether it is whole. They are listed and removed as all others. What is put under one name
 * is always the same to the caller, and as long, though it may have other bytes.
 */
export interface NamedArtifacts {
  /** As `ArtifactStore.put`. Given a name, nothing is read of content that is there already; a function is asked for it when all content has been read. */
  put(content: AsyncIterable<Uint8Array>, name: ArtifactName | (() => ArtifactName)): Promise<void>;
  /** Piece by piece, not verified. @throws ArtifactMissingError, CorruptRecordError when it is not so long, StoreUnavailableError */
  read(name: ArtifactName): AsyncIterable<Uint8Array>;
}

/** A place to keep artifacts, not yet opened. Made by `files(directory)`, `memoryArtifacts()`, … */
export interface ArtifactStoreSource {
  readonly name: string;
  readonly capabilities: {
    /** Survives the death of the process. */
    readonly durable: boolean;
  };
  /**
   * Any number of nodes may have it open. `now` is for drivers whose store has no clock of its own.
   * @throws StoreOpenError when it cannot be opened.
   */
  open(options: { readonly now: () => number }): Promise<ArtifactStore>;
}
