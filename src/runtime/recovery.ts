/** Brings up what has something to do and that nobody holds: when a node starts, and when another one is gone. */

import type { OpenedStore } from '../persistence/store.js';

const pageLength = 2_000;

/** Resolves once all of them have come, or were found elsewhere. While some arrive the store reads the next. */
export async function recoverAll(
  store: Pick<OpenedStore, 'runnable'>,
  isHere: (key: number) => boolean,
  bring: (key: number) => Promise<unknown>,
): Promise<void> {
  let before: Promise<unknown> = Promise.resolve();
  for (let after = 0; ;) {
    const keys = await store.runnable({ after, limit: pageLength });
    if (keys.length === 0) break;
    after = keys.at(-1) as number;
    const coming = Promise.all(keys.filter((key) => !isHere(key)).map(bring));
    coming.catch(() => undefined); // told below
    await before;
    before = coming;
  }
  await before;
}
