/** Many agents into the artifact store and back, by a tool or by hand: the same steps as those of a runtime. What cannot be done for one is reported and does not keep the others from it; done again, it goes on with the rest. */

import { StatewardenError } from '../../core/errors.js';
import type { ArtifactStore } from '../artifacts/artifact-store.js';
import type { AgentRecord, OpenedStore } from '../store.js';
import { archiveAgent, archivePointer, isFinished, restoreAgent, whyNot, whyNotByRecord, type WhyNot } from './archiver.js';
import { chosen, chosenCount, type AgentChoice } from './choice.js';

export interface TierOptions extends AgentChoice {
  readonly store: OpenedStore;
  readonly artifacts: ArtifactStore;
  /** Says what would be done and does nothing. */
  readonly dryRun?: boolean;
  /** `total`: about. */
  readonly progress?: (done: number, total: number) => void;
}

export interface ArchiveAgentsOptions extends TierOptions {
  readonly now: () => number;
  /** Only agents that have ended so long ago, in milliseconds. Default: those that have ended are archived. Infinity: none of them. */
  readonly finishedForMs?: number;
  /** Only agents that have not ended and have taken no turn for so long, in milliseconds. Default Infinity: none of them; with `ids`: 0. */
  readonly idleForMs?: number;
}

export interface Failed {
  readonly id: string;
  readonly error: Error;
}

export interface ArchiveReport {
  readonly archived: readonly string[];
  /** Of their objects; 0 with `dryRun`. */
  readonly bytes: number;
  /** Of what is in them. */
  readonly unpackedBytes: number;
  /** How many of those that are old enough were left where they are, by reason. `held`: a live node has them, or they have changed meanwhile. */
  readonly kept: Readonly<Partial<Record<WhyNot | 'held', number>>>;
  readonly failed: readonly Failed[];
}

/** @throws what the store throws */
export async function archiveAgents(options: ArchiveAgentsOptions): Promise<ArchiveReport> {
  const { store, artifacts, now, dryRun = false, progress, ids } = options;
  const { finishedForMs = 0, idleForMs = ids === undefined ? Infinity : 0 } = options;
  const archived: string[] = [];
  const kept: Partial<Record<WhyNot | 'held', number>> = {};
  const failed: Failed[] = [];
  let [bytes, unpackedBytes, looked] = [0, 0, 0];
  const keep = (why: WhyNot | 'held'): void => void (kept[why] = (kept[why] ?? 0) + 1);
  const alive = new Set((await store.nodes()).map(({ node }) => node));
  alive.delete(store.node);
  const isHeld = (record: AgentRecord): boolean => !isFinished(record) && record.owner !== undefined && alive.has(record.owner);
  const total = await chosenCount(store, options);
  for await (const records of chosen(store, options)) {
    for (const record of records) {
      progress?.(looked, total);
      looked += 1;
      const since = now() - (isFinished(record) ? finishedForMs : idleForMs);
      if (record.updatedAt > since) continue;
      let why: WhyNot | 'held' | undefined = whyNotByRecord(record) ?? (isHeld(record) ? 'held' : undefined);
      if (why === undefined && dryRun) {
        const [whole] = await store.whole([record.key]);
        why = whole && whyNot(whole);
      }
      if (why !== undefined) keep(why);
      else if (dryRun) archived.push(record.id);
      else {
        try {
          const done = await archiveAgent({ store, artifacts, now }, record.key, since);
          if (done.outcome === 'archived') {
            archived.push(record.id);
            bytes += done.pointer.bytes;
            unpackedBytes += done.unpackedBytes;
          } else if (done.outcome === 'kept') keep(done.why === 'recent' ? 'held' : done.why);
          else if (done.outcome === 'changed') keep('held');
        } catch (error) {
          failed.push({ id: record.id, error: asFailure(error) });
        }
      }
    }
  }
  progress?.(total, total);
  return { archived, bytes, unpackedBytes, kept, failed };
}

export interface RestoreReport {
  readonly restored: readonly string[];
  /** Of their objects. */
  readonly bytes: number;
  readonly failed: readonly Failed[];
}

/** Brings archived agents back into the store. @throws what the store throws */
export async function restoreAgents(options: TierOptions): Promise<RestoreReport> {
  const { store, artifacts, dryRun = false, progress } = options;
  const restored: string[] = [];
  const failed: Failed[] = [];
  let [bytes, looked] = [0, 0];
  const total = await chosenCount(store, options);
  for await (const records of chosen(store, options)) {
    for (const record of records) {
      progress?.(looked, total);
      looked += 1;
      if (record.archive === undefined) continue;
      try {
        const { bytes: size } = archivePointer(record);
        if (!dryRun && (await restoreAgent({ store, artifacts }, record)) !== 'restored') continue;
        restored.push(record.id);
        bytes += size;
      } catch (error) {
        failed.push({ id: record.id, error: asFailure(error) });
      }
    }
  }
  progress?.(total, total);
  return { restored, bytes, failed };
}

/** What concerns one agent. @throws it, when the store is gone for good */
function asFailure(error: unknown): Error {
  if (error instanceof StatewardenError && (error.code === 'STORE_POISONED' || error.code === 'RUNTIME_CLOSED')) throw error;
  return error instanceof Error ? error : new Error(String(error));
}
