/**
 * A small store with something of everything: finished, waiting and parked agents, a child, a timer, an activity between two attempts, mail and
 * a dead letter. Made by the runtime itself, then closed.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, filter } from 'rxjs';
import { assign, setup } from 'xstate';
import { activity, createRuntime, reply, tell } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

const pay = activity({
  name: 'pay',
  run: (): number => {
    throw new Error('the bank is closed');
  },
  retry: { attempts: 3, initialMs: 3_600_000, maximumMs: 3_600_000, jitter: 'none' },
});

const packer = setup({}).createMachine({ id: 'packer', initial: 'packing', states: { packing: { entry: () => undefined } } });

const order = setup({
  types: {
    context: {} as { items: string[]; since: Date },
    events: {} as { type: 'ADD'; item: string } | { type: 'PAY' } | { type: 'CLOSE' } | { type: 'HOW_MANY' },
    input: {} as { items: string[] },
    output: {} as number,
  },
  actors: { pay, packer },
}).createMachine({
  context: ({ input }) => ({ items: input.items, since: new Date(0) }),
  initial: 'open',
  states: {
    open: {
      invoke: { src: 'packer', id: 'packer' },
      after: { 86_400_000: 'closed' },
      on: {
        ADD: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
        HOW_MANY: { actions: reply(({ context }) => context.items.length) },
        PAY: 'paying',
        CLOSE: 'closed',
      },
    },
    paying: { invoke: { src: 'pay', onDone: 'closed' } },
    closed: { type: 'final', entry: tell('warehouse', { type: 'SHIP' }) },
  },
  output: ({ context }) => context.items.length,
});

const clerk = setup({}).createMachine({
  id: 'clerk',
  initial: 'working',
  states: { working: { on: { REST: 'resting' } }, resting: { tags: 'checkpoint' } },
});
const changedClerk = setup({}).createMachine({ id: 'clerk', initial: 'working', states: { working: {} } });

export const agents = { order: { machine: order, version: 1 } } as const;

export interface SampleStore {
  readonly folder: string;
  readonly path: string;
  remove(): void;
}

export function emptyFolder(): SampleStore {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-cli-'));
  return { folder, path: join(folder, 'agents.db'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function sampleStore(): Promise<SampleStore> {
  const place = emptyFolder();
  {
    await using runtime = await createRuntime({ store: sqlite(place.path), agents: { ...agents, clerk: { machine: clerk, version: 1 } } });
    const open = await runtime.spawn('order', { id: 'orders/o-1', input: { items: ['tea'] } });
    await open.send({ type: 'ADD', item: 'cup' }, { messageId: 'm-1' });
    const done = await runtime.spawn('order', { id: 'orders/o-2', input: { items: [] } });
    await done.send({ type: 'CLOSE' });
    await done.result();
    const paying = await runtime.spawn('order', { id: 'orders/o-30', input: { items: ['pot'] } });
    const retrying = firstValueFrom(runtime.events$.pipe(filter((event) => event.type === 'activity' && event.phase === 'retrying')));
    await paying.send({ type: 'PAY' });
    await retrying;
    const rested = await runtime.spawn('clerk', { id: 'clerk' });
    await rested.send({ type: 'REST' } as never);
    await runtime.store.post(
      [{ to: 'orders/o-1', messageId: 'm-2', event: '{"type":"ADD","item":"jug"}', from: undefined, replyTo: undefined, acceptedAt: 1 }],
      10,
    );
  }
  return place;
}

/** Opens the store with a clerk that has lost the state it rests in. */
export async function park(path: string): Promise<void> {
  await using runtime = await createRuntime({ store: sqlite(path), agents: { ...agents, clerk: { machine: changedClerk, version: 1 } } });
  await runtime
    .agent('clerk')
    .snapshot()
    .catch(() => undefined);
}
