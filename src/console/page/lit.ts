/** Which transitions of a chart a turn took, as far as one can tell from the states before and after it and from what it took. */

import type { ChartState, ChartTransition, MachineChart } from '../../actors/chart.js';
import { activeIn } from '../../charts/active.js';
import { edgeId, statesOf } from '../../charts/walk.js';
import type { TurnLine } from '../api.js';

interface Candidate {
  readonly id: string;
  readonly state: ChartState;
  readonly transition: ChartTransition;
}

/** `before` is undefined when it is not known. */
export function litBetween(chart: MachineChart, before: unknown, after: unknown, turn: TurnLine): ReadonlySet<string> {
  if (turn.kind === 'start') return new Set(initialEdges(chart, activeIn(chart, after)));
  if (turn.kind === 'stop' || turn.to !== undefined) return new Set();
  const is = activeIn(chart, after);
  const was = before === undefined ? new Set([...statesOf(chart.root)].map(({ id }) => id)) : activeIn(chart, before);
  const possible = [...candidates(chart, was, is)];
  const meant = possible.filter(({ transition }) => isMeant(transition, turn));
  const moved = meant.filter((one) => hasMoved(one, was, is));
  // What stays where it is may have been taken beside what moved; it is only named when nothing else is.
  const taken = moved.length > 0 ? moved : innermost(meant);
  const first = moved.length > 0 ? taken : taken.slice(0, 1);
  const through = [...alwaysAfter(chart, first, was, is)];
  return new Set([...first.map(({ id }) => id), ...through]);
}

function* candidates(chart: MachineChart, was: ReadonlySet<string>, is: ReadonlySet<string>): Generator<Candidate> {
  for (const state of statesOf(chart.root)) {
    if (!was.has(state.id)) continue;
    for (const [index, transition] of (state.transitions ?? []).entries()) {
      const { trigger, target = [] } = transition;
      if (trigger === 'always') continue;
      if (target.every((one) => is.has(one) || leadsOn(chart, one, is))) yield { id: edgeId(state.id, index), state, transition };
    }
  }
}

/** A state that was left again at once by `always`, or a history state: it is not among the active ones. */
function leadsOn(chart: MachineChart, id: string, is: ReadonlySet<string>): boolean {
  const state = [...statesOf(chart.root)].find((one) => one.id === id);
  if (state === undefined) return false;
  if (state.type === 'history') return true;
  return (state.transitions ?? []).some(({ trigger, target = [] }) => trigger === 'always' && target.some((one) => is.has(one)));
}

function isMeant({ trigger, event, of }: ChartTransition, { kind, type, outcomeStatus, operation }: TurnLine): boolean {
  if (kind === 'outcome') {
    if (trigger !== 'done' && trigger !== 'error') return false;
    const failed = outcomeStatus !== undefined && outcomeStatus !== 'succeeded' && outcomeStatus !== 'done';
    if (outcomeStatus !== undefined && failed !== (trigger === 'error')) return false;
    return of === undefined || of === type || operation === undefined || event.endsWith(`.${of}`);
  }
  if (event === type) return true;
  if (event === '*') return true;
  return event.endsWith('.*') && (type === event.slice(0, -2) || type.startsWith(event.slice(0, -1)));
}

function hasMoved({ state, transition }: Candidate, was: ReadonlySet<string>, is: ReadonlySet<string>): boolean {
  const { target } = transition;
  if (target === undefined) return false;
  return !is.has(state.id) || target.some((one) => !was.has(one)) || target.includes(state.id);
}

function innermost(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort(
    (one, other) => depth(other.state) - depth(one.state) || Number(one.transition.event === '*') - Number(other.transition.event === '*'),
  );
}

const depth = ({ id }: ChartState): number => id.split('.').length;

/** What was passed on the way: from where the turn led, on to what is active. */
function* alwaysAfter(
  chart: MachineChart,
  taken: readonly Candidate[],
  was: ReadonlySet<string>,
  is: ReadonlySet<string>,
): Generator<string> {
  const entered = new Set(taken.flatMap(({ transition }) => transition.target ?? []));
  for (const state of statesOf(chart.root)) {
    if (!entered.has(state.id) && !(was.has(state.id) && !is.has(state.id) && taken.length === 0)) continue;
    if (is.has(state.id)) continue;
    const index = (state.transitions ?? []).findIndex(
      ({ trigger, target = [] }) => trigger === 'always' && target.some((one) => is.has(one)),
    );
    if (index >= 0) yield edgeId(state.id, index);
  }
}

function* initialEdges(chart: MachineChart, is: ReadonlySet<string>): Generator<string> {
  for (const { id, initial, type } of statesOf(chart.root)) {
    if (type === 'compound' && is.has(id) && (initial ?? []).some((one) => is.has(one))) yield `${id}:initial`;
  }
}
