/** A process that redrives whatever is in the file it is given, to be killed in the middle of it by a failpoint; then lets the agent take everything. */

import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { createRuntime, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const redriverPath = fileURLToPath(import.meta.url);

const collector = setup({
  types: { context: {} as { taken: number[] }, events: {} as { type: 'N'; n: number } },
}).createMachine({
  id: 'collector',
  context: { taken: [] },
  on: { N: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) } },
});

export const agents = { collector: { machine: collector, version: 1 } } as const;

export function open(path: string): Promise<Runtime<typeof agents>> {
  return createRuntime({ store: sqlite(path), agents });
}

const [, script, path] = process.argv;
if (script === redriverPath && path !== undefined) {
  await using runtime = await open(path);
  // In small steps, so that there is much to be killed between; as many of them however slow the machine is.
  const positions = (await runtime.deadLetters.list({}, { limit: Infinity })).map(({ position }) => position);
  while (positions.length > 0) await runtime.deadLetters.redrive(positions.splice(0, 25));
}
