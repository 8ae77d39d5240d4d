/**
 * Who has the keys that wrap data keys. Records are encrypted under data keys, which the store keeps wrapped; a key source wraps and unwraps those, and is the only thing that has to be
 * kept apart from the store. It is asked a few times when a store is opened and never for a record. What it does not promise: to be quick, or to be asked once.
 */

import {
  CorruptRecordError,
  DecryptionError,
  KeyMissingError,
  StatewardenError,
  StoreUnavailableError,
  errorMessage,
} from '../../core/errors.js';

type Awaitable<T> = T | Promise<T>;

export interface KeySource {
  /** For people: `keys:./agents.keys`. Never a key. */
  readonly name: string;
  /** Id of the key that wraps what is made from now on. */
  currentKeyId(): Awaitable<string>;
  /** `context` says what the data key is for and belongs to what is authenticated: it must be the same again to unwrap. */
  wrap(keyId: string, dataKey: Uint8Array, context: string): Awaitable<Uint8Array>;
  /** @throws KeyMissingError for a key that it does not have, DecryptionError when the key is another one */
  unwrap(keyId: string, wrapped: Uint8Array, context: string): Awaitable<Uint8Array>;
}

/** Bytes of every key: AES-256. */
export const keyBytes = 32;

export function keyMissing(keyId: string, source: string, has: readonly string[]): KeyMissingError {
  const known = has.length === 0 ? 'It has none.' : `It has ${has.map((id) => `"${id}"`).join(', ')}.`;
  return new KeyMissingError(`${source} has no key "${keyId}"`, {
    hint: `${known} Add the key of this id, from where it was kept when it was retired.`,
  });
}

export function wrongKey(keyId: string, source: string, cause?: unknown): DecryptionError {
  return new DecryptionError(`key "${keyId}" of ${source} does not open what was wrapped under that id`, {
    cause,
    hint: 'It is another key of the same id, or the wrapped key was changed. Give the key that the store was made with; nothing was changed.',
  });
}

/** A data key from what the source gives back. @throws KeyMissingError, DecryptionError, StoreUnavailableError */
export async function unwrapped(source: KeySource, keyId: string, wrapped: Uint8Array, context: string): Promise<Buffer> {
  const dataKey = await asked(source, () => source.unwrap(keyId, wrapped, context));
  if (!(dataKey instanceof Uint8Array) || dataKey.length !== keyBytes) throw wrongKey(keyId, source.name);
  return Buffer.from(dataKey);
}

/** Whatever a key service throws that is none of ours may pass: it is asked over a network. */
export async function asked<T>(source: KeySource, work: () => Awaitable<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StatewardenError) throw error;
    throw new StoreUnavailableError(`${source.name} could not be asked: ${errorMessage(error)}`, {
      cause: error,
      hint: 'See why it does not answer: without it the store cannot be read. Nothing was changed.',
    });
  }
}

export function damagedKey(what: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(`a wrapped data key of the store ${what}`, {
    cause,
    hint: 'Restore the notes on encryption/key from a backup: without them what it encrypts is lost.',
  });
}
