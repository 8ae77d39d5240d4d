/**
 * Compares two independent records of one run: the call log, written by the outside, and the ledger, written by the runtime. From
 * both it follows what was called once, what was tried again because it failed, what was cut off by a kill, and whether
 * anything was called again although its success had been recorded, which must never be.
 */

import type { CallLine } from './call-log.js';

export interface LedgerEntry {
  readonly key: string;
  readonly succeeded: boolean;
  /** When its success was recorded, epoch ms. */
  readonly settledAt: number | undefined;
}

export interface Tally {
  /** Distinct calls whose success is in the ledger. */
  readonly calls: number;
  /** Of these, taken from the ledger by the process that began last instead of being called again. */
  readonly reused: number;
  /** Further attempts because an earlier one failed. */
  readonly retried: number;
  /** Executions that began after the call's success had been recorded. Must be 0. */
  readonly repeated: number;
  /** Executions that a kill cut off before they returned, and that were made again with the same key. */
  readonly interrupted: number;
  /** Executions made again because the kill fell between the call's return and its record: "at least once", with the same key. */
  readonly redone: number;
  /** Recorded calls that the outside knows nothing of. Must be 0. */
  readonly unwitnessed: number;
  /** Calls that each process has finished, most first. */
  readonly shares: readonly number[];
}

export function tally(run: string, log: readonly CallLine[], ledger: readonly LedgerEntry[]): Tally {
  const recorded = new Map(ledger.filter(({ succeeded }) => succeeded).map(({ key, settledAt }) => [key, settledAt ?? Infinity]));
  const keys = new Set(ledger.map(({ key }) => key));
  const starts = new Map<string, number>();
  const done = new Map<string, number>();
  const failed = new Map<string, number>();
  const known = new Map<number, ReadonlySet<string>>();
  const shares = new Map<number, number>();
  // While one process writes alone; between two its agent may have gone to another process and come back.
  const doneHere = new Set<string>();
  let writer: number | undefined;
  let reused = 0;
  let repeated = 0;
  for (const line of log) {
    if (line.type === 'open' || line.pid !== writer) doneHere.clear();
    writer = line.pid;
    if (line.type === 'open') {
      if (line.run !== run) continue;
      known.set(line.pid, new Set(line.recorded));
      reused = line.recorded.length;
      continue;
    }
    if (line.type === 'close' || !keys.has(line.key)) continue;
    if (line.type === 'start') {
      count(starts, line.key);
      // Three signs, any of which suffices: recorded when this process began; already returned to this process; begun after the record's time.
      if (known.get(line.pid)?.has(line.key) === true || doneHere.has(line.key) || line.at > (recorded.get(line.key) ?? Infinity))
        repeated += 1;
    } else if (line.type === 'done') {
      count(done, line.key);
      count(shares, line.pid);
      doneHere.add(line.key);
    } else count(failed, line.key);
  }
  let interrupted = 0;
  let redone = 0;
  let retried = 0;
  let unwitnessed = 0;
  for (const [key, begun] of starts) {
    const ended = (done.get(key) ?? 0) + (failed.get(key) ?? 0);
    interrupted += begun - ended;
    redone += Math.max(0, (done.get(key) ?? 0) - 1);
    retried += recorded.has(key) ? (failed.get(key) ?? 0) : Math.max(0, (failed.get(key) ?? 0) - 1);
  }
  for (const key of recorded.keys()) if (!done.has(key)) unwitnessed += 1;
  return {
    calls: recorded.size,
    reused,
    retried,
    repeated,
    interrupted,
    redone,
    unwitnessed,
    shares: [...shares.values()].sort((one, other) => other - one),
  };
}

/** Processes that began to work on the run and were killed before they ended in good order. `isAlive`: those are still at it. */
export function crashesOf(run: string, log: readonly CallLine[], isAlive: (pid: number) => boolean): number {
  const open = new Map<number, boolean>();
  let crashes = 0;
  for (const line of log) {
    if ((line.type !== 'open' && line.type !== 'close') || line.run !== run) continue;
    if (line.type === 'open' && open.get(line.pid) === true) crashes += 1; // the number of one that was killed, used again
    open.set(line.pid, line.type === 'open');
  }
  for (const [pid, isOpen] of open) if (isOpen && !isAlive(pid)) crashes += 1;
  return crashes;
}

function count<T>(counts: Map<T, number>, key: T): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
