/**
 * Artifacts as objects of a bucket, `PREFIX/content/ID`, which any number of processes may share. A put writes a staging object under a name of its own, which is then copied into place if nothing has come
 * there meanwhile: a crash leaves the whole artifact or a staging object, which is swept when it is an hour old. Content that is there already is copied onto itself, which makes its time new and gives it another
 * generation; a removal takes away the generation that it has found old and no other.
 *
 * Times are those of Cloud Storage. Not promised: that damage is found before something is put again or read; anything against who may write to the bucket.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreUnavailableError } from '../../core/errors.js';
import { failpoint } from '../../core/failpoint.js';
import { systemRandom } from '../../core/random.js';
import type { ArtifactContent, ArtifactPage, ArtifactPointer, ArtifactStore, ArtifactStoreSource } from '../artifacts/artifact-store.js';
import {
  checkId,
  checkPage,
  checkPointer,
  closed,
  contentOf,
  corrupt,
  Digest,
  gathered,
  isArtifactId,
  lengthFault,
  missing,
  piecesOf,
  verified,
} from '../artifacts/content.js';
import { isGone, unavailable, unopened } from './faults.js';
import { isBehindEnd, Objects, SourceFailure, type ObjectInfo } from './objects.js';
import { checkedOptions, type CheckedOptions, type GcsOptions } from './options.js';
import { contentFolder, nameOf, stagingFolder } from './place.js';
import { connectStorage } from './sdk.js';

const stagingMs = 3_600_000;
/** Puts that may be under way at once; streams that are uploaded in parts are not counted. */
const putsAtOnce = 32;
const removalsAtOnce = 16;
/** Somebody else may put or remove the same content between two looks. */
const looks = 10;

/**
 * Artifacts in a bucket of Google Cloud Storage, by its name or `gs://BUCKET/PREFIX`. Opening it throws StoreOpenError when there is no such bucket or it may not be used,
 * CapabilityMissingError without the package `@google-cloud/storage`, StoreUnavailableError when nothing answers.
 * @throws BadInputError
 */
export function gcs(options: string | GcsOptions): ArtifactStoreSource {
  const checked = checkedOptions(options);
  const name = nameOf(checked.place);
  return {
    name,
    capabilities: { durable: true },
    open: async ({ now }) => {
      const objects = new Objects(await connectStorage(checked.place.bucket, checked.client), checked.timeoutMs);
      // What it is about to need first: it says too whether there is a bucket, and leave to use it.
      await objects.list(contentFolder(checked.place), 1).catch((error: unknown) => {
        throw unopened(error, name, checked.place.bucket);
      });
      return new GcsArtifacts(name, checked, objects, now);
    },
  };
}

class GcsArtifacts implements ArtifactStore {
  readonly name: string;
  readonly #options: CheckedOptions;
  readonly #objects: Objects;
  readonly #now: () => number;
  #closed = false;
  #putting = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(name: string, options: CheckedOptions, objects: Objects, now: () => number) {
    this.name = name;
    this.#options = options;
    this.#objects = objects;
    this.#now = now;
  }

  #checkOpen(): void {
    if (this.#closed) throw closed(this.name);
  }

  #pathOf(id: string): string {
    return `${contentFolder(this.#options.place)}${id}`;
  }

  async #told<T>(verb: 'read' | 'written', work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SourceFailure) throw error.thrown;
      throw unavailable(error, this.name, this.#options.place.bucket, verb);
    }
  }

  // ── Putting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async put(content: ArtifactContent): Promise<ArtifactPointer> {
    this.#checkOpen();
    const source = contentOf(content);
    if (source instanceof Uint8Array) return this.#putBytes(source);
    const pieces = source[Symbol.asyncIterator]();
    try {
      const first: Uint8Array[] = [];
      for (let bytes = 0; bytes <= this.#options.resumableBytes;) {
        const step = await pieces.next();
        if (step.done === true) return await this.#putBytes(Buffer.concat(first));
        first.push(new Uint8Array(step.value));
        bytes += step.value.length;
      }
      return await this.#putStream(first, pieces);
    } finally {
      await pieces.return?.();
    }
  }

  async #putBytes(bytes: Uint8Array): Promise<ArtifactPointer> {
    const digest = new Digest();
    for (const piece of piecesOf(bytes)) {
      digest.update(piece);
      if (digest.bytes < bytes.length) await nextTurn();
    }
    const pointer = digest.pointer();
    const { resumableBytes } = this.#options;
    const name = this.#newStaging();
    const stage = (): Promise<ObjectInfo> =>
      bytes.length <= resumableBytes
        ? this.#objects.write(name, bytes)
        : this.#objects.writeParts(name, slowly(piecesOf(bytes)), resumableBytes);
    await this.#inTurn(() => this.#told('written', () => this.#settle(pointer, stage)));
    return pointer;
  }

  /** What there is of it already, and the rest. It is uploaded before it is known what it is. */
  async #putStream(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): Promise<ArtifactPointer> {
    const digest = new Digest();
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (const piece of first) {
        digest.update(piece);
        yield piece;
      }
      for (;;) {
        const step = await rest.next();
        if (step.done === true) return;
        digest.update(step.value);
        yield step.value;
      }
    };
    return this.#told('written', async () => {
      const staged = await this.#objects.writeParts(this.#newStaging(), pieces(), this.#options.resumableBytes);
      const pointer = digest.pointer();
      await this.#settle(pointer, () => Promise.resolve(staged), staged);
      return pointer;
    });
  }

  #newStaging(): string {
    return `${stagingFolder(this.#options.place)}${systemRandom.id()}`;
  }

  /**
   * Until the content is in its place, whole and with a time that is not before this began. What is there is copied onto itself; else what `stage` uploads is put there, and over what is damaged. A look that finds
   * another generation than the first has found has nothing left to do: somebody has put it since, or our own answer was lost.
   */
  async #settle(pointer: ArtifactPointer, stage: () => Promise<ObjectInfo>, uploaded?: ObjectInfo): Promise<void> {
    const place = this.#pathOf(pointer.id);
    let staged = uploaded;
    try {
      const first = await this.#objects.stat(place);
      let found = first;
      for (let look = 0; look < looks; look += 1) {
        let copied: ObjectInfo | undefined;
        if (found !== undefined && isWhole(found, pointer)) {
          if (found.generation !== first?.generation) return;
          copied = await this.#objects.copy(found, place, found.generation);
        } else {
          staged ??= await stage();
          if (!isWhole(staged, pointer)) throw changed(pointer, this.name);
          failpoint('gcs:staged');
          copied = await this.#objects.copy(staged, place, found?.generation ?? 0);
        }
        failpoint('gcs:swapped');
        if (copied !== undefined && isWhole(copied, pointer)) return;
        found = await this.#objects.stat(place);
      }
    } finally {
      // Swept later when that fails; it must not hide what the put came to.
      if (staged !== undefined) await this.#objects.remove(staged).catch(() => undefined);
    }
    throw new StoreUnavailableError(`artifact ${pointer.id} is put and removed in ${this.name} by others all the time`, {
      hint: 'Put it again; if it goes on, see that one sweep at a time runs on it, with a grace of an hour.',
    });
  }

  /** Not for what waits for a stream: that may wait for another put. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#putting < putsAtOnce) this.#putting += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place is handed on.
      const next = this.#waiting.shift();
      if (next === undefined) this.#putting -= 1;
      else next();
    }
  }

  // ── Getting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get(pointer: ArtifactPointer): Promise<Uint8Array> {
    return gathered(this.read(pointer), pointer.bytes);
  }

  async *read(pointer: ArtifactPointer): AsyncGenerator<Uint8Array> {
    this.#checkOpen();
    checkPointer(pointer);
    yield* verified(this.#pieces(pointer), pointer, this.name);
  }

  async *#pieces(pointer: ArtifactPointer): AsyncGenerator<Uint8Array> {
    try {
      // What Cloud Storage says of it spares the download of what is another.
      yield* this.#objects.read(this.#pathOf(pointer.id), ({ bytes, checksum }) => {
        if (bytes !== undefined && bytes !== pointer.bytes) throw corrupt(pointer, this.name, lengthFault(bytes, pointer));
        if (checksum !== undefined && checksum !== pointer.checksum) throw corrupt(pointer, this.name, 'the checksum is wrong');
      });
    } catch (error) {
      if (isGone(error)) throw missing(pointer, this.name);
      if (isBehindEnd(error)) throw corrupt(pointer, this.name, 'it was made shorter while it was read', error);
      throw unavailable(error, this.name, this.#options.place.bucket, 'read');
    }
  }

  // ── Listing and removing ────────────────────────────────────────────────────────────────────────────────────────

  async list(page: { readonly after?: string | undefined; readonly limit: number }): Promise<ArtifactPage> {
    this.#checkOpen();
    checkPage(page);
    const { after, limit } = page;
    if (after === undefined) await this.#clearStaging();
    const folder = contentFolder(this.#options.place);
    return this.#told('read', async () => {
      // All ids are equally long: what sorts after this one with a digit more sorts after it.
      const startOffset = after === undefined ? undefined : `${folder}${after}0`;
      for (let pageToken: string | undefined; ;) {
        const { objects, next } = await this.#objects.list(folder, limit, { startOffset, pageToken });
        const artifacts = objects
          .map(({ name, bytes, at }) => ({ id: name.slice(folder.length), bytes, at }))
          .filter(({ id }) => isArtifactId(id));
        // The next page begins after an id: a page of what is not ours has none.
        if (artifacts.length > 0 || next === undefined) return { artifacts, next: next === undefined ? undefined : artifacts.at(-1)?.id };
        pageToken = next;
      }
    });
  }

  async remove(ids: readonly string[], notAfter: number): Promise<readonly boolean[]> {
    this.#checkOpen();
    ids.forEach(checkId);
    return this.#told('written', async () => {
      const removed: boolean[] = [];
      for (let at = 0; at < ids.length; at += removalsAtOnce) {
        const some = ids.slice(at, at + removalsAtOnce);
        removed.push(...(await Promise.all(some.map((id) => this.#remove(this.#pathOf(id), notAfter)))));
      }
      return removed;
    });
  }

  async #remove(name: string, notAfter: number): Promise<boolean> {
    const found = await this.#objects.stat(name);
    if (found === undefined || !(found.at <= notAfter)) return false;
    failpoint('gcs:remove');
    return this.#objects.remove(found);
  }

  /** What processes that died have left. An upload that is not at its end is no object yet: none is cut off by this. */
  async #clearStaging(): Promise<void> {
    try {
      const folder = stagingFolder(this.#options.place);
      let pageToken: string | undefined;
      do {
        const { objects, next } = await this.#objects.list(folder, 1_000, { pageToken });
        for (const object of objects) {
          if (object.at < this.#now() - stagingMs && isStagingName(object.name.slice(folder.length))) await this.#objects.remove(object);
        }
        pageToken = next;
      } while (pageToken !== undefined);
    } catch {
      // It is no part of what was asked for, and is tried again with the next listing.
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** As they are made here: what somebody else has put there by hand is not ours to remove. */
function isStagingName(name: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);
}

function changed({ id }: ArtifactPointer, store: string): StoreUnavailableError {
  return new StoreUnavailableError(`artifact ${id} came to ${store} as something else: its length or checksum is wrong there`, {
    hint: 'It was changed on its way, or by who put it before that had ended; nothing is kept, put it again.',
  });
}

function isWhole({ bytes, checksum }: ObjectInfo, pointer: ArtifactPointer): boolean {
  return bytes === pointer.bytes && checksum === pointer.checksum;
}

async function* slowly(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    await nextTurn();
  }
}
