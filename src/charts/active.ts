/** Which states of a chart a state value means: those it names and all around them. */

import type { ChartState, MachineChart } from '../actors/chart.js';

/** XState's `value`: `'open'`, `{ packing: { box: 'a', papers: 'p' } }`. */
export type StateValue = string | { readonly [key: string]: StateValue | undefined };

/** Ids of the active states, the root included. What the chart does not have is passed over. */
export function activeIn(chart: MachineChart, value: unknown): ReadonlySet<string> {
  const active = new Set<string>();
  const add = (state: ChartState, inner: unknown): void => {
    active.add(state.id);
    const values = typeof inner === 'string' ? { [inner]: {} } : typeof inner === 'object' && inner !== null ? inner : {};
    for (const [key, deeper] of Object.entries(values)) {
      const child = state.states?.find((one) => one.key === key);
      if (child !== undefined) add(child, deeper);
    }
  };
  add(chart.root, value);
  return active;
}
