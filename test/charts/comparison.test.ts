/** What differs between two versions of a machine, and whether a checkpoint minds: the same as the runtime says of that checkpoint. */

import { expect } from 'chai';
import { chartOf } from 'statewarden';
import { createActor, createMachine, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { defineMachine, differencesFor, type SnapshotShape } from '#src/actors/definition.js';
import { activeIn } from '#src/charts/active.js';
import { compareCharts, differenceInWords } from '#src/charts/comparison.js';

const machineOf = (config: object): AnyStateMachine =>
  setup({ actors: { pay: fromPromise(async () => 1), ask: fromPromise(async () => 2) } }).createMachine(
    config as never,
  ) as unknown as AnyStateMachine;
const compare = (before: object, after: object): string[] =>
  compareCharts(chartOf(machineOf(before)), chartOf(machineOf(after))).differences.map(differenceInWords);
const withA = (a: object): object => ({ id: 'm', initial: 'a', states: { a, b: {} } });

describe('two versions of a machine', () => {
  it('are the same when nothing differs, also under another id', () => {
    const states = { a: { on: { GO: 'b' }, after: { 1_000: 'b' } }, b: {} };
    expect(compare({ id: 'm', initial: 'a', states }, { id: 'n', initial: 'a', states })).to.deep.equal([]);
  });

  it('differ in states, their types and which comes first', () => {
    const before = { id: 'm', initial: 'a', states: { a: {}, b: {}, c: { initial: 'x', states: { x: {} } } } };
    const after = { id: 'm', initial: 'c', states: { a: { type: 'final' }, c: { initial: 'x', states: { x: {}, y: {} } }, d: {} } };
    expect(compare(before, after)).to.deep.equal([
      '~ the root: initial c, was a',
      '~ state "a": type final, was atomic  [refuses checkpoints]',
      '- state "b" (atomic)  [refuses checkpoints]',
      '+ state "c.y" (atomic)',
      '+ state "d" (atomic)',
    ]);
  });

  it('differ in transitions: new, gone, led elsewhere, guarded otherwise, in another order', () => {
    const before = withA({ on: { GO: 'b', OLD: 'b', PICK: [{ guard: 'g', target: 'b' }, { target: 'a' }] } });
    const after = withA({
      on: { GO: { target: 'b', guard: 'isRich', actions: 'note' }, NEW: 'b', PICK: [{ target: 'a' }, { guard: 'g', target: 'b' }] },
    });
    expect(compare(before, after)).to.deep.equal([
      '~ state "a": transition GO [isRich] / note → b, was GO → b',
      '- state "a": transition OLD → b',
      '~ state "a": order PICK → a; PICK [g] → b, was PICK [g] → b; PICK → a',
      '+ state "a": transition NEW → b',
    ]);
    expect(
      compare(withA({ on: { GO: [{ guard: 'g', target: 'b' }] } }), withA({ on: { GO: [{ guard: 'g', target: 'b' }, 'a'] } })),
    ).to.deep.equal(['+ state "a": transition GO → a']);
  });

  it('differ in invokes, delays, actions, tags and words', () => {
    const before = withA({ invoke: { id: 'i', src: 'pay' }, after: { 1_000: 'b' }, entry: 'one', tags: ['x'] });
    const after = withA({
      invoke: { id: 'i', src: 'ask' },
      after: { 2_000: 'b' },
      entry: ['one', 'two'],
      exit: 'three',
      description: 'hm',
    });
    expect(compare(before, after)).to.deep.equal([
      '- state "a": invoke i ← pay  [refuses checkpoints]',
      '+ state "a": invoke i ← ask  [refuses checkpoints]',
      '- state "a": delay after 1 s  [refuses checkpoints]',
      '+ state "a": delay after 2 s  [refuses checkpoints]',
      '~ state "a": entry one, two, was one',
      '+ state "a": exit three',
      '- state "a": tags x',
      '+ state "a": description hm',
      '- state "a": transition after 1 s → b',
      '+ state "a": transition after 2 s → b',
    ]);
  });

  it('differ in the machines inside', () => {
    const outer = (inner: object, more: object = {}): AnyStateMachine =>
      setup({ actors: { inner: createMachine(inner), ...more } }).createMachine({ id: 'm' });
    const before = chartOf(outer({ id: 'i', initial: 'x', states: { x: {} } }, { old: fromPromise(async () => 1) }));
    const after = chartOf(outer({ id: 'i', initial: 'x', states: { x: {}, y: {} } }));
    expect(compareCharts(before, after).differences.map(differenceInWords)).to.deep.equal([
      '+ inner: state "y" (atomic)',
      '- the root: actor old (promise)',
    ]);
  });

  it('are refused by a checkpoint where this says so, and nowhere else', () => {
    const regions = (states: object): object => ({
      id: 'm',
      initial: 'a',
      states: { a: { on: { GO: 'p' } }, p: { type: 'parallel', states } },
    });
    const one = { initial: 'x', states: { x: {}, y: {} } };
    const pairs: readonly (readonly [object, object])[] = [
      [withA({}), withA({ on: { GO: 'b' } })],
      [withA({}), withA({ invoke: { id: 'i', src: 'pay' } })],
      [withA({ after: { 1_000: 'b' } }), withA({})],
      [withA({}), withA({ initial: 'x', states: { x: {} } })],
      [withA({}), { id: 'm', initial: 'a', states: { a: {} } }],
      [withA({}), { id: 'm', initial: 'b', states: { b: {} } }],
      [withA({}), withA({ entry: 'note', tags: ['x'] })],
      [regions({ one }), regions({ one, two: {} })],
      [regions({ one, two: {} }), regions({ one })],
      [regions({ one }), regions({ one: { ...one, states: { x: {} } } })],
      [regions({ one }), regions({ one: { ...one, states: { ...one.states, h: { type: 'history' } } } })],
    ];
    let refusals = 0;
    for (const [before, after] of pairs) {
      const [old, now] = [machineOf(before), machineOf(after)];
      const { differences } = compareCharts(chartOf(old), chartOf(now));
      for (const event of [undefined, 'GO']) {
        const actor = createActor(old).start();
        if (event !== undefined) actor.send({ type: event });
        const snapshot = actor.getPersistedSnapshot() as unknown as SnapshotShape;
        actor.stop();
        const refuses = differencesFor(snapshot, defineMachine(old), defineMachine(now)).length > 0;
        const active = new Set([...activeIn(chartOf(old), snapshot.value)].map((id) => id.split('.').slice(1).join('.')));
        // A new region stands in a state that is active, not in one that is.
        const around = (state: string): string => state.split('.').slice(0, -1).join('.');
        const said = differences.some(
          ({ refuses: marked, state, of, change }) =>
            marked === true && active.has(of === 'state' && change === 'added' ? around(state) : state),
        );
        expect(said, `${JSON.stringify(before)} → ${JSON.stringify(after)} in ${JSON.stringify(snapshot.value)}`).to.equal(refuses);
        if (refuses) refusals += 1;
      }
    }
    expect(refusals).to.be.above(5);
  });
});
