/** Charts by chance: nested states of every type, and transitions from any to any, with several targets too. */

import fc from 'fast-check';
import type { ChartState, ChartTransition, ChartTrigger, MachineChart } from 'statewarden';
import { everyState } from './drawn-faults.js';

interface Plan {
  readonly type: number;
  readonly words: string;
  readonly states: readonly Plan[];
}

interface Way {
  readonly from: number;
  readonly to: readonly number[];
  readonly trigger: ChartTrigger;
  readonly words: string;
  readonly guard: boolean;
  readonly reenter: boolean;
}

const words = fc.oneof(
  fc.stringMatching(/^[A-Za-z_.]{1,30}$/),
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
);

const { plan } = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.record({
    type: fc.nat(9),
    words,
    states: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant([]), fc.array(tie('plan'), { maxLength: 4 })),
  }),
}));

const way: fc.Arbitrary<Way> = fc.record({
  from: fc.nat(),
  to: fc.array(fc.nat(), { maxLength: 2 }),
  trigger: fc.constantFrom('on', 'always', 'after', 'done', 'error'),
  words,
  guard: fc.boolean(),
  reenter: fc.boolean(),
});

export const randomCharts: fc.Arbitrary<MachineChart> = fc
  .record({ root: plan, ways: fc.array(way, { maxLength: 14 }) })
  .map(({ root: planned, ways }) => {
    let count = 0;
    const grow = ({ type, words: key, states }: Plan, isRoot: boolean): ChartState => {
      const id = `n${count}`;
      count += 1;
      if (states.length === 0 && !isRoot) {
        if (type < 2) return { id, key, type: 'history', history: type === 0 ? 'deep' : 'shallow' };
        return type === 2
          ? { id, key, type: 'final', entry: [key] }
          : { id, key, type: 'atomic', ...(type === 3 ? { tags: [key, 'tag'] } : {}) };
      }
      if (states.length === 0) return { id, key, type: 'atomic' };
      const children = states.map((child) => grow(child, false));
      const [first] = children.filter(({ type: kind }) => kind !== 'history');
      if (type < 3 || first === undefined) return { id, key, type: 'parallel', states: children };
      return { id, key, type: 'compound', initial: [first.id], states: children };
    };
    const root = grow(planned, true);
    const states = everyState(root);
    const transitions = new Map<string, ChartTransition[]>();
    const sources = states.filter(({ type }) => type !== 'history');
    for (const { from, to, trigger, words: event, guard, reenter } of ways) {
      const source = sources[from % sources.length] as ChartState;
      const target = [...new Set(to.map((n) => (states[n % states.length] as ChartState).id))];
      const list = transitions.get(source.id) ?? [];
      transitions.set(source.id, list);
      list.push({
        trigger,
        event,
        label: event,
        ...(guard ? { guard: event } : {}),
        ...(target.length === 0 ? {} : { target }),
        ...(reenter ? { reenter, actions: [event, 'note'] } : {}),
      });
    }
    const filled = (state: ChartState): ChartState => {
      const own = transitions.get(state.id);
      return {
        ...state,
        ...(own === undefined ? {} : { transitions: own }),
        ...(state.states === undefined ? {} : { states: state.states.map(filled) }),
      };
    };
    return { id: 'random', root: filled(root) };
  });
