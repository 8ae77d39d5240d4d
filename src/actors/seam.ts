/**
 * What knows XState's insides (contract test: test/actors/seam.test.ts).
 *
 * `durable(machine)` is the same machine with every logic in its tree wrapped: turns run in ordinary live actors,
 * in-agent sends and child starts stay synchronous and ordered, and everything that would leave the agent is handed to
 * its `TurnSink` instead of being done. Promises are never started here, callbacks and observables only when the sink says so.
 *
 * Relied on (xstate 5.28 to 5.33): the `ActorScope` handed to logic (`actionExecutor`, `system`, `emit`), `system.scheduler`,
 * `system._bookId`, `system._relay`, `system._sendInspectionEvent`, `actor._parent`, `actor._stop`, the action types `xstate.*`, the event types of
 * promise actors. How a machine takes an event is `step.ts`.
 */

import {
  createActor,
  createMachine,
  fromCallback,
  fromEventObservable,
  fromObservable,
  fromPromise,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import { UnsupportedMachineError } from '../core/errors.js';
import { actorAt, contextAsData, fillPlaces, findPlaces, pathTo, type FoundPlace } from './place.js';
import { knownPromise } from './promise-actor.js';
import { stepper } from './step.js';

/** An action that leaves the agent, as XState resolved it. */
export interface CollectedAction {
  readonly type: string;
  readonly info: { readonly context: unknown; readonly event: EventObject };
  readonly params: unknown;
  readonly exec: ((info: never, params: never) => unknown) | undefined;
  /** Registered under its type in the actor's own machine, so that it can be found again after a restart. */
  readonly named: boolean;
}

/** Who an agent's actor tree reports to. Paths are ids joined by `/` from the root, which is ''. */
export interface TurnSink {
  /** The tree has a system, and nobody is in it yet but the root. */
  adopted?(root: AnyActorRef): void;
  /** Next in the agent's own count of actors; makes session ids that do not depend on the process. */
  nextActorNumber(): number;
  timerSet(source: string, id: string, target: string, event: EventObject, delayMs: number): void;
  timerCancelled(source: string, id: string): void;
  /** The actor ended: its timers are void. */
  timersVoided(source: string): void;
  action(path: string, action: CollectedAction): void;
  emitted(path: string, event: EventObject, deliver: () => void): void;
  logged(values: readonly unknown[]): void;
  /** A promise actor came to life, new or restored. Its outcome is delivered with `settlePromise`. */
  promiseStarted(path: string, logic: AnyActorLogic, input: unknown, actor: AnyActorRef): void;
  promiseStopped(path: string): void;
  /** A callback or observable came to life; `start` begins it for real. */
  ephemeralStarted(path: string, start: () => void): void;
  ephemeralStopped(path: string): void;
  /** It runs; `end` disposes of it. */
  ephemeralBegan(end: () => void): void;
  ephemeralEnded(end: () => void): void;
  /** Something a callback or observable does that must wait for the commit. */
  ephemeralEffect(run: () => void): void;
  /** A child machine ended in error. */
  childErred(): void;
  /** A child has another context than before; what a child is given counts as such. */
  contextChanged(path: string, before: object, after: object): void;
  /** Whether a turn runs now: then sends are delivered at once. */
  readonly inTurn: boolean;
  /** Whether the actors come back from a snapshot now. */
  readonly reviving: boolean;
  /** Something outside of a turn (a callback, an observable, an action that kept `self`) sends an event into the agent. */
  relayed(target: string, event: EventObject): void;
}

type System = AnyActorRef['system'] & {
  scheduler: {
    schedule(source: AnyActorRef, target: AnyActorRef, event: EventObject, delay: number, id?: string): void;
    cancel(source: AnyActorRef, id: string): void;
    cancelAll(actor: AnyActorRef): void;
  };
  _bookId(): string;
  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: EventObject): void;
  _sendInspectionEvent(event: object): void;
  [sinkOf]?: TurnSink;
};
type Scope = AnyActorScope & { system: System; actionExecutor(action: ExecutableAction): void; [collectingScope]?: Scope };
interface ExecutableAction {
  type: string;
  info: { context: unknown; event: EventObject };
  params: unknown;
  exec: CollectedAction['exec'];
}
type Logic = AnyActorLogic & {
  config?: unknown;
  implementations?: AnyStateMachine['implementations'];
  start?(snapshot: unknown, scope: Scope): void;
};

/** What of a machine's snapshot is persisted. */
interface MachineParts {
  readonly status: string;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly value?: unknown;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly context?: object;
  readonly children?: Readonly<Record<string, AnyActorRef>>;
}

const sinkOf = Symbol('statewarden.sink');
const collectingScope = Symbol('statewarden.collecting');

/** The sink of the root actor that is being constructed right now: its system does not exist before. */
let adopting: TurnSink | undefined;
/** References in its restored contexts, filled when all its actors are there. */
let places: FoundPlace[] = [];

/** Makes the live root actor of an agent, not yet started. */
export function createRoot(
  logic: AnyActorLogic,
  options: { id: string; input?: unknown; snapshot?: unknown },
  sink: TurnSink,
): AnyActorRef {
  adopting = sink;
  places = [];
  try {
    const actor = createActor(logic, {
      id: options.id,
      ...(options.snapshot === undefined ? { input: options.input } : { snapshot: options.snapshot as never }),
      logger: (...values: unknown[]) => sink.logged(values),
    });
    // XState reports an unhandled error by throwing it from a timer, unless somebody listens.
    actor.subscribe({ error: () => undefined });
    fillPlaces(actor as AnyActorRef, places);
    return actor as AnyActorRef;
  } finally {
    adopting = undefined;
  }
}

/** Delivers an event to an actor of the tree and runs until the whole tree is quiescent. */
export function deliver(actor: AnyActorRef, event: EventObject): void {
  (actor.system as System)._relay(undefined, actor, event);
}

/** Delivers a promise actor's outcome. */
export function settlePromise(actor: AnyActorRef, outcome: { ok: true; value: unknown } | { ok: false; error: unknown }): void {
  const type = outcome.ok ? 'xstate.promise.resolve' : 'xstate.promise.reject';
  const event = { type, data: outcome.ok ? outcome.value : outcome.error };
  (actor.system as System)._relay(actor, actor, event);
}

/** The registered action of that name in the machine of the actor at a path. */
export function namedAction(root: AnyActorRef, path: string, type: string): CollectedAction['exec'] {
  const actor = actorAt(root, path) ?? root;
  const logic = (actor as unknown as { logic: Logic }).logic;
  const found = (logic.implementations?.actions[type] ?? undefined) as unknown;
  return typeof found === 'function' ? (found as CollectedAction['exec']) : undefined;
}

/** The persisted snapshot of an actor and of all below it: XState's, without members that are merely undefined. */
export function persist(actor: AnyActorRef): object {
  const kept: Record<string, unknown> = {};
  if ((actor as unknown as { logic: Logic }).logic.implementations === undefined) {
    const snapshot = actor.getPersistedSnapshot() as Readonly<Record<string, unknown>>;
    for (const key in snapshot) {
      // Whoever has ended needs no input any more; it may be the very thing that could not be kept.
      if (snapshot[key] !== undefined && (key !== 'input' || snapshot['status'] === 'active')) kept[key] = snapshot[key];
    }
    return kept;
  }
  // What XState does for a machine, in one pass: it takes two copies with most of the members left out.
  const { status, output, error, value, historyValue, context, children } = actor.getSnapshot() as MachineParts;
  kept['status'] = status;
  if (output !== undefined) kept['output'] = output;
  if (error !== undefined) kept['error'] = error;
  if (value !== undefined) kept['value'] = value;
  const history: Record<string, unknown> = {};
  for (const key in historyValue) history[key] = historyValue[key]?.map(({ id }) => ({ id }));
  kept['historyValue'] = history;
  if (context !== undefined) kept['context'] = contextAsData(context, actor);
  const keptChildren: Record<string, object> = {};
  for (const id in children) {
    const child = children[id] as AnyActorRef & { src: unknown; systemId: unknown; _syncSnapshot: unknown };
    const { src, systemId, _syncSnapshot: syncSnapshot } = child;
    const one: Record<string, unknown> = { snapshot: persist(child), src };
    if (systemId !== undefined) one['systemId'] = systemId;
    if (syncSnapshot !== undefined) one['syncSnapshot'] = syncSnapshot;
    keptChildren[id] = one;
  }
  kept['children'] = keptChildren;
  return kept;
}

/** Whether two snapshots of a machine have the same active states. */
export function sameStates(one: unknown, other: unknown): boolean {
  return (one as { _nodes?: unknown })._nodes === (other as { _nodes?: unknown })._nodes;
}

/** Makes a running root end in `error` unless its machine handles the event `xstate.error.actor.NAME`. */
export function failRoot(root: AnyActorRef, name: string, error: unknown): void {
  deliver(root, { type: `xstate.error.actor.${name}`, error, actorId: name } as EventObject);
}

const wrappers = new WeakMap<object, AnyActorLogic>();

/** A machine or other logic, wrapped. The same logic gives the same wrapper. */
export function durable<T extends AnyActorLogic>(logic: T): T {
  const known = wrappers.get(logic);
  if (known !== undefined) return known as T;
  const made = wrap(logic as Logic);
  wrappers.set(logic, made);
  wrappers.set(made, made);
  return made as T;
}

export type LogicSort = 'machine' | 'promise' | 'callback' | 'observable' | 'transition';

const samples: readonly (readonly [LogicSort, string])[] = (
  [
    ['promise', fromPromise(async () => undefined)],
    ['callback', fromCallback(() => undefined)],
    ['observable', fromObservable(() => ({ subscribe: () => ({ unsubscribe: () => undefined }) }) as never)],
    ['observable', fromEventObservable(() => ({ subscribe: () => ({ unsubscribe: () => undefined }) }) as never)],
  ] as const
).map(([sort, logic]) => [sort, String(logic.transition)]);

/** What sort of logic it is. XState does not say: its own makers are known by the text of their `transition`. */
export function sortOf(logic: AnyActorLogic): LogicSort {
  if ((logic as Logic).implementations !== undefined) return 'machine';
  const text = String(logic.transition);
  return samples.find(([, sample]) => sample === text)?.[0] ?? 'transition';
}

function wrap(logic: Logic): AnyActorLogic {
  switch (sortOf(logic)) {
    case 'machine':
      return wrapMachine(logic as unknown as AnyStateMachine);
    case 'promise':
      return knownPromise(wrapPromise(logic), logic);
    case 'callback':
    case 'observable':
      return wrapEphemeral(logic);
    case 'transition':
      return override(logic, {
        transition(snapshot, event, scope): unknown {
          const next = logic.transition(snapshot, event, collecting(scope)) as { context: unknown };
          const changed = next.context !== (snapshot as { context: unknown }).context;
          if (changed && typeof next.context === 'object' && next.context !== null) {
            sinkIn(scope).contextChanged(pathTo(scope.self), {}, next.context);
          }
          return next;
        },
      });
  }
}

interface Overrides {
  transition?(snapshot: unknown, event: EventObject, scope: Scope): unknown;
  getInitialSnapshot?(scope: Scope, input: unknown): unknown;
  restoreSnapshot?(snapshot: unknown, scope: Scope): unknown;
  start?(snapshot: unknown, scope: Scope): void;
}

function override(logic: object, overrides: Overrides): AnyActorLogic {
  return Object.assign(Object.create(logic) as AnyActorLogic, overrides);
}

function wrapMachine(machine: AnyStateMachine): AnyActorLogic {
  const { actors, ...implementations } = machine.implementations;
  const wrappedActors: Record<string, AnyActorLogic> = {};
  for (const name of Object.keys(actors)) {
    // Lazily, so that machines may refer to each other in a circle.
    Object.defineProperty(wrappedActors, name, {
      enumerable: true,
      get: () => durable(actors[name] as AnyActorLogic),
    });
  }
  const inside = createMachine(
    wrapInvokes(machine.config) as never,
    { ...implementations, actors: wrappedActors } as never,
  ) as AnyStateMachine;
  const steps = stepper(inside);
  return override(inside, {
    transition(snapshot, event, scope) {
      let next: AnyMachineSnapshot;
      try {
        next = steps.take(snapshot as AnyMachineSnapshot, event, collecting(scope));
      } catch (error) {
        throw ofChild(scope, error);
      }
      const { children, context } = snapshot as { readonly children: unknown; readonly context: object };
      if (next.children !== children) refuseInlineChildren(next, machine.id);
      if (next.context !== context && isChild(scope)) sinkIn(scope).contextChanged(pathTo(scope.self), context, next.context as object);
      return next;
    },
    getInitialSnapshot(scope, input) {
      adopt(scope);
      let snapshot: AnyMachineSnapshot;
      try {
        snapshot = steps.begin(collecting(scope), input);
      } catch (error) {
        throw ofChild(scope, error);
      }
      if (snapshot.status === 'error') ofChild(scope, snapshot.error);
      refuseInlineChildren(snapshot, machine.id);
      if (isChild(scope)) sinkIn(scope).contextChanged(pathTo(scope.self), {}, snapshot.context as object);
      return snapshot;
    },
    restoreSnapshot(snapshot, scope) {
      adopt(scope);
      const restored = inside.restoreSnapshot(snapshot as never, scope as never) as AnyMachineSnapshot;
      findPlaces(restored.context, places);
      return restored;
    },
  });
}

/** Tells the sink when it is a child that has thrown: its parent is shown the error alone. */
function ofChild(scope: Scope, error: unknown): unknown {
  if (isChild(scope)) sinkIn(scope).childErred();
  return error;
}

/** The config again, with inline invoked logic wrapped where it stands. */
function wrapInvokes(config: Record<string, unknown>): Record<string, unknown> {
  const copy = { ...config };
  if (config['invoke'] !== undefined) {
    const wrapOne = (invoke: { src: unknown }): unknown =>
      typeof invoke.src === 'object' && invoke.src !== null ? { ...invoke, src: durable(invoke.src as AnyActorLogic) } : invoke;
    copy['invoke'] = Array.isArray(config['invoke']) ? config['invoke'].map(wrapOne) : wrapOne(config['invoke'] as { src: unknown });
  }
  if (config['states'] !== undefined) {
    const states = config['states'] as Record<string, Record<string, unknown>>;
    copy['states'] = Object.fromEntries(Object.entries(states).map(([key, state]) => [key, wrapInvokes(state)]));
  }
  return copy;
}

/** XState restores a child by the name of its logic; one spawned from the logic itself has none. */
function refuseInlineChildren(snapshot: AnyMachineSnapshot, machineId: string): void {
  for (const id in snapshot.children) {
    const child = (snapshot.children as Record<string, (AnyActorRef & { src: unknown }) | undefined>)[id];
    if (child === undefined || typeof child.src === 'string') continue;
    throw new UnsupportedMachineError(
      `machine "${machineId}" spawned child "${id}" in state ${JSON.stringify(snapshot.value)} from inline logic, which cannot be restored`,
      { hint: inlineSpawnHint },
    );
  }
}

export const inlineSpawnHint =
  "Register the logic and spawn it by name: setup({ actors: { worker } }) and spawn('worker') or spawnChild('worker').";

function wrapPromise(logic: Logic): AnyActorLogic {
  return override(logic, {
    start(snapshot, scope) {
      const { status, input } = snapshot as { status: string; input: unknown };
      if (status === 'active') sinkIn(scope).promiseStarted(pathTo(scope.self), logic, input, scope.self);
    },
    transition(snapshot, event, scope): unknown {
      if (event.type === 'xstate.stop') sinkIn(scope).promiseStopped(pathTo(scope.self));
      return logic.transition(snapshot, event, scope);
    },
  });
}

/**
 * Callbacks and observables run again after a restore and are not recorded; what they send is. Their start, their
 * receiving and their disposal are user code, so they wait for the commit; their own bookkeeping does not.
 */
function wrapEphemeral(logic: Logic): AnyActorLogic {
  const running = new WeakMap<AnyActorRef, { last?: unknown; end: () => void }>();
  const isCallback = sortOf(logic) === 'callback';
  /** Runs user code; what it throws ends the actor, and goes to its parent, as an event of its own. */
  const attempt = ({ self }: Scope, sink: TurnSink, run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      sink.relayed(pathTo(self), { type: failed, data: error } as EventObject);
    }
  };
  const forget = (actor: AnyActorRef, sink: TurnSink): boolean => {
    const known = running.get(actor);
    if (known !== undefined) sink.ephemeralEnded(known.end);
    return running.delete(actor);
  };
  return override(logic, {
    start(snapshot, scope) {
      if ((snapshot as { status: string }).status !== 'active') return;
      const [sink, self] = [sinkIn(scope), scope.self];
      const { input } = snapshot as { input: unknown };
      if (input !== undefined) sink.contextChanged(pathTo(self), {}, { input });
      sink.ephemeralStarted(pathTo(self), () => {
        const now = self.getSnapshot() as { status: string };
        if (now.status !== 'active') return;
        const end = (): void => {
          const last: unknown = running.get(self)?.last ?? self.getSnapshot();
          if (forget(self, sink)) logic.transition(last, { type: 'xstate.stop' }, scope);
        };
        running.set(self, { end });
        sink.ephemeralBegan(end);
        attempt(scope, sink, () => logic.start?.(now, scope));
      });
    },
    transition(snapshot, event, scope): unknown {
      const sink = sinkIn(scope);
      const { self } = scope;
      if (event.type === 'xstate.stop') {
        sink.ephemeralStopped(pathTo(self));
        const known = running.get(self);
        if (known !== undefined) known.last = snapshot;
        sink.ephemeralEffect(() => running.get(self)?.end());
        return { ...(snapshot as object), status: 'stopped', input: undefined, _subscription: undefined };
      }
      if (event.type.startsWith('xstate.observable.')) {
        const next = (
          isCallback
            ? { ...(snapshot as object), status: 'error', error: (event as unknown as { data: unknown }).data, input: undefined }
            : logic.transition(snapshot, event, scope)
        ) as { status: string };
        if (next.status !== 'active') {
          sink.ephemeralStopped(pathTo(self));
          forget(self, sink);
        }
        return next;
      }
      sink.ephemeralEffect(() => {
        if (running.has(self)) attempt(scope, sink, () => logic.transition(snapshot, event, scope));
      });
      return snapshot;
    },
  });
}

/** How an observable says that it failed; callbacks, which have no word for it, say the same here. */
const failed = 'xstate.observable.error';

/** The agent looks at its root's context itself. */
function isChild(scope: Scope): boolean {
  return (scope.self as AnyActorRef)._parent !== undefined;
}

/** The scope for a turn: what would leave the agent goes to the sink. Made once for each actor. */
function collecting(scope: Scope): never {
  if (scope[collectingScope] !== undefined) return scope[collectingScope] as never;
  const { self, id, sessionId, logger, defer, system, stopChild, emit, actionExecutor: execute } = scope as Required<Scope>;
  // A copy, not an heir: XState reads and replaces its members at every step. One by one: members of a spread are looked up anew each time.
  const made: Scope = {
    self,
    id,
    sessionId,
    logger,
    defer,
    system,
    stopChild,
    emit: (event: EventObject) => sinkIn(scope).emitted(pathTo(self), event, () => emit(event)),
    actionExecutor: (action: ExecutableAction) => {
      if (staysInside.has(action.type)) execute(action);
      else {
        const registered = (self as unknown as { logic: Logic }).logic.implementations?.actions[action.type] as unknown;
        const named = action.exec === undefined || registered === action.exec;
        sinkIn(scope).action(pathTo(self), { ...action, named });
      }
    },
  } as Scope;
  scope[collectingScope] = made[collectingScope] = made;
  return made as never;
}

/** These act inside the agent; their timers arrive at the scheduler, which is ours. */
const staysInside = new Set(['sendTo', 'spawnChild', 'stopChild', 'raise', 'cancel', 'emit', 'log'].map((name) => `xstate.${name}`));

function adopt(scope: Scope): void {
  const system = scope.system;
  if (system[sinkOf] !== undefined || adopting === undefined) return;
  const sink = (system[sinkOf] = adopting);
  system._bookId = () => `x:${String(sink.nextActorNumber())}`;
  // The root had its number from XState's own count, where another actor of this agent may come to as well.
  (scope as { sessionId: string }).sessionId = (scope.self as { sessionId: string }).sessionId = 'x:0';
  const relay = system._relay;
  system._relay = (source, target, event) => {
    if (!sink.inTurn) sink.relayed(pathTo(target), event);
    // A restored child shows its snapshot at its start; its parent has seen it.
    else if (!sink.reviving || !event.type.startsWith('xstate.snapshot.')) relay(source, target, event);
  };
  system.scheduler.schedule = (source, target, event, delay, id) => {
    sink.timerSet(pathTo(source), id ?? `unnamed-${String(sink.nextActorNumber())}`, pathTo(target), event, delay);
  };
  system.scheduler.cancel = (source, id) => sink.timerCancelled(pathTo(source), id);
  system.scheduler.cancelAll = (actor) => sink.timersVoided(pathTo(actor));
  sink.adopted?.(scope.self);
}

function sinkIn(scope: Scope): TurnSink {
  const sink = scope.system[sinkOf];
  if (sink === undefined) throw new Error('a durable logic runs outside of an agent');
  return sink;
}
