/** Data keys wrapped by any function: a cloud's key management service, a hardware module, a service of one's own. The key that wraps never comes here. */

import { BadInputError } from '../../core/errors.js';
import type { KeySource } from './key-source.js';

export interface KmsOptions {
  /** For people. Default `kms`. */
  readonly name?: string;
  /** Id of the key that wraps new data keys; a function is asked whenever a store is opened. */
  readonly currentKeyId: string | (() => string | Promise<string>);
  /** `context` is to be authenticated with the data key, as "additional authenticated data" or "encryption context". */
  readonly wrap: (request: {
    readonly keyId: string;
    readonly dataKey: Uint8Array;
    readonly context: string;
  }) => Promise<Uint8Array> | Uint8Array;
  /** Gives back the 32 bytes of the data key. What it throws is told as `StoreUnavailableError`, unless it is an error of Statewarden: `KeyMissingError` for a key that is gone. */
  readonly unwrap: (request: {
    readonly keyId: string;
    readonly wrapped: Uint8Array;
    readonly context: string;
  }) => Promise<Uint8Array> | Uint8Array;
}

/** Keys behind a function. @throws BadInputError */
export function kms({ name = 'kms', currentKeyId, wrap, unwrap }: KmsOptions): KeySource {
  if (typeof wrap !== 'function' || typeof unwrap !== 'function' || (typeof currentKeyId !== 'function' && !isId(currentKeyId))) {
    throw new BadInputError('kms() needs wrap, unwrap and currentKeyId', {
      hint: "kms({ currentKeyId: 'key-1', wrap: async ({ keyId, dataKey, context }) => …, unwrap: async ({ keyId, wrapped, context }) => … }).",
    });
  }
  return {
    name,
    currentKeyId: async () => {
      const id = typeof currentKeyId === 'function' ? await currentKeyId() : currentKeyId;
      if (isId(id)) return id;
      throw new BadInputError(`currentKeyId() of ${name} gave no id`, { hint: 'Let it give the id of the key that wraps new data keys.' });
    },
    wrap: (keyId, dataKey, context) => wrap({ keyId, dataKey, context }),
    unwrap: (keyId, wrapped, context) => unwrap({ keyId, wrapped, context }),
  };
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '';
}
