/**
 * The process that is killed: a few agents at work, with everything that leaves an agent in it, on one store. Run again on the same folder it goes on
 * where it was: spawning is idempotent by id, sending by message id. What it is told by the runtime (acknowledgements) and what the outside sees
 * (calls, notes) it appends to files that no restart takes back. Failpoints are armed by the environment.
 */

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, ask, createRuntime, reply, spawnAgent, StatewardenError, tell, type Store } from 'statewarden';
import { scenarioLeaseMs, storeIn } from './store-in.js';

export const scenarioPath = fileURLToPath(import.meta.url);
export const orders = ['order/1', 'order/2'] as const;
export const ticks = 3;
/** What an order waits for before it asks the book. */
export const restMs = 25;

export interface Call {
  readonly activity: string;
  readonly key: string;
  readonly operation: string;
}
export interface Acknowledged {
  readonly agent: string;
  readonly messageId: string;
  readonly at: number;
}

const append = (folder: string, file: string, line: object): void => appendFileSync(join(folder, file), `${JSON.stringify(line)}\n`);

function kinds(folder: string) {
  const call = (name: string) =>
    activity({
      name,
      run: (of: string, { idempotencyKey, operationId }) => {
        append(folder, 'calls.jsonl', { activity: name, key: idempotencyKey, operation: operationId } satisfies Call);
        return `${name} of ${of}`;
      },
    });
  const book = setup({
    types: {
      context: {} as { booked: string[]; delivered: string[]; ticks: number },
      events: {} as { type: 'BOOKED' | 'DELIVERED'; id: string } | { type: 'TICK' } | { type: 'COUNT' },
    },
    actions: { note: (_, { what }: { what: string }) => append(folder, 'notes.jsonl', { what }) },
  }).createMachine({
    id: 'book',
    context: { booked: [], delivered: [], ticks: 0 },
    on: {
      BOOKED: {
        actions: [
          assign({ booked: ({ context, event }) => [...context.booked, event.id].sort() }),
          { type: 'note', params: ({ event }) => ({ what: `BOOKED ${event.id}` }) },
        ],
      },
      DELIVERED: {
        actions: [
          assign({ delivered: ({ context, event }) => [...context.delivered, event.id].sort() }),
          { type: 'note', params: ({ event }) => ({ what: `DELIVERED ${event.id}` }) },
        ],
      },
      TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
      COUNT: { actions: reply(({ context }) => context.booked.length > 0) },
    },
  });
  const order = setup({
    types: {
      context: {} as { id: string; charged: string; seen: boolean },
      events: {} as { type: 'PLACE' },
      input: {} as { id: string },
      output: {} as string,
    },
    actors: { charge: call('charge'), ask: ask<boolean>() },
  }).createMachine({
    id: 'order',
    context: ({ input }) => ({ id: input.id, charged: '', seen: false }),
    output: ({ context }) => `${context.charged}, ${context.seen ? 'seen' : 'not seen'}`,
    initial: 'open',
    states: {
      open: { on: { PLACE: 'charging' } },
      charging: {
        invoke: {
          src: 'charge',
          input: ({ context }) => context.id,
          onDone: {
            target: 'resting',
            actions: [
              assign({ charged: ({ event }) => event.output }),
              tell('book', ({ context }) => ({ type: 'BOOKED', id: context.id })),
              spawnAgent('courier', ({ context }) => ({ id: `courier/${context.id}`, input: { id: context.id } })),
            ],
          },
        },
      },
      resting: { after: { [restMs]: 'asking' } },
      asking: {
        invoke: {
          src: 'ask',
          input: { to: 'book', event: { type: 'COUNT' } },
          onDone: { target: 'done', actions: assign({ seen: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
  });
  const courier = setup({
    types: { context: {} as { id: string }, input: {} as { id: string } },
    actors: { deliver: call('deliver') },
  }).createMachine({
    id: 'courier',
    context: ({ input }) => ({ id: input.id }),
    initial: 'driving',
    states: {
      driving: {
        invoke: {
          src: 'deliver',
          input: ({ context }) => context.id,
          onDone: { target: 'home', actions: tell('book', ({ context }) => ({ type: 'DELIVERED', id: context.id })) },
        },
      },
      home: { type: 'final' },
    },
  });
  /** Writes a large checkpoint with every event: enough of them fill the log. */
  const hoard = setup({ types: { context: {} as { text: string; count: number }, events: {} as { type: 'MORE' } } }).createMachine({
    id: 'hoard',
    context: { text: 'x'.repeat(1_000_000), count: 0 },
    on: { MORE: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  });
  return {
    book: { machine: book, version: 1 },
    order: { machine: order, version: 1 },
    courier: { machine: courier, version: 1 },
    hoard: { machine: hoard, version: 1, checkpoints: 'every-turn' },
  } as const;
}

/** A life of it on any store. */
export async function runScenario(folder: string, hoarded: number, store: Store, leaseMs = 30_000): Promise<void> {
  await using runtime = await createRuntime({ store, agents: kinds(folder), node: { leaseMs } });
  const acknowledged = (agent: string, messageId: string): void =>
    append(folder, 'acknowledged.jsonl', { agent, messageId, at: Date.now() } satisfies Acknowledged);

  const book = await runtime.spawn('book', { id: 'book' });
  const placed = Promise.all(
    orders.map(async (id) => {
      const order = await runtime.spawn('order', { id, input: { id } });
      const { duplicate } = await order.send({ type: 'PLACE' }, { messageId: `place ${id}` }).catch((error: unknown) => {
        // It may have ended in the life before.
        if (error instanceof StatewardenError && error.code === 'DEAD_LETTER') return { duplicate: true };
        throw error;
      });
      if (!duplicate) acknowledged(id, `place ${id}`);
      await order.result();
    }),
  );
  // Who waits for it comes to it later.
  placed.catch(() => undefined);
  for (let tick = 1; tick <= ticks; tick += 1) {
    const messageId = `tick ${String(tick)}`;
    await book.send({ type: 'TICK' }, { messageId });
    acknowledged('book', messageId);
  }
  await placed;
  await book.waitFor(({ context }) => context.delivered.length === orders.length && context.booked.length === orders.length);
  if (hoarded > 0) {
    const hoard = await runtime.spawn('hoard', { id: 'hoard' });
    for (let more = 1; more <= hoarded; more += 1) {
      const messageId = `more ${String(more)}`;
      await hoard.send({ type: 'MORE' }, { messageId });
      acknowledged('hoard', messageId);
    }
  }
  const outputs = await Promise.all(orders.map((id) => runtime.agent<'order'>(id).result()));
  const { context } = await book.snapshot();
  writeFileSync(join(folder, 'final.json'), JSON.stringify({ book: context, outputs }));
}

if (process.argv[1] === scenarioPath) {
  const [folder = '', hoarded = '0'] = process.argv.slice(2);
  await runScenario(folder, Number(hoarded), await storeIn(folder), scenarioLeaseMs).catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? error.code : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
  // Whatever a failpoint has left half done must not keep the process up.
  if (process.exitCode === 1) process.exit();
}
