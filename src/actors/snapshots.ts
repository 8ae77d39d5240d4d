/**
 * Snapshots of machines, one made from another. Written as a spread, a copy with changes had V8 look up each changed member anew, at each step of each agent (`node --log-ic`); named one by one, none.
 *
 * Relied on: the members of XState's machine snapshots. One that has others is copied by a spread all the same (contract test: test/actors/xstate.test.ts).
 */

import { createActor, createMachine, type AnyActorRef, type AnyMachineSnapshot } from 'xstate';
import type { Node } from './plans.js';

/** What becomes of a snapshot when states are left or entered. */
export interface States {
  readonly status: string;
  readonly output: unknown;
  readonly _nodes: readonly Node[];
  readonly value: unknown;
  readonly tags: ReadonlySet<string>;
  readonly historyValue: unknown;
}

type Children = Readonly<Record<string, AnyActorRef>>;
type Whole = Record<'matches' | 'hasTag' | 'can' | 'getMeta' | 'toJSON', unknown> &
  Record<'error' | 'machine' | 'context' | 'children', unknown> &
  States;

const members = 'status,output,error,machine,context,_nodes,value,tags,children,historyValue,matches,hasTag,can,getMeta,toJSON';
/** Whether XState's snapshots have these members and no others. */
export const isKnown = Object.keys(createActor(createMachine({})).getSnapshot()).join() === members;

/** The snapshot with another context and other children, and in other states if they are given. */
export function changed(snapshot: AnyMachineSnapshot, context: unknown, children: Children, states?: States): AnyMachineSnapshot {
  const before = snapshot as unknown as Whole;
  const now = states ?? before;
  const made: Whole = {
    status: now.status,
    output: now.output,
    error: before.error,
    machine: before.machine,
    context,
    _nodes: now._nodes,
    value: now.value,
    tags: now.tags,
    children,
    historyValue: now.historyValue,
    matches: before.matches,
    hasTag: before.hasTag,
    can: before.can,
    getMeta: before.getMeta,
    toJSON: before.toJSON,
  };
  return (isKnown ? made : { ...before, ...made }) as unknown as AnyMachineSnapshot;
}
