/**
 * A machine's structure as data: what a checkpoint relies on (states, invokes, delays, children, context keys), its
 * hash, and which differences between two structures matter to one checkpoint. A difference that the checkpoint's
 * active states, history and children do not touch is harmless; XState would pass over the others in silence.
 */

import { createHash } from 'node:crypto';
import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { sortOf } from './seam.js';

export interface StateDefinition {
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly initial?: string;
  /** `id ← src` of each invoke. */
  readonly invoke?: readonly string[];
  /** Delays of `after`, as written. */
  readonly after?: readonly string[];
  readonly states?: Readonly<Record<string, StateDefinition>>;
}

export interface MachineDefinition {
  readonly id: string;
  readonly root: StateDefinition;
  /** Keys of the initial context; absent when a context factory could not be looked into. */
  readonly contextKeys?: readonly string[];
  /** Machines among the registered actors, by name. */
  readonly actors?: Readonly<Record<string, MachineDefinition>>;
}

interface Node {
  readonly id: string;
  readonly key: string;
  readonly type: StateDefinition['type'];
  readonly invoke: readonly { readonly id: string; readonly src: string }[];
  readonly config: { readonly after?: object; readonly initial?: string | { readonly target?: string } };
  readonly states: Readonly<Record<string, Node>>;
}

/** Describes a machine. Machines that contain themselves are described once. */
export function defineMachine(machine: AnyStateMachine, around: ReadonlySet<AnyStateMachine> = new Set()): MachineDefinition {
  const inside = new Set([...around, machine]);
  const actors: Record<string, MachineDefinition> = {};
  for (const name of Object.keys(machine.implementations.actors).sort()) {
    const logic = machine.implementations.actors[name] as AnyActorLogic;
    if (sortOf(logic) === 'machine' && !inside.has(logic as unknown as AnyStateMachine)) {
      actors[name] = defineMachine(logic as unknown as AnyStateMachine, inside);
    }
  }
  const contextKeys = contextKeysOf(machine);
  return {
    id: machine.id,
    root: defineState(machine.root as unknown as Node),
    ...(contextKeys === undefined ? {} : { contextKeys }),
    ...(Object.keys(actors).length === 0 ? {} : { actors }),
  };
}

function defineState(node: Node): StateDefinition {
  const after = Object.keys(node.config.after ?? {});
  const states = Object.entries(node.states);
  const initial = node.config.initial;
  return {
    type: node.type,
    ...(typeof initial === 'string' ? { initial } : {}),
    ...(node.invoke.length === 0 ? {} : { invoke: node.invoke.map(({ id, src }) => `${id} ← ${src}`) }),
    ...(after.length === 0 ? {} : { after }),
    ...(states.length === 0 ? {} : { states: Object.fromEntries(states.map(([key, child]) => [key, defineState(child)])) }),
  };
}

/** The structural hash: 16 hex digits of SHA-256. */
export function schemaOf(definition: MachineDefinition): string {
  return createHash('sha256').update(JSON.stringify(definition)).digest('hex').slice(0, 16);
}

/** What matters of a persisted snapshot here. */
export interface SnapshotShape {
  readonly value: StateValue;
  readonly context?: unknown;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly children?: Readonly<Record<string, { readonly src: unknown; readonly snapshot: unknown }>>;
}
type StateValue = string | { readonly [key: string]: StateValue | undefined };

/** Why `snapshot`, written under `before` (when known), does not fit `now`; empty when it fits. */
export function differencesFor(snapshot: SnapshotShape, before: MachineDefinition | undefined, now: MachineDefinition): readonly string[] {
  const differences: string[] = [];
  compareState(snapshot.value, before?.root, now.root, '', differences);
  compareHistory(snapshot, now, differences);
  if (now.contextKeys !== undefined && typeof snapshot.context === 'object' && snapshot.context !== null) {
    for (const key of now.contextKeys) {
      const isNew = before?.contextKeys?.includes(key) !== true;
      if (isNew && !(key in snapshot.context)) differences.push(`context key "${key}" is new and missing in the checkpoint`);
    }
  }
  for (const [id, child] of Object.entries(snapshot.children ?? {})) {
    const definition = typeof child.src === 'string' ? now.actors?.[child.src] : undefined;
    const shape = child.snapshot as SnapshotShape & { status?: string };
    if (definition === undefined || shape.status !== 'active' || shape.value === undefined) continue;
    const old = typeof child.src === 'string' ? before?.actors?.[child.src] : undefined;
    for (const line of differencesFor(shape, old, definition)) differences.push(`child "${id}": ${line}`);
  }
  return differences;
}

function compareState(
  value: StateValue,
  before: StateDefinition | undefined,
  now: StateDefinition,
  path: string,
  differences: string[],
): void {
  const name = path === '' ? 'the root' : `state "${path}"`;
  if (before !== undefined) {
    if (before.type !== now.type) differences.push(`${name} was ${before.type} and is ${now.type}`);
    compareLists(`${name}: invoke`, before.invoke, now.invoke, differences);
    compareLists(`${name}: delay`, before.after, now.after, differences);
  }
  const active = typeof value === 'string' ? { [value]: {} } : value;
  const keys = Object.keys(active);
  if (keys.length === 0) {
    const nested = now.type === 'compound' || now.type === 'parallel';
    if (nested && before === undefined) differences.push(`${name} has become ${now.type}`);
    return;
  }
  for (const key of keys) {
    const inner = path === '' ? key : `${path}.${key}`;
    const state = now.states?.[key];
    if (state === undefined) differences.push(`state "${inner}" is gone`);
    else compareState(active[key] ?? {}, before?.states?.[key], state, inner, differences);
  }
  if (now.type === 'parallel') {
    for (const key of Object.keys(now.states ?? {})) {
      if (!(key in active) && now.states?.[key]?.type !== 'history')
        differences.push(`region "${path === '' ? key : `${path}.${key}`}" is new`);
    }
  }
}

function compareLists(what: string, before: readonly string[] = [], now: readonly string[] = [], differences: string[]): void {
  for (const item of now) if (!before.includes(item)) differences.push(`${what} "${item}" is new`);
  for (const item of before) if (!now.includes(item)) differences.push(`${what} "${item}" is gone`);
}

function compareHistory(snapshot: SnapshotShape, now: MachineDefinition, differences: string[]): void {
  const ids = new Set<string>();
  collectIds(now.root, now.id, ids);
  for (const [history, nodes] of Object.entries(snapshot.historyValue ?? {})) {
    for (const { id } of nodes) {
      const standard = id === now.id || id.startsWith(`${now.id}.`);
      if (standard && !ids.has(id)) differences.push(`state "${id}", remembered by history "${history}", is gone`);
    }
  }
}

function collectIds(state: StateDefinition, id: string, ids: Set<string>): void {
  ids.add(id);
  for (const [key, child] of Object.entries(state.states ?? {})) collectIds(child, `${id}.${key}`, ids);
}

/** Keys of the initial context. A factory is tried on an input that answers every question with more of itself. */
function contextKeysOf(machine: AnyStateMachine): readonly string[] | undefined {
  const { context } = machine.config as { context?: unknown };
  if (context === undefined) return [];
  if (typeof context !== 'function') return Object.keys(context as object).sort();
  try {
    const made: unknown = (context as (argument: unknown) => unknown)({ input: anything(), spawn: anything(), self: anything() });
    return typeof made === 'object' && made !== null ? Object.keys(made).sort() : undefined;
  } catch {
    return undefined;
  }
}

function anything(): unknown {
  const answer: unknown = new Proxy(() => undefined, {
    get: (_, key) => (key === Symbol.iterator ? () => [][Symbol.iterator]() : key === Symbol.toPrimitive ? () => '' : answer),
    apply: () => answer,
    construct: () => answer as object,
    ownKeys: () => [],
    getOwnPropertyDescriptor: () => undefined,
  });
  return answer;
}
