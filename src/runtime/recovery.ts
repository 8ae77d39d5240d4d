/** Brings up what has something to do and that no other node holds: when a node starts, when another one is gone, and what was left by another. */

import type { OpenedStore } from '../persistence/store.js';

const pageLength = 2_000;

export interface Recovery {
  /** Only what nobody holds, this node included. */
  readonly unheld: boolean;
  /** Those of a page that are to come. */
  choose(keys: readonly number[]): Promise<readonly number[]>;
  bring(key: number): Promise<unknown>;
}

/** Resolves once all that are chosen have come, or were found elsewhere. While some arrive the store reads the next. */
export async function recoverAll(store: Pick<OpenedStore, 'runnable'>, { unheld, choose, bring }: Recovery): Promise<void> {
  let before: Promise<unknown> = Promise.resolve();
  for (let after = 0; ;) {
    const keys = await store.runnable({ after, limit: pageLength, unheld });
    if (keys.length === 0) break;
    after = keys.at(-1) as number;
    const coming = choose(keys).then((chosen) => Promise.all(chosen.map(bring)));
    coming.catch(() => undefined); // told below
    await before;
    before = coming;
  }
  await before;
}
