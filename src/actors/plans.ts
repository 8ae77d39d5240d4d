/**
 * How a machine's transitions go, where they go a shorter way than XState's (`step.ts`): which states are left and entered, what is done on the way and which children begin. Worked out when a transition is taken first, and kept.
 *
 * What is not known to come to what XState comes to has no plan: more than one state at a time, memory of states, actions that may raise an event at once.
 */

import { spawnChild, type AnyActorLogic, type AnyActorRef, type AnyStateMachine, type EventObject, type StateValue } from 'xstate';

/** Written once for each state that is entered: text that is put together anew is looked up anew by whoever takes the event. */
const doneType = (id: string): string => `xstate.done.actor.${id}`;

/** An action on its way to whoever executes it. */
export interface ExecutableAction {
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
export interface Draft {
  readonly machine: AnyStateMachine;
  /** None: the state's value, which nobody asks for in between, is then not computed. */
  readonly _nodes: readonly Node[];
  context: unknown;
  children: Readonly<Record<string, AnyActorRef>>;
}

/** An action of XState's own. */
export interface Builtin {
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
export type Deed = { readonly own: Builtin } | { readonly own?: undefined; readonly type: string; readonly exec: ExecutableAction['exec'] };

interface Invocation {
  readonly id: string;
  readonly systemId: string | undefined;
  readonly src: string;
  readonly input: unknown;
  readonly onSnapshot?: unknown;
}

export interface Node {
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly path: readonly string[];
  readonly parent: Node | undefined;
  readonly states: Readonly<Record<string, Node>>;
  readonly always: unknown;
  readonly transitions: ReadonlyMap<string, readonly { readonly guard?: unknown }[]>;
  readonly initial: Transition | undefined;
  readonly output: unknown;
  readonly entry: readonly Action[];
  readonly exit: readonly Action[];
  readonly invoke: readonly Invocation[];
  readonly tags: readonly string[];
  readonly config: { readonly invoke?: unknown };
}

export interface Transition {
  readonly source: Node;
  readonly target: readonly Node[] | undefined;
  readonly reenter: boolean;
  readonly actions: readonly Action[];
}

/** A child that begins with a state. */
export interface Beginning {
  readonly invocation: Invocation;
  readonly logic: AnyActorLogic;
  readonly execute: Builtin['execute'];
  /** Type of the event that it ends with. */
  readonly done: string;
}

/** A state that is entered. */
export interface Entered {
  readonly node: Node;
  readonly deeds: readonly Deed[];
  readonly beginnings: readonly Beginning[];
}

/** How a transition goes from wherever its machine is to a state without states inside, or to the machine's end. */
export interface Move {
  readonly target: Node;
  /** The innermost state that is neither left nor entered. */
  readonly domain: Node;
  readonly deeds: readonly Deed[];
  /** From outside to inside. */
  readonly entered: readonly Entered[];
}

/** What is known of a machine's transitions and states; each is looked at once. */
export class Plans {
  readonly #machine: AnyStateMachine;
  /** There is one active state at a time, and no memory of others. */
  readonly #isChain: boolean;
  readonly #moves = new Map<Transition, Move | undefined>();
  readonly #assigning = new Map<Transition, readonly Deed[] | undefined>();
  readonly #exits = new Map<Node, readonly Deed[] | undefined>();
  #first: [readonly Entered[] | undefined] | undefined;

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
    if (target === undefined || targets?.length !== 1 || target === source) return undefined;
    if (target.type !== 'atomic' && !isEnd(target)) return undefined;
    // XState's transition domain.
    let domain: Node | undefined = source;
    if (reenter || !isWithin(target, source)) {
      domain = target.parent;
      while (domain !== undefined && !isWithin(source, domain)) domain = domain.parent;
    }
    const deeds = this.#deeds(actions);
    if (domain === undefined || deeds === undefined) return undefined;
    const entered = this.#entered(target, domain);
    return entered && { target, domain, deeds, entered };
  }

  /** How the machine comes to its first state; undefined where that is left to XState. */
  first(): readonly Entered[] | undefined {
    return (this.#first ??= [this.#isChain ? this.#beginning() : undefined])[0];
  }

  #beginning(): readonly Entered[] | undefined {
    let node = this.#machine.root as unknown as Node;
    while (node.type === 'compound') {
      const { initial } = node;
      const [target] = initial?.target ?? [];
      if (initial?.target?.length !== 1 || initial.actions.length > 0 || target?.parent !== node) return undefined;
      node = target;
    }
    return node.type === 'atomic' ? this.#entered(node, undefined) : undefined;
  }

  /** From outside to inside, without `domain`. */
  #entered(target: Node, domain: Node | undefined): readonly Entered[] | undefined {
    const entered: Entered[] = [];
    for (let node: Node | undefined = target; node !== domain && node !== undefined; node = node.parent) {
      const deeds = this.#deeds(node.entry);
      const beginnings = this.#beginnings(node);
      if (deeds === undefined || beginnings === undefined) return undefined;
      entered.unshift({ node, deeds, beginnings });
    }
    return entered;
  }

  #beginnings(node: Node): readonly Beginning[] | undefined {
    const configured = ([] as unknown[]).concat(node.config.invoke ?? []) as readonly { readonly src: string | AnyActorLogic }[];
    const beginnings: Beginning[] = [];
    for (const [index, invocation] of node.invoke.entries()) {
      const src = configured[index]?.src;
      const logic = typeof src === 'string' ? this.#machine.implementations.actors[src] : src;
      if (logic === undefined) return undefined;
      const { execute: startIt } = spawnChild(invocation.src) as unknown as Builtin;
      beginnings.push({ invocation, logic: logic as AnyActorLogic, execute: startIt, done: doneType(invocation.id) });
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

/** The value of a machine that is in one state, without `parallel` on the way to it. */
export function valueOf(leaf: Node): StateValue {
  if (leaf.parent === undefined) return {};
  let value: StateValue = leaf.key;
  for (let node = leaf.parent; node?.parent !== undefined; node = node.parent) value = { [node.key]: value };
  return value;
}

export function tagsOf(nodes: readonly Node[]): Set<string> {
  const tags = new Set<string>();
  for (const node of nodes) for (const tag of node.tags) tags.add(tag);
  return tags;
}

/** With it the machine is done, and nothing is computed for it but the machine's output. */
export function isEnd({ type, parent, output }: Node): boolean {
  return type === 'final' && parent?.parent === undefined && output === undefined;
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
