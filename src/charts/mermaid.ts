/**
 * A chart as text for Mermaid, `stateDiagram-v2`. States have short names, so that theirs may be anything. Mermaid knows no history: such a state is
 * drawn as one named H or H*. What happens inside a state without leaving it stands in its box; of a state with states inside, in a note.
 */

import type { ChartState, MachineChart } from '../actors/chart.js';
import { isInternal } from './contents.js';
import { linesOf, parentsOf, pathOutwards, statesOf, transitionInWords } from './walk.js';

export function mermaidOf(chart: MachineChart): string {
  const parents = parentsOf(chart.root);
  const names = new Map([...statesOf(chart.root)].map(({ id }, index) => [id, `s${String(index)}`]));
  /** Lines of transitions by the state in whose body they belong; undefined: outside the machine. */
  const inside = new Map<string | undefined, string[]>();
  let forks = 0;
  const add = (place: string | undefined, ...lines: readonly string[]): void => {
    inside.set(place, [...(inside.get(place) ?? []), ...lines]);
  };
  for (const state of statesOf(chart.root)) {
    const name = names.get(state.id) as string;
    if (state.type === 'compound')
      for (const target of known(state.initial, names)) add(state.id, `[*] --> ${names.get(target) as string}`);
    if (state.type === 'history')
      for (const target of known(state.initial, names)) add(parents.get(state.id), `${name} --> ${names.get(target) as string}`);
    if (state.type === 'final') add(parents.get(state.id), `${name} --> [*]`);
    for (const transition of state.transitions ?? []) {
      const targets = known(transition.target, names);
      if (targets.length === 0) continue;
      const place = commonOf([state.id, ...targets], parents);
      const words = escaped(transitionInWords(state, transition));
      const [only = ''] = targets;
      if (targets.length === 1) add(place, `${name} --> ${names.get(only) as string} : ${words}`);
      else {
        const fork = `fork${String(forks)}`;
        forks += 1;
        add(
          place,
          `state ${fork} <<fork>>`,
          `${name} --> ${fork} : ${words}`,
          ...targets.map((target) => `${fork} --> ${names.get(target) as string}`),
        );
      }
    }
  }
  const draw = (state: ChartState, margin: string): string[] => {
    const name = names.get(state.id) as string;
    const declared = `${margin}state "${escaped(titleOf(state))}" as ${name}`;
    const children = state.states ?? [];
    const said = saysOf(state);
    const within = `${margin}  `;
    const ways = (inside.get(state.id) ?? []).map((line) => `${within}${line}`);
    if (children.length === 0) return [declared, ...said.map((line) => `${margin}${name} : ${escaped(line)}`)];
    const regions = children.map((child) => draw(child, within));
    const body =
      state.type === 'parallel' ? regions.flatMap((region, index) => (index === 0 ? region : [`${within}--`, ...region])) : regions.flat();
    const note =
      said.length === 0 ? [] : [`${margin}note right of ${name}`, ...said.map((line) => `${within}${escaped(line)}`), `${margin}end note`];
    return [`${declared} {`, ...body, ...ways, `${margin}}`, ...note];
  };
  return [
    'stateDiagram-v2',
    '  direction LR',
    ...draw(chart.root, '  '),
    ...(inside.get(undefined) ?? []).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const known = (ids: readonly string[] | undefined, names: ReadonlyMap<string, string>): string[] =>
  (ids ?? []).filter((id) => names.has(id));

/** The innermost state around all of them that is none of them. */
function commonOf(ids: readonly string[], parents: ReadonlyMap<string, string>): string | undefined {
  const [first = [], ...others] = ids.map((id) => pathOutwards(id, parents).slice(1));
  return first.find((one) => others.every((path) => path.includes(one)));
}

function titleOf({ type, history, key }: ChartState): string {
  if (type !== 'history') return key;
  return history === 'deep' ? 'H*' : 'H';
}

/** All that is no way to another state. */
function saysOf(state: ChartState): string[] {
  return linesOf({ ...state, transitions: (state.transitions ?? []).filter(isInternal) }, new Map());
}

/** What Mermaid's grammar could take for its own is written by number. */
function escaped(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const safe = line.replace(/[^\p{L}\p{M}\p{N} .,_/()[\]*=+←]/gu, (letter) => `#${String(letter.codePointAt(0))};`);
  return safe === '' ? '#8203;' : safe;
}
