/**
 * What differs between two versions of a machine. States are known by their keys from the root on, so that a machine that was renamed is still the same.
 * Some differences are refused by a checkpoint that rests where they are: the rules are those of `actors/definition.ts`, which looks at one checkpoint;
 * here it is said of which it would be true.
 */

import type { ChartInvoke, ChartState, ChartTransition, MachineChart } from '../actors/chart.js';
import { transitionInWords, triggerInWords } from './walk.js';

export type DifferenceOf =
  'state' | 'type' | 'initial' | 'transition' | 'order' | 'invoke' | 'delay' | 'entry' | 'exit' | 'tags' | 'description' | 'actor';

export interface Difference {
  readonly change: 'added' | 'removed' | 'changed';
  readonly of: DifferenceOf;
  /** `packing.box`; '' is the root. */
  readonly state: string;
  /** Names of the actors on the way, when it is in a machine inside. */
  readonly inside?: string;
  readonly before?: string;
  readonly after?: string;
  /** Which checkpoints it makes unfit: those in whose state the agent is in `state`, or, of a state that is gone, those that remember it too. */
  readonly refuses?: true;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** Agents in some states cannot be brought back without a migration. */
  readonly refuses: boolean;
}

export function compareCharts(before: MachineChart, after: MachineChart): Comparison {
  const differences = [...machines(before, after, undefined)];
  return { differences, refuses: differences.some(({ refuses }) => refuses === true) };
}

function* machines(before: MachineChart, after: MachineChart, inside: string | undefined): Generator<Difference> {
  const place = inside === undefined ? {} : { inside };
  const paths = { before: pathsIn(before.root), after: pathsIn(after.root) };
  for (const difference of states(before.root, after.root, '', paths)) yield { ...difference, ...place };
  const [old, now] = [before.actors ?? {}, after.actors ?? {}];
  for (const name of union(Object.keys(old), Object.keys(now))) {
    const [was, is] = [old[name], now[name]];
    if (was === undefined && is !== undefined) yield { change: 'added', of: 'actor', state: '', after: `${name} (${is.sort})`, ...place };
    else if (was !== undefined && is === undefined)
      yield { change: 'removed', of: 'actor', state: '', before: `${name} (${was.sort})`, ...place };
    else if (was !== undefined && is !== undefined) {
      if (was.sort !== is.sort)
        yield { change: 'changed', of: 'actor', state: '', before: `${name} (${was.sort})`, after: `${name} (${is.sort})`, ...place };
      if (was.chart !== undefined && is.chart !== undefined)
        yield* machines(was.chart, is.chart, inside === undefined ? name : `${inside} › ${name}`);
    }
  }
}

interface Paths {
  readonly before: ReadonlyMap<string, string>;
  readonly after: ReadonlyMap<string, string>;
}

function pathsIn(root: ChartState): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const visit = (state: ChartState, path: string): void => {
    paths.set(state.id, path);
    for (const child of state.states ?? []) visit(child, path === '' ? child.key : `${path}.${child.key}`);
  };
  visit(root, '');
  return paths;
}

function* states(before: ChartState, after: ChartState, state: string, paths: Paths): Generator<Difference> {
  const named = (ids: readonly string[] | undefined, side: keyof Paths): string =>
    (ids ?? []).map((id) => paths[side].get(id) ?? id).join(', ');
  if (kindOf(before) !== kindOf(after)) {
    // History is no state that an agent rests in.
    const rests = before.type !== after.type && before.type !== 'history' && after.type !== 'history';
    yield { change: 'changed', of: 'type', state, before: kindOf(before), after: kindOf(after), ...(rests ? { refuses: true } : {}) };
  }
  const initial = { before: named(before.initial, 'before'), after: named(after.initial, 'after') };
  // Which regions a parallel state has is said of its states.
  const regions = before.type === 'parallel' || after.type === 'parallel';
  if (!regions && initial.before !== initial.after) yield { of: 'initial', state, ...sides(initial.before, initial.after) };
  yield* lists('invoke', state, (before.invoke ?? []).map(invokeText), (after.invoke ?? []).map(invokeText), true);
  yield* lists('delay', state, delaysOf(before), delaysOf(after), true);
  yield* wholes('entry', state, before.entry, after.entry);
  yield* wholes('exit', state, before.exit, after.exit);
  yield* wholes('tags', state, before.tags, after.tags);
  if (before.description !== after.description)
    yield { of: 'description', state, ...sides(before.description ?? '', after.description ?? '') };
  yield* transitions(before, after, state, named);
  const old = new Map((before.states ?? []).map((child) => [child.key, child]));
  const now = new Map((after.states ?? []).map((child) => [child.key, child]));
  for (const key of union([...old.keys()], [...now.keys()])) {
    const [was, is] = [old.get(key), now.get(key)];
    const path = state === '' ? key : `${state}.${key}`;
    if (was !== undefined && is !== undefined) yield* states(was, is, path, paths);
    else if (was !== undefined)
      yield { change: 'removed', of: 'state', state: path, before: kindOf(was), ...(was.type === 'history' ? {} : { refuses: true }) };
    else if (is !== undefined) {
      const isRegion = before.type === 'parallel' && after.type === 'parallel' && is.type !== 'history';
      yield {
        change: 'added',
        of: 'state',
        state: path,
        after: isRegion ? `${kindOf(is)}, a region` : kindOf(is),
        ...(isRegion ? { refuses: true } : {}),
      };
    }
  }
}

const kindOf = ({ type, history }: ChartState): string => (type === 'history' ? `${history ?? 'shallow'} history` : type);
/** As a checkpoint knows it. */
const invokeText = ({ id, src }: ChartInvoke): string => `${id} ← ${src}`;
const union = (one: readonly string[], other: readonly string[]): string[] => [...new Set([...one, ...other])];

function delaysOf({ transitions = [] }: ChartState): string[] {
  return [...new Set(transitions.filter(({ trigger }) => trigger === 'after').map(({ label }) => label))];
}

type Sides = Pick<Difference, 'change' | 'before' | 'after'>;

/** '' is nothing. */
function sides(before: string, after: string): Sides {
  if (before === '') return { change: 'added', after };
  return after === '' ? { change: 'removed', before } : { change: 'changed', before, after };
}

function* lists(
  of: DifferenceOf,
  state: string,
  before: readonly string[],
  after: readonly string[],
  refuses: boolean,
): Generator<Difference> {
  const mark = refuses ? { refuses: true as const } : {};
  for (const item of before) if (!after.includes(item)) yield { change: 'removed', of, state, before: item, ...mark };
  for (const item of after) if (!before.includes(item)) yield { change: 'added', of, state, after: item, ...mark };
}

function* wholes(of: DifferenceOf, state: string, before: readonly string[] = [], after: readonly string[] = []): Generator<Difference> {
  const [was, is] = [before.join(', '), after.join(', ')];
  if (was !== is) yield { of, state, ...sides(was, is) };
}

type Named = (ids: readonly string[] | undefined, side: keyof Paths) => string;

/** Those of one event are one list, in which the first whose guard holds is taken. */
function* transitions(before: ChartState, after: ChartState, state: string, named: Named): Generator<Difference> {
  const [old, now] = [byEvent(before, 'before', named), byEvent(after, 'after', named)];
  for (const event of union([...old.keys()], [...now.keys()])) {
    const [was, is] = [old.get(event) ?? [], now.get(event) ?? []];
    const [gone, fresh] = [without(was, is), without(is, was)];
    const pairs = Math.min(gone.length, fresh.length);
    for (let n = 0; n < pairs; n += 1) yield { of: 'transition', state, ...sides(gone[n] ?? '', fresh[n] ?? '') };
    for (const text of gone.slice(pairs)) yield { change: 'removed', of: 'transition', state, before: text };
    for (const text of fresh.slice(pairs)) yield { change: 'added', of: 'transition', state, after: text };
    if (gone.length === 0 && fresh.length === 0 && was.join('\n') !== is.join('\n')) {
      yield { change: 'changed', of: 'order', state, before: was.join('; '), after: is.join('; ') };
    }
  }
}

/** In words, by trigger and event. */
function byEvent(state: ChartState, side: keyof Paths, named: Named): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const transition of state.transitions ?? []) {
    const event = `${transition.trigger} ${triggerInWords(state, transition)}`;
    groups.set(event, [...(groups.get(event) ?? []), wayInWords(state, transition, named(transition.target, side))]);
  }
  return groups;
}

/** `PAY [isRich] / notify → paying`. */
function wayInWords(state: ChartState, transition: ChartTransition, targets: string): string {
  return transition.target === undefined
    ? transitionInWords(state, transition)
    : `${transitionInWords(state, transition)} → ${targets === '' ? '(the root)' : targets}`;
}

/** What of `one` is not in `other`, each as often as it is there. */
function without(one: readonly string[], other: readonly string[]): string[] {
  const left = [...other];
  return one.filter((text) => {
    const found = left.indexOf(text);
    if (found >= 0) left.splice(found, 1);
    return found < 0;
  });
}

const signs = { added: '+', removed: '-', changed: '~' } as const;

/** One line: `~ state "open": transition PAY → paying, was PAY → packing`. */
export function differenceInWords({ change, of, state, inside, before = '', after = '', refuses }: Difference): string {
  const place = `${inside === undefined ? '' : `${inside}: `}${state === '' ? 'the root' : `state "${state}"`}`;
  const what =
    of === 'state'
      ? `${place} (${change === 'removed' ? before : after})`
      : `${place}: ${of} ${change === 'changed' ? `${after}, was ${before}` : change === 'added' ? after : before}`;
  return `${signs[change]} ${what}${refuses === true ? '  [refuses checkpoints]' : ''}`;
}
