/** The critic takes questions one after the other and answers each with its verdict, however many wait. */

import { assign, setup } from 'xstate';
import { askedBy, reply, tell } from 'statewarden';
import type { Activities } from './activities.js';
import { failureOf, plannerId, type CompareRequest, type CriticEvent, type ReviewRequest } from './events.js';

export interface CriticContext {
  readonly run: string;
  readonly waiting: readonly { readonly request: ReviewRequest | CompareRequest; readonly from: string | undefined }[];
  readonly answered: number;
}

export function criticMachine({ critique, compare }: Pick<Activities, 'critique' | 'compare'>) {
  return setup({
    types: { context: {} as CriticContext, events: {} as CriticEvent, input: {} as { run: string } },
    actors: { critique, compare },
    actions: {
      queue: assign(({ context, event }) =>
        event.type === 'DISMISSED' ? {} : { waiting: [...context.waiting, { request: event, from: askedBy(event) }] },
      ),
      done: assign(({ context }) => ({ waiting: context.waiting.slice(1), answered: context.answered + 1 })),
      giveUp: tell(
        ({ context }) => plannerId(context.run),
        ({ event }) => failureOf('critic', event),
      ),
    },
    guards: {
      review: ({ context }) => context.waiting[0]?.request.type === 'REVIEW',
      comparison: ({ context }) => context.waiting[0]?.request.type === 'COMPARE',
    },
  }).createMachine({
    id: 'critic',
    context: ({ input }) => ({ run: input.run, waiting: [], answered: 0 }),
    initial: 'ready',
    on: { REVIEW: { actions: 'queue' }, COMPARE: { actions: 'queue' }, DISMISSED: '.dismissed' },
    states: {
      ready: {
        always: [
          { guard: 'review', target: 'reviewing' },
          { guard: 'comparison', target: 'comparing' },
        ],
      },
      reviewing: {
        invoke: {
          src: 'critique',
          input: ({ context }) => first(context) as ReviewRequest,
          onDone: {
            target: 'ready',
            actions: [reply(({ event }) => event.output, { to: ({ context }) => context.waiting[0]?.from }), 'done'],
          },
          onError: 'stuck',
        },
      },
      comparing: {
        invoke: {
          src: 'compare',
          input: ({ context }) => first(context) as CompareRequest,
          onDone: {
            target: 'ready',
            actions: [reply(({ event }) => event.output, { to: ({ context }) => context.waiting[0]?.from }), 'done'],
          },
          onError: 'stuck',
        },
      },
      dismissed: { type: 'final' },
      stuck: { entry: 'giveUp', type: 'final' },
    },
  });
}

function first({ waiting }: CriticContext): ReviewRequest | CompareRequest {
  const [next] = waiting;
  if (next === undefined) throw new Error('nothing waits for the critic');
  return next.request;
}
