/**
 * What every driver does with the content of artifacts: digest it on its way in, verify it on its way out, check what it is asked for. Written once
 * here, so that a driver only moves bytes.
 */

import { createHash } from 'node:crypto';
import { crc32c } from '../../core/crc32c.js';
import { ArtifactMissingError, BadInputError, CorruptRecordError, RuntimeClosedError } from '../../core/errors.js';
import type { ArtifactContent, ArtifactPointer } from './artifact-store.js';

/** So much is digested, written or read at a time: the event loop is free in between. */
export const pieceBytes = 256 * 1_024;

/** Counts and digests content as it passes. */
export class Digest {
  bytes = 0;
  #checksum = 0;
  readonly #hash = createHash('sha256');

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
    this.#checksum = crc32c(piece, this.#checksum);
    this.bytes += piece.length;
  }

  /** To be called once. */
  pointer(): ArtifactPointer {
    return { id: this.#hash.digest('hex'), bytes: this.bytes, checksum: this.#checksum };
  }
}

/** Content that is in memory as bytes, a stream as it is. @throws BadInputError */
export function contentOf(content: ArtifactContent): Uint8Array | AsyncIterable<Uint8Array> {
  if (typeof content === 'string') {
    // Half of a surrogate pair has no UTF-8: it would come back as another character.
    if (/\p{Surrogate}/u.test(content)) {
      throw new BadInputError('the text of an artifact has half a surrogate pair in it', { hint: 'Put it as bytes, or as JSON.' });
    }
    return Buffer.from(content);
  }
  if (content instanceof Uint8Array) return content;
  if (typeof content === 'object' && content !== null && Symbol.asyncIterator in content) return piecesFrom(content);
  throw new BadInputError(`an artifact cannot be made of ${content === null ? 'null' : typeof content}`, {
    hint: 'Put text, a Uint8Array, or a stream of them: encode values first, for example with JSON.stringify.',
  });
}

async function* piecesFrom(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) {
      throw new BadInputError(`a stream gave ${typeof chunk} instead of bytes`, {
        hint: 'Let it give Uint8Array: a Readable without encoding does.',
      });
    }
    yield* piecesOf(chunk);
  }
}

export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** What is read for a pointer, as it is given out. @throws CorruptRecordError before the last piece when it is not what the pointer says. */
export async function* verified(pieces: AsyncIterable<Uint8Array>, pointer: ArtifactPointer, store: string): AsyncGenerator<Uint8Array> {
  const digest = new Digest();
  let held: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (digest.bytes + piece.length > pointer.bytes) throw corrupt(pointer, store, `it is longer than ${String(pointer.bytes)} bytes`);
    digest.update(piece);
    if (held !== undefined) yield held;
    held = piece;
  }
  const found = digest.pointer();
  if (found.bytes !== pointer.bytes) throw corrupt(pointer, store, lengthFault(found.bytes, pointer));
  if (found.checksum !== pointer.checksum) throw corrupt(pointer, store, 'the checksum is wrong');
  if (found.id !== pointer.id) throw corrupt(pointer, store, 'its SHA-256 is another');
  if (held !== undefined) yield held;
}

/** All of what `verified` gives, in memory once. */
export async function gathered(pieces: AsyncIterable<Uint8Array>, bytes: number): Promise<Uint8Array> {
  let whole: Uint8Array | undefined;
  let at = 0;
  for await (const piece of pieces) {
    // Made only now: what the pointer says is believed once the store has found something as long.
    whole ??= new Uint8Array(bytes);
    whole.set(piece, at);
    at += piece.length;
  }
  return whole ?? new Uint8Array(0);
}

export function lengthFault(bytes: number, pointer: Pick<ArtifactPointer, 'bytes'>): string {
  return `it has ${String(bytes)} bytes instead of ${String(pointer.bytes)}`;
}

export function corrupt({ id }: Pick<ArtifactPointer, 'id'>, store: string, what: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(`artifact ${id} in ${store} is damaged: ${what}`, {
    cause,
    hint: 'Restore it from a backup, or put the same content again: what made it, run again, repairs it when its length is wrong or it was removed first.',
  });
}

export function missing({ id }: Pick<ArtifactPointer, 'id'>, store: string): ArtifactMissingError {
  return new ArtifactMissingError(`artifact ${id} is not in ${store}`, {
    hint: 'Open the store that it was put in, or restore it from a backup that is as old as the records that point to it.',
  });
}

export function closed(store: string): RuntimeClosedError {
  return new RuntimeClosedError(`${store} is closed`, { hint: 'Open it again.' });
}

const idPattern = /^[0-9a-f]{64}$/;

export function isArtifactId(id: unknown): id is string {
  return typeof id === 'string' && idPattern.test(id);
}

/** An id becomes part of a path: whatever is none goes no further. @throws BadInputError */
export function checkId(id: unknown): void {
  if (!isArtifactId(id)) {
    throw new BadInputError(`${JSON.stringify(id)} is not the id of an artifact`, {
      hint: 'Give the 64 hexadecimal digits that put() resolved to.',
    });
  }
}

/** @throws BadInputError */
export function checkPointer(pointer: ArtifactPointer): void {
  checkId(pointer?.id);
  const { bytes, checksum } = pointer;
  if (Number.isSafeInteger(bytes) && bytes >= 0 && Number.isSafeInteger(checksum)) return;
  throw new BadInputError(`the pointer to artifact ${pointer.id} has no length or no checksum`, {
    hint: 'Keep all of what put() resolved to.',
  });
}

/** @throws BadInputError */
export function checkPage({ after, limit }: { readonly after?: string | undefined; readonly limit: number }): void {
  if (after !== undefined) checkId(after);
  if (Number.isSafeInteger(limit) && limit > 0) return;
  throw new BadInputError(`a page of ${String(limit)} artifacts cannot be listed`, { hint: 'Give a limit of 1 or more.' });
}
