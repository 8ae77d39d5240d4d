/**
 * What nobody needs any more goes for good: agents that ended long ago, archived or not, and old dead letters. Then the artifacts that nothing points to, and the space.
 *
 * An agent that is removed was never there: its id is free, a message that was sent twice is taken by whoever has the id then, and a result with a user key is made again. So it must be older than anybody tries again. Each goes only
 * while it stands as it was seen, and has no mail.
 */

import type { ArtifactStore } from '../artifacts/artifact-store.js';
import { sweepArtifacts, type SweepReport } from '../artifacts/sweep.js';
import type { AgentRecord, OpenedStore } from '../store.js';
import { isFinished } from './archiver.js';
import { chosen, chosenCount, type AgentChoice } from './choice.js';

export interface PruneOptions extends AgentChoice {
  readonly store: OpenedStore;
  readonly now: () => number;
  /** Agents that have ended so long ago, in milliseconds. Default Infinity: none. */
  readonly finishedForMs?: number;
  /** Only those that are archived. */
  readonly archivedOnly?: boolean;
  /** The oldest of those go, however long ago they ended, until no more than so many agents that have ended are left. Default Infinity. */
  readonly finishedAtMost?: number;
  /** Dead letters that are so old, in milliseconds. Default Infinity: none. */
  readonly deadLettersForMs?: number;
  /** Where archives and results are: what nothing points to any more is removed from it. Default: nothing is. */
  readonly artifacts?: ArtifactStore;
  /** An artifact that was put so recently stays, in milliseconds. Default 3,600,000. */
  readonly graceMs?: number;
  /** Gives the space back to the file system, where the store can. Default true. */
  readonly reclaim?: boolean;
  /** Says what would be done and does nothing. */
  readonly dryRun?: boolean;
  /** `total`: about. */
  readonly progress?: (done: number, total: number) => void;
}

export interface PruneReport {
  /** Ids. */
  readonly removed: readonly string[];
  /** How many were to go and stay: they have changed meanwhile, have mail, are busy, or belong to a supervisor that is up. */
  readonly kept: number;
  readonly deadLetters: number;
  /** Undefined: without `artifacts`, or with `dryRun`. */
  readonly artifacts: SweepReport | undefined;
  /** Bytes of the store before and after. Undefined: it gives none back, or cannot while another node is at work. */
  readonly space: { readonly before: number; readonly after: number } | undefined;
}

/** Removed together. */
const part = 100;

/** @throws what the stores throw; what was removed by then is removed */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { store, now, artifacts, graceMs, reclaim = true, dryRun = false } = options;
  const found = await findOld(options);
  const { removed, kept } = dryRun ? { removed: found.map(({ id }) => id), kept: 0 } : await removeAgents(store, found);
  const deadLetters = await pruneDeadLetters(options);
  const swept =
    artifacts === undefined || dryRun
      ? undefined
      : await sweepArtifacts({
          artifacts,
          now,
          ...(graceMs === undefined ? {} : { graceMs }),
          reachable: (ids) => store.hasArtifacts(ids),
        });
  const space = dryRun || !reclaim ? undefined : await store.reclaim?.();
  return { removed, kept, deadLetters, artifacts: swept, space };
}

async function findOld(options: PruneOptions): Promise<AgentRecord[]> {
  const { store, now, progress, archivedOnly = false, finishedForMs = Infinity, finishedAtMost = Infinity } = options;
  if (finishedForMs === Infinity && finishedAtMost === Infinity) return [];
  const total = await chosenCount(store, options);
  const finished: AgentRecord[] = [];
  let looked = 0;
  for await (const records of chosen(store, options)) {
    progress?.(looked, total);
    looked += records.length;
    finished.push(...records.filter((record) => isFinished(record) && !record.busy && (!archivedOnly || record.archive !== undefined)));
  }
  progress?.(total, total);
  const before = now() - finishedForMs;
  finished.sort((one, other) => one.updatedAt - other.updatedAt);
  const excess = finished.length - finishedAtMost;
  return finished.filter(({ updatedAt }, index) => updatedAt <= before || index < excess);
}

async function removeAgents(store: OpenedStore, found: readonly AgentRecord[]): Promise<{ removed: string[]; kept: number }> {
  const removed: string[] = [];
  for (let from = 0; from < found.length; from += part) {
    const some = found.slice(from, from + part);
    // A supervisor that is up may start its children anew.
    const above = new Map<string, boolean>();
    const supervisors = [...new Set(some.flatMap(({ supervisor }) => supervisor ?? []))];
    (await store.lookup(supervisors)).forEach((record, index) =>
      above.set(supervisors[index] as string, record !== undefined && !isFinished(record)),
    );
    const free = some.filter(({ supervisor }) => supervisor === undefined || above.get(supervisor) !== true);
    const outcomes = await store.remove(free.map(({ key, fence, sequenceNumber }) => ({ key, fence, sequenceNumber, lastMail: 0 })));
    removed.push(...free.filter((_, index) => outcomes[index] === 'removed').map(({ id }) => id));
  }
  return { removed, kept: found.length - removed.length };
}

async function pruneDeadLetters({ store, now, deadLettersForMs = Infinity, dryRun = false }: PruneOptions): Promise<number> {
  if (deadLettersForMs === Infinity) return 0;
  const before = now() - deadLettersForMs;
  let count = 0;
  for (let after = 0, more = true; more;) {
    const letters = await store.deadLetters({ after, limit: part });
    const old = letters.filter(({ at }) => at <= before).map(({ position }) => position);
    if (old.length > 0) count += dryRun ? old.length : await store.discard(old);
    more = letters.length === part;
    after = letters.at(-1)?.position ?? after;
  }
  return count;
}
