/**
 * How a machine takes an event: as XState does, by a shorter way where there is one. XState computes with sets of states and makes a snapshot for each action; that costs more than the rest of a turn, and most turns assign, or go
 * from one state to the next (contract test: test/actors/seam.test.ts).
 *
 * Invariant: the shorter way comes to what XState comes to: the same snapshot, the same actions in the same order, the same word to its inspectors. What it does not know it leaves to XState, before anything is done.
 *
 * Relied on besides what seam.ts names: `machine.getTransitionData`, `machine.root` and the members of state nodes and transitions below; `resolve` and `execute` of XState's own actions.
 */

import {
  createActor,
  spawnChild,
  stopChild,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
  type StateValue,
} from 'xstate';

/** An action on its way to whoever executes it. */
interface ExecutableAction {
  type: string;
  info: { context: unknown; event: EventObject };
  params: unknown;
  exec: ((info: never, params: never) => unknown) | undefined;
}

/** What of an actor's scope is needed. */
export interface StepScope {
  readonly self: AnyActorRef;
  readonly system: { _sendInspectionEvent(event: object): void };
  readonly actionExecutor: (action: ExecutableAction) => void;
}

/** What an action of XState's own sees of a snapshot, and gives back. */
interface Draft {
  readonly machine: AnyStateMachine;
  /** None: the state's value, which nobody asks for in between, is then not computed. */
  readonly _nodes: readonly Node[];
  context: unknown;
  children: Readonly<Record<string, AnyActorRef>>;
}

/** An action of XState's own. */
interface Builtin {
  readonly type: string;
  readonly delay?: unknown;
  resolve(
    scope: StepScope,
    snapshot: Draft,
    info: object,
    params: undefined,
    action: Builtin,
    extra: object,
  ): readonly [Pick<Draft, 'context' | 'children'>, unknown];
  execute?(scope: StepScope, params: unknown): void;
}
type Action = string | { readonly type: string };

/** An action as it is done: XState's own, or the user's. */
type Deed = { readonly own: Builtin } | { readonly own?: undefined; readonly type: string; readonly exec: ExecutableAction['exec'] };

interface Invocation {
  readonly id: string;
  readonly systemId: string | undefined;
  readonly src: string;
  readonly input: unknown;
  readonly onSnapshot?: unknown;
}

interface Node {
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly path: readonly string[];
  readonly parent: Node | undefined;
  readonly states: Readonly<Record<string, Node>>;
  readonly always: unknown;
  readonly entry: readonly Action[];
  readonly exit: readonly Action[];
  readonly invoke: readonly Invocation[];
  readonly tags: readonly string[];
  readonly config: { readonly invoke?: unknown };
}

interface Transition {
  readonly source: Node;
  readonly target: readonly Node[] | undefined;
  readonly reenter: boolean;
  readonly actions: readonly Action[];
}

/** A child that begins with a state. */
interface Beginning {
  readonly invocation: Invocation;
  readonly logic: AnyActorLogic;
  readonly execute: Builtin['execute'];
}

/** How a transition goes from wherever its machine is to a state without states inside. */
interface Move {
  readonly target: Node;
  /** The innermost state that is neither left nor entered. */
  readonly domain: Node;
  readonly deeds: readonly Deed[];
  /** From outside to inside. */
  readonly entered: readonly { readonly node: Node; readonly deeds: readonly Deed[]; readonly beginnings: readonly Beginning[] }[];
}

export type Step = (snapshot: AnyMachineSnapshot, event: EventObject, scope: StepScope) => AnyMachineSnapshot;

/** Done to an end of a child whose state is left. */
const { execute: stopIt } = stopChild('') as unknown as Required<Builtin>;
const noNodes: readonly Node[] = [];
/** Nothing that is done here raises an event at once. */
const extra = Object.freeze({ internalQueue: Object.freeze([]), deferredActorIds: undefined });

/** Of a machine; it must not change any more. */
export function stepper(machine: AnyStateMachine): Step {
  const step: Step = (snapshot, event, scope) => machine.transition(snapshot, event, scope as never) as AnyMachineSnapshot;
  const root = machine.root as unknown as Node;
  if (some(root, ({ always }) => always !== undefined)) return step;
  const plans = new Plans(machine, !some(root, ({ type }) => type === 'parallel' || type === 'history'));
  const select = machine.getTransitionData.bind(machine) as unknown as (snapshot: unknown, event: unknown) => readonly Transition[];
  // A guard is asked once for each event: what was selected here is what XState goes on with.
  let askedBy: AnyMachineSnapshot | undefined;
  let selected: readonly Transition[] = [];
  machine.getTransitionData = ((snapshot: AnyMachineSnapshot, event: EventObject) => {
    if (snapshot !== askedBy) return select(snapshot, event);
    askedBy = undefined;
    return selected;
  }) as never;
  return (snapshot, event, scope) => {
    if (event.type === 'xstate.stop') return step(snapshot, event, scope);
    const transitions = select(snapshot, event);
    const [only] = transitions;
    const next = only === undefined || transitions.length > 1 ? undefined : taken(plans, only, snapshot, event, scope);
    if (next !== undefined) {
      const { self, system } = scope;
      system._sendInspectionEvent({ type: '@xstate.microstep', actorRef: self, event, snapshot: next, _transitions: transitions });
      return next;
    }
    selected = transitions;
    askedBy = snapshot;
    try {
      return step(snapshot, event, scope);
    } finally {
      askedBy = undefined;
    }
  };
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
    return { ...snapshot, context: draft.context, children: draft.children } as AnyMachineSnapshot;
  }
  const move = plans.move(transition);
  if (move === undefined) return undefined;
  const { target, domain } = move;
  const nodes = snapshot._nodes as unknown as readonly Node[];
  const leaf = nodes.find(({ type }) => type !== 'compound') as Node;
  for (let node = leaf; node !== domain; node = node.parent as Node) if (plans.exit(node) === undefined) return undefined;

  const draft = draftOf(snapshot);
  for (let node = leaf; node !== domain; node = node.parent as Node) {
    for (const deed of plans.exit(node) as readonly Deed[]) perform(deed, draft, event, scope);
    for (const { id } of node.invoke) end(id, draft, event, scope);
  }
  for (const deed of move.deeds) perform(deed, draft, event, scope);
  for (const { deeds, beginnings } of move.entered) {
    for (const deed of deeds) perform(deed, draft, event, scope);
    for (const beginning of beginnings) begin(beginning, draft, event, scope);
  }

  const { context, children } = draft;
  if (target === leaf) {
    if (context === snapshot.context && children === snapshot.children) return snapshot;
    return { ...snapshot, context, children } as AnyMachineSnapshot;
  }
  const next = nodes.filter(({ path }) => path.length <= domain.path.length);
  for (const { node } of move.entered) next.push(node);
  const tags = new Set<string>();
  for (const node of next) for (const tag of node.tags) tags.add(tag);
  return { ...snapshot, context, _nodes: next, value: valueOf(target), tags, children } as unknown as AnyMachineSnapshot;
}

/** The value of a machine that is in one state, without `parallel` on the way to it. */
function valueOf(leaf: Node): StateValue {
  let value: StateValue = leaf.key;
  for (let node = leaf.parent; node?.parent !== undefined; node = node.parent) value = { [node.key]: value };
  return value;
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
  if (child !== undefined) {
    const left: Record<string, AnyActorRef> = {};
    for (const other in draft.children) if (other !== child.id) left[other] = draft.children[other] as AnyActorRef;
    draft.children = left;
  }
  execute('xstate.stopChild', stopIt, child, info, scope);
}

/** Its name tells whose error it was (`failure.ts`). */
function resolveInput(input: unknown, args: object): unknown {
  return typeof input === 'function' ? (input as (args: object) => unknown)(args) : input;
}

/** As `spawnChild`. */
function begin({ invocation, logic, execute: startIt }: Beginning, draft: Draft, event: EventObject, scope: StepScope): void {
  const { context } = draft;
  const { id, systemId, src } = invocation;
  const { self } = scope;
  const info = { context, event, self, system: scope.system };
  const input = resolveInput(invocation.input, { context, event, self });
  const syncSnapshot = Boolean(invocation.onSnapshot);
  const actorRef = createActor(logic, { id, src, parent: self, syncSnapshot, systemId, input } as never) as AnyActorRef;
  draft.children = { ...draft.children, [id]: actorRef };
  execute('xstate.spawnChild', startIt as NonNullable<typeof startIt>, { id, systemId, actorRef, src, input }, info, scope);
}

/** What is known of a machine's transitions and states; each is looked at once. */
class Plans {
  readonly #machine: AnyStateMachine;
  /** There is one active state at a time, and no memory of others. */
  readonly #isChain: boolean;
  readonly #moves = new Map<Transition, Move | undefined>();
  readonly #assigning = new Map<Transition, readonly Deed[] | undefined>();
  readonly #exits = new Map<Node, readonly Deed[] | undefined>();

  constructor(machine: AnyStateMachine, isChain: boolean) {
    this.#machine = machine;
    this.#isChain = isChain;
  }

  /** Of a transition that does nothing but assign. */
  assigning(transition: Transition): readonly Deed[] | undefined {
    return known(this.#assigning, transition, () => {
      const deeds = this.#deeds(transition.actions);
      return deeds?.every(({ own }) => own?.type === 'xstate.assign') === true ? deeds : undefined;
    });
  }

  move(transition: Transition): Move | undefined {
    return known(this.#moves, transition, () => (this.#isChain ? this.#planned(transition) : undefined));
  }

  exit(node: Node): readonly Deed[] | undefined {
    return known(this.#exits, node, () => this.#deeds(node.exit));
  }

  #planned({ source, target: targets, reenter, actions }: Transition): Move | undefined {
    const [target] = targets ?? [];
    if (target?.type !== 'atomic' || targets?.length !== 1 || target === source) return undefined;
    // XState's transition domain.
    let domain: Node | undefined = source;
    if (reenter || !isWithin(target, source)) {
      domain = target.parent;
      while (domain !== undefined && !isWithin(source, domain)) domain = domain.parent;
    }
    const deeds = this.#deeds(actions);
    if (domain === undefined || deeds === undefined) return undefined;
    const entered: Move['entered'][number][] = [];
    for (let node: Node = target; node !== domain; node = node.parent as Node) {
      const entry = this.#deeds(node.entry);
      const beginnings = this.#beginnings(node);
      if (entry === undefined || beginnings === undefined) return undefined;
      entered.unshift({ node, deeds: entry, beginnings });
    }
    return { target, domain, deeds, entered };
  }

  #beginnings(node: Node): readonly Beginning[] | undefined {
    const configured = ([] as unknown[]).concat(node.config.invoke ?? []) as readonly { readonly src: string | AnyActorLogic }[];
    const beginnings: Beginning[] = [];
    for (const [index, invocation] of node.invoke.entries()) {
      const src = configured[index]?.src;
      const logic = typeof src === 'string' ? this.#machine.implementations.actors[src] : src;
      if (logic === undefined) return undefined;
      const { execute: startIt } = spawnChild(invocation.src) as unknown as Builtin;
      beginnings.push({ invocation, logic: logic as AnyActorLogic, execute: startIt });
    }
    return beginnings;
  }

  #deeds(actions: readonly Action[]): readonly Deed[] | undefined {
    const deeds: Deed[] = [];
    for (const action of actions) {
      const deed = this.#deed(action);
      if (deed === undefined) return undefined;
      deeds.push(deed);
    }
    return deeds;
  }

  /** Undefined for one with parameters, and for one that may raise an event at once or asks for others. */
  #deed(action: Action): Deed | undefined {
    const isInline = typeof action === 'function';
    if (!isInline && typeof action !== 'string' && 'params' in action) return undefined;
    const name = typeof action === 'string' ? action : action.type;
    const found = (isInline ? action : this.#machine.implementations.actions[name]) as unknown;
    if (found !== undefined && typeof found !== 'function') return undefined;
    if (found === undefined || !('resolve' in found)) {
      const exec = found as ExecutableAction['exec'];
      return { type: isInline ? (action as { readonly name: string }).name || '(anonymous)' : name, exec };
    }
    const own = found as unknown as Builtin;
    const isKnown = ['xstate.assign', 'xstate.cancel', 'xstate.emit', 'xstate.log'].includes(own.type);
    return isKnown || (own.type === 'xstate.raise' && typeof own.delay === 'number') ? { own } : undefined;
  }
}

function isWithin(node: Node, ancestor: Node): boolean {
  for (let above = node.parent; above !== undefined; above = above.parent) if (above === ancestor) return true;
  return false;
}

function known<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  if (map.has(key)) return map.get(key) as V;
  const made = make();
  map.set(key, made);
  return made;
}
