/**
 * Data keys for another thread of the same process, as plain data: the thread of a store writes some records by itself, when a turn does not end. They never leave the process's memory.
 */

import { DataKey, Sealer } from './sealing.js';
import { Tokens } from './tokens.js';
import type { RecordKeys } from './record-opening.js';

export interface ThreadKeys {
  readonly keys: readonly { readonly id: string; readonly secret: Uint8Array }[];
  /** Ids. */
  readonly search: string;
  readonly current: string;
}

export function recordKeysOf({ keys, search, current }: ThreadKeys): RecordKeys {
  const dataKeys = new Map(keys.map(({ id, secret }) => [id, new DataKey(id, secret)]));
  return {
    dataKeys,
    sealer: new Sealer(dataKeys.get(current) as DataKey),
    tokens: new Tokens(dataKeys.get(search) as DataKey),
    redirect: () => undefined,
  };
}
