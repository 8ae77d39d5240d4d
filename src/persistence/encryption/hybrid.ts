/**
 * Data keys wrapped for a time when X25519 may be broken by a quantum computer, and not before ML-KEM-768 is broken too. A data key is wrapped by AES-256-GCM under HKDF-SHA256 of the X-Wing secret, salted with
 * the SHA-256 of ciphertext and public key, so that both transcripts are bound whole. A wrapped key is the X-Wing ciphertext (1,120 bytes) and what `aes-wrap` makes.
 *
 * A key is a seed of 32 bytes, from which both key pairs are derived; who only writes needs its public key alone.
 */

import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { BadInputError, KeyMissingError } from '../../core/errors.js';
import { unwrapAes, wrapAes } from './aes-wrap.js';
import { keyBytes, keyMissing, wrongKey, type KeySource } from './key-source.js';
import { decapsulate, encapsulate, encapsulatedBytes, publicKeyBytes, publicKeyOf, seedBytes } from './x-wing.js';

/** `seed` opens and wraps, `publicKey` only wraps. */
export type HybridKey = { readonly id: string; readonly seed: Uint8Array } | { readonly id: string; readonly publicKey: Uint8Array };

export interface HybridOptions {
  readonly currentKeyId: string;
  readonly keys: readonly HybridKey[];
}

/** Keys that last against quantum computers too. Needs `@noble/post-quantum`. @throws BadInputError */
export function hybrid({ currentKeyId, keys }: HybridOptions): KeySource {
  const name = 'hybrid keys';
  const byId = new Map(keys.map((key) => [key.id, key]));
  const bad = keys.find((key) => ('seed' in key ? key.seed?.length !== seedBytes : key.publicKey?.length !== publicKeyBytes));
  if (bad !== undefined || byId.size !== keys.length || !byId.has(currentKeyId)) {
    const what =
      bad === undefined
        ? byId.has(currentKeyId)
          ? 'two keys of one id'
          : `no key "${currentKeyId}"`
        : `a key "${bad.id}" of a wrong length`;
    throw new BadInputError(`hybrid() was given ${what}`, {
      hint: `Each key has an id of its own and a seed of ${String(seedBytes)} bytes, or a public key of ${String(publicKeyBytes)}; currentKeyId is one of them.`,
    });
  }
  const find = (keyId: string): HybridKey => {
    const key = byId.get(keyId);
    if (key === undefined) throw keyMissing(keyId, name, [...byId.keys()]);
    return key;
  };
  return {
    name,
    currentKeyId: () => currentKeyId,
    wrap: async (keyId, dataKey, context) => {
      const key = find(keyId);
      return wrapHybrid('seed' in key ? await publicKeyOf(key.seed) : key.publicKey, keyId, dataKey, context);
    },
    unwrap: async (keyId, wrapped, context) => {
      const key = find(keyId);
      if (!('seed' in key)) {
        throw new KeyMissingError(`of hybrid key "${keyId}" only the public half was given`, { hint: 'To read, give its seed.' });
      }
      return unwrapHybrid(key.seed, keyId, wrapped, context, name);
    },
  };
}

/** A new key. Keep the seed as you keep keys; the public key is no secret. @throws CapabilityMissingError */
export async function makeHybridKey(): Promise<{ readonly seed: Uint8Array; readonly publicKey: Uint8Array }> {
  const seed = randomBytes(seedBytes);
  return { seed, publicKey: await publicKeyOf(seed) };
}

function wrappingKey(shared: Uint8Array, cipherText: Uint8Array, publicKey: Uint8Array, keyId: string): Uint8Array {
  const transcript = createHash('sha256').update(cipherText).update(publicKey).digest();
  return new Uint8Array(hkdfSync('sha256', shared, transcript, `statewarden/hybrid1/${keyId}`, keyBytes));
}

async function wrapHybrid(publicKey: Uint8Array, keyId: string, dataKey: Uint8Array, context: string): Promise<Buffer> {
  const { shared, cipherText } = await encapsulate(publicKey);
  return Buffer.concat([cipherText, wrapAes(wrappingKey(shared, cipherText, publicKey, keyId), dataKey, context)]);
}

async function unwrapHybrid(seed: Uint8Array, keyId: string, wrapped: Uint8Array, context: string, source: string): Promise<Buffer> {
  if (wrapped.length <= encapsulatedBytes) throw wrongKey(keyId, source);
  const cipherText = wrapped.subarray(0, encapsulatedBytes);
  const publicKey = await publicKeyOf(seed);
  const shared = await decapsulate(seed, cipherText);
  const dataKey = unwrapAes(wrappingKey(shared, cipherText, publicKey, keyId), wrapped.subarray(encapsulatedBytes), context);
  if (dataKey === undefined) throw wrongKey(keyId, source);
  return dataKey;
}
