/** Agents that message, ask and make each other, and call outside. */

import { assign, enqueueActions, setup } from 'xstate';
import { trace } from '@opentelemetry/api';
import { activity, ask, reply, spawnAgent, tell } from 'statewarden';

/** A tree of messages: what each agent makes, and sends on. */
export interface Plan {
  readonly id: string;
  readonly calls: boolean;
  readonly children: readonly Plan[];
}

const work = activity({
  name: 'work',
  run: async ({ id }: { readonly id: string }) => {
    // As the user's own instrumentation would.
    trace.getTracer('user').startSpan(`user ${id}`).end();
    return id;
  },
});

type Events = { type: 'GO'; plan: Plan } | { type: 'DONE' };

/** Makes an agent for each child of its plan, tells it, and ends when all have told that they are done. */
export const spreader = setup({
  types: {
    input: {} as { readonly parent: string | undefined; readonly id: string },
    context: {} as { readonly id: string; readonly parent: string | undefined; readonly plan: Plan | undefined; readonly open: number },
    events: {} as Events,
  },
  actors: { work },
}).createMachine({
  context: ({ input }) => ({ ...input, plan: undefined, open: 0 }),
  initial: 'waiting',
  states: {
    waiting: {
      on: {
        GO: { target: 'working', actions: assign({ plan: ({ event }) => event.plan, open: ({ event }) => event.plan.children.length }) },
      },
    },
    working: {
      initial: 'choosing',
      states: {
        choosing: { always: [{ guard: ({ context }) => context.plan?.calls === true, target: 'calling' }, 'spreading'] },
        calling: { invoke: { src: 'work', input: ({ context }) => ({ id: context.id }), onDone: 'spreading' } },
        spreading: {
          entry: enqueueActions(({ context, enqueue }) => {
            for (const child of context.plan?.children ?? []) {
              enqueue(spawnAgent('spreader', { id: child.id, input: { parent: context.id, id: child.id } }));
              const go: Events = { type: 'GO', plan: child };
              enqueue(tell(child.id, go));
            }
          }),
          always: { guard: ({ context }) => context.open === 0, target: '#end' },
          on: { DONE: { actions: assign({ open: ({ context }) => context.open - 1 }) } },
        },
      },
    },
    end: {
      id: 'end',
      type: 'final',
      entry: enqueueActions(({ context, enqueue }) => {
        if (context.parent !== undefined) enqueue(tell(context.parent, { type: 'DONE' }));
      }),
    },
  },
});

export const planner = setup({ types: { events: {} as { type: 'PLAN' } | { type: 'STOP' } } }).createMachine({
  on: { PLAN: { actions: reply({ steps: 2 }) } },
});

/** Asks the planner, then says so. */
export const asker = setup({
  types: {
    context: {} as { readonly steps: number },
    events: {} as { type: 'GO' } | { type: 'HOW_MANY' },
    input: {} as { readonly to: string },
  },
  actors: { askPlanner: ask<{ readonly steps: number }>() },
}).createMachine({
  context: { steps: 0 },
  initial: 'idle',
  on: { HOW_MANY: { actions: reply(({ context }) => context.steps) } },
  states: {
    idle: { on: { GO: 'asking' } },
    asking: {
      invoke: {
        src: 'askPlanner',
        input: { to: 'planner-1', event: { type: 'PLAN' } },
        onDone: { target: 'told', actions: assign({ steps: ({ event }) => event.output.steps }) },
      },
    },
    told: {},
  },
});

let failures = 0;
export const failTimes = (times: number): void => void (failures = times);

const flaky = activity({
  name: 'flaky',
  run: async () => {
    failures -= 1;
    if (failures >= 0) throw new Error('not yet');
    return 'done';
  },
  retry: { attempts: 5, initialMs: 1, maximumMs: 2, jitter: 'none' },
});

export const trier = setup({ types: { events: {} as { type: 'TRY' } }, actors: { flaky } }).createMachine({
  initial: 'idle',
  states: {
    idle: { on: { TRY: 'trying' } },
    trying: { invoke: { src: 'flaky', onDone: 'done', onError: 'done' } },
    done: { type: 'final' },
  },
});

export const breaker = setup({
  types: { context: {} as { readonly n: number }, events: {} as { type: 'UP' } | { type: 'BREAK' } },
}).createMachine({
  context: { n: 0 },
  on: {
    UP: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    BREAK: {
      actions: assign(() => {
        throw new Error('it broke');
      }),
    },
  },
});

export const agents = {
  spreader: { machine: spreader, version: 1 },
  planner: { machine: planner, version: 1 },
  asker: { machine: asker, version: 1 },
  trier: { machine: trier, version: 1 },
  breaker: { machine: breaker, version: 1 },
} as const;
