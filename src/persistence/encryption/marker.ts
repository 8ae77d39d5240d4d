/**
 * How an encrypted store is told from one that is not: by the notes that keep its wrapped data keys. Small and without cryptography, for everybody who opens a store without keys must look.
 */

import { KeyMissingError } from '../../core/errors.js';
import type { OpenedStore } from '../store.js';

/** How all topics of encryption begin. Whoever opens the store with its keys does not see them. */
export const encryptionTopics = 'encryption/';
/** Wrapped data keys, each by its id. */
export const keyTopic = 'encryption/key';
/** Messages that a person has moved to another receiver. */
export const redirectTopic = 'encryption/redirect';

/** To be asked of a store that was opened without keys. @throws KeyMissingError */
export async function refuseEncrypted(store: Pick<OpenedStore, 'notes'>, name: string, hint: string): Promise<void> {
  if ((await store.notes(keyTopic)).length === 0) return;
  throw new KeyMissingError(`${name} is encrypted, and no keys were given`, { hint });
}
