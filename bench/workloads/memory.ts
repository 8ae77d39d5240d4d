/** Memory of a resident idle agent over XState's own, and of agents that were passivated. */

import { bytes } from '../format.js';
import type { Figures as Durable } from '../processes/memory-durable.js';
import type { Figures as Plain } from '../processes/memory-plain.js';
import { round } from '../statistics.js';
import type { Context, Outcome, Workload } from '../workload.js';

const goalBytes = 4_096;
/** What the collector leaves differs by some hundred kilobytes from look to look: below this many bytes each there is no growth. */
const noGrowthBytes = 16;

export const memory: Workload = {
  id: 'memory',
  title: 'Memory per resident and per passivated agent',
  async run(context: Context): Promise<Outcome> {
    const residents = context.size(10_000, 5_000);
    const few = 10_000;
    const many = context.size(100_000, 30_000);
    const residentCap = 1_000;
    const execArgv = ['--expose-gc'];
    const count = (figure: number): string => figure.toLocaleString('en-US');
    const plain = await context.progress.during(`memory of ${count(residents)} plain actors`, () =>
      context.measure<Plain>('memory-plain', { agents: residents }, { execArgv }),
    );
    const durable = (label: string, parameters: object): Promise<Durable> =>
      context.progress.during(`memory of ${label}`, () => context.measure<Durable>('memory-durable', parameters, { execArgv }));
    const resident = await durable(`${count(residents)} resident agents`, { agents: residents, residentAgents: 2 * residents });
    const fewAway = await durable(`${count(few)} passivated agents`, { agents: few, residentAgents: residentCap });
    const manyAway = await durable(`${count(many)} passivated agents`, { agents: many, residentAgents: residentCap });
    const residentBytes = resident.bytesEach - plain.bytesEach;
    const passivatedBytes = (manyAway.heapBytes - fewAway.heapBytes) / (many - few);
    return {
      figures: {
        residentBytes: round(residentBytes),
        passivatedBytes: round(passivatedBytes),
        plainBytes: round(plain.bytesEach),
        settings: { residents, few, many, residentCap, counted: 'used heap and buffers of the main thread after a full collection' },
        raw: {
          residentBytesEach: round(resident.bytesEach),
          fewPassivatedHeapBytes: fewAway.heapBytes,
          manyPassivatedHeapBytes: manyAway.heapBytes,
          residentRssBytes: resident.rssBytes,
          manyPassivatedRssBytes: manyAway.rssBytes,
          passivationsPerSecond: round(many / manyAway.seconds),
        },
      },
      rows: [
        {
          workload: 'memory',
          measure: 'resident idle agent, over XState',
          ours: bytes(residentBytes),
          against: "XState's own",
          theirs: bytes(plain.bytesEach),
          ratio: '',
          goal: `≤ ${count(goalBytes)} B`,
          met: residentBytes <= goalBytes,
        },
        {
          workload: 'memory',
          measure: `heap with ${count(many)} passivated`,
          ours: bytes(manyAway.heapBytes),
          against: `with ${count(few)} passivated`,
          theirs: bytes(fewAway.heapBytes),
          ratio: `${bytes(passivatedBytes)} each`,
          goal: 'no growth',
          met: passivatedBytes <= noGrowthBytes,
        },
      ],
    };
  },
};
