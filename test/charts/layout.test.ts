/** Pictures of machines: everything is there once, with all it says, and nothing is in the way of another. */

import { expect } from 'chai';
import { chartOf, type MachineChart } from 'statewarden';
import type { AnyStateMachine } from 'xstate';
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
