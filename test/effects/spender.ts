/** A machine that spends of a budget, or calls an activity that does, and keeps what came of it. */

import { assign, setup, type AnyActorLogic } from 'xstate';
import { createRuntime, memory, spend, type RuntimeOptions } from 'statewarden';

export interface Told {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly [member: string]: unknown;
}

/** Each GO runs `work` (default: `spend()`) once with its input; the results stand in the context, in order. */
export function spender(work: AnyActorLogic = spend()) {
  return setup({
    types: {
      context: {} as { results: unknown[]; failures: Told[] },
      events: {} as { type: 'GO'; input: unknown } | { type: 'LEAVE' } | { type: 'BREAK' },
    },
    actors: { work },
  }).createMachine({
    id: 'spender',
    context: { results: [], failures: [] },
    initial: 'idle',
    states: {
      idle: { on: { GO: 'working' } },
      working: {
        invoke: {
          src: 'work',
          input: ({ event }: { event: unknown }) => (event as { input: unknown }).input,
          onDone: { target: 'idle', actions: assign({ results: ({ context, event }) => [...context.results, event.output as unknown] }) },
          onError: {
            target: 'idle',
            actions: assign({
              failures: ({ context, event }) => {
                const error = event.error as Error;
                return [...context.failures, { ...(error as object), name: error.name, message: error.message } as Told];
              },
            }),
          },
        },
        on: {
          LEAVE: 'idle',
          BREAK: {
            target: 'idle',
            actions: assign(() => {
              throw new Error('broken');
            }),
          },
        },
      },
    },
  });
}

export function open(work?: AnyActorLogic, more: Partial<RuntimeOptions> = {}) {
  return createRuntime({
    store: memory(),
    budgets: { tokens: { limit: 100 } },
    ...more,
    agents: { spender: { machine: spender(work), version: 1 } },
  });
}
export type Opened = Awaited<ReturnType<typeof open>>;

/** One GO, to its end. */
export async function go(runtime: Opened, id: string, input: unknown): Promise<{ results: unknown[]; failures: Told[] }> {
  await runtime.spawn('spender', { id });
  const agent = runtime.agent<'spender'>(id);
  const before = (await agent.snapshot()).context;
  await agent.send({ type: 'GO', input });
  const { context } = await agent.waitFor(
    (snapshot) =>
      snapshot.matches('idle') &&
      snapshot.context.results.length + snapshot.context.failures.length > before.results.length + before.failures.length,
    { timeoutMs: 5_000 },
  );
  return context;
}
