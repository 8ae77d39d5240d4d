/** A node of a cluster as a process of its own: agents that call an activity, wait, and call it again, for ever. Whoever runs one writes so into a file, which is how it is seen from outside. */

import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const tickerPath = fileURLToPath(import.meta.url);

/** One begin of a call. */
export interface Tick {
  readonly node: string;
  readonly agent: string;
  readonly n: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

export type Order = { readonly order: 'spawn'; readonly count: number } | { readonly order: 'close' };

function kinds(node: string, log: string) {
  const tick = activity<{ n: number }, number>({
    name: 'tick',
    onUnknown: 'retry',
    run: async ({ n }, { agentId }) => {
      appendFileSync(log, `${JSON.stringify({ node, agent: agentId, n, at: Date.now() } satisfies Tick)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return n + 1;
    },
  });
  const machine = setup({ types: { context: {} as { n: number } }, actors: { tick } }).createMachine({
    context: { n: 0 },
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          src: 'tick',
          input: ({ context }) => ({ n: context.n }),
          onDone: { target: 'waiting', actions: assign({ n: ({ event }) => event.output }) },
        },
      },
      waiting: { after: { 150: 'calling' } },
    },
  });
  return { ticker: { machine, version: 1 } };
}

const [, script, path = '', log = '', node = ''] = process.argv;
if (script === tickerPath) {
  const runtime: Runtime<ReturnType<typeof kinds>> = await createRuntime({
    store: sqlite(path),
    agents: kinds(node, log),
    node: { name: node },
  });
  process.on('message', (order: Order) => {
    if (order.order === 'spawn') {
      const spawned = Array.from({ length: order.count }, (_, index) => runtime.spawn('ticker', { id: `t-${String(index)}` }));
      void Promise.all(spawned).then(() => process.send?.('spawned'));
    } else void runtime.close({ graceMs: 1_000 }).then(() => process.exit(0));
  });
  process.send?.('up');
}
