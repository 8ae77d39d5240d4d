/** A trip of three steps that can be undone, for tests of what people see of sagas. What the outside says is set by the test. */

import { setup, type AnyStateMachine } from 'xstate';
import { activity, compensation, type ActivityDefinition } from 'statewarden';

export class Outside {
  /** What was done, in order: `flight`, `undo flight`. */
  readonly log: string[] = [];
  /** Errors for the next calls, by what is called. */
  readonly errors = new Map<string, unknown[]>();

  do(what: string): string {
    const error = this.errors.get(what)?.shift();
    if (error !== undefined) throw error as Error;
    this.log.push(what);
    return `${what} booked`;
  }
}

type Definition = ActivityDefinition<{ readonly trip: string }, string>;

function step(outside: Outside, name: string, more: Partial<Definition> = {}) {
  return activity<{ readonly trip: string }, string>({
    name,
    saga: ({ trip }) => trip,
    retry: { attempts: 2, initialMs: 600_000, maximumMs: 600_000, jitter: 'none' },
    run: (_, { idempotencyKey }) => (idempotencyKey === '' ? '' : outside.do(name)),
    compensate: (_input, _output, { idempotencyKey }) => (idempotencyKey === '' ? '' : outside.do(`undo ${name}`)),
    ...more,
  });
}

/** `more`: of the hotel. `UNDO` undoes what there is, `NEXT` books another trip. */
export function trip(outside: Outside, more: Partial<Definition> = {}): AnyStateMachine {
  const input = ({ context }: { context: { trip: string } }) => ({ trip: context.trip });
  return setup({
    types: {
      context: {} as { trip: string },
      input: {} as { trip: string },
      events: {} as { type: 'UNDO' } | { type: 'NEXT' } | { type: 'LEAVE' },
    },
    actors: {
      flight: step(outside, 'flight'),
      hotel: step(outside, 'hotel', more),
      ticket: step(outside, 'ticket', { compensate: undefined as never, pivot: true }),
      undo: compensation(),
    },
  }).createMachine({
    id: 'trip',
    context: ({ input }) => ({ trip: input.trip }),
    initial: 'flight',
    on: { UNDO: '.undoing' },
    states: {
      flight: { invoke: { src: 'flight', input, onDone: 'hotel', onError: 'undoing' } },
      hotel: { invoke: { src: 'hotel', input, onDone: 'booked', onError: 'undoing' } },
      booked: { on: { NEXT: 'issuing' } },
      issuing: { invoke: { src: 'ticket', input, onDone: 'issued', onError: 'undoing' } },
      issued: {},
      undoing: {
        invoke: { src: 'undo', input: ({ context }) => ({ saga: context.trip }), onDone: 'undone', onError: 'stuck' },
        on: { LEAVE: 'stuck' },
      },
      undone: { on: { NEXT: 'flight' } },
      stuck: {},
    },
  });
}
