/** W2: a thousand agents, twenty events each, against plain XState in memory and against what the disk takes in groups. */

import { percent, perSecond } from '../format.js';
import type { Figures as Durable } from '../processes/w2-durable.js';
import type { Figures as Limits } from '../processes/w2-limits.js';
import type { Figures as Plain } from '../processes/w2-plain.js';
import { median, round } from '../statistics.js';
import type { Context, Outcome, Row, Workload } from '../workload.js';

const goal = 0.4;
/** The group size of the group-commit limit that ratios refer to; larger ones are told beside it. */
const group = '64';
const groups = [64, 256, 1_024];

export const w2: Workload = {
  id: 'w2',
  title: 'W2 1,000 agents × 20 durable events',
  async run(context: Context): Promise<Outcome> {
    const agents = 1_000;
    const events = 20;
    const repetitions = context.size(5, 3);
    const processes = context.size(5, 1);
    const durable: Durable[] = [];
    const plain: Plain[] = [];
    for (let index = 0; index < processes; index += 1) {
      const place = `process ${String(index + 1)} of ${String(processes)}`;
      durable.push(
        await context.progress.during(`W2 durable, ${place}`, () =>
          context.measure<Durable>('w2-durable', { agents, events, repetitions }),
        ),
      );
      plain.push(
        await context.progress.during(`W2 plain XState, ${place}`, () =>
          context.measure<Plain>('w2-plain', { agents, events, repetitions }),
        ),
      );
    }
    const bytesPerEvent = median(durable.map((figures) => figures.bytesPerEvent));
    const limits = await context.progress.during('W2 limits of the disk', () =>
      context.measure<Limits>('w2-limits', { recordBytes: bytesPerEvent, records: agents * events, groups, repetitions }),
    );

    const atOnce = median(durable.flatMap((figures) => figures.atOnce));
    const rounds = median(durable.flatMap((figures) => figures.rounds));
    const xstate = median(plain.flatMap((figures) => figures.eventsPerSecond));
    const raw = Object.fromEntries(groups.map((size) => [size, median(limits.raw[String(size)] ?? [])]));
    const rows = Object.fromEntries(groups.map((size) => [size, median(limits.sqlite[String(size)] ?? [])]));
    const rawGroup = raw[group] ?? 0;
    // Of each pair of processes that ran one after the other: the machine may be slower for minutes.
    const shareOf = (figures: (run: Durable) => readonly number[]): number =>
      median(durable.map((run, index) => median(figures(run)) / median(plain[index]?.eventsPerSecond ?? [])));
    const vsXState = shareOf((run) => run.atOnce);
    const roundsVsXState = shareOf((run) => run.rounds);
    const row = (measure: string, ours: number, against: string, theirs: number, ratio = ours / theirs): Row => ({
      workload: 'W2',
      measure,
      ours: perSecond(ours),
      against,
      theirs: perSecond(theirs),
      ratio: percent(ratio),
    });
    return {
      figures: {
        vsXState: round(vsXState),
        vsGroupCommit: round(atOnce / rawGroup),
        vsSqliteAppend: round(atOnce / (rows['256'] ?? 0)),
        roundsVsXState: round(roundsVsXState),
        eventsPerSecond: round(atOnce),
        roundsEventsPerSecond: round(rounds),
        xstateEventsPerSecond: round(xstate),
        settings: { agents, events, repetitions, processes, groupCommitGroup: Number(group), bytesPerEvent: round(bytesPerEvent) },
        raw: {
          groupCommitRecordsPerSecond: rounded(raw),
          sqliteRowsPerSecond: rounded(rows),
          groups: median(durable.map((figures) => figures.groups)),
          turnsPerGroup: round(median(durable.map((figures) => figures.turnsPerGroup))),
          atOnce: durable.map((figures) => figures.atOnce.map((figure) => round(figure))),
          rounds: durable.map((figures) => figures.rounds.map((figure) => round(figure))),
          xstate: plain.map((figures) => figures.eventsPerSecond.map((figure) => round(figure))),
        },
      },
      rows: [
        {
          ...row('events, all sends in flight', atOnce, 'plain XState, in memory', xstate, vsXState),
          goal: `≥ ${String(goal * 100)} %`,
          met: vsXState >= goal,
        },
        row('events, one per agent and wait', rounds, 'the same', xstate, roundsVsXState),
        row('events, all sends in flight', atOnce, 'raw log, 64 a fdatasync', rawGroup),
        row('events, all sends in flight', atOnce, 'raw log, 1,024 a fdatasync', raw['1024'] ?? 0),
        row('events, all sends in flight', atOnce, 'SQLite rows, 256 a commit', rows['256'] ?? 0),
      ],
    };
  },
};

function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, round(figure)]));
}
