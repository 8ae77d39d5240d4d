/** Every place where the office touches the store or the network, for every way in which a loan can go: a run for each, in which it dies there. */

import { availableParallelism } from 'node:os';
import { failures, type Failure } from './options.js';
import { run, type RunSummary } from './run.js';

export interface EverywhereSummary {
  readonly runs: number;
  readonly crashes: number;
  /** In how many a person was called for what nobody knew. */
  readonly surfaced: number;
  readonly doubled: number;
  readonly unbalanced: number;
  readonly boundaries: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

export async function everywhere(
  script: string,
  only: Failure | 'none' | undefined,
  progress: (line: string) => void,
): Promise<EverywhereSummary> {
  const ways: readonly (Failure | undefined)[] = only === undefined ? [undefined, ...failures] : [only === 'none' ? undefined : only];
  const all: (RunSummary & { readonly killAt: number })[] = [];
  const boundaries: Record<string, number> = {};
  for (const fail of ways) {
    let next = 1;
    let survived = Infinity;
    // Until a life has fewer boundaries than it was to die at: how many there are differs by a few from run to run.
    const work = async (): Promise<void> => {
      while (next < survived) {
        const killAt = next;
        next += 1;
        const summary = await run({ script, dir: undefined, fail, deaths: [{ killAt }], tell: () => undefined });
        const [died] = summary.died;
        all.push({ ...summary, killAt });
        if (died === undefined) survived = Math.min(survived, killAt);
        progress(`${fail ?? 'granted'}: died at ${String(killAt)} (${died ?? 'not any more'})`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
    boundaries[fail ?? 'granted'] = survived - 1;
  }
  const doubled = all.filter(({ statement: { executed } }) => new Set(executed.map(({ what }) => what)).size < executed.length);
  const broken = all.filter(({ faults }) => faults.length > 0);
  return {
    runs: all.length,
    crashes: all.filter(({ died }) => died.length > 0).length,
    surfaced: all.filter(({ calls }) => calls.includes('held')).length,
    doubled: doubled.length,
    unbalanced: broken.length,
    boundaries,
    faults: broken.flatMap(({ fail, killAt, died, faults }) =>
      faults.map((fault) => `${fail ?? 'granted'}, --kill-at ${String(killAt)} (${died.join()}): ${fault}`),
    ),
  };
}
