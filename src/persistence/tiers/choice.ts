/** Which agents a command means: a walk through the store's records, page by page, in order of id. Archived, removed or made meanwhile, they do not disturb it. */

import type { AgentRecord, OpenedStore } from '../store.js';

export interface AgentChoice {
  /** Only these. */
  readonly ids?: readonly string[];
  readonly kind?: string;
  /** Ids that start so. */
  readonly prefix?: string;
}

const page = 500;

/** How many agents there are to look at, about: for a bar. */
export async function chosenCount(store: Pick<OpenedStore, 'counts'>, { ids }: AgentChoice): Promise<number> {
  if (ids !== undefined) return ids.length;
  return Object.values((await store.counts()).agents).reduce((sum, count) => sum + count, 0);
}

/** Pages of records. An id that no agent has is in no page. */
export async function* chosen(
  store: Pick<OpenedStore, 'list' | 'lookup'>,
  { ids, kind, prefix }: AgentChoice,
): AsyncGenerator<readonly AgentRecord[]> {
  if (ids !== undefined) {
    for (let from = 0; from < ids.length; from += page) {
      const records = (await store.lookup(ids.slice(from, from + page))).filter((record) => record !== undefined);
      yield records.filter((record) => (kind ?? record.kind) === record.kind && record.id.startsWith(prefix ?? ''));
    }
    return;
  }
  const filter = { limit: page, ...(kind === undefined ? {} : { kind }), ...(prefix === undefined ? {} : { prefix }) };
  for (let after: string | undefined, more = true; more;) {
    const records: readonly AgentRecord[] = await store.list({ ...filter, ...(after === undefined ? {} : { after }) });
    yield records;
    more = records.length === page;
    after = records.at(-1)?.id;
  }
}
