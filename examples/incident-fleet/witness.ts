/** Compares two independent records, the outside's journal and the runtime's ledger: was anything done again although its success had been recorded? */

import type { Entry } from './journal.js';

export interface Success {
  readonly key: string;
  /** When it was recorded, epoch milliseconds. */
  readonly settledAt: number | undefined;
}

export interface Verdict {
  /** Distinct calls that ended well. */
  readonly calls: number;
  /** Calls that began after their success had been recorded. Must be 0. */
  readonly repeated: number;
  /** What was done to services and people: each once. */
  readonly actions: number;
  /** Calls that a kill cut off, made again with the same key. */
  readonly interrupted: number;
  /** Processes that were killed. */
  readonly crashes: number;
}

export function judge(journal: readonly Entry[], ledger: readonly Success[]): Verdict {
  const settled = new Map(ledger.map(({ key, settledAt }) => [key, settledAt ?? Infinity]));
  const done = new Set<string>();
  const underWay = new Set<string>();
  let known = new Set<string>();
  let open = false;
  let [repeated, actions, interrupted, crashes] = [0, 0, 0, 0];
  for (const entry of journal) {
    switch (entry.type) {
      case 'open':
        if (open) crashes += 1;
        open = true;
        interrupted += underWay.size;
        underWay.clear();
        known = new Set(entry.recorded);
        break;
      case 'close':
        open = false;
        underWay.clear();
        break;
      case 'start':
        underWay.add(entry.key);
        if (known.has(entry.key) || entry.at > (settled.get(entry.key) ?? Infinity)) repeated += 1;
        break;
      case 'done':
        done.add(entry.key);
        underWay.delete(entry.key);
        break;
      case 'failed':
        underWay.delete(entry.key);
        break;
      case 'applied':
        actions += 1;
        break;
      case 'fault':
        break;
    }
  }
  return { calls: done.size, repeated, actions, interrupted, crashes };
}
