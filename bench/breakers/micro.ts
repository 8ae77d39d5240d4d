/** Runs the small measurements, alone on the machine, and makes a table of them. */

import { join } from 'node:path';
import { measure } from '../child.js';
import type { Progress } from '../progress.js';

interface Calls {
  readonly bare: number;
  readonly bareFailing: number;
  readonly decision: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly ours: boolean;
    readonly closed: number;
    readonly failing: number;
    readonly refusing: number;
  }[];
}

interface Heap {
  readonly contender: string;
  readonly count: number;
  readonly bytes: number;
  readonly timers: number;
}

export interface Micro {
  readonly calls: Calls;
  readonly heaps: readonly Heap[];
}

export async function measureMicro(progress: Progress, quick: boolean): Promise<Micro> {
  const script = (name: string): string => join(import.meta.dirname, 'micro', `${name}.js`);
  const calls = await progress.during('guarded calls', () =>
    measure<Calls>({ script: script('calls'), parameters: { calls: quick ? 200_000 : 1_000_000, rounds: quick ? 3 : 7 } }),
  );
  const heaps: Heap[] = [];
  for (const [contender, count] of [
    ['statewarden', 100_000],
    ['cockatiel', 10_000],
    ['opossum', 2_000],
  ] as const) {
    const parameters = { contender, count };
    heaps.push(
      await progress.during(`heap of ${contender}`, () => measure<Heap>({ script: script('heap'), parameters, execArgv: ['--expose-gc'] })),
    );
  }
  return { calls, heaps };
}

export function microTable({ calls, heaps }: Micro): string {
  const added = (figure: number): number => figure - calls.bare;
  const fastestRival = Math.min(...calls.contenders.filter(({ ours }) => !ours).map(({ closed }) => closed));
  const own = calls.contenders.find(({ name }) => name === 'adaptive');
  const heap = heaps.find(({ contender }) => contender === 'statewarden');
  const verdict = (met: boolean): string => (met ? 'met' : 'NOT MET');
  const ns = (figure: number): string => Math.round(figure).toLocaleString('en-US');
  const lines = [
    `ns a call; a bare await takes ${ns(calls.bare)}, one that rejects ${ns(calls.bareFailing)}`,
    '',
    ['', 'added, closed', 'failing, 10,000 in the window', 'refused, promise and catch'].join(' | '),
    ...calls.contenders.map(({ name, closed, failing, refusing }) => [name, ns(added(closed)), ns(failing), ns(refusing)].join(' | ')),
    '',
  ];
  if (own !== undefined) {
    lines.push(
      `added when closed ≤ 300 and no more than the fastest rival (${ns(added(fastestRival))}): ${verdict(added(own.closed) <= 300 && own.closed <= fastestRival)}`,
    );
    lines.push(`a failing call < 5,000: ${verdict(own.failing < 5_000)}`);
  }
  lines.push(`a refusal with its error, ${ns(calls.decision)}, < 1,000: ${verdict(calls.decision < 1_000)}`);
  for (const { contender, count, bytes, timers } of heaps) {
    lines.push(`${contender}: ${ns(bytes)} bytes a breaker, ${String(timers)} timers with ${count.toLocaleString('en-US')}`);
  }
  if (heap !== undefined) lines.push(`under 1,000 bytes a key: ${verdict(heap.bytes < 1_000)}; no timers: ${verdict(heap.timers === 0)}`);
  return lines.join('\n');
}
