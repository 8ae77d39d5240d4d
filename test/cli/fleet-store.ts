/**
 * A small store with fleets, made by the runtime itself, then closed: one at work with jobs that wait, one that answered, one that failed of its event, one that took too
 * long; one with more members than anybody reads; one that is drained.
 */

import { setTimeout } from 'node:timers/promises';
import { setup } from 'xstate';
import { createRuntime, fleet, reply, supervisor, type Runtime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { emptyFolder, type SampleStore } from './sample-store.js';

const reader = setup({
  types: { events: {} as { type: 'READ'; page: string } | { type: 'KEEP' } | { type: 'BREAK'; page?: { lines: number } } },
}).createMachine({
  initial: 'idle',
  states: {
    idle: {
      on: {
        READ: { actions: reply(({ event }) => `${event.page} is read`) },
        KEEP: 'reading',
        BREAK: { guard: ({ event }) => (event.page as { lines: number }).lines > 0, target: 'reading' },
      },
    },
    reading: {},
  },
});

export const agents = { reader: { machine: reader, version: 1 } } as const;

export const library = (size = 3) =>
  supervisor({
    id: 'library',
    children: [
      fleet('readers', { kind: 'reader', size }),
      fleet('hasty', { kind: 'reader', size: 1, jobTimeoutMs: 50, concurrency: 1, rate: { limit: 5, periodMs: 60_000 } }),
    ],
  });

export async function until(what: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await what()); tries += 1) {
    if (tries > 2_000) throw new Error('it does not come true');
    await setTimeout(5);
  }
}

/** `crowd`: how many members the largest fleet has. */
export async function fleetStore(crowd = 30): Promise<SampleStore> {
  const place = emptyFolder();
  await using runtime: Runtime<typeof agents> = await createRuntime({ store: sqlite(place.path), agents });
  await runtime.supervise(library());
  const readers = runtime.fleet<'reader', string>('readers');
  await (await readers.submit({ type: 'READ', page: 'one' }, { id: 'one' })).result();
  await (await readers.submit({ type: 'BREAK' }, { id: 'broken' })).result().catch(() => undefined);
  for (let n = 1; n <= 5; n += 1) await readers.submit({ type: 'KEEP' }, { id: `keep-${String(n)}` });
  await (await runtime.fleet<'reader'>('hasty').submit({ type: 'KEEP' }, { id: 'late' })).result().catch(() => undefined);
  await until(async () => (await runtime.fleet('hasty').status()).up === 1);
  if (crowd > 0) {
    await runtime.supervise(supervisor({ id: 'crowds', children: [fleet('crowd', { kind: 'reader', size: crowd })] }));
    await runtime.fleet('crowd').drain();
    await runtime.fleet<'reader'>('crowd').submit({ type: 'KEEP' }, { id: 'tomorrow' });
  }
  await until(async () => {
    const { up, busy, queued } = await readers.status();
    return up === 3 && busy === 3 && queued === 2;
  });
  return place;
}
