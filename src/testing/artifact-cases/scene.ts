/**
 * The stage of a case about artifacts: one fresh place, a clock that the case moves, stores that are closed when it ends. A store may go by a clock of its
 * own, of any grain, so a case never counts on a time: it reads it from a listing, and puts something until the store's time is a later one.
 */

import assert from 'node:assert/strict';
import type {
  ArtifactContent,
  ArtifactEntry,
  ArtifactPointer,
  ArtifactStore,
  ArtifactStoreSource,
} from '../../persistence/artifacts/artifact-store.js';

/** What a driver gives the suite for each case: an empty place, and what else it can do. */
export interface ArtifactsFixture {
  readonly artifacts: ArtifactStoreSource;
  /** Changes one byte of an artifact, takes its last one away, or adds one, behind the store's back. Absent: the case is skipped. */
  readonly damage?: (pointer: ArtifactPointer, how: 'change' | 'shorten' | 'lengthen') => Promise<void> | void;
  /** Removes whatever was left. */
  readonly dispose?: () => Promise<void> | void;
}

export interface ArtifactCase {
  readonly title: string;
  /** What the driver must have. */
  readonly needs?: 'damage';
  readonly run: (scene: ArtifactScene) => Promise<void>;
}

export class ArtifactScene {
  readonly fixture: ArtifactsFixture;
  /** Epoch milliseconds; moved by the case. */
  now = 1_700_000_000_000;
  readonly #opened: ArtifactStore[] = [];
  #markers = 0;

  constructor(fixture: ArtifactsFixture) {
    this.fixture = fixture;
  }

  async open(): Promise<ArtifactStore> {
    const opened = await this.fixture.artifacts.open({ now: () => this.now });
    this.#opened.push(opened);
    return opened;
  }

  async end(): Promise<void> {
    for (const opened of this.#opened) await opened.close();
    await this.fixture.dispose?.();
  }

  /** Goes on until what is put has a time after `at`; resolves to it. */
  async later(store: ArtifactStore, at: number): Promise<number> {
    this.#markers += 1;
    for (let tries = 0; tries < 10_000; tries += 1) {
      this.now += 5_000;
      const marker = await store.put(`marker ${String(this.#markers)}`);
      const time = await timeOf(store, marker);
      await store.remove([marker.id], time);
      if (time > at) return time;
    }
    throw new Error(`the store's time stays at ${String(at)}`);
  }
}

/** All that is listed, each once, by id. */
export async function listed(store: ArtifactStore, limit = 1_000): Promise<ArtifactEntry[]> {
  const found = new Map<string, ArtifactEntry>();
  let after: string | undefined;
  do {
    const page = await store.list({ after, limit });
    assert.ok(page.artifacts.length <= limit, 'a page has no more than its limit');
    for (const entry of page.artifacts) found.set(entry.id, entry);
    after = page.next;
  } while (after !== undefined);
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

export async function timeOf(store: ArtifactStore, { id }: ArtifactPointer): Promise<number> {
  const entry = (await listed(store)).find((candidate) => candidate.id === id);
  assert.ok(entry !== undefined, `artifact ${id} is listed`);
  return entry.at;
}

export async function piecesOf(store: ArtifactStore, pointer: ArtifactPointer): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(pointer)) pieces.push(piece);
  return pieces;
}

/** Bytes with no period that a piece could have, the same for the same seed. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const made = new Uint8Array(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    made[at] = state >>> 24;
  }
  return made;
}

/** In pieces of so many bytes, the last one shorter. */
export async function* stream(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes);
}

/** The content comes back, by both ways of reading. */
export async function comesBack(store: ArtifactStore, pointer: ArtifactPointer, content: string | Uint8Array): Promise<void> {
  const expected = Buffer.from(content as string);
  assert.ok(expected.equals(await store.get(pointer)), 'get() gives back what was put');
  assert.ok(expected.equals(Buffer.concat(await piecesOf(store, pointer))), 'read() gives back what was put');
}

export async function failing(code: string, call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => call(),
    (error: { code?: unknown; hint?: unknown; stack?: unknown }) => {
      assert.equal(error.code, code, String(error.stack));
      assert.ok(typeof error.hint === 'string' && error.hint.length > 10, 'the hint says what to do');
      return true;
    },
  );
}

export async function putAll(store: ArtifactStore, contents: readonly ArtifactContent[], atOnce = 50): Promise<ArtifactPointer[]> {
  const pointers: ArtifactPointer[] = [];
  for (let at = 0; at < contents.length; at += atOnce) {
    pointers.push(...(await Promise.all(contents.slice(at, at + atOnce).map((content) => store.put(content)))));
  }
  return pointers;
}
