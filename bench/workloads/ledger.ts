/** The ledger: what an activity adds to its agent, and what it costs to find a result by its key. */

import { perSecond, times } from '../format.js';
import type { Figures, Written } from '../processes/ledger.js';
import { median, round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const mostWrites = 2;
/** A look-up in ten times as many may take so much longer: an index is a level deeper, and the machine is noisy. */
const mostGrowth = 2;

export const ledger: Workload = {
  id: 'ledger',
  title: 'Ledger: what an activity adds, and a result found by its key',
  async run(context: Context): Promise<Outcome> {
    const settings = {
      agents: context.size(500, 100),
      rounds: 20,
      repetitions: context.size(5, 2),
      ledgers: [10_000, context.size(100_000, 30_000)],
      lookups: 2_000,
    };
    const measured = await context.progress.during('ledger', () => context.measure<Figures>('ledger', settings));
    const rate = ({ perSecond: rates }: Written): number => median(rates);
    const { without, plain, careful, lookup } = measured;
    const [small = 0, large = 0] = lookup;
    const addedUs = 1e6 / rate(plain) - 1e6 / rate(without);
    const microseconds = (us: number): string => `${us.toFixed(1)} µs`;
    return {
      figures: {
        addedUs: round(addedUs),
        writesEach: round(plain.writes),
        carefulWritesEach: round(careful.writes),
        groupsEach: round(plain.groups),
        lookupUs: round(large),
        settings,
        raw: {
          without: without.perSecond.map((figure) => round(figure)),
          plain: plain.perSecond.map((figure) => round(figure)),
          careful: careful.perSecond.map((figure) => round(figure)),
          lookupUs: lookup.map((figure) => round(figure)),
        },
      },
      rows: [
        {
          workload: 'ledger',
          measure: 'rounds with an activity',
          ours: perSecond(rate(plain)),
          against: 'the same without one',
          theirs: perSecond(rate(without)),
          ratio: times(rate(plain) / rate(without)),
        },
        {
          workload: 'ledger',
          measure: 'writes of the ledger, each activity',
          ours: plain.writes.toFixed(2),
          against: 'careful, and a place is waited for',
          theirs: careful.writes.toFixed(2),
          ratio: '',
          goal: `≤ ${String(mostWrites)}`,
          met: plain.writes <= mostWrites,
        },
        {
          workload: 'ledger',
          measure: `a result by its key, of ${(settings.ledgers[1] ?? 0).toLocaleString('en-US')}`,
          ours: microseconds(large),
          against: `of ${(settings.ledgers[0] ?? 0).toLocaleString('en-US')}`,
          theirs: microseconds(small),
          ratio: times(large / small),
          goal: `≤ ${String(mostGrowth)} ×`,
          met: large / small <= mostGrowth,
        },
      ],
      notes: [
        `An activity adds ${microseconds(addedUs)} to a round, with ${plain.groups.toFixed(3)} group commits for each round of ${String(settings.agents)} agents at once.`,
      ],
    };
  },
};
