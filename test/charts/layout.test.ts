/** Pictures of machines: everything is there once, with all it says, and nothing is in the way of another. */

import { expect } from 'chai';
import { chartOf, type ChartState, type MachineChart } from 'statewarden';
import { createMachine, type AnyStateMachine } from 'xstate';
import type { Box, Geometry } from '#src/charts/geometry.js';
import { layout } from '#src/charts/layout.js';
import { everyState, faultsIn } from './drawn-faults.js';
import { elk } from './elk.js';
import { exampleMachines } from './example-machines.js';
import { oddMachines } from './odd-machines.js';

/** The machine's, and those of the machines inside it. */
function chartsOf(machine: AnyStateMachine): MachineChart[] {
  const all = (chart: MachineChart): MachineChart[] => [
    chart,
    ...Object.values(chart.actors ?? {}).flatMap((actor) => (actor.chart === undefined ? [] : all(actor.chart))),
  ];
  return all(chartOf(machine));
}

describe('a picture of a machine', function () {
  this.timeout(120_000);

  for (const [name, machine] of exampleMachines()) {
    it(`is whole, and nothing overlaps: ${name}`, async () => {
      for (const chart of chartsOf(machine)) expect(faultsIn(chart, await layout(chart, { elk }))).to.deep.equal([]);
    });
  }
  for (const [name, make] of Object.entries(oddMachines)) {
    it(`is whole, and nothing overlaps: ${name}`, async () => {
      const chart = chartOf(make());
      expect(faultsIn(chart, await layout(chart, { elk }))).to.deep.equal([]);
    });
  }

  it('has machines enough to look at', () => {
    expect(Object.keys(oddMachines).length).to.be.at.least(20);
    expect(Math.max(...Object.values(oddMachines).map((make) => everyState(chartOf(make()).root).length))).to.be.at.least(150);
  });
});

const chart = chartOf(
  createMachine({
    id: 'm',
    initial: 'a',
    states: {
      a: { on: { GO: 'b.y', STAY: { actions: 'note' as never } } },
      b: { initial: 'x', states: { x: { on: { N: 'y', BACK: '#m.a' } }, y: {} }, on: { HOME: 'a' } },
    },
  }),
);

describe('the look for faults', () => {
  const changed = (geometry: Geometry, id: string, change: Partial<Box>): Geometry => ({
    ...geometry,
    boxes: geometry.boxes.map((box) => (box.id === id ? { ...box, ...change } : box)),
  });

  it('finds a box that was moved, one that is gone, a label that was cut, an edge that ends nowhere', async () => {
    const geometry = await layout(chart, { elk });
    const { boxes, edges } = geometry;
    const [a, b] = [boxes.find(({ id }) => id === 'm.a') as Box, boxes.find(({ id }) => id === 'm.b') as Box];
    expect(faultsIn(chart, changed(geometry, 'm.a', { x: b.x + 1, y: b.y + 1 })))
      .to.include('m.a overlaps m.b')
      .and.include('m.a:0 does not begin at m.a');
    expect(faultsIn(chart, changed(geometry, 'm.a', { x: -5 }))).to.include('m.a is not inside m');
    expect(faultsIn(chart, { ...geometry, boxes: boxes.filter((box) => box !== a) })).to.include('state m.a is not drawn');
    expect(faultsIn(chart, { ...geometry, edges: edges.filter(({ id }) => id !== 'm.a:0') })).to.include('m.a:0 is drawn 0 times');
    const cut = edges.map((edge) => (edge.id === 'm.a:0' && edge.label ? { ...edge, label: { ...edge.label, lines: [] } } : edge));
    expect(faultsIn(chart, { ...geometry, edges: cut })).to.include('m.a:0 says "" for "GO"');
    const onto = edges.map((edge) => (edge.id === 'm.a:0' && edge.label ? { ...edge, label: { ...edge.label, x: b.x, y: b.y } } : edge));
    expect(faultsIn(chart, { ...geometry, edges: onto })).to.include('label m.a:0 overlaps m.b');
  });
});

describe('a layout', () => {
  it('lists a transition that stays in its state in the box, and draws none', async () => {
    const { internal, edges, boxes } = await layout(chart, { elk });
    expect(internal).to.deep.equal([{ id: 'm.a:1', source: 'm.a', trigger: 'on' }]);
    expect(edges.some(({ id }) => id === 'm.a:1')).to.equal(false);
    expect(boxes.find(({ id }) => id === 'm.a')?.lines.at(-1)).to.include({ role: 'internal', text: 'STAY / note', edge: 'm.a:1' });
  });

  it('draws a collapsed state as one box, to which its edges lead', async () => {
    const { boxes, edges } = await layout(chart, { elk, collapsed: new Set(['m.b']) });
    expect(boxes.map(({ id }) => id)).to.deep.equal(['m', 'm.a', 'm.b']);
    const b = boxes.at(-1) as Box;
    expect(b).to.include({ collapsed: 2, head: b.height });
    expect(b.lines.at(-1)).to.include({ role: 'hidden', text: '+ 2 states' });
    expect(edges.map(({ id, source, targets }) => `${id} ${source} → ${targets.join()}`)).to.deep.equal([
      'm:initial m → m.a',
      'm.a:0 m.a → m.b',
      'm.b:0 m.b → m.a',
      'm.b.x:1 m.b → m.a',
    ]);
  });

  it('draws several and deep initial states, which a chart may have', async () => {
    const states: ChartState[] = [
      { id: 'p', key: 'p', type: 'parallel', states: ['q', 'r'].map((id) => ({ id, key: id, type: 'atomic' })) },
      { id: 's', key: 's', type: 'atomic' },
    ];
    const deep: MachineChart = { id: 'm', root: { id: 'm', key: 'm', type: 'compound', initial: ['q', 'r'], states } };
    const geometry = await layout(deep, { elk });
    expect(faultsIn(deep, geometry)).to.deep.equal([]);
    expect(geometry.edges.map(({ trigger, paths }) => [trigger, paths.map(({ to }) => to)])).to.deep.equal([['initial', ['q', 'r']]]);
  });

  it('takes another measure, and makes room for it', async () => {
    const wide = await layout(chart, { elk, measure: (text, size) => text.length * size * 2 });
    expect(wide.width).to.be.above((await layout(chart, { elk })).width);
    expect(faultsIn(chart, wide)).to.deep.equal([]);
  });

  it('passes over targets that the chart does not have', async () => {
    const torn: MachineChart = {
      id: 'm',
      root: { id: 'm', key: 'm', type: 'atomic', transitions: [{ trigger: 'on', event: 'X', label: 'X', target: ['gone'] }] },
    };
    expect((await layout(torn, { elk })).edges).to.deep.equal([]);
  });
});
