/** Compile-time tests: a runtime's methods take their types from the machine of the kind. */

import type { Observable } from 'rxjs';
import { fromPromise, setup, type InputFrom, type OutputFrom, type SnapshotFrom } from 'xstate';
import { activity, spend, type ActivityLogic, type AgentRef, type Runtime, type Spending, type Spent } from 'statewarden';

const counter = setup({
  types: {
    context: {} as { count: number },
    events: {} as { type: 'INC'; by?: number } | { type: 'STOP' },
    input: {} as { from: number },
    output: {} as { total: number },
    emitted: {} as { type: 'changed'; count: number },
  },
}).createMachine({ context: ({ input }) => ({ count: input.from }), initial: 'on', states: { on: {} } });
const bare = setup({}).createMachine({});
const kinds = { counter: { machine: counter, version: 1 }, bare: { machine: bare, version: 1 } } as const;
type Kinds = typeof kinds;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): unknown => value;

export async function spawning(runtime: Runtime<Kinds>): Promise<void> {
  const agent = await runtime.spawn('counter', { id: 'c', input: { from: 1 } });
  sure<Equal<typeof agent, AgentRef<typeof counter>>>();
  await runtime.spawn('bare', { id: 'b' });
  // @ts-expect-error no such kind
  await runtime.spawn('timer', { id: 't' });
  // @ts-expect-error the machine needs its input
  await runtime.spawn('counter', { id: 'c' });
  // @ts-expect-error the input is of another type
  await runtime.spawn('counter', { id: 'c', input: { from: 'one' } });
  // @ts-expect-error an agent needs an id
  await runtime.spawn('bare', {});
}

export async function talking(runtime: Runtime<Kinds>): Promise<void> {
  const agent = runtime.agent<'counter'>('c');
  await agent.send({ type: 'INC' });
  await agent.send({ type: 'INC', by: 2 }, { messageId: 'm' });
  // @ts-expect-error no such event
  await agent.send({ type: 'RESET' });
  // @ts-expect-error by is a number
  await agent.send({ type: 'INC', by: 'two' });
  // @ts-expect-error an event is an object
  await agent.send('INC');
  const answer = await agent.ask<number>({ type: 'INC' });
  sure<Equal<typeof answer, number>>();
  const unnamed = await agent.ask({ type: 'STOP' });
  sure<Equal<typeof unnamed, unknown>>();
  // @ts-expect-error no such event
  await agent.ask({ type: 'RESET' });
}

export async function looking(runtime: Runtime<Kinds>): Promise<void> {
  const agent = runtime.agent<'counter'>('c');
  const output = await agent.result();
  sure<Equal<typeof output, { total: number }>>();
  const snapshot = await agent.snapshot();
  sure<Equal<typeof snapshot.context, { count: number }>>();
  sure<Equal<typeof agent.snapshots$, Observable<SnapshotFrom<typeof counter>>>>();
  sure<Equal<typeof agent.emitted$, Observable<{ type: 'changed'; count: number }>>>();
  await agent.waitFor((current) => current.context.count > 3 && current.matches('on'), { timeoutMs: 5 });
  // @ts-expect-error no such member of the context
  await agent.waitFor((current) => current.context.total > 3);
  // @ts-expect-error no such state
  await agent.waitFor((current) => current.matches('off'));
}

/** `activity()` infers input and output from `run`, and XState infers from the activity. */
const search = activity({
  name: 'search',
  run: async (input: { query: string }, { signal, idempotencyKey, attempt }) => {
    sure<Equal<typeof signal, AbortSignal>>();
    sure<Equal<typeof idempotencyKey, string>>();
    sure<Equal<typeof attempt, number>>();
    return [input.query];
  },
  key: ({ query }) => query,
});
sure<Equal<typeof search, ActivityLogic<{ query: string }, string[]>>>();
const ping = activity({ name: 'ping', run: () => 'pong' as const });
sure<Equal<typeof ping, ActivityLogic<undefined, 'pong'>>>();

/** A budget's functions take their types from `run`; names of budgets come from the options. */
const complete = activity({
  name: 'complete',
  run: async (input: { prompt: string }, { signal }) => ({ text: input.prompt, tokens: signal.aborted ? 0 : 1 }),
  budget: {
    name: 'tokens',
    amount: ({ prompt }) => prompt.length,
    actual: (output) => {
      sure<Equal<typeof output, { text: string; tokens: number }>>();
      return output.tokens;
    },
  },
});
sure<Equal<typeof complete, ActivityLogic<{ prompt: string }, { text: string; tokens: number }>>>();

export async function budgeting(runtime: Runtime<Kinds, 'tokens' | 'cents'>): Promise<void> {
  const { left } = await runtime.budget('tokens').spend(1, { key: 'k' });
  sure<Equal<typeof left, number>>();
  const { resetsAt } = await runtime.budget('cents').status();
  sure<Equal<typeof resetsAt, number | undefined>>();
  // @ts-expect-error no such budget
  runtime.budget('pounds');
  const logic = spend<'tokens' | 'cents'>();
  sure<Equal<InputFrom<typeof logic>, Spending<'tokens' | 'cents'>>>();
  sure<Equal<OutputFrom<typeof logic>, Spent>>();
}

export const misfits = [
  // @ts-expect-error what it came to is a number
  (): unknown => activity({ name: 'n', run: () => 'text', budget: { name: 'tokens', amount: 1, actual: (output) => output } }),
  // @ts-expect-error an activity has a name
  (): unknown => activity({ run: () => 1 }),
  // @ts-expect-error the key is made from the input
  (): unknown => activity({ name: 'n', run: (input: { id: number }) => input.id, key: ({ name }) => name }),
  // @ts-expect-error jitter is 'full' or 'none'
  (): unknown => activity({ name: 'n', run: () => 1, retry: { jitter: 'half' } }),
];

export const searcher = setup({
  types: { context: {} as { found: string[] } },
  actors: { search, ping, plain: fromPromise(async ({ input }: { input: number }) => input) },
}).createMachine({
  context: { found: [] },
  initial: 'searching',
  states: {
    searching: {
      invoke: {
        src: 'search',
        input: { query: 'fsync' },
        onDone: { guard: ({ event }) => event.output.includes('fsync'), target: 'done' },
      },
    },
    wrong: {
      // @ts-expect-error the activity takes a query
      invoke: { src: 'search', input: { question: 'fsync' } },
    },
    unknown: {
      // @ts-expect-error no such actor
      invoke: { src: 'find' },
    },
    done: {},
  },
});
