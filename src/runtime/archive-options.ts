/** How cold agents are archived: what a runtime is told, its defaults, and the checks on it. */

import { BadInputError } from '../core/errors.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';

/** Agents that nobody needs just now leave the store for an artifact store, and come back when something is for them. */
export interface ArchiveOptions {
  /**
   * Where they go: `await files('./agents-archive').open({ now: Date.now })`; it may be that of `results`. For one store alone: what its agents do not need is removed from it. Yours to close, after the runtime.
   */
  readonly artifacts: ArtifactStore;
  /** So long after its end an agent is archived. Default 86,400,000: a day. Infinity: never. */
  readonly finishedAfterMs?: number;
  /** An agent that has taken no turn for so long, and has nothing under way and no timer, is archived. Default 2,592,000,000: 30 days. Infinity: never. */
  readonly idleAfterMs?: number;
  /** How often they are looked for. Default 600,000. Infinity: never; those that are archived come back all the same. */
  readonly everyMs?: number;
}

export interface ResolvedArchive {
  readonly artifacts: ArtifactStore | undefined;
  readonly finishedAfterMs: number;
  readonly idleAfterMs: number;
  readonly everyMs: number;
}

/** @throws BadInputError */
export function resolveArchive(archive: ArchiveOptions | undefined): ResolvedArchive {
  if (archive === undefined) return { artifacts: undefined, finishedAfterMs: Infinity, idleAfterMs: Infinity, everyMs: Infinity };
  const { artifacts, finishedAfterMs = 86_400_000, idleAfterMs = 2_592_000_000, everyMs = 600_000 } = archive ?? {};
  if ([artifacts?.put, artifacts?.get, artifacts?.list, artifacts?.remove].some((part) => typeof part !== 'function')) {
    const isClosed = typeof (artifacts as { readonly open?: unknown } | null | undefined)?.open === 'function';
    throw new BadInputError(`archive.artifacts is ${isClosed ? 'not opened' : 'no artifact store'}`, {
      hint: "Pass an open one: archive: { artifacts: await files('./agents-archive').open({ now: Date.now }) } of 'statewarden/artifacts'.",
    });
  }
  for (const [option, value, least] of [
    ['finishedAfterMs', finishedAfterMs, 0],
    ['idleAfterMs', idleAfterMs, 0],
    ['everyMs', everyMs, 100],
  ] as const) {
    if (value >= least) continue;
    throw new BadInputError(`archive.${option} is ${String(value)}`, { hint: `Give milliseconds from ${String(least)}, or Infinity.` });
  }
  return { artifacts, finishedAfterMs, idleAfterMs, everyMs };
}
