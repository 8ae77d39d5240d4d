/** Used heap of the main thread, with buffers, after everything unreachable was collected. Needs `--expose-gc`. */

import { setTimeout as pause } from 'node:timers/promises';

export async function heapBytes(): Promise<number> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  let smallest = Infinity;
  for (let look = 0; look < 5; look += 1) {
    await pause(50); // what ends by itself may end
    collect();
    const { heapUsed, external } = process.memoryUsage();
    smallest = Math.min(smallest, heapUsed + external);
  }
  return smallest;
}
