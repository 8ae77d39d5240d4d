/**
 * The runs in a store, seen from outside before any of them is started: which there are, which is unfinished, and what their
 * ledgers hold. Reads only.
 */

import { StoreOpenError, type Runtime } from 'statewarden';
import { storeAt } from 'statewarden/urls';
import type { LedgerEntry } from './witness.js';

type OpenedStore = Runtime['store'];

export interface PastRun {
  readonly id: string;
  readonly finished: boolean;
  readonly ledger: readonly LedgerEntry[];
}

/** The runs in the store at a URL, oldest first; none when there is no store yet. @throws what opening it throws */
export async function pastRuns(url: string): Promise<PastRun[]> {
  const store = await opened(url);
  if (store === undefined) return [];
  try {
    const found: PastRun[] = [];
    for (const { id, status } of await store.list({ kind: 'planner', limit: 10_000 })) {
      const run = id.slice(0, id.indexOf('/'));
      found.push({ id: run, finished: status !== 'active', ledger: await ledgerOf(store, run) });
    }
    return found.sort((one, other) => numberOf(one.id) - numberOf(other.id));
  } finally {
    await store.close();
  }
}

/** All calls of a run's agents. Questions between agents are not calls. */
export async function ledgerOf(store: OpenedStore, run: string): Promise<LedgerEntry[]> {
  const agents = await store.list({ prefix: `${run}/`, limit: 10_000 });
  const ledgers = await Promise.all(agents.map(({ key }) => store.operations(key)));
  return ledgers
    .flat()
    .filter(({ activity }) => activity !== 'ask')
    .map(({ id, status, settledAt }) => ({ key: id, succeeded: status === 'succeeded', settledAt }));
}

/** The id after these. */
export function nextRunId(runs: readonly PastRun[]): string {
  return `run-${String(Math.max(0, ...runs.map(({ id }) => numberOf(id))) + 1)}`;
}

function numberOf(run: string): number {
  return Number(/^run-(\d+)$/.exec(run)?.[1] ?? 0);
}

/** Undefined when there is none. */
async function opened(url: string): Promise<OpenedStore | undefined> {
  const store = await storeAt(url, { mustExist: true });
  return store.open({ now: Date.now }).catch((error: unknown) => {
    // Without a cause nothing failed: there is no store yet. Who runs the team makes it, or is told why not.
    if (error instanceof StoreOpenError && error.cause === undefined) return undefined;
    throw error;
  });
}
