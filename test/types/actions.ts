/** Compile-time tests: `tell`, `reply`, `spawnAgent` and `ephemeral` take their types from the machine they stand in. */

import { assign, setup } from 'xstate';
import { activity, ask, ephemeral, reply, spawnAgent, tell } from 'statewarden';

type Events = { type: 'WORK'; n: number } | { type: 'REST'; because: string };
const double = activity({ name: 'double', run: (input: { n: number }) => ({ twice: input.n * 2 }) });

/** In `setup({ actions })` the expressions see the machine's context and all its events. */
export const named = setup({
  types: { context: {} as { boss: string; count: number }, events: {} as Events, input: {} as { boss: string } },
  actors: { double, askBoss: ask<{ plan: string }>() },
  actions: {
    report: tell(
      ({ context }) => context.boss,
      ({ context, event }) => ({ type: 'REPORT', count: context.count, last: event.type }),
      { messageId: ({ context }) => `report-${String(context.count)}` },
    ),
    answer: reply(({ context }) => ({ count: context.count })),
    hire: spawnAgent('worker', ({ context }) => ({ id: `worker-${String(context.count)}`, input: { boss: context.boss } })),
    // @ts-expect-error the context has no such member
    wrongContext: tell(({ context }) => context.nobody, { type: 'X' }),
    // @ts-expect-error the receiver's id is a string
    wrongReceiver: tell(({ context }) => context.count, { type: 'X' }),
    // @ts-expect-error an event has a type
    wrongEvent: tell('boss', { kind: 'X' }),
    show: ephemeral(({ context }: { context: { count: number } }) => void context.count),
  },
}).createMachine({
  context: ({ input }) => ({ boss: input.boss, count: 0 }),
  initial: 'idle',
  states: {
    idle: {
      entry: ['hire', 'show', tell('boss', { type: 'READY' })],
      on: {
        // Inline, the event is the one of this transition.
        WORK: {
          target: 'working',
          actions: [reply(({ event }) => event.n + 1), tell('boss', ({ event }) => ({ type: 'WORKED', n: event.n })), 'report', 'answer'],
        },
        REST: {
          actions: [
            reply(({ event }) => event.because),
            // @ts-expect-error REST has no n
            reply(({ event }) => event.n),
          ],
        },
      },
    },
    working: {
      invoke: [
        {
          src: 'double',
          input: ({ context }) => ({ n: context.count }),
          onDone: {
            target: 'idle',
            actions: [
              assign({ count: ({ event }) => event.output.twice }),
              tell('boss', ({ event }) => ({ type: 'DOUBLED', twice: event.output.twice })),
              // @ts-expect-error the output is what run returns
              assign({ count: ({ event }) => event.output.thrice }),
            ],
          },
          onError: { target: 'idle', actions: tell('boss', ({ event }) => ({ type: 'FAILED', error: String(event.error) })) },
        },
        {
          src: 'askBoss',
          input: { to: 'boss', event: { type: 'WHAT_NEXT' } },
          onDone: { actions: assign({ boss: ({ event }) => event.output.plan }) },
        },
        // @ts-expect-error n is a number
        { src: 'double', input: { n: 'many' } },
      ],
    },
  },
});

/** An enqueued action is an ordinary one too. */
export const enqueued = setup({ types: { context: {} as { boss: string }, events: {} as Events } }).createMachine({
  context: { boss: 'b' },
  on: {
    WORK: {
      actions: [
        tell(
          ({ context }) => context.boss,
          ({ event }) => ({ type: 'N', n: event.n }),
        ),
        spawnAgent('worker', { id: 'w' }),
      ],
    },
  },
});
