/** An editor makes three writers and tells each what to write; a writer looks things up, asks the checker, and tells the editor. */

import { assign, enqueueActions, setup } from 'xstate';
import { activity, ask, reply, spawnAgent, tell } from 'statewarden';

/** How long looking things up takes, by topic: in the first life all but one take for ever. */
export type Pace = (topic: string) => number;

export interface Finding {
  readonly topic: string;
  readonly text: string;
}

export function crew(pace: Pace) {
  const research = activity({
    name: 'research',
    // Who was killed while it looked something up looks it up again.
    onUnknown: 'retry',
    run: ({ topic }: { readonly topic: string }, { signal }): Promise<string> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve(`what is known of ${topic}`), pace(topic));
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason as Error);
        });
      }),
  });

  const checker = setup({ types: { events: {} as { type: 'CHECK'; text: string } } }).createMachine({
    on: { CHECK: { actions: reply(({ event }) => event.text.length > 0) } },
  });

  const writer = setup({
    types: {
      input: {} as { readonly topic: string; readonly editor: string },
      context: {} as { readonly topic: string; readonly editor: string; readonly text: string },
      events: {} as { type: 'WRITE' },
    },
    actors: { research, check: ask<boolean>() },
  }).createMachine({
    context: ({ input }) => ({ ...input, text: '' }),
    initial: 'waiting',
    states: {
      waiting: { on: { WRITE: 'researching' } },
      researching: {
        invoke: {
          src: 'research',
          input: ({ context }) => ({ topic: context.topic }),
          onDone: { target: 'checking', actions: assign({ text: ({ event }) => event.output }) },
        },
      },
      checking: {
        invoke: {
          src: 'check',
          input: ({ context }) => ({ to: 'checker', event: { type: 'CHECK', text: context.text } }),
          onDone: 'told',
        },
      },
      told: {
        type: 'final',
        entry: tell(
          ({ context }) => context.editor,
          ({ context }) => ({ type: 'WRITTEN', topic: context.topic, text: context.text }),
        ),
      },
    },
  });

  const editor = setup({
    types: {
      input: {} as { readonly topics: readonly string[] },
      context: {} as { readonly topics: readonly string[]; readonly found: readonly Finding[] },
      events: {} as { type: 'PUBLISH' } | { type: 'WRITTEN'; topic: string; text: string },
      output: {} as readonly Finding[],
    },
  }).createMachine({
    context: ({ input }) => ({ topics: input.topics, found: [] }),
    initial: 'waiting',
    states: {
      waiting: { on: { PUBLISH: 'collecting' } },
      collecting: {
        entry: enqueueActions(({ context, enqueue }) => {
          enqueue(spawnAgent('checker', { id: 'checker' }));
          for (const topic of context.topics) {
            enqueue(spawnAgent('writer', { id: `writers/${topic}`, input: { topic, editor: 'editor' } }));
            enqueue(tell(`writers/${topic}`, { type: 'WRITE' }));
          }
        }),
        on: { WRITTEN: { actions: assign({ found: ({ context, event: { topic, text } }) => [...context.found, { topic, text }] }) } },
        always: { guard: ({ context }) => context.found.length === context.topics.length, target: 'published' },
      },
      published: { type: 'final' },
    },
    output: ({ context }) => context.found,
  });

  return {
    editor: { machine: editor, version: 1 },
    writer: { machine: writer, version: 1 },
    checker: { machine: checker, version: 1 },
  } as const;
}
