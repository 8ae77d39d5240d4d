/**
 * Artifacts as files of a directory, `ab/abcdef…` by the first two digits of the id, which any number of processes may share. A put writes a staging file,
 * syncs it, renames it into place and syncs the folder: a crash leaves the whole artifact or a staging file, which is swept when it is an hour old.
 *
 * Not promised: that damage is found before something is read; anything against who may write to the directory. Links inside of it are not followed.
 */

import { constants } from 'node:fs';
import { lutimes, open, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BadInputError, StoreUnavailableError } from '../../core/errors.js';
import { failpoint } from '../../core/failpoint.js';
import { systemRandom } from '../../core/random.js';
import type {
  ArtifactContent,
  ArtifactEntry,
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
  pieceBytes,
  piecesOf,
  verified,
} from './content.js';
import { checkDirectory, systemCode, unavailable } from './file-faults.js';
import { Folders } from './folders.js';
import { namesIn, Shelf, statOf } from './shelf.js';

const staging = 'staging';
const stagingMs = 3_600_000;
/** Puts that may have files open at once; more would be no quicker, and ten thousand agents must not use up what a process may open. */
const putsAtOnce = 32;
/** Some file systems keep times by two seconds. */
const coarseMs = 2_000;
/** A removal may put a file back between two looks; more than one at a time is not to be expected. */
const looks = 3;

/**
 * Artifacts in `directory`, which the first put makes; the folder around it must exist.
 * @throws BadInputError
 */
export function files(directory: string): ArtifactStoreSource {
  if (typeof directory !== 'string' || directory === '') {
    throw new BadInputError(`files() was given ${JSON.stringify(directory)} as the directory`, {
      hint: "Give the path of a folder: files('./agents-artifacts'). For artifacts in memory use memoryArtifacts().",
    });
  }
  const name = `files:${directory}`;
  return {
    name,
    capabilities: { durable: true },
    open: async ({ now }) => {
      const path = resolve(directory);
      checkDirectory(path);
      return new FileArtifacts(name, new Folders(path), now);
    },
  };
}

/** What is where. */
type Kept = Pick<ArtifactPointer, 'id' | 'bytes'>;

const kept = ({ name, bytes }: ArtifactName): Kept => ({ id: name, bytes });

class FileArtifacts implements ArtifactStore {
  readonly name: string;
  readonly #folders: Folders;
  readonly #shelf: Shelf;
  readonly #now: () => number;
  /** Staging files of puts under way, however old. */
  readonly #underWay = new Set<string>();
  #closed = false;
  #putting = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(name: string, folders: Folders, now: () => number) {
    this.name = name;
    this.#folders = folders;
    this.#shelf = new Shelf(folders);
    this.#now = now;
  }

  #checkOpen(): void {
    if (this.#closed) throw closed(this.name);
  }

  async #told<T>(verb: 'read' | 'written', work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') this.#folders.forget();
      throw unavailable(error, this.#folders.root, verb);
    }
  }

  // ── Putting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async put(content: ArtifactContent): Promise<ArtifactPointer> {
    this.#checkOpen();
    this.#folders.checkSound();
    const source = contentOf(content);
    if (!(source instanceof Uint8Array)) {
      const digest = new Digest();
      return this.#write(digested(source, digest), () => digest.pointer());
    }
    // Known content is not written again; that is worth a look at it first.
    const digest = new Digest();
    for (const piece of piecesOf(source)) {
      digest.update(piece);
      if (digest.bytes < source.length) await nextTurn();
    }
    const pointer = digest.pointer();
    return this.#inTurn(async () => {
      if (await this.#told('written', () => this.#refreshed(pointer))) return pointer;
      return this.#write(piecesOf(source), () => pointer);
    });
  }

  readonly named: NamedArtifacts = {
    put: async (content, name) => {
      this.#checkOpen();
      this.#folders.checkSound();
      if (typeof name === 'function') return void (await this.#write(content, () => kept(name())));
      await this.#inTurn(async () => {
        if (!(await this.#told('written', () => this.#refreshed(kept(name))))) await this.#write(content, () => kept(name));
      });
    },
    read: (name) => this.#readNamed(name),
  };

  /** Not for streams: one that waits for another put would wait for ever. */
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

  /** `pointer` is asked when all pieces are written. */
  async #write<T extends Kept>(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, pointer: () => T): Promise<T> {
    const name = systemRandom.id();
    this.#underWay.add(name);
    const path = join(this.#folders.root, staging, name);
    try {
      await this.#stage(path, pieces);
      const made = pointer();
      await this.#told('written', () => this.#place(path, made));
      return made;
    } catch (error) {
      // What it had room for is given back; a failure of that must not hide the first one.
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #stage(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const file = await this.#told('written', async () => {
      await this.#folders.ready(staging);
      return open(path, 'wx', 0o600);
    });
    try {
      // Errors of the stream pass as they are, so only what is done to the file is told.
      for await (const piece of pieces) await this.#told('written', () => file.writeFile(piece));
      await this.#told('written', async () => {
        const at = this.#now() / 1_000;
        await file.utimes(at, at);
        await this.#folders.syncFile(file);
      });
    } finally {
      await file.close();
    }
  }

  async #place(path: string, pointer: Kept): Promise<void> {
    await this.#folders.ready(pointer.id.slice(0, 2));
    failpoint('artifact:staged');
    try {
      await rename(path, this.#shelf.pathOf(pointer.id));
    } catch (error) {
      // Windows does not replace a file that somebody reads: then the same content is there.
      if (!(await this.#refreshed(pointer))) throw error;
      await unlink(path);
      return;
    }
    failpoint('artifact:renamed');
    if (await this.#refreshed(pointer)) return;
    throw new StoreUnavailableError(`artifact ${pointer.id} was removed from ${this.name} while it was put`, {
      hint: 'The process stood still for long, or somebody removes files by hand: put it again.',
    });
  }

  /** Makes the time new of what is there, durably. False: it is not there, or not whole, or not ours to change. */
  async #refreshed({ id, bytes }: Kept): Promise<boolean> {
    const name = id.slice(0, 2);
    if (!(await this.#folders.has(name))) return false;
    const at = this.#now();
    try {
      await lutimes(this.#shelf.pathOf(id), at / 1_000, at / 1_000);
    } catch (error) {
      if (['ENOENT', 'EPERM', 'EACCES'].includes(systemCode(error) ?? '')) return false;
      throw error;
    }
    // A removal may have set it aside while its time was being changed; then it is not in its place now.
    const found = await statOf(this.#shelf.pathOf(id));
    if (found?.bytes !== bytes || found.at < at - coarseMs) return false;
    await this.#folders.sync(await this.#folders.ready(name));
    return true;
  }

  // ── Getting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get(pointer: ArtifactPointer): Promise<Uint8Array> {
    return gathered(this.read(pointer), pointer.bytes);
  }

  async *read(pointer: ArtifactPointer): AsyncGenerator<Uint8Array> {
    this.#checkOpen();
    checkPointer(pointer);
    yield* verified(this.#content(pointer), pointer, this.name);
  }

  async *#readNamed(name: ArtifactName): AsyncGenerator<Uint8Array> {
    this.#checkOpen();
    yield* this.#content(kept(name));
  }

  async *#content(wanted: Kept): AsyncGenerator<Uint8Array> {
    const file = await this.#told('read', () => this.#find(wanted));
    try {
      const found = await this.#told('read', () => file.stat());
      if (!found.isFile()) throw corrupt(wanted, this.name, 'it is not a file');
      if (found.size !== wanted.bytes) throw corrupt(wanted, this.name, lengthFault(found.size, wanted));
      yield* this.#pieces(file);
    } finally {
      await file.close();
    }
  }

  /** @throws ArtifactMissingError */
  async #find(pointer: Kept): Promise<FileHandle> {
    if (await this.#folders.has(pointer.id.slice(0, 2))) {
      for (let look = 0; look < looks; look += 1) {
        const file = await this.#openFile(this.#shelf.pathOf(pointer.id), pointer);
        if (file !== undefined) return file;
        for (const path of await this.#shelf.aside(pointer.id)) {
          const other = await this.#openFile(path, pointer);
          if (other !== undefined) return other;
        }
      }
    }
    throw missing(pointer, this.name);
  }

  async #openFile(path: string, pointer: Kept): Promise<FileHandle | undefined> {
    try {
      // Without waiting, should it be a pipe. Windows has neither of the two.
      return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') return undefined;
      if (code === 'ELOOP' || code === 'EMLINK') throw corrupt(pointer, this.name, 'it is a link', error);
      throw error;
    }
  }

  async *#pieces(file: FileHandle): AsyncGenerator<Uint8Array> {
    for (;;) {
      const { buffer, bytesRead } = await this.#told('read', () => file.read(new Uint8Array(pieceBytes), 0, pieceBytes));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  }

  // ── Listing and removing ────────────────────────────────────────────────────────────────────────────────────────

  async list(page: { readonly after?: string | undefined; readonly limit: number }): Promise<ArtifactPage> {
    this.#checkOpen();
    checkPage(page);
    const { after, limit } = page;
    if (after === undefined) await this.#clearStaging();
    return this.#told('read', async () => {
      const artifacts: ArtifactEntry[] = [];
      const folders = (await namesIn(this.#folders.root)).filter((name) => /^[0-9a-f]{2}$/.test(name)).sort();
      for (const folder of folders) {
        if (after !== undefined && folder < after.slice(0, 2)) continue;
        const byId = await this.#shelf.namesById(folder);
        const ids = [...byId.keys()].filter((id) => after === undefined || id > after).sort();
        const chosen = ids.slice(0, limit - artifacts.length);
        const found = await Promise.all(chosen.map((id) => this.#shelf.entry(id, byId.get(id) ?? [])));
        artifacts.push(...found.filter((entry) => entry !== undefined));
        if (chosen.length < ids.length) return { artifacts, next: chosen.at(-1) ?? artifacts.at(-1)?.id };
      }
      return { artifacts, next: undefined };
    });
  }

  async remove(ids: readonly string[], notAfter: number): Promise<readonly boolean[]> {
    this.#checkOpen();
    ids.forEach(checkId);
    return this.#told('written', async () => {
      const folders = new Map<string, Map<string, string[]>>();
      const removed: boolean[] = [];
      for (const id of ids) {
        const folder = id.slice(0, 2);
        const byId = folders.get(folder) ?? (await this.#shelf.namesById(folder));
        folders.set(folder, byId);
        removed.push(await this.#shelf.remove(id, byId.get(id) ?? [], notAfter));
      }
      return removed;
    });
  }

  /** What processes that died have left. A put of another process that has written nothing for an hour ends in an error. */
  async #clearStaging(): Promise<void> {
    try {
      if (!(await this.#folders.has(staging))) return;
      for (const name of await namesIn(join(this.#folders.root, staging))) {
        const path = join(this.#folders.root, staging, name);
        const found = this.#underWay.has(name) ? undefined : await statOf(path);
        if (found !== undefined && found.at < this.#now() - stagingMs) await unlink(path);
      }
    } catch {
      // It is no part of what was asked for, and is tried again with the next listing.
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

async function* digested(pieces: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    digest.update(piece);
    yield piece;
  }
}
