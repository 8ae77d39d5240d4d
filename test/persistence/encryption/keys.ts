/** Keys for tests: a key source in memory, which counts what it is asked and can have other keys of the same ids. */

import { createHash } from 'node:crypto';
import { KeyMissingError } from 'statewarden';
import { kms, type KeySource } from 'statewarden/encryption';
import { unwrapAes, wrapAes } from '#src/persistence/encryption/aes-wrap.js';

export interface TestKeys extends KeySource {
  /** Moved by a test. */
  current: string;
  /** Ids that there are; others are missing. */
  readonly ids: Set<string>;
  asked: number;
}

export function testKeys(secret = 'secret', ...ids: readonly string[]): TestKeys {
  const known = new Set(ids.length === 0 ? ['k1'] : ids);
  const keyOf = (id: string): Buffer => {
    keys.asked += 1;
    if (!known.has(id)) throw new KeyMissingError(`no key "${id}"`, { hint: 'It was taken away by the test.' });
    return createHash('sha256').update(`${secret} ${id}`).digest();
  };
  const source = kms({
    name: 'test keys',
    currentKeyId: () => keys.current,
    wrap: ({ keyId, dataKey, context }) => wrapAes(keyOf(keyId), dataKey, context),
    unwrap: ({ keyId, wrapped, context }) => unwrapAes(keyOf(keyId), wrapped, context) ?? Buffer.alloc(0),
  });
  const keys: TestKeys = { ...source, current: [...known].at(-1) as string, ids: known, asked: 0 };
  return keys;
}
