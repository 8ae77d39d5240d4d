/**
 * The actor of a promise, with what most of them need: who it is, and how it stands. XState's own has a mailbox, observers, listeners and a scope with four functions besides, which for an activity that is called and answers are
 * never used, and cost more than the rest of the call; here they are made when somebody asks for them. From then on it is XState's own in all it does (contract test: test/actors/promise-actor.test.ts).
 *
 * Relied on besides what seam.ts names: the members of an `Actor` below, and their methods. An XState whose actors have others gets none of this.
 */

import { Actor, createActor, fromPromise, type AnyActorLogic, type AnyActorRef, type EventObject } from 'xstate';

export interface ChildOptions {
  readonly id: string;
  readonly src: unknown;
  readonly parent: AnyActorRef;
  readonly syncSnapshot: boolean;
  readonly systemId: string | undefined;
  readonly input: unknown;
}

interface Mailbox {
  start(): void;
}

/** What is made when it is asked for. */
interface Rest {
  mailbox: Mailbox;
  readonly observers: Set<unknown>;
  readonly eventListeners: Map<string, Set<unknown>>;
  readonly _deferred: (() => void)[];
  readonly _actorScope: object;
  readonly send: (event: EventObject) => void;
}

interface Snapshot {
  readonly status: string;
  readonly output?: unknown;
  readonly error?: unknown;
}

type System = AnyActorRef['system'] & {
  _bookId(): string;
  _register(id: string, actor: unknown): void;
  _unregister(actor: unknown): void;
  _set(systemId: string, actor: unknown): void;
  _relay(source: unknown, target: unknown, event: EventObject): void;
  _sendInspectionEvent(event: object): void;
  readonly _logger: unknown;
  readonly _clock: unknown;
  readonly scheduler: { cancelAll(actor: unknown): void };
};

interface Logic {
  start(snapshot: Snapshot, scope: object): void;
  transition(snapshot: Snapshot, event: EventObject, scope: object): Snapshot;
}

/** An actor as XState's methods see it. */
interface Body {
  logic: Logic;
  _snapshot: Snapshot | undefined;
  clock: unknown;
  options: object & { readonly input: unknown };
  id: string;
  logger: unknown;
  _processingStatus: number;
  _parent: AnyActorRef;
  _syncSnapshot: boolean;
  ref: unknown;
  systemId: string | undefined;
  sessionId: string;
  system: System;
  _doneEvent: unknown;
  src: unknown;
  /** Type of the event that it ends with. */
  [doneTypeOf]: string;
  /** It starts, or takes an event: what comes meanwhile waits. */
  [busyWith]: boolean;
  [restOf]: Rest | undefined;
}

interface Methods {
  start(): unknown;
  update(snapshot: Snapshot, event: EventObject): void;
  send(event: EventObject): void;
  _process(event: EventObject): void;
  _send(event: EventObject): void;
  _stop(): unknown;
  _stopProcedure(): unknown;
  _complete(): void;
  _error(error: unknown): void;
}

const restOf = Symbol('statewarden.rest');
const busyWith = Symbol('statewarden.busy');
const doneTypeOf = Symbol('statewarden.done');
const [notStarted, running, stopped] = [0, 1, 2];
const XState = Actor.prototype as unknown as Methods;

const whole = createActor(fromPromise(() => Promise.resolve())) as unknown as Record<string, unknown>;
const Mailbox = (whole['mailbox'] as object).constructor as new (process: (event: EventObject) => void) => Mailbox;
const lateMembers = ['mailbox', 'observers', 'eventListeners', '_deferred', '_actorScope', 'send'] as const;
const members =
  'logic,_snapshot,clock,options,id,logger,_processingStatus,_parent,_syncSnapshot,ref,systemId,sessionId,system,_doneEvent,src'.split(',');
/** Whether XState's actors are those that are known here. */
export const isKnown =
  Object.keys(whole).sort().join() === [...members, ...lateMembers].sort().join() && whole['_processingStatus'] === notStarted;

/** Logic whose snapshots begin as a promise's do, and which does without a scope but for `self` and `system`. */
const promises = new WeakSet<object>();
const beginning = String(fromPromise(() => Promise.resolve()).getInitialSnapshot);

/** `wrapped`, which is durable logic of the promise `logic`. */
export function knownPromise(wrapped: AnyActorLogic, logic: AnyActorLogic): AnyActorLogic {
  if (isKnown && String(logic.getInitialSnapshot) === beginning) promises.add(wrapped);
  return wrapped;
}

/** As `createActor` for a child. `done`: the type of the event that it ends with. */
export function createChild(logic: AnyActorLogic, options: ChildOptions, done: string): AnyActorRef {
  if (!promises.has(logic)) return createActor(logic, options as never) as AnyActorRef;
  return new (PromiseActor as unknown as new (logic: unknown, options: ChildOptions, done: string) => AnyActorRef)(logic, options, done);
}

/** In the order of XState's constructor: numbers are given out, and inspectors told, as there. */
function PromiseActor(this: Body, logic: Logic, options: ChildOptions, done: string): void {
  const { id, src, parent, syncSnapshot, systemId, input } = options;
  const system = parent.system as System;
  this.logic = logic;
  this._snapshot = undefined;
  this.clock = system._clock;
  this.options = options;
  this.sessionId = system._bookId();
  this.id = id;
  this.logger = system._logger;
  this._processingStatus = notStarted as number;
  this._parent = parent;
  this._syncSnapshot = syncSnapshot;
  this.ref = this;
  this.systemId = undefined;
  this.system = system;
  this._doneEvent = undefined;
  this.src = src;
  this[doneTypeOf] = done;
  this[busyWith] = false;
  this[restOf] = undefined;
  system._sendInspectionEvent({ type: '@xstate.actor', actorRef: this });
  if (isNamed(systemId)) {
    this.systemId = systemId;
    system._set(systemId, this);
  }
  this._snapshot = { status: 'active', output: undefined, error: undefined, input } as Snapshot;
}

/** To XState an empty name is none. */
function isNamed(systemId: string | undefined): systemId is string {
  return systemId !== undefined && systemId !== null && systemId !== '';
}

function rest(actor: Body): Rest {
  if (actor[restOf] !== undefined) return actor[restOf];
  const { id, sessionId, logger, system } = actor;
  const process = (event: EventObject): void => (actor as unknown as Methods)._process(event);
  const defer = (run: () => void): void => void made._deferred.push(run);
  const made: Rest = {
    mailbox: new Mailbox(process),
    observers: new Set(),
    eventListeners: new Map(),
    _deferred: [],
    _actorScope: { self: actor, id, sessionId, logger, defer, system },
    send: (event) => XState.send.call(actor, event),
  };
  actor[restOf] = made;
  if (actor._processingStatus === running && !actor[busyWith]) made.mailbox.start();
  return made;
}

type Short = Body & Methods & { _failed(error: unknown): void; _free(): void };

const short: Partial<Methods> & Pick<Short, '_failed' | '_free'> & ThisType<Short> = {
  _failed(error) {
    this._snapshot = { ...this._snapshot, status: 'error', error };
    this._error(error);
  },
  /** What has come meanwhile is taken now. */
  _free() {
    this[busyWith] = false;
    if (this[restOf] !== undefined && this._processingStatus === running) this[restOf].mailbox.start();
  },
  start() {
    if (this[restOf] !== undefined || this._syncSnapshot || this._processingStatus !== notStarted) return XState.start.call(this);
    const { system, logic } = this;
    this[busyWith] = true;
    system._register(this.sessionId, this);
    if (isNamed(this.systemId)) system._set(this.systemId, this);
    this._processingStatus = running as number;
    const event = { type: 'xstate.init', input: this.options.input };
    system._sendInspectionEvent({ type: '@xstate.event', sourceRef: this._parent, actorRef: this, event });
    try {
      logic.start(this._snapshot as Snapshot, { self: this, system });
    } catch (error) {
      this._failed(error);
      return this;
    }
    this.update(this._snapshot as Snapshot, event);
    this._free();
    return this;
  },
  /** Nobody listens, and a promise defers nothing. */
  update(snapshot, event) {
    if (this[restOf] !== undefined) {
      XState.update.call(this, snapshot, event);
      return;
    }
    this._snapshot = snapshot;
    if (snapshot.status === 'done') {
      this._stopProcedure();
      const done = { type: this[doneTypeOf], output: snapshot.output, actorId: this.id };
      this._doneEvent = done;
      this.system._relay(this, this._parent, done);
    } else if (snapshot.status === 'error') {
      this._stopProcedure();
      const failed = { type: `xstate.error.actor.${this.id}`, error: snapshot.error, actorId: this.id };
      this.system._relay(this, this._parent, failed);
    }
    this.system._sendInspectionEvent({ type: '@xstate.snapshot', actorRef: this, event, snapshot });
  },
  _send(event) {
    if (this[restOf] !== undefined || this[busyWith] || this._processingStatus !== running) XState._send.call(this, event);
    else this._process(event);
  },
  _process(event) {
    if (this[restOf] !== undefined) {
      XState._process.call(this, event);
      return;
    }
    this[busyWith] = true;
    let next: Snapshot;
    try {
      next = this.logic.transition(this._snapshot as Snapshot, event, { self: this, system: this.system });
    } catch (error) {
      this._failed(error);
      return;
    }
    this.update(next, event);
    if (event.type === 'xstate.stop') {
      this._stopProcedure();
      // Somebody may have begun to listen.
      if (this[restOf] !== undefined) this._complete();
    }
    this._free();
  },
  _stop() {
    if (this[restOf] !== undefined || this[busyWith] || this._processingStatus !== running) return XState._stop.call(this);
    this._process({ type: 'xstate.stop' });
    return this;
  },
  _stopProcedure() {
    if (this[restOf] !== undefined) return XState._stopProcedure.call(this);
    if (this._processingStatus !== running) return this;
    this.system.scheduler.cancelAll(this);
    this._processingStatus = stopped as number;
    this.system._unregister(this);
    return this;
  },
};

PromiseActor.prototype = Object.create(Actor.prototype, {
  ...Object.getOwnPropertyDescriptors(short),
  constructor: { value: Actor, writable: true, configurable: true },
  ...Object.fromEntries(
    lateMembers.map((name) => [
      name,
      {
        configurable: true,
        get(this: Body): unknown {
          return rest(this)[name];
        },
        set(this: Body, value: never) {
          (rest(this) as unknown as Record<string, unknown>)[name] = value;
        },
      },
    ]),
  ),
}) as object;
