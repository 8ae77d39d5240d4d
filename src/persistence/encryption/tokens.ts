/**
 * What must be found again by equality: message ids, users' keys, names of artifacts. The same text under the same label becomes the same token, which nobody without the key can compute, check a guess with, or
 * read. Outsiders see which tokens are equal, and how long their texts are.
 *
 * Tokens are a synthetic-IV encryption (Rogaway and Shrimpton, "Deterministic Authenticated-Encryption", 2006; the shape of RFC 5297) with HMAC-SHA256, cut to 128 bits, as the pseudo-random function and AES-256-CTR.
 * Names of artifacts have no room for a tag: they are permuted by four Feistel rounds of HMAC-SHA256 over two halves (Luby and Rackoff, 1988: four rounds of a pseudo-random function make a strong pseudo-random permutation).
 */

import { createCipheriv, createDecipheriv, createHmac, type KeyObject } from 'node:crypto';
import { Unopened, type DataKey } from './sealing.js';

const version = 'sd1';
const ivBytes = 16;
const halfBytes = 16;
const rounds = [0, 1, 2, 3] as const;
/** Tokens that are remembered: one that is written has often been read a moment before. */
const remembered = 4_096;
const noSalt = Buffer.alloc(0);

export class Tokens {
  readonly #mac: KeyObject;
  readonly #cipher: KeyObject;
  readonly #names: KeyObject;
  readonly #made = new Map<string, string>();

  constructor(dataKey: DataKey) {
    this.#mac = dataKey.derive('token-mac', noSalt);
    this.#cipher = dataKey.derive('token-cipher', noSalt);
    this.#names = dataKey.derive('artifact-name', noSalt);
  }

  token(label: string, text: string): string {
    const name = `${label}\0${text}`;
    let token = this.#made.get(name);
    if (token === undefined) {
      const iv = this.#iv(name);
      const cipher = createCipheriv('aes-256-ctr', this.#cipher, iv);
      token = `${version}.${Buffer.concat([iv, cipher.update(text, 'utf8')]).toString('base64url')}`;
      if (this.#made.size >= remembered) this.#made.delete(this.#made.keys().next().value as string);
      this.#made.set(name, token);
    }
    return token;
  }

  /** @throws Unopened when it is no token of this label */
  text(label: string, token: string): string {
    const [, encoded] = /^sd1\.([A-Za-z0-9_-]{22,})$/.exec(token) ?? [];
    if (encoded === undefined) throw new Unopened('it is not encrypted');
    const bytes = Buffer.from(encoded, 'base64url');
    const iv = bytes.subarray(0, ivBytes);
    const text = createDecipheriv('aes-256-ctr', this.#cipher, iv).update(bytes.subarray(ivBytes)).toString('utf8');
    if (!this.#iv(`${label}\0${text}`).equals(iv)) throw new Unopened('it was changed, or belongs elsewhere');
    return text;
  }

  #iv(name: string): Buffer {
    return createHmac('sha256', this.#mac).update(name).digest().subarray(0, ivBytes);
  }

  /** What an artifact is kept under, of its id: both 64 hexadecimal digits. */
  nameOf(id: string): string {
    let [left, right] = halves(id);
    for (const round of rounds) [left, right] = [right, this.#mixed(left, right, round)];
    return Buffer.concat([left, right]).toString('hex');
  }

  /** Undoes `nameOf`. */
  idOf(name: string): string {
    let [left, right] = halves(name);
    for (const round of [...rounds].reverse()) [left, right] = [this.#mixed(right, left, round), left];
    return Buffer.concat([left, right]).toString('hex');
  }

  #mixed(half: Buffer, by: Buffer, round: number): Buffer {
    const mask = createHmac('sha256', this.#names).update(Buffer.of(round)).update(by).digest();
    return Buffer.from(half.map((byte, at) => byte ^ (mask[at] as number)));
  }
}

function halves(hex: string): [Buffer, Buffer] {
  const bytes = Buffer.from(hex, 'hex');
  return [bytes.subarray(0, halfBytes), bytes.subarray(halfBytes)];
}
