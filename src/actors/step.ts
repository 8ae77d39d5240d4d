/**
 * How a machine takes an event: as XState does, by a shorter way where there is one. XState computes with sets of states and makes a snapshot for each action; that costs more than the rest of a turn, and most turns assign, or go
 * from one state to the next; so does making a first snapshot that is like the last one (contract test: test/actors/seam.test.ts).
 *
 * Invariant: the shorter way comes to what XState comes to: the same snapshot, the same actions in the same order, the same word to its inspectors. What it does not know it leaves to XState, before anything is done.
 *
 * Relied on besides what seam.ts names: `machine.getTransitionData`, `machine.root`, what `plans.ts` names; `resolve` and `execute` of XState's own actions.
 */

import {
  assign,
  createActor,
  createMachine,
  stopChild,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import {
  Plans,
  tagsOf,
  valueOf,
  type Beginning,
  type Builtin,
  type Deed,
  type Draft,
  type Entered,
  type ExecutableAction,
  type Move,
  type Node,
  type StepScope,
  type Transition,
} from './plans.js';
import { createChild } from './promise-actor.js';
import { changed } from './snapshots.js';

export interface Steps {
  /** As `machine.getInitialSnapshot`. */
  begin(scope: StepScope, input: unknown): AnyMachineSnapshot;
  /** As `machine.transition`. */
  take(snapshot: AnyMachineSnapshot, event: EventObject, scope: StepScope): AnyMachineSnapshot;
}

/** Done to an end of a child whose state is left. */
const { execute: stopIt } = stopChild('') as unknown as Required<Builtin>;
const noNodes: readonly Node[] = [];
/** Nothing that is done here raises an event at once. */
const extra = Object.freeze({ internalQueue: Object.freeze([]), deferredActorIds: undefined });

/** Of a machine; it must not change any more. */
export function stepper(machine: AnyStateMachine): Steps {
  const begin: Steps['begin'] = (scope, input) => machine.getInitialSnapshot(scope as never, input as never) as AnyMachineSnapshot;
  const take: Steps['take'] = (snapshot, event, scope) => machine.transition(snapshot, event, scope as never) as AnyMachineSnapshot;
  const root = machine.root as unknown as Node;
  if (some(root, ({ always }) => always !== undefined)) return { begin, take };
  const isChain = !some(root, ({ type }) => type === 'parallel' || type === 'history');
  const plans = new Plans(machine, isChain);
  const find = machine.getTransitionData.bind(machine) as unknown as Select;
  const select = isChain && !some(root, hasGuard) ? remembered(find) : find;
  // A guard is asked once for each event: what was selected here is what XState goes on with.
  let askedBy: AnyMachineSnapshot | undefined;
  let selected: readonly Transition[] = [];
  machine.getTransitionData = ((snapshot: AnyMachineSnapshot, event: EventObject) => {
    if (snapshot !== askedBy) return select(snapshot, event);
    askedBy = undefined;
    return selected;
  }) as never;
  /** The first that XState made, to be made again. */
  let model: AnyMachineSnapshot | undefined;
  return {
    begin(scope, input) {
      const first = plans.first();
      if (first !== undefined && model !== undefined) return begun(first, model, input, scope);
      const snapshot = begin(scope, input);
      if (first !== undefined && snapshot.status === 'active')
        model = { ...snapshot, context: undefined, children: {} } as AnyMachineSnapshot;
      return snapshot;
    },
    take(snapshot, event, scope) {
      if (event.type === 'xstate.stop') return take(snapshot, event, scope);
      const transitions = select(snapshot, event);
      const [only] = transitions;
      const next = only === undefined || transitions.length > 1 ? undefined : taken(plans, only, snapshot, event, scope);
      if (next !== undefined) {
        const { self, system } = scope;
        system._sendInspectionEvent({ type: '@xstate.microstep', actorRef: self, event, snapshot: next, _transitions: transitions });
        if (next.status === 'done') stopAll(next, event, scope);
        return next;
      }
      selected = transitions;
      askedBy = snapshot;
      try {
        return take(snapshot, event, scope);
      } finally {
        askedBy = undefined;
      }
    },
  };
}

type Select = (snapshot: AnyMachineSnapshot, event: EventObject) => readonly Transition[];

/** Types of events that are remembered for each state. */
const mostTypes = 100;

/** Of a machine in one state at a time, without guards: the state and the type of the event say which transition is taken. */
function remembered(find: Select): Select {
  const known = new Map<Node, Map<string, readonly Transition[]>>();
  return (snapshot, event) => {
    const leaf = leafOf(snapshot);
    const types = known.get(leaf) ?? new Map<string, readonly Transition[]>();
    const before = types.get(event.type);
    if (before !== undefined) return before;
    const found = find(snapshot, event);
    if (types.size < mostTypes) known.set(leaf, types.set(event.type, found));
    return found;
  };
}

function hasGuard({ transitions }: Node): boolean {
  return [...transitions.values()].some((candidates) => candidates.some(({ guard }) => guard !== undefined));
}

function leafOf(snapshot: AnyMachineSnapshot): Node {
  return (snapshot._nodes as unknown as readonly Node[]).find(({ type }) => type !== 'compound') as Node;
}

function some(node: Node, is: (node: Node) => boolean): boolean {
  return is(node) || Object.values(node.states).some((child) => some(child, is));
}

/** The snapshot after a transition; undefined, and nothing is done, for one that is left to XState. */
function taken(
  plans: Plans,
  transition: Transition,
  snapshot: AnyMachineSnapshot,
  event: EventObject,
  scope: StepScope,
): AnyMachineSnapshot | undefined {
  if (transition.target === undefined) {
    const deeds = plans.assigning(transition);
    if (deeds === undefined) return undefined;
    if (deeds.length === 0) return snapshot;
    const draft = draftOf(snapshot);
    for (const deed of deeds) perform(deed, draft, event, scope);
    return changed(snapshot, draft.context, draft.children);
  }
  const move = plans.move(transition);
  if (move === undefined) return undefined;
  const { target, domain } = move;
  const nodes = snapshot._nodes as unknown as readonly Node[];
  const leaf = leafOf(snapshot);
  for (let node = leaf; node !== domain; node = node.parent as Node) if (plans.exit(node) === undefined) return undefined;
  if (target.type === 'final' && (plans.exit(target) === undefined || plans.exit(domain) === undefined)) return undefined;

  const draft = draftOf(snapshot);
  for (let node = leaf; node !== domain; node = node.parent as Node) {
    for (const deed of plans.exit(node) as readonly Deed[]) perform(deed, draft, event, scope);
    for (const { id } of node.invoke) end(id, draft, event, scope);
  }
  for (const deed of move.deeds) perform(deed, draft, event, scope);
  for (const one of move.entered) enter(one, draft, event, scope);
  if (target.type === 'final') return ended(plans, move, snapshot, draft, event, scope);

  const { context, children } = draft;
  if (target === leaf) {
    if (context === snapshot.context && children === snapshot.children) return snapshot;
    return changed(snapshot, context, children);
  }
  // An array of its own: whether states were left is told by it.
  const next = nodesAfter(nodes, move);
  const { status, output, historyValue } = snapshot as Standing;
  return changed(snapshot, context, children, {
    status,
    output,
    _nodes: next,
    value: valueOf(target),
    tags: tagsOf(next),
    historyValue,
  });
}

/** What of a snapshot stays as it is. */
interface Standing {
  readonly status: string;
  readonly output: unknown;
  readonly historyValue: unknown;
}

/** The machine is done: states that are active at its end are left, and stay as they are. */
function ended(
  plans: Plans,
  move: Move,
  snapshot: AnyMachineSnapshot,
  draft: Draft,
  event: EventObject,
  scope: StepScope,
): AnyMachineSnapshot {
  const { target } = move;
  const value = valueOf(target);
  const { output: mapper } = snapshot.machine.root as unknown as Node;
  const done = { type: `xstate.done.state.${target.id}`, output: undefined };
  const output =
    typeof mapper === 'function'
      ? (mapper as (args: object) => unknown)({ context: draft.context, event: done, self: scope.self })
      : mapper;
  const nodes = nodesAfter(snapshot._nodes as unknown as readonly Node[], move).reverse();
  for (const node of nodes) for (const deed of plans.exit(node) as readonly Deed[]) perform(deed, draft, event, scope);
  const { context, children } = draft;
  const { historyValue } = snapshot;
  return changed(snapshot, context, children, { status: 'done', output, _nodes: nodes, value, tags: tagsOf(nodes), historyValue });
}

function nodesAfter(nodes: readonly Node[], { domain, entered }: Move): Node[] {
  const next: Node[] = [];
  for (const node of nodes) if (node.path.length <= domain.path.length) next.push(node);
  for (const { node } of entered) next.push(node);
  return next;
}

/** The first snapshot, but for context and children as in `model`; in `error` for what throws. */
function begun(first: readonly Entered[], model: AnyMachineSnapshot, input: unknown, scope: StepScope): AnyMachineSnapshot {
  const machine = model.machine as AnyStateMachine;
  const event = { type: 'xstate.init', input } as EventObject;
  const { context: made } = machine.config as { readonly context?: unknown };
  const draft: Draft = { machine, _nodes: noNodes, context: {}, children: {} };
  let [context, children] = [draft.context, draft.children];
  const value = valueOf((first.at(-1) as Entered).node);
  try {
    if (typeof made === 'function') perform({ own: contextOf(made as ContextMaker) }, draft, event, scope);
    else if (made) draft.context = made;
    ({ context, children } = draft);
    for (const one of first) enter(one, draft, event, scope);
  } catch (error) {
    if (!showsFailedStart) throw error;
    const nodes = [machine.root as unknown as Node];
    const before = { _nodes: nodes, value, tags: tagsOf(nodes), context, children, historyValue: {} };
    return { ...model, ...before, status: 'error', error } as unknown as AnyMachineSnapshot;
  }
  const { status, output } = model as Standing;
  const own = { status, output, _nodes: first.map(({ node }) => node), value, tags: new Set(model.tags), historyValue: {} };
  return changed(model, draft.context, draft.children, own);
}

/** Whether this XState has a whole snapshot of a machine that failed at its start. */
const showsFailedStart =
  'tags' in
  createActor(
    createMachine({
      context: () => {
        throw new Error('as it must');
      },
    }),
  ).getSnapshot();

type ContextMaker = (args: object) => object;

/** As XState makes it: by an assignment to none. */
function contextOf(make: ContextMaker): Builtin {
  return assign((({ spawn, event, self }: { spawn: unknown; event: { input: unknown }; self: unknown }) =>
    make({ spawn, input: event.input, self })) as never) as unknown as Builtin;
}

function enter({ deeds, beginnings }: Entered, draft: Draft, event: EventObject, scope: StepScope): void {
  for (const deed of deeds) perform(deed, draft, event, scope);
  for (const beginning of beginnings) begin(beginning, draft, event, scope);
}

/** What still runs when the machine is done. */
function stopAll({ children, context }: AnyMachineSnapshot, event: EventObject, scope: StepScope): void {
  for (const child of Object.values(children as Record<string, AnyActorRef>)) {
    execute(
      'xstate.stopChild',
      stopIt,
      child,
      { context, event, self: scope.self, system: scope.system } as ExecutableAction['info'],
      scope,
    );
  }
}

function draftOf({ machine, context, children }: AnyMachineSnapshot): Draft {
  return { machine: machine as AnyStateMachine, _nodes: noNodes, context, children: children as Draft['children'] };
}

function perform(deed: Deed, draft: Draft, event: EventObject, scope: StepScope): void {
  const info = { context: draft.context, event, self: scope.self, system: scope.system };
  if (deed.own === undefined) {
    scope.actionExecutor({ type: deed.type, info, params: undefined, exec: deed.exec });
    return;
  }
  const { own } = deed;
  const [next, params] = own.resolve(scope, draft, info, undefined, own, extra);
  draft.context = next.context;
  draft.children = next.children;
  if (own.execute !== undefined) execute(own.type, own.execute, params, info, scope);
}

function execute(
  type: string,
  run: NonNullable<Builtin['execute']>,
  params: unknown,
  info: ExecutableAction['info'],
  scope: StepScope,
): void {
  scope.actionExecutor({ type, info, params, exec: run.bind(null, scope, params) });
}

/** As `stopChild`. */
function end(id: string, draft: Draft, event: EventObject, scope: StepScope): void {
  const info = { context: draft.context, event, self: scope.self, system: scope.system };
  const child = draft.children[id];
  if (child !== undefined) draft.children = withoutChild(draft.children, child.id);
  execute('xstate.stopChild', stopIt, child, info, scope);
}

function withoutChild(children: Draft['children'], id: string): Draft['children'] {
  const left: Record<string, AnyActorRef> = {};
  for (const other in children) if (other !== id) left[other] = children[other] as AnyActorRef;
  return left;
}

function withChild(children: Draft['children'], id: string, child: AnyActorRef): Draft['children'] {
  const all: Record<string, AnyActorRef> = {};
  for (const other in children) all[other] = children[other] as AnyActorRef;
  all[id] = child;
  return all;
}

/** Its name tells whose error it was (`failure.ts`). */
function resolveInput(input: unknown, args: object): unknown {
  return typeof input === 'function' ? (input as (args: object) => unknown)(args) : input;
}

/** As `spawnChild`. */
function begin({ invocation, logic, execute: startIt, done }: Beginning, draft: Draft, event: EventObject, scope: StepScope): void {
  const { context } = draft;
  const { id, systemId, src } = invocation;
  const { self } = scope;
  const info = { context, event, self, system: scope.system };
  const input = resolveInput(invocation.input, { context, event, self });
  const syncSnapshot = Boolean(invocation.onSnapshot);
  const actorRef = createChild(logic, { id, src, parent: self, syncSnapshot, systemId, input }, done);
  draft.children = withChild(draft.children, id, actorRef);
  execute('xstate.spawnChild', startIt as NonNullable<typeof startIt>, { id, systemId, actorRef, src, input }, info, scope);
}
