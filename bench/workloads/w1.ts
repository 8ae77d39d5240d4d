/** W1: one agent, sequential durable events, against a raw append + fdatasync. */

import { milliseconds, times } from '../format.js';
import type { Figures, Parameters } from '../processes/w1.js';
import { median, percentile, round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const goal = 1.5;

export const w1: Workload = {
  id: 'w1',
  title: 'W1 one agent, sequential durable events',
  async run(context: Context): Promise<Outcome> {
    const settings = { rounds: context.size(20, 8), perRound: context.size(200, 100) };
    const processes = context.size(3, 1);
    const runs: Figures[] = [];
    for (let index = 0; index < processes; index += 1) {
      runs.push(
        await context.progress.during(`W1 sends and raw appends in turns, process ${String(index + 1)} of ${String(processes)}`, () =>
          context.measure<Figures>('w1', settings satisfies Omit<Parameters, 'folder'>),
        ),
      );
    }
    const at = (share: number, of: (figures: Figures) => readonly number[]): number =>
      median(runs.map((run) => percentile(of(run), share)));
    const ratioAt = (share: number, of: (figures: Figures) => readonly number[]): number =>
      median(runs.map((run) => percentile(run.durable, share) / percentile(of(run), share)));
    const durable = (run: Figures): readonly number[] => run.durable;
    const appended = (run: Figures): readonly number[] => run.appended;
    const overwritten = (run: Figures): readonly number[] => run.overwritten;
    const [p50, p99, preallocated] = [ratioAt(0.5, appended), ratioAt(0.99, appended), ratioAt(0.5, overwritten)];
    const recordBytes = runs[0]?.recordBytes ?? 0;
    const row = (measure: string, share: number, of: (figures: Figures) => readonly number[], against: string, ratio: number) => ({
      workload: 'W1',
      measure,
      ours: milliseconds(at(share, durable)),
      against,
      theirs: milliseconds(at(share, of)),
      ratio: times(ratio),
    });
    return {
      figures: {
        p50VsFdatasync: round(p50),
        p99VsFdatasync: round(p99),
        p50VsPreallocatedFdatasync: round(preallocated),
        p50Ms: round(at(0.5, durable)),
        p99Ms: round(at(0.99, durable)),
        eventsPerSecond: round(1000 / median(runs.map((run) => run.durable.reduce((sum, time) => sum + time, 0) / run.durable.length))),
        settings: { ...settings, processes, recordBytes },
        raw: {
          fdatasyncP50Ms: round(at(0.5, appended)),
          fdatasyncP99Ms: round(at(0.99, appended)),
          preallocatedP50Ms: round(at(0.5, overwritten)),
          preallocatedP99Ms: round(at(0.99, overwritten)),
          p50MsByProcess: runs.map((run) => round(percentile(run.durable, 0.5))),
          fdatasyncP50MsByProcess: runs.map((run) => round(percentile(run.appended, 0.5))),
        },
      },
      rows: [
        {
          ...row('send() until durable, p50', 0.5, appended, `raw append + fdatasync, ${String(recordBytes)} B`, p50),
          goal: `≤ ${String(goal)} ×`,
          met: p50 <= goal,
        },
        row('send() until durable, p99', 0.99, appended, 'the same, p99', p99),
        row('send() until durable, p50', 0.5, overwritten, 'raw, over allocated space', preallocated),
      ],
    };
  },
};
