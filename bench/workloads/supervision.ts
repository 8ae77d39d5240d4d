/** Supervision: what a restart costs, what it costs the others, and how large a group may be. */

import { milliseconds, percent, perSecond, times } from '../format.js';
import type { Figures } from '../processes/supervision.js';
import { median, round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const goals = { restart: 3, siblings: 0.05, groupMs: 2_000 };

export const supervision: Workload = {
  id: 'supervision',
  title: 'Supervision',
  async run(context: Context): Promise<Outcome> {
    const groups = context.quick ? [500, 1_000] : [2_500, 5_000, 10_000];
    const settings = { restarts: context.size(400, 100), siblings: 1_000, rounds: context.size(20, 2), groups };
    const figures = await context.progress.during('supervision', () => context.measure<Figures>('supervision', settings));
    const recovery = median(figures.recovery);
    const xstate = median(figures.xstateStart);
    const whole = median(figures.wholeRestart);
    const quiet = median(figures.quiet);
    const beside = median(figures.beside);
    const cost = 1 - median(shares(figures));
    const largest = groups.at(-1) ?? 0;
    const start = figures.start.at(-1) ?? 0;
    const oneForAll = figures.oneForAll.at(-1) ?? 0;
    const micro = (figure: number): string => milliseconds(figure / 1_000);
    const row = { workload: 'supervision' };
    const children = `${largest.toLocaleString('en-US')} children`;
    return {
      figures: {
        restoreVsXState: round(recovery / xstate),
        restoreUs: round(recovery),
        xstateStartUs: round(xstate),
        wholeRestartMs: round(whole),
        siblingsCost: round(cost),
        crashes: figures.crashes,
        startMs: round(start),
        oneForAllMs: round(oneForAll),
        settings,
        raw: {
          start: figures.start.map((figure) => round(figure)),
          oneForAll: figures.oneForAll.map((figure) => round(figure)),
          quiet: figures.quiet.map((figure) => round(figure)),
          beside: figures.beside.map((figure) => round(figure)),
        },
      },
      rows: [
        {
          ...row,
          measure: 'a failed agent from its checkpoint',
          ours: micro(recovery),
          against: 'createActor(…, { snapshot }).start()',
          theirs: micro(xstate),
          ratio: times(recovery / xstate),
          goal: `≤ ${String(goals.restart)} ×`,
          met: recovery / xstate <= goals.restart,
        },
        {
          ...row,
          measure: 'the same, from failure to durably up',
          ours: milliseconds(whole),
          against: 'createActor(…, { snapshot }).start()',
          theirs: micro(xstate),
          ratio: times((whole * 1_000) / xstate),
        },
        {
          ...row,
          measure: `1,000 siblings of one that crashes (${String(figures.crashes)} times)`,
          ours: perSecond(beside),
          against: 'without it',
          theirs: perSecond(quiet),
          ratio: `${percent(Math.max(0, cost))} lost`,
          goal: `≤ ${String(goals.siblings * 100)} %`,
          met: cost <= goals.siblings,
        },
        ...(
          [
            ['start', start, figures.start],
            ['one-for-all restart', oneForAll, figures.oneForAll],
          ] as const
        ).map(([what, figure, all]) => ({
          ...row,
          measure: `${children}: ${what}`,
          ours: milliseconds(figure),
          against: `${((groups.at(-2) ?? 0) as number).toLocaleString('en-US')} children`,
          theirs: milliseconds(all.at(-2) ?? 0),
          ratio: times(figure / (all.at(-2) ?? figure)),
          goal: `≤ ${String(goals.groupMs)} ms`,
          met: figure <= goals.groupMs,
        })),
      ],
    };
  },
};

/** What is left of the siblings' throughput, for each time that the crashing one was let loose: it is measured right after the time without it. */
function shares({ quiet, beside, each }: Figures): number[] {
  const sum = (figures: readonly number[], from: number): number =>
    figures.slice(from, from + each).reduce((all, figure) => all + figure, 0);
  return Array.from({ length: quiet.length / each }, (_, index) => sum(beside, index * each) / sum(quiet, index * each));
}
