/**
 * The undoing of a saga, as a machine that a state invokes: so it stands in the statechart and in its picture, and each step of it is an operation like any other, durable, tried again by its profile,
 * held when it fails for good. It reads the ledger, finds out what became of those operations of which nobody knows, then undoes what was done, newest first.
 */

import {
  assign,
  fromPromise,
  setup,
  stopChild,
  type ActorLogic,
  type AnyActorLogic,
  type EventObject,
  type PromiseActorLogic,
  type Snapshot,
} from 'xstate';
import { BadInputError } from '../../core/errors.js';
import type { Plan, PlannedStep } from './plan.js';
import { agentScope } from './undoing.js';

export interface CompensationInput {
  /** The scope, as its activities name it. Default `agent`: all that the agent has done. */
  readonly saga?: string;
}

export interface CompensationResult {
  /** Ids of the operations that were undone, in the order in which they were. */
  readonly compensated: readonly string[];
}

export type CompensationLogic = ActorLogic<Snapshot<CompensationResult>, EventObject, CompensationInput | undefined>;

function onlyInRuntime<TOutput, TInput>(): PromiseActorLogic<TOutput, TInput> {
  return fromPromise<TOutput, TInput>(() =>
    Promise.reject(new BadInputError('compensation() needs a runtime', { hint: 'Spawn the machine with createRuntime(…).spawn(…).' })),
  );
}

/** What the machine does, each known by its logic. */
export const sagaLogics = {
  plan: onlyInRuntime<Plan, Required<CompensationInput>>(),
  settle: onlyInRuntime<unknown, PlannedStep>(),
  undo: onlyInRuntime<string, PlannedStep>(),
} as const;

export type SagaDeed = keyof typeof sagaLogics;

const deeds = new Map(Object.entries(sagaLogics).map(([deed, logic]) => [logic as AnyActorLogic, deed as SagaDeed]));

/** What of a saga's undoing it is; undefined: nothing. */
export function deedOf(logic: AnyActorLogic): SagaDeed | undefined {
  return deeds.get(logic);
}

interface Progress extends Plan {
  readonly saga: string;
  /** Of the round under way. */
  readonly left: number;
  readonly spawned: number;
  readonly compensated: readonly string[];
}

interface Done {
  readonly output: unknown;
  readonly actorId: string;
}
const doneOf = (event: unknown): Done => event as Done;

const machine = setup({
  types: {
    context: {} as Progress,
    input: {} as CompensationInput | undefined,
    output: {} as CompensationResult,
    events: {} as { type: 'xstate.done.actor.*' },
  },
  actors: sagaLogics,
  actions: {
    take: assign((_, { unknown, rounds }: Plan) => ({ unknown, rounds })),
    settleAll: assign(({ context, spawn }) => {
      context.unknown.forEach((step, index) => spawn('settle', { id: `settle-${String(context.spawned + index)}`, input: step }));
      return { left: context.unknown.length, spawned: context.spawned + context.unknown.length };
    }),
    undoRound: assign(({ context, spawn }) => {
      const [round = [], ...rounds] = context.rounds;
      round.forEach((step, index) => spawn('undo', { id: `undo-${String(context.spawned + index)}`, input: step }));
      return { left: round.length, rounds, spawned: context.spawned + round.length };
    }),
    countDown: assign({ left: ({ context }) => context.left - 1 }),
    note: assign({ compensated: ({ context, event }) => [...context.compensated, doneOf(event).output as string] }),
    forget: stopChild(({ event }) => doneOf(event).actorId),
  },
  guards: { isLast: ({ context }) => context.left === 1, hasMore: ({ context }) => context.rounds.length > 0 },
}).createMachine({
  id: 'compensation',
  context: ({ input }) => ({ saga: input?.saga ?? agentScope, unknown: [], rounds: [], left: 0, spawned: 0, compensated: [] }),
  initial: 'planning',
  states: {
    planning: {
      invoke: {
        src: 'plan',
        id: 'plan',
        input: ({ context }) => ({ saga: context.saga }),
        onDone: [
          {
            guard: ({ event }) => event.output.unknown.length > 0,
            target: 'settling',
            actions: { type: 'take', params: ({ event }) => event.output },
          },
          {
            guard: ({ event }) => event.output.rounds.length > 0,
            target: 'undoing',
            actions: { type: 'take', params: ({ event }) => event.output },
          },
          { target: 'compensated' },
        ],
      },
    },
    settling: {
      entry: 'settleAll',
      on: {
        'xstate.done.actor.*': [{ guard: 'isLast', target: 'planning', actions: 'forget' }, { actions: ['countDown', 'forget'] }],
      },
    },
    undoing: {
      entry: 'undoRound',
      on: {
        'xstate.done.actor.*': [
          { guard: ({ context }) => context.left > 1, actions: ['note', 'countDown', 'forget'] },
          { guard: 'hasMore', target: 'undoing', reenter: true, actions: ['note', 'forget'] },
          { target: 'compensated', actions: ['note', 'forget'] },
        ],
      },
    },
    compensated: { type: 'final' },
  },
  output: ({ context }) => ({ compensated: context.compensated }),
});

/**
 * `setup({ actors: { undo: compensation() } })`, `invoke: { src: 'undo', input: { saga: 'booking' }, onDone, onError }`. `onError` meets `PivotPassedError`, when the saga only goes forward any more, and
 * `CompensationFailedError`, when a person has given it up.
 */
export function compensation(): CompensationLogic {
  return machine as unknown as CompensationLogic;
}
