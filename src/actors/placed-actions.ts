/**
 * A walk through a machine's configuration: every place where an action stands, and the logic inside. Actions that a function enqueues when it
 * runs are not seen.
 */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { sortOf } from './seam.js';

export interface PlacedAction {
  /** `state "open", entry`; `machine "order", on PAY`. */
  readonly where: string;
  /** As it is written: a name, an object, a function. */
  readonly action: unknown;
}

interface StateConfig {
  readonly entry?: unknown;
  readonly exit?: unknown;
  readonly always?: unknown;
  readonly onDone?: unknown;
  readonly on?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  readonly invoke?: unknown;
  readonly states?: Readonly<Record<string, StateConfig>>;
}

interface InvokeConfig {
  readonly src: unknown;
  readonly onDone?: unknown;
  readonly onError?: unknown;
  readonly onSnapshot?: unknown;
}

export function* placedActions(machine: AnyStateMachine): Generator<PlacedAction> {
  yield* inState(machine.config as StateConfig, `machine "${machine.id}"`, '');
}

function* inState(state: StateConfig, name: string, path: string): Generator<PlacedAction> {
  const placed = (place: string, actions: unknown): PlacedAction[] =>
    list(actions).map((action) => ({ where: `${name}, ${place}`, action }));
  yield* placed('entry', state.entry);
  yield* placed('exit', state.exit);
  const transitions: (readonly [place: string, transition: unknown])[] = [
    ['always', state.always],
    ['onDone', state.onDone],
    ...Object.entries(state.on ?? {}).map(([event, transition]) => [`on ${event}`, transition] as const),
    ...Object.entries(state.after ?? {}).map(([delay, transition]) => [`after ${delay}`, transition] as const),
    ...(list(state.invoke) as InvokeConfig[]).flatMap(({ onDone, onError, onSnapshot }) => [
      ['invoke, onDone', onDone] as const,
      ['invoke, onError', onError] as const,
      ['invoke, onSnapshot', onSnapshot] as const,
    ]),
  ];
  for (const [place, transition] of transitions) {
    for (const one of list(transition)) {
      if (typeof one === 'object' && one !== null) yield* placed(place, (one as { actions?: unknown }).actions);
    }
  }
  for (const [key, child] of Object.entries(state.states ?? {})) {
    const inner = path === '' ? key : `${path}.${key}`;
    yield* inState(child, `state "${inner}"`, inner);
  }
}

/** The machines that a machine registers or invokes, one level down. */
export function innerMachines(machine: AnyStateMachine): readonly AnyStateMachine[] {
  return innerLogics(machine).filter((logic) => sortOf(logic) === 'machine') as unknown as AnyStateMachine[];
}

/** All logics that a machine registers or invokes, one level down. */
export function innerLogics(machine: AnyStateMachine): readonly AnyActorLogic[] {
  return [...Object.values(machine.implementations.actors), ...invoked(machine.config as StateConfig)] as AnyActorLogic[];
}

function invoked(state: StateConfig): unknown[] {
  const here = (list(state.invoke) as InvokeConfig[]).map(({ src }) => src).filter((src) => typeof src === 'object' && src !== null);
  return [...here, ...Object.values(state.states ?? {}).flatMap(invoked)];
}

/** Where inline functions stand as actions, inner machines included: they run at most once. Built-in actions are functions too and not meant. */
export function inlineActions(machine: AnyStateMachine, seen = new Set<AnyStateMachine>()): readonly string[] {
  if (seen.has(machine)) return [];
  seen.add(machine);
  const places: string[] = [];
  for (const { where, action } of placedActions(machine)) {
    const type = (action as { type?: unknown } | null | undefined)?.type;
    if (typeof action === 'function' && !(typeof type === 'string' && type.startsWith('xstate.'))) places.push(where);
  }
  const inside = innerMachines(machine).flatMap((inner) =>
    inlineActions(inner, seen).map((where) => (where.startsWith('machine') ? where : `machine "${inner.id}", ${where}`)),
  );
  return [...places, ...inside];
}

function list(value: unknown): unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
