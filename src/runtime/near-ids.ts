/** Ids of agents that come close to one that there is not. */

import { nearest } from '../core/nearest.js';
import type { OpenedStore } from '../persistence/store.js';

/** How many ids are compared with a mistyped one. */
const compared = 5_000;
/** How many are named. */
const named = 3;

export interface NearIds {
  /** In words: `Did you mean "a", "b", …?`; undefined: none comes close. */
  readonly hint: string | undefined;
  /** The only one that begins so. */
  readonly only: string | undefined;
}

/** Those that begin so, else those that are only a few keystrokes away. */
export async function nearIds(store: Pick<OpenedStore, 'list'>, typed: string): Promise<NearIds> {
  const beginning = typed === '' ? [] : (await store.list({ prefix: typed, limit: named + 1 })).map(({ id }) => id);
  const close =
    beginning.length > 0
      ? beginning
      : nearest(
          typed,
          (await store.list({ limit: compared })).map(({ id }) => id),
        );
  const list = close
    .slice(0, named)
    .map((id) => JSON.stringify(id))
    .join(', ');
  return {
    hint: close.length === 0 ? undefined : `Did you mean ${list}${close.length > named ? ', …' : ''}?`,
    only: beginning.length === 1 ? beginning[0] : undefined,
  };
}
