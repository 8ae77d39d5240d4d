/**
 * `statewarden keys create|rotate|list|retire FILE`, `statewarden keys rewrap [STORE]`: the keys that wrap the data keys of encrypted stores. Nothing here prints a key: ids, kinds and times are all there is to see.
 */

import { BadInputError } from '../../core/errors.js';
import { createKeyFile, retireKey, rotateKeyFile } from '../../persistence/encryption/key-file-changes.js';
import { keyFile, readKeys, type FileKeys, type KeyKind } from '../../persistence/encryption/key-file.js';
import { rewrapKeys, wrappingKeys } from '../../persistence/encryption/rewrap.js';
import type { Store } from '../../persistence/store.js';
import { count, type Output, type Terminal } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode } from '../session.js';

export interface KeysTools {
  readonly output: Output;
  readonly aside: Terminal;
  readonly now: () => number;
}

export interface NewKey {
  readonly id: string | undefined;
  readonly kind: KeyKind;
}

export async function createKeys({ output, now }: KeysTools, path: string, key: NewKey): Promise<ExitCode> {
  const made = await createKeyFile(path, { ...key, now });
  if (output.json) output.document(documentOf(path, made));
  else {
    output.line(`${path}: key "${made.current}", readable for you alone`);
    output.line('Keep a copy apart from the store. What is encrypted under it is lost without it.');
  }
  return 0;
}

export async function rotateKeys({ output, now }: KeysTools, path: string, key: NewKey): Promise<ExitCode> {
  const made = await rotateKeyFile(path, { ...key, now });
  if (output.json) output.document(documentOf(path, made));
  else {
    output.line(`${path}: "${made.current}" is the current key`);
    output.line('Stores use it when they are next opened. To give up the older ones: statewarden keys rewrap, then keys retire.');
  }
  return 0;
}

export async function listKeys({ output }: KeysTools, path: string): Promise<ExitCode> {
  const found = await readKeys(path);
  if (output.json) {
    output.document(documentOf(path, found));
    return 0;
  }
  output.table(found.keys, [
    { title: 'KEY', text: ({ id }) => id },
    { title: 'KIND', text: ({ kind }) => kind },
    { title: 'MADE', text: ({ createdAt }) => createdAt },
    { title: '', text: ({ id }) => (id === found.current ? 'current' : ''), colour: () => 'green' },
  ]);
  return 0;
}

/** `store`: refused while it needs the key. Undefined: nobody has looked. */
export async function retireKeyOf({ output, now }: KeysTools, path: string, id: string, store: Store | undefined): Promise<ExitCode> {
  const wraps = store === undefined ? 0 : ((await wrappingKeys(store, now)).get(id) ?? 0);
  if (wraps > 0) {
    throw new BadInputError(`key "${id}" wraps ${count(wraps, 'data key')} of ${store?.name ?? ''}`, {
      hint: `Wrap them anew first: statewarden keys rewrap --keys ${path}.`,
    });
  }
  const left = await retireKey(path, id);
  if (output.json) output.document(documentOf(path, left));
  else output.line(`${path}: key "${id}" is gone; ${count(left.keys.length, 'key')} left`);
  return 0;
}

export async function rewrap({ output, aside, now }: KeysTools, path: string, store: Store): Promise<ExitCode> {
  const progress = new Progress(aside, 'wrapping', now);
  const report = await rewrapKeys(store, { keys: keyFile(path), now, progress: (done, total) => progress.show(done, total) }).finally(() =>
    progress.end(),
  );
  if (output.json) {
    output.document({ store: store.name, ...report });
    return 0;
  }
  output.line(
    `${count(report.rewrapped, 'data key')} of ${store.name} wrapped by "${report.currentKeyId}", ${String(report.kept)} were already`,
  );
  if (report.released.length > 0) output.line(`not needed here any more: ${report.released.join(', ')}`);
  return 0;
}

function documentOf(path: string, { current, keys }: FileKeys): object {
  return { file: path, current, keys: keys.map(({ id, kind, createdAt }) => ({ id, kind, createdAt })) };
}
