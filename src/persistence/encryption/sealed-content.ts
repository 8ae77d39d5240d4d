/**
 * The content of an artifact, sealed: a head of `SWA1`, data key id (6) and salt (16), then pieces of 256 KiB, each sealed by AES-256-GCM under a key of its own artifact. A piece's nonce is its number and whether it is the
 * last one, so that none can be left out, moved, repeated or added: the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015.
 *
 * The same content sealed twice has other bytes and the same length.
 */

import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pieceBytes } from '../artifacts/content.js';
import { saltBytes, tagBytes, Unopened, type DataKey } from './sealing.js';

const algorithm = 'aes-256-gcm';
const magic = Buffer.from('SWA1');
const idBytes = 6;
export const headBytes = magic.length + idBytes + saltBytes;
const purpose = 'artifact';

export function sealedLength(bytes: number): number {
  return headBytes + bytes + tagBytes * Math.max(1, Math.ceil(bytes / pieceBytes));
}

/** Undoes `sealedLength`; undefined for what is never so long. */
export function plainLength(sealed: number): number | undefined {
  const bytes = sealed - headBytes - tagBytes * Math.ceil((sealed - headBytes) / (pieceBytes + tagBytes));
  return bytes >= 0 && sealedLength(bytes) === sealed ? bytes : undefined;
}

function nonceOf(piece: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(piece, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Of pieces of any size, pieces of `size`, the last one shorter; one that is empty when there is nothing. */
async function* regrouped(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    // A stream may use its buffer again.
    held.push(Buffer.from(piece));
    bytes += piece.length;
    // The last one is given when it is known to be that.
    while (bytes > size) {
      const all = Buffer.concat(held, bytes);
      yield all.subarray(0, size);
      held = [all.subarray(size)];
      bytes -= size;
    }
  }
  yield Buffer.concat(held, bytes);
}

/** With the last one known as such. */
async function* withLast<T>(items: AsyncIterable<T>): AsyncGenerator<readonly [T, boolean]> {
  let held: { readonly item: T } | undefined;
  for await (const item of items) {
    if (held !== undefined) yield [held.item, false];
    held = { item };
  }
  if (held !== undefined) yield [held.item, true];
}

export async function* sealContent(pieces: AsyncIterable<Uint8Array>, dataKey: DataKey): AsyncGenerator<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const key = dataKey.derive(purpose, salt);
  const head = Buffer.concat([magic, Buffer.from(dataKey.id, 'base64url'), salt]);
  yield head;
  let number = 0;
  for await (const [piece, isLast] of withLast(regrouped(pieces, pieceBytes))) {
    const cipher = createCipheriv(algorithm, key, nonceOf(number, isLast)).setAAD(head);
    const sealed = cipher.update(piece);
    cipher.final();
    yield sealed;
    yield cipher.getAuthTag();
    number += 1;
    await nextTurn();
  }
}

/** The data key that sealed content names. Undefined: it is none. */
export function dataKeyIdIn(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head);
  if (bytes.length < headBytes || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  return bytes.subarray(magic.length, magic.length + idBytes).toString('base64url');
}

/** @throws Unopened, before the piece that is wrong */
export async function* openContent(
  pieces: AsyncIterable<Uint8Array>,
  dataKeyOf: (id: string) => Promise<DataKey>,
): AsyncGenerator<Uint8Array> {
  const source = pieces[Symbol.asyncIterator]();
  try {
    let start = Buffer.alloc(0);
    while (start.length < headBytes) {
      const { value, done } = (await source.next()) as IteratorResult<Uint8Array, undefined>;
      if (done === true) break;
      start = Buffer.concat([start, value]);
    }
    const id = dataKeyIdIn(start);
    if (id === undefined) throw new Unopened('it is not encrypted');
    const head = start.subarray(0, headBytes);
    const key = (await dataKeyOf(id)).derive(purpose, head.subarray(-saltBytes));
    const rest = (async function* () {
      yield start.subarray(headBytes);
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
    })();
    let number = 0;
    for await (const [piece, isLast] of withLast(regrouped(rest, pieceBytes + tagBytes))) {
      yield openPiece(piece, key, nonceOf(number, isLast), head);
      number += 1;
    }
  } finally {
    await source.return?.();
  }
}

function openPiece(piece: Buffer, key: KeyObject, nonce: Buffer, head: Buffer): Uint8Array {
  if (piece.length < tagBytes) throw new Unopened('it is cut short');
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(head).setAuthTag(piece.subarray(-tagBytes));
  try {
    const opened = decipher.update(piece.subarray(0, -tagBytes));
    decipher.final();
    return opened;
  } catch {
    throw new Unopened('it was changed');
  }
}
