/** Ways through the states of a chart. */

import type { ChartInvoke, ChartState, ChartTransition } from '../actors/chart.js';

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

/**
 * An invoke as it is written: `bank ← pay`. An id that XState made up (`0.order.paying`) says nothing: what runs stands for it, where that tells it from
 * the others of its state.
 */
export function invokeInWords(state: ChartState, { id, src }: ChartInvoke): string {
  const name = invokeName(state, id);
  return name !== id || src === id || src.startsWith('xstate.invoke.') || src === 'inline' ? name : `${id} ← ${src}`;
}

function invokeName({ id: state, invoke = [] }: ChartState, id: string): string {
  const own = invoke.find((one) => one.id === id);
  if (own === undefined || !id.endsWith(`.${state}`) || !/^\d+$/.test(id.slice(0, -state.length - 1))) return id;
  const name = own.inline === true ? 'inline' : own.src;
  return invoke.filter((one) => one.id === name || (one.inline === true ? 'inline' : one.src) === name).length === 1 ? name : id;
}

/** `PAY`, `after 1 s`, `done: bank`. */
export function triggerInWords(state: ChartState, { trigger, label, of }: ChartTransition): string {
  return of === undefined ? label : `${trigger}: ${invokeName(state, of)}`;
}

/** `PAY [isRich] / notify, assign`. */
export function transitionInWords(state: ChartState, transition: ChartTransition): string {
  const { guard, actions = [], reenter } = transition;
  return [
    triggerInWords(state, transition),
    ...(guard === undefined ? [] : [`[${guard}]`]),
    ...(actions.length === 0 ? [] : [`/ ${actions.join(', ')}`]),
    ...(reenter === true ? ['(re-enters)'] : []),
  ].join(' ');
}

/** What a state says, and its transitions: one line each. `names`: of the states, by id. */
export function linesOf(state: ChartState, names: ReadonlyMap<string, string>): string[] {
  const named = (ids: readonly string[]): string => ids.map((id) => names.get(id) ?? id).join(', ');
  return [
    ...(state.description === undefined ? [] : [state.description]),
    ...(state.tags === undefined ? [] : [`tags: ${state.tags.join(', ')}`]),
    ...(state.invoke ?? []).map((invoke) => `invoke ${invokeInWords(state, invoke)}`),
    ...(state.entry ?? []).map((action) => `entry / ${action}`),
    ...(state.exit ?? []).map((action) => `exit / ${action}`),
    ...(state.transitions ?? []).map((transition) => {
      const { target = [] } = transition;
      return `${transitionInWords(state, transition)}${target.length === 0 ? '' : ` → ${named(target)}`}`;
    }),
  ];
}
