/**
 * Texts that are too long for one document, cut into documents of their own. A chunk's name is used once: a document that is written anew has new ones, so that whoever reads the older one meanwhile finds what it meant, and what was written
 * beforehand for a commit that was refused is nobody's. Cut between characters, never within one.
 */

import { randomUUID } from 'node:crypto';
import { CorruptRecordError } from '../../core/errors.js';
import { isChunked, type Fields, type Value } from './values.js';

/** Firestore takes 1 MiB; a UTF-16 unit has at most 3 bytes in UTF-8. */
const longest = 900_000;
/** Of what is written into a document at one time, when it is written in several. An agent's is: with its input, with its state, with its outcome. */
const longestPart = 200_000;
const unitsPerChunk = 300_000;

export interface Chunk {
  readonly name: string;
  readonly text: string;
}

/** Bytes that the fields have in UTF-8, nearly. */
export function bytesOf(fields: Fields): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(fields)) {
    bytes += name.length + (typeof value === 'string' ? Buffer.byteLength(value) : Array.isArray(value) ? String(value).length * 3 : 16);
  }
  return bytes;
}

/**
 * The fields as they fit into one document, and what stands beside it. `part`: they join others that are there, so that each long one stands beside it.
 */
export function cut(fields: Fields, part: boolean): { readonly fields: Fields; readonly chunks: readonly Chunk[] } {
  let bytes = bytesOf(fields);
  const most = part ? longestPart : longest;
  if (bytes <= most) return { fields, chunks: [] };
  const fitting: Record<string, Value> = { ...fields };
  const chunks: Chunk[] = [];
  const texts = Object.entries(fields).flatMap(([name, value]) => (typeof value === 'string' ? [{ name, value }] : []));
  texts.sort((one, other) => other.value.length - one.value.length);
  for (const { name, value } of texts) {
    if (bytes <= most) break;
    const base = randomUUID();
    const parts = pieces(value);
    chunks.push(...parts.map((text, index) => ({ name: `${base}-${String(index)}`, text })));
    fitting[name] = { chunks: parts.length, base };
    bytes -= Buffer.byteLength(value);
  }
  return { fields: fitting, chunks };
}

function pieces(text: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + unitsPerChunk, text.length);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to -= 1;
    parts.push(text.slice(from, to));
    from = to;
  }
  return parts;
}

/** @throws CorruptRecordError when a chunk is gone. */
export function assemble<T extends { readonly fields: Fields; readonly name: string }>(doc: T, texts: ReadonlyMap<string, string>): T {
  const fields: Record<string, Value> = { ...doc.fields };
  for (const [name, value] of Object.entries(fields)) {
    if (!isChunked(value)) continue;
    const parts = Array.from({ length: value.chunks }, (_, index) => texts.get(`${value.base}-${String(index)}`));
    if (parts.includes(undefined)) {
      throw new CorruptRecordError(`a part of "${name}" of the document ${doc.name} is gone`, {
        hint: 'Somebody has removed documents of the collection "chunks": restore them from a backup.',
      });
    }
    fields[name] = parts.join('');
  }
  return { ...doc, fields };
}
