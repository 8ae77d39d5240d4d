/** A runtime with something of everything that a console shows: agents in several states, a child, timers, activities that fail, people who are waited for, a tree, a breaker, a dead letter, secrets. */

import { setTimeout } from 'node:timers/promises';
import { assign, setup } from 'xstate';
import { activity, approval, createRuntime, supervisor, type Runtime, type Store } from 'statewarden';
import { consecutiveBreaker } from 'statewarden/breakers';
import { caller } from '../runtime/caller.js';

const packer = setup({}).createMachine({ id: 'packer', initial: 'packing', states: { packing: { on: { NEXT: 'packing' } } } });

const pay = activity({
  name: 'pay',
  run: (): number => {
    throw new Error('the bank is closed: https://ada:hunter22@bank.example/pay');
  },
  retry: { attempts: 3, initialMs: 3_600_000, maximumMs: 3_600_000, jitter: 'none' },
  breaker: consecutiveBreaker({ name: 'bank', failures: 5 }),
});

export const order = setup({
  types: {
    context: {} as { items: string[]; since: Date; apiKey: string; tokens: number },
    events: {} as { type: 'ADD'; item: string; password?: string } | { type: 'PAY' } | { type: 'CLOSE' },
    input: {} as { items: string[] },
    output: {} as number,
  },
  actors: { pay, packer },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ items: input.items, since: new Date(0), apiKey: 'sk-live-0123456789abcdef', tokens: 12 }),
  initial: 'open',
  states: {
    open: {
      invoke: { src: 'packer', id: 'packer' },
      after: { 86_400_000: 'closed' },
      on: {
        ADD: { actions: assign({ items: ({ context, event }) => [...context.items, event.item] }) },
        PAY: 'paying',
        CLOSE: 'closed',
      },
    },
    paying: { tags: 'checkpoint', invoke: { src: 'pay', onDone: 'closed' } },
    closed: { type: 'final' },
  },
  output: ({ context }) => context.items.length,
});

const held = activity({
  name: 'post',
  onUnknown: 'hold',
  run: (): unknown => {
    throw Object.assign(new Error('the line was cut'), { code: 'ECONNRESET' });
  },
});

const worker = setup({ types: { events: {} as { type: 'WORK' } | { type: 'BREAK' } } }).createMachine({
  id: 'worker',
  initial: 'idle',
  states: {
    idle: { on: { WORK: 'working', BREAK: { actions: [() => undefined] } } },
    working: { on: { WORK: 'idle' } },
  },
});

export const kinds = {
  order: { machine: order, version: 1 },
  lender: { machine: caller(approval()), version: 1 },
  poster: { machine: caller(held), version: 1 },
  worker: { machine: worker, version: 1 },
} as const;

export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries > 3_000) throw new Error(`never: ${what}`);
    await setTimeout(5);
  }
}

export async function openFleet(store: Store): Promise<Runtime> {
  const runtime = await createRuntime({ store, agents: kinds, node: { name: 'one' } });
  return runtime as unknown as Runtime;
}

export async function fillFleet(runtime: Runtime): Promise<void> {
  const spawn = (kind: string, id: string, input: unknown): Promise<unknown> => runtime.spawn(kind, { id, input } as never);
  const send = (id: string, event: unknown): Promise<unknown> => runtime.agent(id).send(event as never);
  await spawn('order', 'orders/o-1', { items: ['tea'] });
  await send('orders/o-1', { type: 'ADD', item: 'cup', password: 'hunter2' });
  await spawn('order', 'orders/o-2', { items: [] });
  await send('orders/o-2', { type: 'CLOSE' });
  await spawn('order', 'orders/o-3', { items: ['pot'] });
  await send('orders/o-3', { type: 'PAY' });
  await send('orders/o-2', { type: 'PAY' }).catch(() => undefined);
  await spawn('lender', 'loans/l-1', { title: 'Lend 10,000 to Ada?', details: { score: 712, secret: 'x' }, deadlineMs: 172_800_000 });
  await spawn('poster', 'letters/l-1', { to: 'ada' });
  const team = await runtime.supervise(supervisor({ id: 'team', strategy: 'one-for-one', intensity: 3, periodMs: 5_000 }));
  await team.spawn('worker', { id: 'w-1' } as never);
  await team.spawn('worker', { id: 'w-2' } as never);
  await until('paying has failed once', async () => {
    const [record] = await runtime.store.lookup(['orders/o-3']);
    return (await runtime.store.operations(record?.key ?? 0)).some(({ attempts }) => attempts > 0);
  });
  await until('people are waited for', async () => (await runtime.holds.list()).length + (await runtime.approvals.list()).length === 2);
}
