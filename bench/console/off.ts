/**
 * What a console and an inspector cost while nobody looks: the same events in a runtime without them, in turns with one that has them, in one process. The figure is the
 * median of the ratios of many short rounds, told with the interval in which it lies in 95 of 100 runs.
 */

import { join } from 'node:path';
import { counter } from '../machines.js';
import { sorted, median } from '../statistics.js';
import { createRuntime, serveConsole, sqlite, stately } from '../statewarden.js';

export interface Cost {
  /** Percent of throughput that is lost; negative where there was more of it. */
  readonly lost: number;
  readonly low: number;
  readonly high: number;
}

const agentsEach = 50;
const sendsEach = 4_000;
const turns = 160;

async function runtimeIn(file: string, more: object = {}) {
  const runtime = await createRuntime({ store: sqlite(file), agents: { counter: { machine: counter, version: 1 } }, ...more });
  const agents = await Promise.all(
    Array.from({ length: agentsEach }, (_, index) => runtime.spawn('counter', { id: `a-${String(index)}` })),
  );
  /** Milliseconds of processor for the same number of events, as fast as they go: the clock would also tell what else the machine does. */
  const round = async (): Promise<number> => {
    const began = process.cpuUsage();
    await Promise.all(
      Array.from({ length: sendsEach }, (_, index) =>
        (agents[index % agentsEach] as (typeof agents)[number]).send({ type: 'ADD', amount: 1 }),
      ),
    );
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1_000;
  };
  return { runtime, round };
}

/** `none`: of a second runtime that has neither, for comparison. */
export type Costs = Readonly<Record<'none' | 'console' | 'inspector', Cost>>;

export async function costsWhileNobodyLooks(folder: string): Promise<Costs> {
  const plain = await runtimeIn(join(folder, 'plain.db'));
  const none = await runtimeIn(join(folder, 'none.db'));
  const console = await runtimeIn(join(folder, 'console.db'));
  const inspector = await runtimeIn(join(folder, 'inspector.db'), { inspect: stately({ onListening: () => undefined }) });
  const served = await serveConsole(console.runtime, { port: 0 });
  const all = [plain, none, console, inspector];
  try {
    for (let warm = 0; warm < 15; warm += 1) for (const { round } of all) await round();
    const took: number[][] = all.map(() => []);
    for (let turn = 0; turn < turns; turn += 1) {
      // Each follows each as often: what one leaves to be collected is the next one's to pay.
      const order = turn % 2 === 0 ? [0, 1, 2, 3] : [3, 2, 1, 0];
      for (const place of order) {
        const index = (place + turn) % all.length;
        (took[index] as number[]).push(await (all[index] as typeof plain).round());
      }
    }
    const costs = took.slice(1).map((times) => costOf(times.map((time, turn) => ((took[0] as number[])[turn] as number) / time)));
    const [ofNone, ofConsole, ofInspector] = costs as [Cost, Cost, Cost];
    return { none: ofNone, console: ofConsole, inspector: ofInspector };
  } finally {
    await served.close();
    for (const { runtime } of all) await runtime.close();
  }
}

/** The interval of a median by the ranks of a binomial distribution (Conover, Practical Nonparametric Statistics, 3.2), to the normal approximation. */
function costOf(ratios: readonly number[]): Cost {
  const ordered = sorted(ratios);
  const half = (1.96 * Math.sqrt(ordered.length)) / 2;
  const at = (rank: number): number => ordered[Math.min(ordered.length, Math.max(1, Math.round(rank))) - 1] as number;
  const percent = (ratio: number): number => 100 * (1 - ratio);
  return { lost: percent(median(ordered)), low: percent(at(ordered.length / 2 + half + 1)), high: percent(at(ordered.length / 2 - half)) };
}
