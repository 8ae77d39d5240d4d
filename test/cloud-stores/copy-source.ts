/** A store with something of everything, for copies: agents at rest and at the end, archived ones, mail, timers, results large and small, dead letters; and what a store has, told so that two of them can be compared. */

import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type Store } from 'statewarden';
import type { ArtifactStore } from 'statewarden/artifacts';
import { archiveAgents } from 'statewarden/tiers';
import { likeness } from '#src/persistence/moving/likeness.js';

const read = activity({
  name: 'read',
  onUnknown: 'retry',
  run: (bytes: number) => Promise.resolve('page '.repeat(bytes / 5)),
});

const page = setup({
  types: { context: {} as { bytes: number; length: number }, input: {} as number, events: {} as { type: 'GO' } | { type: 'END' } },
  actors: { read },
}).createMachine({
  id: 'page',
  context: ({ input }) => ({ bytes: input, length: 0 }),
  initial: 'reading',
  states: {
    reading: {
      invoke: {
        src: 'read',
        input: ({ context }) => context.bytes,
        onDone: { target: 'read', actions: assign({ length: ({ event }) => event.output.length }) },
      },
    },
    read: { on: { GO: {}, END: 'ended' }, after: { 100_000_000: 'ended' } },
    ended: { type: 'final' },
  },
});

export const pageKinds = { page: { machine: page, version: 1 } };

/** `page/N`: every fifth has a result of 50 KB, every third has ended, and of those two are archived. */
export async function populate(store: Store, artifacts: ArtifactStore, count: number): Promise<void> {
  await using runtime = await createRuntime({ store, agents: pageKinds, results: { artifacts, inlineBytes: 1_000 } });
  for (let n = 0; n < count; n += 1) {
    const agent = await runtime.spawn('page', { id: idOf(n), input: n % 5 === 0 ? 50_000 : 50 });
    await agent.waitFor((snapshot) => snapshot.value === 'read', { timeoutMs: 60_000 });
    await agent.send({ type: 'GO' }, { messageId: `go-${String(n)}` });
    if (n % 3 === 0) {
      await agent.send({ type: 'END' });
      await agent.result();
    }
  }
  const message = { messageId: undefined, event: '{"type":"GO"}', from: undefined, replyTo: undefined, acceptedAt: 1 };
  await runtime.store.post([{ ...message, to: 'nobody' }], 10);
  await runtime.close();
  const opened = await store.open({ now: Date.now });
  try {
    const { archived } = await archiveAgents({
      store: opened,
      artifacts,
      now: Date.now,
      ids: [idOf(0), idOf(3)],
      finishedForMs: 0,
      idleForMs: 0,
    });
    expect(archived).to.have.length(2);
  } finally {
    await opened.close();
  }
}

export const idOf = (n: number): string => `page/${String(n).padStart(3, '0')}`;

/** All that is compared when it is copied. */
export async function contents(store: Store): Promise<unknown> {
  const opened = await store.open({ now: Date.now });
  try {
    expect(await opened.check()).to.deep.equal([]);
    const wholes = await opened.whole((await opened.list({ limit: 1_000 })).map(({ key }) => key));
    const letters = await opened.deadLetters({ after: 0, limit: 100 });
    return [
      wholes.map((whole) => whole && [whole.record.id, likeness(whole)]),
      letters.map(({ to, event, at, reason }) => [to, event, at, reason]),
    ];
  } finally {
    await opened.close();
  }
}

/** Of all artifacts the names, in order. */
export async function artifactNames(artifacts: ArtifactStore): Promise<string[]> {
  const { artifacts: found } = await artifacts.list({ limit: 1_000 });
  return found.map(({ id }) => id).sort();
}
