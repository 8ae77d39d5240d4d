/** Attempts at the end of an agent or of a node: told to end, or waited for. */

import type { Clock, TimerHandle } from '../core/clock.js';
import { CancelledError } from '../core/errors.js';
import type { Run } from './run.js';

/** Resolves when those that run have ended, after `graceMs` at the latest. Undefined: none runs. */
export function endAll(clock: Clock, runs: readonly Run[], graceMs: number): Promise<void> | undefined {
  const ends: Promise<void>[] = [];
  for (const run of runs) {
    if (run.abort === undefined) continue;
    ends.push(new Promise((resolve) => (run.ended = resolve)));
    run.abort(
      new CancelledError(`activity "${run.activity.name}" was told to end: its agent goes down`, {
        hint: 'What becomes of it when the agent comes back, its onUnknown says.',
      }),
    );
  }
  if (ends.length === 0) return undefined;
  let handle: TimerHandle;
  const late = new Promise<void>((resolve) => {
    if (graceMs !== Infinity) handle = clock.setTimeout(resolve, graceMs);
  });
  const all = Promise.all(ends).then(() => undefined);
  return Promise.race([all, late]).finally(() => clock.clearTimeout(handle));
}

/** Resolves when none runs any more, after `graceMs` at the latest. `listen` is given what to call when an attempt has ended. */
export async function whileAny(clock: Clock, graceMs: number, running: () => boolean, listen: (ended: () => void) => void): Promise<void> {
  const until = clock.elapsed() + graceMs;
  while (running() && clock.elapsed() < until) {
    await new Promise<void>((resolve) => {
      const handle = clock.setTimeout(resolve, until - clock.elapsed());
      listen(() => {
        clock.clearTimeout(handle);
        resolve();
      });
    });
  }
}
