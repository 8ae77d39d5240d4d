/**
 * `npm run bench:charts`: how long a picture takes, of 19, 65 and 157 states: the first in a process that has just loaded the engine, and those after
 * it. Beside the time on the clock stands that of the processor, which another process cannot lengthen as much. Exit code 1: a goal is not met.
 */

import { chartOf } from 'statewarden';
import type { Elk } from '#src/charts/elk.js';
import { layout } from '#src/charts/layout.js';
import { svgOf } from '#src/charts/svg.js';
import { rooms } from './odd-machines.js';

/** Rooms, states in each, and the goal: no more milliseconds than that. */
const sizes = [
  { count: 3, each: 5, goalMs: 500 },
  { count: 8, each: 7, goalMs: 1_500 },
  { count: 12, each: 12, goalMs: undefined },
];
const repetitions = 5;

interface Taken {
  readonly clock: number;
  readonly processor: number;
}

async function timed(work: () => Promise<unknown>): Promise<Taken> {
  const [at, used] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(used);
  return { clock: performance.now() - at, processor: (user + system) / 1_000 };
}

const { default: Engine } = (await import('elkjs/lib/elk.bundled.js')) as unknown as { readonly default: new () => Elk };
const elk = new Engine();
const inMs = ({ clock, processor }: Taken): string => `${clock.toFixed(0)} ms (processor ${processor.toFixed(0)} ms)`;
for (const { count, each, goalMs } of sizes) {
  const chart = chartOf(rooms(count, each));
  let states = 0;
  const draw = async (): Promise<void> => {
    const geometry = await layout(chart, { elk });
    svgOf(geometry);
    states = geometry.boxes.length;
  };
  const first = await timed(draw);
  const after: Taken[] = [];
  for (let n = 0; n < repetitions; n += 1) after.push(await timed(draw));
  const median = after.sort((one, other) => one.clock - other.clock)[Math.floor(repetitions / 2)] as Taken;
  const isMet = goalMs === undefined || first.clock <= goalMs;
  if (!isMet) process.exitCode = 1;
  const goal = goalMs === undefined ? '' : `, goal ${String(goalMs)} ms: ${isMet ? 'met' : 'not met'}`;
  console.log(`${String(states).padStart(3)} states: first ${inMs(first)}, then ${inMs(median)}${goal}`);
}
