/** A small shop whose agents show what a console has to show: orders with compound, parallel and inner machines, a bank with a breaker, people who are waited for, letters that nobody takes. */

import { activity, approval, createRuntime, supervisor, tell, type Runtime } from 'statewarden';
import { consecutiveBreaker } from 'statewarden/breakers';
import { sqlite } from 'statewarden/sqlite';
import { assign, setup } from 'xstate';
import { caller } from '../runtime/caller.js';
import { Outside, trip } from '../runtime/trip.js';

interface Order {
  readonly customer: string;
  readonly items: readonly { readonly name: string; readonly cents: number }[];
  readonly cents: number;
  readonly apiKey: string;
  readonly receipt?: string;
  readonly tries: number;
}

/** The bank outside: one may say that it is down. */
export class Bank {
  isDown = false;
}

const parcel = setup({ types: { events: {} as { type: 'WRAP' } } }).createMachine({
  id: 'parcel',
  initial: 'open',
  states: { open: { on: { WRAP: 'wrapped' }, after: { 86_400_000: 'wrapped' } }, wrapped: {} },
});

function orderMachine(bank: Bank) {
  const charge = activity({
    name: 'charge',
    run: async ({ cents, card }: { cents: number; card: string }) => {
      if (bank.isDown || card === 'stolen') throw Object.assign(new Error(`the bank refuses ${String(cents)} cents`), { status: 503 });
      return `r-${String(cents)}`;
    },
    onUnknown: 'retry',
    retry: { attempts: 3, initialMs: 40, maximumMs: 80 },
    breaker: consecutiveBreaker({ name: 'bank', failures: 6 }),
  });
  return setup({
    types: {
      context: {} as Order,
      input: {} as { customer: string },
      events: {} as
        | { type: 'ADD'; name: string; cents: number }
        | { type: 'CHECKOUT' | 'RETRY' | 'CANCEL' | 'PICKED' | 'BOXED' | 'SIGNED' | 'SHIP' | 'NOTIFY' },
    },
    actors: { charge, parcel },
    guards: { isFull: ({ context }) => context.items.length > 0 },
    actions: { announce: () => {} },
  }).createMachine({
    id: 'order',
    context: ({ input }) => ({ customer: input.customer, items: [], cents: 0, apiKey: 'sk-live-1234567890abcdef', tries: 0 }),
    initial: 'cart',
    states: {
      cart: {
        on: {
          ADD: {
            actions: assign({
              items: ({ context, event }) => [...context.items, { name: event.name, cents: event.cents }],
              cents: ({ context, event }) => context.cents + event.cents,
            }),
          },
          CHECKOUT: { guard: 'isFull', target: 'paying' },
          CANCEL: 'cancelled',
        },
      },
      paying: {
        initial: 'charging',
        states: {
          charging: {
            tags: ['checkpoint'],
            entry: assign({ tries: ({ context }) => context.tries + 1 }),
            invoke: {
              src: 'charge',
              input: ({ context }) => ({ cents: context.cents, card: context.customer === 'eve' ? 'stolen' : 'good' }),
              onDone: { target: '#order.fulfilling', actions: assign({ receipt: ({ event }) => event.output }) },
              onError: 'declined',
            },
          },
          declined: { on: { RETRY: 'charging' }, after: { 3_600_000: '#order.cancelled' } },
        },
      },
      fulfilling: {
        type: 'parallel',
        states: {
          packing: {
            initial: 'picking',
            states: {
              picking: { on: { PICKED: 'boxing' } },
              boxing: { invoke: { src: 'parcel', id: 'parcel' }, on: { BOXED: 'boxed' } },
              boxed: { type: 'final' },
            },
          },
          papers: { initial: 'drafting', states: { drafting: { on: { SIGNED: 'signed' } }, signed: { type: 'final' } } },
        },
        onDone: 'ready',
      },
      ready: { on: { SHIP: { target: 'shipped', actions: 'announce' }, NOTIFY: { actions: tell('post/nobody', { type: 'PARCEL' }) } } },
      shipped: { type: 'final' },
      cancelled: { type: 'final' },
    },
  });
}

const pulse = setup({ types: { events: {} as { type: 'BEAT' }, context: {} as { beats: number } } }).createMachine({
  id: 'pulse',
  context: { beats: 0 },
  initial: 'tick',
  on: { BEAT: { actions: assign({ beats: ({ context }) => context.beats + 1 }) } },
  states: {
    tick: { on: { BEAT: { target: 'tock', actions: assign({ beats: ({ context }) => context.beats + 1 }) } } },
    tock: { on: { BEAT: { target: 'tick', actions: assign({ beats: ({ context }) => context.beats + 1 }) } } },
  },
});

const pay = activity({
  name: 'pay',
  onUnknown: 'hold',
  run: () => {
    throw Object.assign(new Error('the line was cut'), { code: 'ECONNRESET' });
  },
});

export async function openShop(path: string, bank = new Bank(), outside = new Outside()): Promise<Runtime> {
  const runtime = await createRuntime({
    store: sqlite(path),
    agents: {
      order: { machine: orderMachine(bank), version: 1 },
      pulse: { machine: pulse, version: 1 },
      payer: { machine: caller(pay), version: 1 },
      lender: { machine: caller(approval()), version: 1 },
      trip: { machine: trip(outside), version: 1 },
    },
    node: { name: 'shop' },
  });
  return runtime as unknown as Runtime;
}

export type Send = (id: string, type: string, more?: object) => Promise<unknown>;

/** Orders in different states, under a supervisor; two decisions, a held payment, dead letters. */
export async function fillShop(runtime: Runtime): Promise<Send> {
  const send: Send = (id, type, more = {}) => runtime.agent(id).send({ type, ...more } as never);
  await runtime.supervise(
    supervisor({
      id: 'shop',
      children: [
        { id: 'shop/pulse', kind: 'pulse' },
        supervisor({
          id: 'shop/counter',
          children: ['ada', 'bob', 'cyd', 'eve'].map((customer) => ({ id: `orders/${customer}`, kind: 'order', input: { customer } })),
        }),
      ],
    } as never),
  );
  for (const customer of ['ada', 'bob', 'eve']) {
    await send(`orders/${customer}`, 'ADD', { name: 'tea', cents: 450 });
    await send(`orders/${customer}`, 'ADD', { name: 'a pot with a very long name, of blue clay', cents: 3_900 });
    await send(`orders/${customer}`, 'CHECKOUT');
  }
  await runtime.spawn('lender', {
    id: 'loans/l-1',
    input: { title: 'Lend 10,000 to Ada?', details: { score: 712 }, deadlineMs: 172_800_000 } as never,
  });
  await runtime.spawn('lender', { id: 'medals/m-1', input: { title: 'Which medal?', choices: ['gold', 'silver'] } as never });
  await runtime.spawn('payer', { id: 'payments/p-1', input: { cents: 5 } as never });
  return send;
}
