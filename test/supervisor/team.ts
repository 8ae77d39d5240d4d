/** A worker that can be made to fail in every way, and a runtime to supervise it in. */

import { assign, enqueueActions, fromPromise, setup } from 'xstate';
import { activity, createRuntime, memory, reply, TerminalError, type Runtime, type RuntimeEvent, type RuntimeOptions } from 'statewarden';

/** How many calls of the activity fail before it gives in. */
export const trouble = { left: Infinity };

const boom = (message: string): never => {
  throw new RangeError(message);
};

const child = setup({ types: { events: {} as { type: 'GO' } } }).createMachine({
  id: 'child',
  on: { GO: { actions: assign(() => boom('child broke')) } },
  entry: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'GO' })),
});

export const worker = setup({
  types: {
    context: {} as { taken: number[]; fail: string | undefined; odd: unknown },
    input: {} as { fail?: string } | undefined,
    events: {} as
      | { type: 'N'; n: number }
      | { type: 'FAIL'; how: string }
      | { type: 'ASK' }
      | { type: 'TICK'; ms: number; fails?: boolean }
      | { type: 'RUNG'; fails?: boolean }
      | { type: 'END' },
  },
  actors: {
    child,
    hopeless: activity({
      name: 'hopeless',
      run: () => (--trouble.left < 0 ? Promise.resolve() : Promise.reject(new TerminalError('no such account'))),
    }),
    never: fromPromise<unknown, number>(() => new Promise(() => undefined)),
  },
  actions: { throws: () => boom('action broke'), note: () => undefined },
  guards: { throws: () => boom('guard broke') },
}).createMachine({
  id: 'worker',
  context: ({ input }) => (input?.fail === 'context' ? boom('context broke') : { taken: [], fail: input?.fail, odd: undefined }),
  initial: 'idle',
  states: {
    idle: {},
    hung: { invoke: { src: 'never', input: 1 } },
    mapping: { invoke: { src: 'never', input: () => boom('input broke') } },
    calling: { invoke: { src: 'hopeless', onDone: 'idle' } },
    parenting: { invoke: { src: 'child' } },
    done: { type: 'final' },
  },
  on: {
    N: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) },
    ASK: { actions: [reply(({ context }) => context.taken), assign(() => boom('asked in vain'))] },
    TICK: {
      actions: enqueueActions(({ event, enqueue }) => enqueue.raise({ type: 'RUNG', fails: event.fails ?? false }, { delay: event.ms })),
    },
    RUNG: { actions: assign(({ context, event }) => (event.fails === true ? boom('timer broke') : { taken: [...context.taken, -1] })) },
    END: '.done',
    FAIL: [
      { guard: ({ event }) => event.how === 'assign', actions: assign(() => boom('assign broke')) },
      { guard: ({ event }) => event.how === 'guard' && boom('guard broke') },
      { guard: ({ event }) => event.how === 'action', actions: 'throws' },
      { guard: ({ event }) => event.how === 'inline', actions: () => boom('inline broke') },
      { guard: ({ event }) => event.how === 'value', actions: assign({ odd: () => () => undefined }) },
      // What the action is run with cannot be kept, what the turn leaves can.
      {
        guard: ({ event }) => event.how === 'passing',
        actions: [assign({ odd: () => () => undefined }), 'note', assign({ odd: undefined })],
      },
      { guard: ({ event }) => event.how === 'hang', target: '.hung' },
      { guard: ({ event }) => event.how === 'input', target: '.mapping' },
      { guard: ({ event }) => event.how === 'activity', target: '.calling' },
      { guard: ({ event }) => event.how === 'child', target: '.parenting' },
    ],
  },
});

export const agents = { worker: { machine: worker, version: 1 } } as const;
export type Agents = typeof agents;

export async function open(options: Partial<RuntimeOptions> = {}): Promise<Runtime<Agents> & { readonly seen: RuntimeEvent[] }> {
  const runtime = await createRuntime({ store: memory(), ...options, agents });
  const seen: RuntimeEvent[] = [];
  runtime.events$.subscribe((event) => seen.push(event));
  return Object.assign(runtime, { seen });
}

/** Resolves when it holds; a test's own time limit ends the wait. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}
