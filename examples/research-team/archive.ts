/**
 * The runs in a store, seen from outside before any of them is started: which there are, which is unfinished, and what their
 * ledgers hold. Reads only.
 */

import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { sqlite } from 'statewarden/sqlite';
import type { Runtime } from 'statewarden';
import { UsageError } from './usage-error.js';
import type { LedgerEntry } from './witness.js';

type OpenedStore = Runtime['store'];

export interface PastRun {
  readonly id: string;
  readonly finished: boolean;
  readonly ledger: readonly LedgerEntry[];
}

/**
 * The runs in the store file, oldest first; none when there is no such file.
 * @throws UsageError when another process works there now. Two may share a store, but one team needs one process only.
 */
export async function pastRuns(path: string): Promise<PastRun[]> {
  if (!existsSync(path)) return [];
  const store = await sqlite(path).open({ now: Date.now });
  try {
    const busy = (await store.nodes()).find(({ expiresAt, host, pid }) => expiresAt > Date.now() && (host !== hostname() || isAlive(pid)));
    if (busy !== undefined)
      throw new UsageError(
        `process ${String(busy.pid)} is at work in this folder`,
        'Wait until it has finished, stop it, or name another --dir.',
      );
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
