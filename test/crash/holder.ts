/** The process that holds an agent, is stopped, and tries to write when it may go on. It tells its parent what became of that. */

import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { createRuntime, type StatewardenError } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const holderPath = fileURLToPath(import.meta.url);
export const leaseMs = 1_000;

export const kinds = {
  counter: {
    machine: setup({ types: { context: {} as { count: number }, events: {} as { type: 'ADD' } } }).createMachine({
      id: 'counter',
      context: { count: 0 },
      on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
    }),
    version: 1,
  },
} as const;

if (process.argv[1] === holderPath) {
  const runtime = await createRuntime({ store: sqlite(process.argv[2] ?? ''), agents: kinds, node: { leaseMs, spread: false } });
  const agent = await runtime.spawn('counter', { id: 'c' });
  await agent.send({ type: 'ADD' });
  process.on('message', () => {
    agent.send({ type: 'ADD' }).then(
      () => process.send?.('written'),
      (error: unknown) => process.send?.((error as StatewardenError).code),
    );
  });
  process.send?.('holding');
  process.on('disconnect', () => process.exit());
}
