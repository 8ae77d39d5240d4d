/**
 * X-Wing, a key encapsulation of X25519 (RFC 7748) and ML-KEM-768 (FIPS 203): safe while one of the two is. As in draft-connolly-cfrg-xwing-kem-08 and Barbosa et al., "X-Wing: The Hybrid KEM You've Been Looking For",
 * 2024: the secrets of both are combined with the X25519 ciphertext and public key by SHA3-256; ML-KEM binds its own ciphertext. Tried on the draft's test vectors.
 *
 * ML-KEM is that of `@noble/post-quantum`, an optional peer that is loaded when the first hybrid key is used; all else is node:crypto.
 */

import { createHash, createPrivateKey, createPublicKey, diffieHellman, randomBytes, type KeyObject } from 'node:crypto';
import type { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { CapabilityMissingError } from '../../core/errors.js';

export const seedBytes = 32;
const mlKem = { publicKey: 1_184, cipherText: 1_088 } as const;
const x25519Bytes = 32;
export const publicKeyBytes = mlKem.publicKey + x25519Bytes;
export const encapsulatedBytes = mlKem.cipherText + x25519Bytes;
/** `\.//^\`, the draft's label. */
const label = Buffer.from('5c2e2f2f5e5c', 'hex');
const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const spki = Buffer.from('302a300506032b656e032100', 'hex');

type MlKem = typeof ml_kem768;

/** @throws CapabilityMissingError */
async function loadMlKem(): Promise<MlKem> {
  try {
    return (await import('@noble/post-quantum/ml-kem.js')).ml_kem768;
  } catch (cause) {
    throw new CapabilityMissingError('hybrid keys need @noble/post-quantum', {
      cause,
      hint: 'Install it: npm install @noble/post-quantum.',
    });
  }
}

interface Expanded {
  readonly mlKemSecret: Uint8Array;
  readonly x25519Secret: KeyObject;
  readonly publicKey: Buffer;
}

function expand(mlKem768: MlKem, seed: Uint8Array): Expanded {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const { publicKey, secretKey } = mlKem768.keygen(expanded.subarray(0, 64));
  const x25519Secret = secretOf(expanded.subarray(64));
  return { mlKemSecret: secretKey, x25519Secret, publicKey: Buffer.concat([publicKey, rawPublic(x25519Secret)]) };
}

const secretOf = (raw: Uint8Array): KeyObject => createPrivateKey({ key: Buffer.concat([pkcs8, raw]), format: 'der', type: 'pkcs8' });
const publicOf = (raw: Uint8Array): KeyObject => createPublicKey({ key: Buffer.concat([spki, raw]), format: 'der', type: 'spki' });
const rawPublic = (secret: KeyObject): Buffer => createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-x25519Bytes);

/** Secrets with what binds them. */
function combined(mlKemShared: Uint8Array, x25519Shared: Uint8Array, x25519CipherText: Uint8Array, x25519Public: Uint8Array): Buffer {
  const parts = [mlKemShared, x25519Shared, x25519CipherText, x25519Public, label];
  return parts.reduce((hash, part) => hash.update(part), createHash('sha3-256')).digest();
}

export async function publicKeyOf(seed: Uint8Array): Promise<Buffer> {
  return expand(await loadMlKem(), seed).publicKey;
}

export interface Encapsulated {
  readonly shared: Buffer;
  readonly cipherText: Buffer;
}

/** `eseed`: 64 bytes, for test vectors only; else random. */
export async function encapsulate(publicKey: Uint8Array, eseed: Uint8Array = randomBytes(64)): Promise<Encapsulated> {
  const mlKem768 = await loadMlKem();
  const x25519Public = publicKey.subarray(mlKem.publicKey);
  const inner = mlKem768.encapsulate(publicKey.subarray(0, mlKem.publicKey), eseed.subarray(0, 32));
  const ephemeral = secretOf(eseed.subarray(32));
  const x25519CipherText = rawPublic(ephemeral);
  const x25519Shared = diffieHellman({ privateKey: ephemeral, publicKey: publicOf(x25519Public) });
  return {
    shared: combined(inner.sharedSecret, x25519Shared, x25519CipherText, x25519Public),
    cipherText: Buffer.concat([inner.cipherText, x25519CipherText]),
  };
}

/** A changed ciphertext gives another secret: ML-KEM rejects implicitly. */
export async function decapsulate(seed: Uint8Array, cipherText: Uint8Array): Promise<Buffer> {
  const mlKem768 = await loadMlKem();
  const { mlKemSecret, x25519Secret, publicKey } = expand(mlKem768, seed);
  const x25519CipherText = cipherText.subarray(mlKem.cipherText);
  const mlKemShared = mlKem768.decapsulate(cipherText.subarray(0, mlKem.cipherText), mlKemSecret);
  const x25519Shared = diffieHellman({ privateKey: x25519Secret, publicKey: publicOf(x25519CipherText) });
  return combined(mlKemShared, x25519Shared, x25519CipherText, publicKey.subarray(mlKem.publicKey));
}
