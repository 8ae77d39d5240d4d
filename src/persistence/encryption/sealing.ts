/**
 * Texts sealed and opened: AES-256-GCM under keys derived from a data key, each text bound to its place. A sealed text is `sw1.DATAKEY.BASE64URL`, the bytes being salt (16), counter (6), ciphertext, tag (16).
 *
 * Invariant: no nonce is used twice under one key. Whoever seals derives a key of its own (HKDF-SHA256, RFC 5869) from the data key and a random salt, and counts: the deterministic construction of NIST SP
 * 800-38D, 8.2.1. So the 2^32 random nonces of 8.3 are no limit, and a data key may serve for years; after 2^32 texts a new salt is drawn all the same.
 */

import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { keyBytes } from './key-source.js';

const version = 'sw1';
const algorithm = 'aes-256-gcm';
export const saltBytes = 16;
const counterBytes = 6;
export const tagBytes = 16;
const headBytes = saltBytes + counterBytes;
const sealsPerSalt = 2 ** 32;
/** Derived keys that are remembered for reading: one for each process that has written. */
const rememberedKeys = 1_024;

/** What a sealed text belongs to: it opens nowhere else. */
export type Place = readonly (string | number | undefined)[];

/** Thrown and caught inside of this folder: a sealed text that does not open. Says nothing of the text. */
export class Unopened extends Error {
  /** The data key that it names, when that is not known. */
  readonly unknownKey: string | undefined;

  constructor(message: string, unknownKey?: string) {
    super(message);
    this.unknownKey = unknownKey;
  }
}

export class DataKey {
  readonly id: string;
  readonly #secret: Uint8Array;
  readonly #derived = new Map<string, KeyObject>();

  constructor(id: string, secret: Uint8Array) {
    this.id = id;
    this.#secret = secret;
  }

  /** For another thread of this process. */
  get secret(): Uint8Array {
    return this.#secret;
  }

  /** A key for one purpose. */
  derive(purpose: string, salt: Uint8Array): KeyObject {
    return createSecretKey(Buffer.from(hkdfSync('sha256', this.#secret, salt, `statewarden/${version}/${purpose}/${this.id}`, keyBytes)));
  }

  /** As `derive`, remembered. */
  derived(purpose: string, salt: Uint8Array): KeyObject {
    const name = `${purpose} ${Buffer.from(salt).toString('base64')}`;
    let key = this.#derived.get(name);
    if (key === undefined) {
      key = this.derive(purpose, salt);
      if (this.#derived.size >= rememberedKeys) this.#derived.delete(this.#derived.keys().next().value as string);
      this.#derived.set(name, key);
    }
    return key;
  }
}

/** Seals texts under one data key. */
export class Sealer {
  readonly #dataKey: DataKey;
  #salt: Buffer = Buffer.alloc(0);
  #key: KeyObject | undefined;
  #count = 0;

  constructor(dataKey: DataKey) {
    this.#dataKey = dataKey;
  }

  seal(text: string, place: Place): string {
    if (this.#key === undefined || this.#count === sealsPerSalt) {
      this.#salt = randomBytes(saltBytes);
      this.#key = this.#dataKey.derive('record', this.#salt);
      this.#count = 0;
    }
    const nonce = Buffer.alloc(12);
    nonce.writeUIntBE(this.#count, 6, counterBytes);
    this.#count += 1;
    const cipher = createCipheriv(algorithm, this.#key, nonce);
    cipher.setAAD(Buffer.from(JSON.stringify(place)));
    const sealed = cipher.update(text, 'utf8');
    cipher.final();
    const bytes = Buffer.concat([this.#salt, nonce.subarray(6), sealed, cipher.getAuthTag()]);
    return `${version}.${this.#dataKey.id}.${bytes.toString('base64url')}`;
  }
}

const shape = /^sw1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]+)$/;

/** @throws Unopened */
export function openText(sealed: string, place: Place, dataKeys: ReadonlyMap<string, DataKey>): string {
  const [, id = '', text = ''] = shape.exec(sealed) ?? [];
  if (id === '') throw new Unopened('it is not encrypted');
  const dataKey = dataKeys.get(id);
  if (dataKey === undefined) throw new Unopened(`its data key "${id}" is not in the store`, id);
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < headBytes + tagBytes) throw new Unopened('it is cut short');
  const nonce = Buffer.alloc(12);
  bytes.copy(nonce, 6, saltBytes, headBytes);
  const decipher = createDecipheriv(algorithm, dataKey.derived('record', bytes.subarray(0, saltBytes)), nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(JSON.stringify(place)));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    const opened = decipher.update(bytes.subarray(headBytes, -tagBytes));
    decipher.final();
    return opened.toString('utf8');
  } catch {
    throw new Unopened('it was changed, or belongs elsewhere');
  }
}
