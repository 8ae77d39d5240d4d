/**
 * The machines that are measured. The same definitions run under Statewarden and in plain XState; they are as small as can be,
 * so that what is compared is the runtime and not the machine.
 */

import { assign, fromPromise, setup } from 'xstate';
import { activity } from './statewarden.js';

/** W1, W2, memory: one state, one number. */
export const counter = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'ADD'; amount: number } },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { ADD: { actions: assign({ count: ({ context, event }) => context.count + event.amount }) } },
});

export const stepCount = 5;

const inMemory = fromPromise<number, number>(async ({ input }) => input + 1);
const durable = (name: string) => activity<number, number>({ name, run: async (value) => value + 1 });

const steps = setup({
  types: { context: {} as { value: number }, output: {} as number },
  actors: { one: inMemory, two: inMemory, three: inMemory, four: inMemory, five: inMemory },
});
const keep = steps.assign({ value: ({ event }) => (event as unknown as { output: number }).output });
const input = ({ context }: { context: { value: number } }): number => context.value;

/** W3: five states, each invoking one step with the value so far; the output is the last value. */
export const plainSteps = steps.createMachine({
  id: 'steps',
  context: { value: 0 },
  initial: 'one',
  output: ({ context }) => context.value,
  states: {
    one: { invoke: { src: 'one', input, onDone: { target: 'two', actions: keep } } },
    two: { invoke: { src: 'two', input, onDone: { target: 'three', actions: keep } } },
    three: { invoke: { src: 'three', input, onDone: { target: 'four', actions: keep } } },
    four: { invoke: { src: 'four', input, onDone: { target: 'five', actions: keep } } },
    five: { invoke: { src: 'five', input, onDone: { target: 'done', actions: keep } } },
    done: { type: 'final' },
  },
});

/** The same with each step an activity. */
export const durableSteps = plainSteps.provide({
  actors: { one: durable('one'), two: durable('two'), three: durable('three'), four: durable('four'), five: durable('five') },
});

/** W4: an activity that is in flight until its process dies; `begun` is called whenever it is run. */
export function waiter(begun: () => void) {
  const wait = activity<undefined, number>({
    name: 'wait',
    onUnknown: 'retry',
    run: (_, { signal }) => {
      begun();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));
    },
  });
  return setup({ actors: { wait } }).createMachine({
    id: 'waiter',
    initial: 'waiting',
    states: { waiting: { invoke: { src: 'wait', onDone: 'done' } }, done: { type: 'final' } },
  });
}

/** Bytes: a large context (a megabyte of text in a thousand parts) and small events that touch a corner of it. */
export const ledger = setup({
  types: {
    context: {} as { pages: string[]; count: number },
    events: {} as { type: 'NOTE'; amount: number },
    input: {} as { bytes: number },
  },
}).createMachine({
  id: 'ledger',
  context: ({ input }) => ({
    pages: Array.from({ length: 1_000 }, (_, page) => `${String(page)}-`.padEnd(Math.ceil(input.bytes / 1_000), 'abcdefghij')),
    count: 0,
  }),
  on: { NOTE: { actions: assign({ count: ({ context, event }) => context.count + event.amount }) } },
});

/** Supervision: as `counter`, and an activity's error that nobody handles. */
const hopeless = activity<undefined, number>({
  name: 'hopeless',
  retry: { attempts: 1 },
  run: () => Promise.reject(new Error('as always')),
});
export const fragile = setup({
  types: { context: {} as { count: number }, events: {} as { type: 'ADD'; amount: number } | { type: 'FAIL' } | { type: 'LOOP' } },
  actors: { hopeless },
}).createMachine({
  id: 'fragile',
  context: { count: 0 },
  initial: 'well',
  on: {
    ADD: { actions: assign({ count: ({ context, event }) => context.count + event.amount }) },
    FAIL: {
      actions: assign(() => {
        throw new Error('as told');
      }),
    },
    LOOP: '.looping',
  },
  states: { well: {}, looping: { invoke: { src: 'hopeless' } } },
});
