/** From a machine as data back to a config, as the inspector draws it: for agents whose code is not at hand. Its actions and guards are names; it is to be looked at, not to be run. */

import type { ChartState, ChartTransition, MachineChart } from '../../actors/chart.js';

type Config = Record<string, unknown>;

export function configOf({ id, root }: MachineChart): Config {
  return { id, ...stateOf(root, id, isPlain(root, id) ? (target) => `#${target}` : (target) => `#${target.replace(/[\\.]/g, '\\$&')}`) };
}

/** Whether ids are read as XState reads them, by their dots: the machine's, then keys. */
function isPlain(root: ChartState, path: string): boolean {
  const isOfKeys = ({ id, states = [] }: ChartState, own: string): boolean =>
    (id === own || !id.includes('.')) && states.every((state) => !state.key.includes('.') && isOfKeys(state, `${own}.${state.key}`));
  return !path.includes('.') && isOfKeys(root, path);
}

/** `path`: the id that XState gives it by itself. */
function stateOf(state: ChartState, path: string, byId: (id: string) => string): Config {
  const { states = [], transitions = [], invoke = [] } = state;
  const of = (trigger: ChartTransition['trigger'], invoked?: string): readonly ChartTransition[] =>
    transitions.filter((transition) => transition.trigger === trigger && transition.of === invoked);
  const written = (some: readonly ChartTransition[]): Config[] => some.map((one) => transitionOf(one, byId));
  const first = states.find(({ id }) => state.initial?.some((initial) => initial === id || initial.startsWith(`${id}.`)) === true);
  const children = states.map((child) => [child.key, stateOf(child, `${path}.${child.key}`, byId)] as const);
  return {
    ...(state.id === path ? {} : { id: state.id }),
    ...(['parallel', 'final', 'history'].includes(state.type) ? { type: state.type } : {}),
    ...(state.type === 'compound' && first !== undefined ? { initial: first.key } : {}),
    ...(state.type === 'history' ? { history: state.history, target: state.initial?.map(byId) } : {}),
    ...some('description', state.description),
    ...some('tags', state.tags),
    ...some('meta', state.meta),
    ...some('entry', state.entry?.map(named)),
    ...some('exit', state.exit?.map(named)),
    ...filled(
      'invoke',
      invoke.map(({ id, src }) => ({
        id,
        src,
        ...filled('onDone', written(of('done', id))),
        ...filled('onError', written(of('error', id))),
        ...filled('onSnapshot', written(of('snapshot', id))),
      })),
    ),
    ...filled('always', written(of('always'))),
    ...filled('onDone', written(of('done'))),
    ...grouped('on', of('on'), byId, ({ event }) => event),
    ...grouped('after', of('after'), byId, ({ delay = 'dynamic' }) => String(delay)),
    ...(children.length === 0 ? {} : { states: Object.fromEntries(children) }),
  };
}

function transitionOf({ target, guard, actions, reenter, description }: ChartTransition, byId: (id: string) => string): Config {
  return {
    ...some('target', target?.map(byId)),
    ...(guard === undefined ? {} : { guard: named(guard) }),
    ...some('actions', actions?.map(named)),
    ...some('reenter', reenter),
    ...some('description', description),
  };
}

function grouped(
  name: string,
  transitions: readonly ChartTransition[],
  byId: (id: string) => string,
  keyOf: (transition: ChartTransition) => string,
): Config {
  const groups = new Map<string, Config[]>();
  for (const transition of transitions) {
    const group = groups.get(keyOf(transition)) ?? [];
    groups.set(keyOf(transition), [...group, transitionOf(transition, byId)]);
  }
  return groups.size === 0 ? {} : { [name]: Object.fromEntries(groups) };
}

const named = (type: string): Config => ({ type });
const some = (name: string, value: unknown): Config => (value === undefined ? {} : { [name]: value });
const filled = (name: string, list: readonly unknown[]): Config => (list.length === 0 ? {} : { [name]: list });
