/** Agents to look at, and what a test needs to wait for what they tell. */

import { assign, sendTo, setup } from 'xstate';
import { activity } from 'statewarden';

const look = activity({ name: 'look', run: async (input: { topic: string }) => `found ${input.topic}` });
const helper = setup({ types: { context: {} as { n: number }, events: {} as { type: 'UP' } | { type: 'BREAK' } } }).createMachine({
  id: 'helper',
  context: { n: 0 },
  on: {
    UP: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    BREAK: {
      actions: assign(() => {
        throw new Error('the helper broke');
      }),
    },
  },
});

type Events =
  | { type: 'SET'; context: Record<string, unknown> }
  | { type: 'UP' }
  | { type: 'LOOK'; password?: string }
  | { type: 'BREAK' }
  | { type: 'BREAK_HELPER' }
  | { type: 'END' };

export const seeker = setup({
  types: { context: {} as Record<string, unknown>, input: {} as Record<string, unknown> | undefined, events: {} as Events },
  actors: { look, helper },
}).createMachine({
  id: 'seeker',
  context: ({ input }) => ({ ...input }),
  initial: 'resting',
  invoke: { src: 'helper', id: 'helper' },
  on: {
    SET: { actions: assign(({ event }) => event.context) },
    UP: { actions: sendTo('helper', { type: 'UP' }) },
    BREAK_HELPER: { actions: sendTo('helper', { type: 'BREAK' }) },
    BREAK: {
      actions: assign(() => {
        throw new Error('it broke');
      }),
    },
    END: '.ended',
  },
  states: {
    resting: { on: { LOOK: 'looking' } },
    looking: {
      tags: 'busy',
      invoke: {
        src: 'look',
        input: { topic: 'fsync' },
        onDone: { target: 'resting', actions: assign({ found: ({ event }) => event.output }) },
      },
    },
    ended: { type: 'final' },
  },
});

export const agents = { seeker: { machine: seeker, version: 1 } } as const;

/** What came so far, and a promise of the first that fits, whether it came already or comes. */
export class Heard<T> {
  readonly all: T[] = [];
  #wanted: { readonly is: (one: T) => boolean; readonly resolve: (one: T) => void }[] = [];

  readonly next = (one: T): void => {
    this.all.push(one);
    const wanted = this.#wanted;
    this.#wanted = wanted.filter(({ is }) => !is(one));
    for (const { is, resolve } of wanted) if (is(one)) resolve(one);
  };

  first(is: (one: T) => boolean): Promise<T> {
    const found = this.all.find(is);
    return found === undefined ? new Promise((resolve) => this.#wanted.push({ is, resolve })) : Promise.resolve(found);
  }
}
