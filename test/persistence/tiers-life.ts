/**
 * The process that is killed: agents on one SQLite file that are archived as soon as they rest. Each takes numbers, and is sent the next one when it is archived; the last one also ends. Run again on the same folder it goes on where it was.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { createRuntime, StatewardenError } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';

export const tiersLifePath = fileURLToPath(import.meta.url);
export const coldIds = ['a', 'b'] as const;
export const rounds = 2;
export const storeIn = (folder: string): string => join(folder, 'agents.db');
export const artifactsIn = (folder: string): string => join(folder, 'archive');

const box = setup({
  types: { context: {} as { taken: number[] }, events: {} as { type: 'TAKE'; n: number }, output: {} as number[] },
}).createMachine({
  id: 'box',
  context: { taken: [] },
  initial: 'open',
  output: ({ context }) => context.taken,
  states: {
    open: {
      always: { guard: ({ context }) => context.taken.length >= rounds, target: 'full' },
      on: { TAKE: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) } },
    },
    full: { type: 'final' },
  },
});

/** One life, to its end. */
async function liveHere(folder: string): Promise<void> {
  const artifacts = await files(artifactsIn(folder)).open({ now: Date.now });
  await using runtime = await createRuntime({
    store: sqlite(storeIn(folder)),
    archive: { artifacts, finishedAfterMs: 0, idleAfterMs: 0, everyMs: 100 },
    agents: { box: { machine: box, version: 1 } },
  });
  for (const id of coldIds) await runtime.spawn('box', { id });
  for (let n = 1; n <= rounds; n += 1) {
    for (const id of coldIds) {
      const [record] = await runtime.store.lookup([id]);
      if (record?.status === 'done') continue;
      await runtime.agent<'box'>(id).send({ type: 'TAKE', n }, { messageId: `m${String(n)}` });
    }
    for (const id of coldIds) {
      while ((await runtime.store.lookup([id]))[0]?.archive === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

if (process.argv[1] === tiersLifePath) {
  await liveHere(process.argv[2] ?? '').catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}
