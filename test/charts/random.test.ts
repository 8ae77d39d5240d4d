/** What holds for every chart, tried on charts by chance. */

import { expect } from 'chai';
import fc from 'fast-check';
import type { MachineChart } from 'statewarden';
import { layout } from '#src/charts/layout.js';
import { everyState, faultsIn, placeFaults } from './drawn-faults.js';
import { elk } from './elk.js';
import { randomCharts } from './random-charts.js';

const parentsIn = ({ root }: MachineChart): Map<string, string> =>
  new Map(everyState(root).flatMap((state) => (state.states ?? []).map((child) => [child.id, state.id] as const)));

describe('a picture of any chart', function () {
  this.timeout(180_000);

  it('is whole, and nothing overlaps', () =>
    fc.assert(
      fc.asyncProperty(randomCharts, async (chart) => {
        expect(faultsIn(chart, await layout(chart, { elk }))).to.deep.equal([]);
      }),
      { numRuns: 100 },
    ));

  it('is the same each time', () =>
    fc.assert(
      fc.asyncProperty(randomCharts, async (chart) => {
        const copy = JSON.parse(JSON.stringify(chart)) as MachineChart;
        expect(await layout(copy, { elk })).to.deep.equal(await layout(chart, { elk }));
      }),
      { numRuns: 25 },
    ));

  it('shows of what is collapsed the box alone, with all that leads into it and out of it', () =>
    fc.assert(
      fc.asyncProperty(randomCharts, fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), async (chart, picks) => {
        const states = everyState(chart.root);
        const parents = parentsIn(chart);
        const collapsed = new Set(picks.map((n) => (states[n % states.length] as { id: string }).id));
        const geometry = await layout(chart, { elk, collapsed });
        expect(placeFaults(geometry, parents)).to.deep.equal([]);
        /** The outermost collapsed state around it, or itself. */
        const shownAs = (id: string): string => {
          let shown = id;
          for (let at: string | undefined = id; at !== undefined; at = parents.get(at)) {
            const hides = collapsed.has(at) && (states.find((state) => state.id === at)?.states ?? []).length > 0;
            if (hides) shown = at;
          }
          return shown;
        };
        expect(geometry.boxes.map(({ id }) => id).sort()).to.deep.equal([...new Set(states.map(({ id }) => shownAs(id)))].sort());
        const ways = states.flatMap(({ id: source, transitions = [] }) =>
          transitions.flatMap(({ target = [] }, n) => {
            const [from, to] = [shownAs(source), [...new Set(target.map(shownAs))]];
            const isHidden = target.length === 0 || (from !== source && to.every((one) => one === from));
            return isHidden ? [] : [`${source}:${n} ${from} → ${to.join()}`];
          }),
        );
        const drawn = geometry.edges.filter(({ label }) => label !== undefined);
        expect(drawn.map(({ id, source, targets }) => `${id} ${source} → ${targets.join()}`).sort()).to.deep.equal(ways.sort());
      }),
      { numRuns: 60 },
    ));
});
