/** A config made of a machine as data is a machine of the same data. */

import { expect } from 'chai';
import { and, assign, createMachine, fromPromise, not, raise, setup, type AnyStateMachine } from 'xstate';
import { chartOf } from '#src/actors/chart.js';
import { configOf } from '#src/observability/inspector/chart-config.js';
import { seeker } from './machines.js';

const odd = setup({
  types: { context: {} as { n: number } },
  actors: { work: fromPromise(async () => 1) },
  guards: { isRich: () => true, isOld: () => false },
  actions: { note: () => undefined },
  delays: { later: 1_000 },
}).createMachine({
  id: 'odd',
  context: { n: 0 },
  description: 'all there is',
  type: 'parallel',
  on: { RESET: { target: '.one.here', reenter: true, description: 'from the start' }, '*': { actions: 'note' } },
  states: {
    one: {
      initial: 'here',
      onDone: { actions: 'note' },
      states: {
        here: {
          tags: ['a', 'b'],
          meta: { colour: 'red' },
          entry: ['note', assign({ n: 1 })],
          exit: raise({ type: 'LEFT' }),
          always: { guard: and(['isRich', not('isOld')]), target: 'there' },
          after: { 1_500: 'there', later: { target: 'gone', actions: 'note' } },
          invoke: {
            src: 'work',
            id: 'w',
            onDone: 'there',
            onError: [{ guard: 'isOld', target: 'gone' }, { target: 'there' }],
            onSnapshot: { actions: 'note' },
          },
          on: { GO: [{ guard: 'isRich', target: 'there' }, { target: '#elsewhere' }] },
        },
        there: { id: 'elsewhere', on: { BACK: 'past' } },
        past: { type: 'history', history: 'deep', target: 'here' },
        gone: { type: 'final' },
      },
    },
    two: { initial: 'on', states: { on: { on: { OFF: 'off' } }, off: {} } },
  },
});

describe('the config of a chart', () => {
  for (const [name, machine] of [
    ['one with everything', odd],
    ['one with a child and an activity', seeker],
    ['an empty one', createMachine({ id: 'empty' })],
    ['one whose root has another id', createMachine({ id: 'a.b', initial: 'c', states: { c: { on: { X: 'd' } }, d: {} } })],
  ] as readonly (readonly [string, AnyStateMachine])[]) {
    it(`of ${name} is the config of a machine with that chart`, () => {
      const { actors: _, ...chart } = chartOf(machine);
      const { actors: __, ...again } = chartOf(createMachine(configOf(chart) as never) as AnyStateMachine);
      expect(again).to.deep.equal(chart);
    });
  }
});
