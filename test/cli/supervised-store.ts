/**
 * A small store with supervision trees, made by the runtime itself, then closed: children that run, one that has failed, one that waits for its restart, more of one
 * supervisor than anybody reads, a tree that has given up, and a poisonous event among the dead letters.
 */

import { setTimeout } from 'node:timers/promises';
import { fromPromise, setup } from 'xstate';
import { createRuntime, supervisor } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { emptyFolder, type SampleStore } from './sample-store.js';

const call = fromPromise(() => Promise.reject(new Error('the line is dead\nfor good')));

const clerk = setup({
  types: { events: {} as { type: 'READ'; page?: { lines: number } } | { type: 'CALL' } | { type: 'GO_HOME' } },
  actors: { call },
}).createMachine({
  initial: 'reading',
  states: {
    reading: {
      on: {
        READ: { guard: ({ event }) => (event.page as { lines: number }).lines > 0, target: 'reading' },
        CALL: 'calling',
        GO_HOME: 'home',
      },
    },
    calling: { invoke: { src: 'call' } },
    home: { type: 'final' },
  },
});

export const agents = { clerk: { machine: clerk, version: 1 } } as const;

/** `crowd`: how many children the largest supervisor has. */
export async function supervisedStore(crowd = 53): Promise<SampleStore> {
  const place = emptyFolder();
  await using runtime = await createRuntime({ store: sqlite(place.path), agents });
  const desk = await runtime.supervise(
    supervisor({
      id: 'desk',
      children: [
        { id: 'desk/ann', kind: 'clerk' },
        { id: 'desk/bob', kind: 'clerk' },
        supervisor({
          id: 'phones',
          strategy: 'rest-for-one',
          intensity: 5,
          delay: { initialMs: 3_600_000, maximumMs: 3_600_000, jitter: 'none' },
          children: [{ id: 'phones/cid', kind: 'clerk' }],
        }),
      ],
    }),
  );
  await desk.spawn('clerk', { id: 'desk/done' });
  await runtime.agent<'clerk'>('desk/done').send({ type: 'GO_HOME' });
  await runtime.agent<'clerk'>('desk/bob').send({ type: 'READ' });
  await runtime.agent<'clerk'>('phones/cid').send({ type: 'CALL' });
  const halls = await runtime.supervise(supervisor({ id: 'halls', children: [] }));
  for (let n = 1; n <= crowd; n += 1) await halls.spawn('clerk', { id: `halls/${String(n).padStart(4, '0')}` });
  const inner = supervisor({ id: 'over/inner', intensity: 0, children: [{ id: 'over/dan', kind: 'clerk' }] });
  const over = await runtime.supervise(supervisor({ id: 'over', intensity: 0, children: [inner] }));
  await runtime.agent<'clerk'>('over/dan').send({ type: 'CALL' });
  await over.ended;
  // Until the poisonous event is out of the way, and the one who called waits.
  for (;;) {
    const [ann, bob, phones] = (await runtime.tree())[0]?.children ?? [];
    if (ann?.status === 'running' && bob?.status === 'running' && bob.restarts === 3 && phones?.children?.[0]?.status === 'waiting') break;
    await setTimeout(5);
  }
  return place;
}
