/**
 * Removes the artifacts that no record points to. There is no transaction over records and artifacts, so an artifact is always put first and pointed to
 * afterwards, and an outcome may be on its way while this runs. Two rules keep what it points to:
 *
 * - The grace. What is removed was put no later than `start - graceMs`, and is asked for after `start`. An outcome that is durable within `graceMs` after its
 *   put is then either there when it is asked for, or its artifact is too young. So `graceMs` must exceed the time from a put to its commit, and the clocks' difference.
 * - The refresh. One that is old and unreachable may be put again after it was asked for. That makes its time new, and `remove` compares the time when it
 *   removes, not when it was listed: it stays. If it was removed before, the put finds nothing there and writes it.
 *
 * What is not safe: to bring a pointer back by other means than a put, once nothing has pointed to it. Hand it on in the commit that gives it up.
 */

import { BadInputError } from '../../core/errors.js';
import type { ArtifactStore } from './artifact-store.js';

export interface SweepOptions {
  readonly artifacts: ArtifactStore;
  /** Whether a record that is durable now points to each. Of those that are too young to be removed it is not asked. */
  readonly reachable: (ids: readonly string[]) => Promise<readonly boolean[]>;
  /** Default 3,600,000: an hour. */
  readonly graceMs?: number;
  /** By the clock that the store goes by, or one close to it. */
  readonly now: () => number;
  /** Artifacts that are looked at together. Default 500. */
  readonly pageSize?: number;
  /** Told after each page what there was so far. */
  readonly progress?: (soFar: SweepReport) => void;
}

export interface SweepReport {
  readonly kept: number;
  readonly removed: number;
  /** Of those removed. */
  readonly bytes: number;
}

/** Begun again after an error or a crash it goes on from the beginning; several at once do no harm. @throws what the store and `reachable` throw */
export async function sweepArtifacts(options: SweepOptions): Promise<SweepReport> {
  const { artifacts, reachable, graceMs = 3_600_000, now, pageSize = 500, progress } = options;
  if (!(graceMs >= 0)) {
    throw new BadInputError(`graceMs is ${String(graceMs)}`, {
      hint: 'Give milliseconds, more than a commit may take; the default is an hour.',
    });
  }
  // Before anything is asked: see the first rule.
  const notAfter = now() - graceMs;
  let report: SweepReport = { kept: 0, removed: 0, bytes: 0 };
  let after: string | undefined;
  do {
    const page = await artifacts.list({ after, limit: pageSize });
    const old = page.artifacts.filter(({ at }) => at <= notAfter);
    const ids = old.map(({ id }) => id);
    const needed = ids.length === 0 ? [] : await reachable(ids);
    if (needed.length !== ids.length) {
      throw new BadInputError(`reachable() answered ${String(needed.length)} times for ${String(ids.length)} artifacts`, {
        hint: 'Let it resolve to one boolean for each id, in their order.',
      });
    }
    const doomed = old.filter((_, index) => needed[index] === false);
    const gone =
      doomed.length === 0
        ? []
        : await artifacts.remove(
            doomed.map(({ id }) => id),
            notAfter,
          );
    const removed = doomed.filter((_, index) => gone[index] === true);
    report = {
      kept: report.kept + page.artifacts.length - removed.length,
      removed: report.removed + removed.length,
      bytes: removed.reduce((sum, { bytes }) => sum + bytes, report.bytes),
    };
    progress?.(report);
    after = page.next;
  } while (after !== undefined);
  return report;
}
