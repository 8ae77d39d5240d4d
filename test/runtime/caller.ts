/** An agent that makes one call, for tests of activities. */

import { assign, setup, type AnyActorLogic } from 'xstate';

/** A machine that calls `work` once with its input and ends with the result, or with the error's message. */
export function caller(work: AnyActorLogic) {
  return setup({
    actors: { work },
    types: {
      context: {} as { input: unknown; result: unknown },
      input: {} as unknown,
      output: {} as unknown,
      events: {} as { type: 'LEAVE' },
    },
  }).createMachine({
    id: 'caller',
    context: ({ input }) => ({ input, result: undefined }),
    initial: 'calling',
    states: {
      calling: {
        invoke: {
          src: 'work',
          input: ({ context }: { context: { input: unknown } }) => context.input,
          onDone: { target: 'end', actions: assign({ result: ({ event }) => event.output as unknown }) },
          onError: { target: 'end', actions: assign({ result: ({ event }) => (event.error as Error).message }) },
        },
        on: { LEAVE: 'left' },
      },
      left: {},
      end: { type: 'final' },
    },
    output: ({ context }: { context: { result: unknown } }) => context.result,
  });
}
