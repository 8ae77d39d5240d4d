/** Bytes written for small events on a large context: journal and boundary checkpoints against a checkpoint per event. */

import { bytes as size, percent, times } from '../format.js';
import type { Figures } from '../processes/bytes.js';
import { round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const goal = 0.25;
/**
 * Bytes per event of the later events may be at most so many times those of the earlier ones: linear growth is 1, quadratic 3.
 * Checkpoints come in whole numbers, hence the margin.
 */
const linear = 1.25;

export const bytes: Workload = {
  id: 'bytes',
  title: 'Bytes written: 1 MB context × 1,000 small events',
  async run(context: Context): Promise<Outcome> {
    const events = 1_000;
    const contextBytes = 1_000_000;
    const measured = (policy: string, count: number): Promise<Figures> =>
      context.progress.during(`bytes, ${policy}, ${String(count)} events`, () =>
        context.measure<Figures>('bytes', { contextBytes, events: count, policy }),
      );
    const half = await measured('boundaries', events / 2);
    const full = await measured('boundaries', events);
    const twice = await measured('boundaries', events * 2);
    const everyTurn = await measured('every-turn', events);
    const ratio = full.written / everyTurn.written;
    const growth = (twice.written - full.written) / events / ((full.written - half.written) / (events / 2));
    const told = (figures: Figures) => ({
      written: figures.written,
      storageBytes: figures.storageBytes,
      fileBytes: figures.fileBytes,
      eventsPerSecond: round((figures === half ? events / 2 : figures === twice ? events * 2 : events) / figures.seconds),
    });
    return {
      figures: {
        vsEveryTurn: round(ratio),
        growth: round(growth),
        linear: growth <= linear,
        perEvent: round(full.written / events),
        everyTurnPerEvent: round(everyTurn.written / events),
        storageVsEveryTurn: round(full.storageBytes / everyTurn.storageBytes),
        settings: { contextBytes, events, counted: 'wchar of /proc/self/io: bytes handed to the operating system by the whole process' },
        raw: { half: told(half), full: told(full), twice: told(twice), everyTurn: told(everyTurn) },
      },
      rows: [
        {
          workload: 'bytes',
          measure: `${events.toLocaleString('en-US')} events on a 1 MB context`,
          ours: size(full.written),
          against: 'a checkpoint per event',
          theirs: size(everyTurn.written),
          ratio: percent(ratio),
          goal: `≤ ${String(goal * 100)} %`,
          met: ratio <= goal,
        },
        {
          workload: 'bytes',
          measure: 'per event, 1,001st to 2,000th',
          ours: size((twice.written - full.written) / events),
          against: '501st to 1,000th',
          theirs: size((full.written - half.written) / (events / 2)),
          ratio: times(growth),
          goal: 'linear',
          met: growth <= linear,
        },
      ],
      notes: ['bytes: counted as handed to the operating system (wchar), database and write-ahead log alike.'],
    };
  },
};
