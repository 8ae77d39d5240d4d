/** W4: agents with an activity in flight, `kill -9`, a new process: until every activity runs again. */

import { milliseconds, times } from '../format.js';
import type { Begun } from '../processes/w4-begin.js';
import type { Resumed } from '../processes/w4-resume.js';
import { median, round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const goalMs = 2_000;

export const w4: Workload = {
  id: 'w4',
  title: 'W4 kill -9 with 10,000 agents in flight',
  async run(context: Context): Promise<Outcome> {
    const agents = context.size(10_000, 2_000);
    const repetitions = context.size(3, 1);
    const runs: (Resumed & Begun & { readonly fromSpawnMs: number })[] = [];
    for (let index = 0; index < repetitions; index += 1) {
      runs.push(
        await context.workspace.within(async (folder) => {
          const place = `${String(index + 1)} of ${String(repetitions)}`;
          const parameters = { folder, agents };
          const first = context.start('w4-begin', parameters);
          const begun = await context.progress.during(`W4 ${agents.toLocaleString('en-US')} agents into flight, ${place}`, () =>
            first.answer<Begun>(),
          );
          first.kill();
          await first.ended;
          return context.progress.during(`W4 killed; resuming, ${place}`, async () => {
            const second = context.start('w4-resume', parameters);
            const resumed = await second.answer<Resumed>();
            const fromSpawnMs = performance.now() - second.startedAt;
            await second.ended;
            return { ...begun, ...resumed, fromSpawnMs };
          });
        }),
      );
    }
    const middle = (of: (run: (typeof runs)[number]) => number): number => median(runs.map(of));
    const resumedMs = middle((run) => run.resumedMs);
    const importMs = middle((run) => run.importMs);
    const fromSpawnMs = middle((run) => run.fromSpawnMs);
    return {
      figures: {
        resumedMs: round(resumedMs),
        openedMs: round(middle((run) => run.openedMs)),
        importMs: round(importMs),
        fromSpawnMs: round(fromSpawnMs),
        settings: { agents, repetitions, leaseMs: 5_000 },
        raw: {
          resumedMs: runs.map((run) => round(run.resumedMs)),
          beganMs: runs.map((run) => round(run.beganMs)),
        },
      },
      rows: [
        {
          workload: 'W4',
          measure: `${agents.toLocaleString('en-US')} activities run again`,
          ours: milliseconds(resumedMs),
          against: 'goal',
          theirs: milliseconds(goalMs),
          ratio: times(resumedMs / goalMs),
          goal: `≤ ${String(goalMs)} ms`,
          met: resumedMs <= goalMs,
        },
        {
          workload: 'W4',
          measure: 'the same, from process start',
          ours: milliseconds(fromSpawnMs),
          against: 'of it Node and imports',
          theirs: milliseconds(importMs),
          ratio: '',
        },
      ],
    };
  },
};
