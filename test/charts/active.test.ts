/** From what an agent's state is to the states of the chart that are lit. */

import { expect } from 'chai';
import { chartOf } from 'statewarden';
import { createActor, createMachine } from 'xstate';
import { activeIn } from '#src/charts/active.js';

const machine = createMachine({
  id: 'm',
  initial: 'a',
  states: {
    a: { on: { GO: 'p', END: 'end' } },
    p: {
      type: 'parallel',
      states: { one: { initial: 'x', states: { x: {}, y: { id: 'mine' } } }, two: { initial: 'z', states: { z: {} } }, three: {} },
      on: { Y: '#mine' },
    },
    end: { type: 'final' },
  },
});
const chart = chartOf(machine);
const after = (...events: string[]): unknown => {
  const actor = createActor(machine).start();
  for (const type of events) actor.send({ type });
  return actor.getSnapshot().value;
};
const active = (value: unknown): string[] => [...activeIn(chart, value)];

describe('the active states', () => {
  it('are those of the value and all around them', () => {
    expect(active(after())).to.deep.equal(['m', 'm.a']);
    expect(active(after('END'))).to.deep.equal(['m', 'm.end']);
    expect(active(after('GO'))).to.deep.equal(['m', 'm.p', 'm.p.one', 'm.p.one.x', 'm.p.two', 'm.p.two.z', 'm.p.three']);
    expect(active(after('GO', 'Y')))
      .to.include('mine')
      .and.not.include('m.p.one.x');
  });

  it('are the root alone for a value of nothing, and what is there of a value of another version', () => {
    expect(active({})).to.deep.equal(['m']);
    for (const odd of [undefined, null, 7, { gone: 'x' }]) expect(active(odd)).to.deep.equal(['m']);
    expect(active({ p: { one: 'gone' } })).to.deep.equal(['m', 'm.p', 'm.p.one']);
  });
});
