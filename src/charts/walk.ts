/** Ways through the states of a chart. */

import type { ChartState, ChartTransition } from '../actors/chart.js';

/** The state and all in it, outer ones first. */
export function* statesOf(state: ChartState): Generator<ChartState> {
  yield state;
  for (const child of state.states ?? []) yield* statesOf(child);
}

/** Id of the state around each. */
export function parentsOf(root: ChartState): ReadonlyMap<string, string> {
  const parents = new Map<string, string>();
  for (const state of statesOf(root)) for (const child of state.states ?? []) parents.set(child.id, state.id);
  return parents;
}

/** From the state itself outwards. */
export function pathOutwards(id: string, parents: ReadonlyMap<string, string>): string[] {
  const path = [id];
  for (let parent = parents.get(id); parent !== undefined; parent = parents.get(parent)) path.push(parent);
  return path;
}

/** What tells a state's transitions apart, for as long as the machine is the same. */
export const edgeId = (source: string, index: number): string => `${source}:${String(index)}`;

/** `PAY [isRich] / notify, assign`. */
export function transitionInWords({ label, guard, actions = [], reenter }: ChartTransition): string {
  return [
    label,
    ...(guard === undefined ? [] : [`[${guard}]`]),
    ...(actions.length === 0 ? [] : [`/ ${actions.join(', ')}`]),
    ...(reenter === true ? ['(re-enters)'] : []),
  ].join(' ');
}
