/**
 * A machine as data that can be drawn, compared and sent: states, transitions with their guards and actions, delays, invokes, tags, meta. Made from
 * its state nodes: `machine.definition` of XState leaves out `always`, and `machine.config` has functions in it.
 */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { labelOfAction, labelOfGuard } from './chart-labels.js';
import { innerMachines } from './placed-actions.js';
import { sortOf, type LogicSort } from './seam.js';

export interface MachineChart {
  readonly id: string;
  readonly root: ChartState;
  /** What it may invoke or spawn, by the name of its source. A machine that contains itself is drawn once. */
  readonly actors?: Readonly<Record<string, ChartActor>>;
}

export interface ChartActor {
  readonly sort: LogicSort;
  readonly chart?: MachineChart;
}

export interface ChartState {
  /** Unique in its machine: `machine.parent.state`, or the user's own. */
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** Ids of the states that are entered first. */
  readonly initial?: readonly string[];
  readonly history?: 'shallow' | 'deep';
  readonly description?: string;
  readonly tags?: readonly string[];
  /** What JSON can hold of it. */
  readonly meta?: unknown;
  /** Labels of its actions: a name, `assign`, `raise(EVENT)`, `inline`. */
  readonly entry?: readonly string[];
  readonly exit?: readonly string[];
  readonly invoke?: readonly ChartInvoke[];
  readonly transitions?: readonly ChartTransition[];
  readonly states?: readonly ChartState[];
}

export interface ChartInvoke {
  readonly id: string;
  /** A registered name; of inline logic XState's own, `xstate.invoke.0.machine.state`. */
  readonly src: string;
  readonly inline?: true;
}

/** `on`: an event, `*` included. `done`, `error`, `snapshot`: of what it invokes, named by `of`, or (`done`) of its own children without it. */
export type ChartTrigger = 'on' | 'always' | 'after' | 'done' | 'error' | 'snapshot';

export interface ChartTransition {
  readonly trigger: ChartTrigger;
  /** XState's event type: `PAY`, `xstate.done.actor.bank`, `xstate.after.1000.order.open`; '' for `always`. */
  readonly event: string;
  /** As a person says it: `PAY`, `after 1 s`, `done: bank`, `always`. */
  readonly label: string;
  /** Id of the invoke. */
  readonly of?: string;
  /** Milliseconds, or the delay's name; `dynamic` for an inline function. */
  readonly delay?: number | string;
  /** `isRich`, `and(isRich, not(isOld))`, `inline`. */
  readonly guard?: string;
  /** Ids of states; absent: it stays where it is. */
  readonly target?: readonly string[];
  readonly actions?: readonly string[];
  readonly reenter?: true;
  readonly description?: string;
}

interface Transition {
  readonly target?: readonly { readonly id: string }[] | undefined;
  readonly actions: readonly unknown[];
  readonly guard?: unknown;
  readonly reenter: boolean;
  readonly eventType: string;
  readonly delay?: number | string;
  readonly description?: string;
}

interface StateNode {
  readonly id: string;
  readonly key: string;
  readonly type: ChartState['type'];
  readonly history: false | 'shallow' | 'deep';
  readonly parent?: StateNode | undefined;
  /** Of a history state: `target`, where it leads when there is nothing to remember. */
  readonly config: { readonly target?: string | readonly string[] };
  readonly initial?: { readonly target?: readonly { readonly id: string }[] } | undefined;
  readonly description?: string | undefined;
  readonly tags: readonly string[];
  readonly meta?: unknown;
  readonly entry: readonly unknown[];
  readonly exit: readonly unknown[];
  readonly invoke: readonly { readonly id: string; readonly src: unknown }[];
  readonly transitions: ReadonlyMap<string, readonly Transition[]>;
  readonly always?: readonly Transition[] | undefined;
  readonly after: readonly { readonly delay?: unknown; readonly eventType: string }[];
  readonly states: Readonly<Record<string, StateNode>>;
}

/** The machine as data. */
export function chartOf(machine: AnyStateMachine, around: ReadonlySet<unknown> = new Set()): MachineChart {
  const inside = new Set([...around, machine]);
  const actors: Record<string, ChartActor> = {};
  for (const name of Object.keys(machine.implementations.actors).sort()) {
    const logic = machine.implementations.actors[name] as AnyActorLogic;
    actors[name] = actorOf(logic, inside);
  }
  const inline = innerMachines(machine).filter((inner) => !Object.values(machine.implementations.actors).includes(inner as never));
  for (const inner of inline) actors[inner.id] ??= actorOf(inner as unknown as AnyActorLogic, inside);
  return {
    id: machine.id,
    root: stateOf(machine.root as unknown as StateNode),
    ...(Object.keys(actors).length === 0 ? {} : { actors }),
  };
}

function actorOf(logic: AnyActorLogic, inside: ReadonlySet<unknown>): ChartActor {
  const sort = sortOf(logic);
  return sort === 'machine' && !inside.has(logic) ? { sort, chart: chartOf(logic as unknown as AnyStateMachine, inside) } : { sort };
}

function stateOf(node: StateNode): ChartState {
  const states = Object.values(node.states);
  const initial = node.history === false ? (node.initial?.target?.map(({ id }) => id) ?? []) : rememberedFirst(node);
  const meta = asJson(node.meta);
  // The raising of its own delays is how XState sets them, not what somebody wrote.
  const delays = new Set(node.after.flatMap(({ eventType }) => [eventType]));
  const isDelay = (action: unknown): boolean => delays.has(String((action as { readonly id?: unknown } | null)?.id));
  const entry = node.entry.filter((action) => !isDelay(action)).map(labelOfAction);
  const exit = node.exit.filter((action) => !delays.has(String((action as { sendId?: unknown } | null)?.sendId))).map(labelOfAction);
  const transitions = [...transitionsOf(node)];
  const invoke = node.invoke.map(({ id, src }): ChartInvoke => {
    const name = typeof src === 'string' ? src : 'inline';
    return name.startsWith('xstate.invoke.') || name === 'inline' ? { id, src: name, inline: true } : { id, src: name };
  });
  return {
    id: node.id,
    key: node.key,
    type: node.type,
    ...(initial.length === 0 ? {} : { initial }),
    ...(node.history === false ? {} : { history: node.history }),
    ...(node.description === undefined ? {} : { description: node.description }),
    ...(node.tags.length === 0 ? {} : { tags: [...node.tags] }),
    ...(meta === undefined ? {} : { meta }),
    ...(entry.length === 0 ? {} : { entry }),
    ...(exit.length === 0 ? {} : { exit }),
    ...(invoke.length === 0 ? {} : { invoke }),
    ...(transitions.length === 0 ? {} : { transitions }),
    ...(states.length === 0 ? {} : { states: states.map(stateOf) }),
  };
}

/** Where a history state leads at first: written as a sister, or by id. */
function rememberedFirst({ config, parent }: StateNode): readonly string[] {
  return [config.target ?? []].flat().map((target) => {
    if (target.startsWith('#')) return target.slice(1);
    const found = target.split('.').reduce<StateNode | undefined>((state, key) => state?.states[key], parent);
    return found?.id ?? target;
  });
}

function* transitionsOf(node: StateNode): Generator<ChartTransition> {
  for (const transition of node.always ?? []) yield transitionOf(node, transition, 'always');
  for (const [event, transitions] of node.transitions) {
    const trigger = triggerOf(node, event);
    for (const transition of transitions) yield transitionOf(node, transition, trigger);
  }
}

function transitionOf(node: StateNode, transition: Transition, trigger: ChartTrigger): ChartTransition {
  const { target, actions, guard, reenter, eventType, description } = transition;
  const of = trigger === 'done' || trigger === 'error' || trigger === 'snapshot' ? invokedBy(node, eventType) : undefined;
  const delay = trigger === 'after' ? delayOf(transition.delay) : undefined;
  return {
    trigger,
    event: eventType,
    label: labelOf(trigger, eventType, of, delay),
    ...(of === undefined ? {} : { of }),
    ...(delay === undefined ? {} : { delay }),
    ...(guard === undefined ? {} : { guard: labelOfGuard(guard) }),
    ...(target === undefined ? {} : { target: target.map(({ id }) => id) }),
    ...(actions.length === 0 ? {} : { actions: actions.map(labelOfAction) }),
    ...(reenter ? { reenter } : {}),
    ...(description === undefined ? {} : { description }),
  };
}

const prefixes = { 'xstate.done.actor.': 'done', 'xstate.error.actor.': 'error', 'xstate.snapshot.': 'snapshot' } as const;

function triggerOf(node: StateNode, event: string): ChartTrigger {
  if (node.after.some(({ eventType }) => eventType === event)) return 'after';
  if (event === `xstate.done.state.${node.id}`) return 'done';
  for (const [prefix, trigger] of Object.entries(prefixes)) {
    if (event.startsWith(prefix) && node.invoke.some(({ id }) => event === `${prefix}${id}`)) return trigger;
  }
  return 'on';
}

function invokedBy({ invoke }: StateNode, event: string): string | undefined {
  return invoke.find(({ id }) => Object.keys(prefixes).some((prefix) => event === `${prefix}${id}`))?.id;
}

function delayOf(delay: number | string | undefined): number | string {
  if (typeof delay === 'number') return delay;
  const number = Number(delay);
  return delay === undefined ? 'dynamic' : delay !== '' && Number.isFinite(number) ? number : delay;
}

function labelOf(trigger: ChartTrigger, event: string, of: string | undefined, delay: number | string | undefined): string {
  switch (trigger) {
    case 'always':
      return 'always';
    case 'after':
      return `after ${typeof delay === 'number' ? inWords(delay) : (delay as string)}`;
    case 'on':
      return event;
    default:
      return of === undefined ? trigger : `${trigger}: ${of}`;
  }
}

/** `1500` is `1.5 s`, `172800000` is `2 d`. */
function inWords(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  for (const [unit, size] of units) if (ms >= size && Number.isInteger((ms / size) * 10)) return `${String(ms / size)} ${unit}`;
  return `${String(ms)} ms`;
}

function asJson(value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
