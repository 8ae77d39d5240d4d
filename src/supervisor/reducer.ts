/**
 * A supervisor's mind: what it knows of its children, and what it wants done when something happens to one. A pure function of state and event, so that
 * it can be journaled and run again: time and chance come with the events, deeds go out as commands, and whoever carries them out reports back by events.
 *
 * The rules are OTP's (`supervisor`, stdlib 5). What is different: the failures of one child do not wait for the restart of another under `one-for-one`; a child that is
 * done stays done when its group is restarted; a supervisor that gives up has failed, so that a transient one is restarted by the one above.
 */

import { Children, isOver, isUp } from './children.js';
import { startOf, stopOf } from './pending.js';
import {
  isFromOutside,
  newChild,
  type CallError,
  type ChildState,
  type Command,
  type MemberEvent,
  type SupervisorEvent,
  type SupervisorExit,
  type SupervisorState,
} from './state.js';

export interface Step {
  readonly state: SupervisorState;
  readonly commands: readonly Command[];
}

/** What becomes of a supervisor when something happens, and what is to be done. */
export function supervise(state: SupervisorState, event: SupervisorEvent): Step {
  const turn = new Turn(state);
  turn.take(event);
  return turn.step();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class Turn {
  readonly #state: Mutable<SupervisorState>;
  readonly #children: Children;
  readonly #commands: Command[] = [];

  constructor(state: SupervisorState) {
    this.#state = { ...state };
    this.#children = new Children(state.children);
  }

  step(): Step {
    return { state: { ...this.#state, children: this.#children.list }, commands: this.#commands };
  }

  take(event: SupervisorEvent): void {
    if (this.#isBusy && isFromOutside(event) && !this.#isOfStopping(event)) this.#state.queue = [...this.#state.queue, event];
    else this.#handle(event);
    while (!this.#isBusy && this.#state.queue.length > 0) {
      const [next, ...rest] = this.#state.queue;
      this.#state.queue = rest;
      this.#handle(next as SupervisorEvent);
    }
  }

  get #isBusy(): boolean {
    return this.#state.stopping !== undefined || this.#state.starting !== undefined;
  }

  /** A child that ends while it is being stopped has stopped. */
  #isOfStopping(event: SupervisorEvent): boolean {
    return event.type === 'exited' && this.#children.find(event.id)?.status === 'stopping';
  }

  #handle(event: SupervisorEvent): void {
    switch (event.type) {
      case 'init':
        this.#init(event.at);
        return;
      case 'started':
        this.#started(event.ids, event.at, event.runs);
        return;
      case 'start-failed':
        this.#startFailed(event);
        return;
      case 'stopped':
        this.#stopped(event.ids, event.at);
        return;
      case 'exited':
        this.#exited(event);
        return;
      case 'wake':
        this.#startDue(event.at);
        return;
      case 'shutdown':
        this.#state.forgetting = event.forget === true;
        this.#end({ type: 'shutdown' });
        return;
      case 'declare':
        this.#declare(event);
        return;
      case 'add':
      case 'tune':
      case 'retire':
      case 'renew':
        this.#member(event);
        return;
      default:
        this.#call(event);
    }
  }

  // ── Starting ────────────────────────────────────────────────────────────────────────────────────────────────────

  #init(at: number): void {
    const state = this.#state;
    if (state.status !== 'new' && state.status !== 'ended') return;
    state.restarts = [];
    state.forgetting = false;
    state.exit = undefined;
    state.status = 'starting';
    for (const { id, status } of this.#children.list) {
      if (status !== 'ended') this.#children.change(id, { status: 'waiting', dueAt: at, streak: 0 });
    }
    this.#startTogether(this.#waiting(at));
    if (state.starting === undefined) this.#ready();
  }

  #ready(): void {
    this.#state.status = 'running';
    this.#commands.push({ do: 'ready' });
  }

  #declare({ spec, children, at }: Extract<SupervisorEvent, { type: 'declare' }>): void {
    this.#state.spec = spec;
    const added = children.filter(({ id }) => this.#children.find(id) === undefined);
    for (const child of added) {
      this.#children.add({ ...newChild(child), status: 'waiting', dueAt: at });
    }
    if (this.#state.status === 'running') this.#startTogether(added.map(({ id }) => id));
  }

  #waiting(at: number): string[] {
    return this.#children.list.filter(({ status, dueAt }) => status === 'waiting' && (dueAt as number) <= at).map(({ id }) => id);
  }

  #startDue(at: number): void {
    const due = this.#waiting(at);
    if (this.#state.status !== 'running') return;
    if (this.#state.spec.strategy === 'one-for-one') for (const id of due) this.#start([id]);
    else this.#startTogether(due);
    const next = Math.min(...this.#children.list.map(({ status, dueAt }) => (status === 'waiting' ? (dueAt as number) : Infinity)));
    if (next !== Infinity) this.#commands.push({ do: 'wake', at: next });
  }

  #startTogether(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#state.starting = ids;
    this.#start(ids);
  }

  #start(ids: readonly string[]): void {
    const children = ids.map((id) => {
      const { run, restarts } = this.#children.find(id) as ChildState;
      this.#children.change(id, { status: 'starting', run: run + 1, restarts: run === 0 ? 0 : restarts + 1, dueAt: undefined });
      return startOf(this.#children.find(id) as ChildState);
    });
    this.#commands.push({ do: 'start', children });
  }

  #started(ids: readonly string[], at: number, runs?: readonly number[]): void {
    for (const [index, id] of ids.entries()) {
      const child = this.#children.find(id);
      // It has ended since, and is started again: that is told when it is.
      if (runs !== undefined && child?.run !== runs[index]) continue;
      // One that was told to stop meanwhile is stopped next.
      if (child?.status === 'starting') this.#children.change(id, { status: 'running', startedAt: at, renew: undefined });
      if (child?.caller !== undefined && child.status === 'starting') this.#answer(id, undefined);
    }
    this.#settle(ids);
  }

  /** A report on some of those that are started together is one on all of them. */
  #settle(ids: readonly string[], failed = false): void {
    const { starting } = this.#state;
    if (starting === undefined || !ids.some((id) => starting.includes(id))) return;
    this.#state.starting = undefined;
    if (this.#state.status === 'starting' && !failed) this.#ready();
  }

  #startFailed({ id, started, message = '', renew, at, random }: Extract<SupervisorEvent, { type: 'start-failed' }>): void {
    const state = this.#state;
    const together = state.starting;
    const initial = state.status === 'starting';
    this.#settle([id], initial);
    this.#started(started, at);
    for (const rest of together ?? []) {
      if (this.#children.find(rest)?.status === 'starting' && rest !== id) this.#children.change(rest, { status: 'waiting', dueAt: at });
    }
    if (this.#children.find(id) === undefined) return;
    this.#children.change(id, { failure: { reason: 'start', message, at }, ...(renew === 'none' ? { renew: undefined } : {}) });
    const child = this.#children.find(id) as ChildState;
    if (initial) {
      this.#children.change(id, { status: 'down' });
      state.status = 'running';
      this.#end({ type: 'start-failed', child: id });
    } else if (child.status === 'stopping') this.#stopped([id], at);
    else if (child.fresh) {
      this.#answer(id, 'start-failed', message);
      this.#children.forget(new Set([id]));
    } else {
      this.#answer(id, 'start-failed', message);
      this.#restart(child, true, at, random);
    }
  }

  // ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #exited({ id, run, how, counts, failure, renew, at, random }: Extract<SupervisorEvent, { type: 'exited' }>): void {
    const before = this.#children.find(id);
    if (before === undefined || (run !== undefined && before.run !== run)) return;
    if (failure !== undefined) this.#children.change(id, { failure });
    if (renew !== undefined) this.#children.change(id, { renew: renew === 'none' ? undefined : renew });
    // It was up, if only for a moment: the report on its start may come after the one on its end.
    if (before.status === 'starting' && before.caller !== undefined) this.#answer(id, undefined);
    const child = this.#children.find(id) as ChildState;
    if (child.status === 'stopping') this.#stopped([id], at);
    else if (child.status === 'running' || child.status === 'starting') {
      const restarts = child.restart === 'permanent' || (child.restart === 'transient' && how === 'failed');
      if (restarts) this.#restart(child, counts, at, random);
      else this.#endedByItself(child, how);
    }
  }

  #endedByItself(child: ChildState, how: 'normal' | 'shutdown' | 'failed'): void {
    // A failed one is down and would wait for ever: it is told that this was the end.
    if (child.restart === 'temporary' && how === 'failed') this.#stop([child]);
    else if (child.restart === 'temporary') this.#children.forget(new Set([child.id]));
    else this.#children.change(child.id, { status: 'ended' });
    if (!child.significant) return;
    const { autoShutdown } = this.#state.spec;
    const left = this.#children.list.some(({ id, significant, status }) => significant && id !== child.id && !isOver(status));
    if (autoShutdown === 'any-significant' || (autoShutdown === 'all-significant' && !left)) {
      this.#end({ type: 'significant-child', child: child.id });
    }
  }

  #restart(child: ChildState, counts: boolean, at: number, random: number): void {
    const state = this.#state;
    const { strategy, intensity, periodMs, delay } = state.spec;
    if (counts) {
      state.restarts = [...state.restarts.filter((restart) => at - restart <= periodMs), at];
      if (state.restarts.length > intensity) {
        this.#children.change(child.id, { status: 'down' });
        this.#end({ type: 'intensity', child: child.id });
        return;
      }
    }
    const streak = child.startedAt !== undefined && at - child.startedAt >= periodMs ? 1 : child.streak + 1;
    const bound = delay === undefined ? 0 : Math.min(delay.maximumMs, delay.initialMs * delay.factor ** (streak - 1));
    const dueAt = at + Math.ceil(delay?.jitter === 'full' ? bound * random : bound);
    this.#children.change(child.id, { status: 'waiting', dueAt, streak });
    const index = this.#children.place(child.id);
    const group = strategy === 'one-for-one' ? [] : this.#children.list.slice(strategy === 'one-for-all' ? 0 : index);
    for (const { id, status } of group) {
      if (status === 'terminated' || status === 'waiting') this.#children.change(id, { status: 'waiting', dueAt });
    }
    this.#stopTogether(group.filter((other) => other.id !== child.id && isUp(other)));
    for (const { id } of group) {
      if (this.#children.find(id)?.status === 'stopping') this.#children.change(id, { dueAt });
    }
    if (state.stopping === undefined) this.#startDue(at);
  }

  // ── Stopping ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Stops children, the last one first, before anything else is done. */
  #stopTogether(children: readonly ChildState[]): void {
    if (children.length === 0) return;
    const order = [...children].reverse();
    this.#state.stopping = order.map(({ id }) => id);
    this.#stop(order.filter(({ status }) => status !== 'stopping'));
  }

  #stop(children: readonly ChildState[]): void {
    if (children.length === 0) return;
    for (const { id } of children) this.#children.change(id, { status: 'stopping' });
    this.#commands.push({
      do: 'stop',
      children: children.map((child) => stopOf(child, this.#state)),
    });
  }

  #stopped(ids: readonly string[], at: number): void {
    const state = this.#state;
    const together = new Set(state.stopping);
    const stopped = ids.filter((id) => this.#children.find(id)?.status === 'stopping');
    const forgotten = new Set<string>();
    let renewed = false;
    for (const id of stopped) {
      const { restart, caller, retiring, renew } = this.#children.find(id) as ChildState;
      if (caller !== undefined) this.#commands.push({ do: 'answer', caller, error: undefined });
      if (restart === 'temporary' || retiring === true) forgotten.add(id);
      else if (renew !== undefined && caller === undefined && !together.has(id)) {
        renewed = true;
        this.#children.change(id, { status: 'waiting', dueAt: at });
      } else if (!together.has(id)) this.#children.change(id, { status: 'terminated', dueAt: undefined, caller: undefined });
      else this.#children.change(id, { status: state.status === 'stopping' ? 'down' : 'waiting', caller: undefined });
    }
    if (forgotten.size > 0) this.#children.forget(forgotten);
    if (renewed) this.#startDue(at);
    if (state.stopping === undefined) return;
    for (const id of stopped) together.delete(id);
    state.stopping = together.size === 0 ? undefined : [...together];
    if (state.stopping !== undefined) return;
    if (state.status === 'stopping') this.#finish();
    else this.#startDue(at);
  }

  #end(exit: SupervisorExit): void {
    const state = this.#state;
    if (state.status !== 'running') return;
    state.status = 'stopping';
    state.exit = exit;
    this.#stopTogether(this.#children.list.filter(isUp));
    if (state.stopping === undefined) this.#finish();
  }

  #finish(): void {
    const state = this.#state;
    state.status = 'ended';
    for (const { id, status } of [...this.#children.list]) {
      if (status === 'waiting') this.#children.change(id, { status: 'down', dueAt: undefined });
    }
    this.#commands.push({ do: 'exit', exit: state.exit as SupervisorExit });
  }

  // ── Members of a fleet ──────────────────────────────────────────────────────────────────────────────────────────

  #member(event: MemberEvent): void {
    if (event.type === 'add') {
      for (const child of event.children) {
        if (this.#children.find(child.id) !== undefined) continue;
        this.#children.add(newChild(child));
        this.#start([child.id]);
      }
      return;
    }
    const child = event.type === 'tune' ? this.#children.tune(event.child) : this.#children.find(event.id);
    if (event.type === 'tune' || child === undefined || child.status === 'stopping') return;
    if (event.type === 'retire') this.#children.change(child.id, { retiring: true });
    else this.#children.change(child.id, { renew: event.how });
    if (event.type === 'retire' || isUp(child)) this.#stop([this.#children.find(child.id) as ChildState]);
  }

  // ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #call(event: Extract<SupervisorEvent, { readonly caller: string }>): void {
    const refuse = (error: CallError): void => void this.#commands.push({ do: 'answer', caller: event.caller, error });
    if (this.#state.status !== 'running') {
      refuse('not-running');
      return;
    }
    if (event.type === 'spawn') {
      const old = this.#children.find(event.child.id);
      if (old !== undefined) refuse('already-present');
      else {
        this.#children.add({ ...newChild(event.child), caller: event.caller, fresh: true });
        this.#start([event.child.id]);
      }
      return;
    }
    const child = this.#children.find(event.id);
    if (child === undefined) refuse('not-found');
    else if (child.caller !== undefined) refuse(child.status === 'stopping' ? 'running' : 'restarting');
    else if (event.type === 'terminate') this.#terminate(child, event.caller);
    else if (isUp(child)) refuse('running');
    else if (event.type === 'restart') {
      this.#children.change(child.id, { caller: event.caller, streak: 0 });
      this.#start([child.id]);
    } else if (child.status === 'waiting') refuse('restarting');
    else {
      this.#children.forget(new Set([child.id]));
      this.#commands.push({ do: 'answer', caller: event.caller, error: undefined });
    }
  }

  #terminate(child: ChildState, caller: string): void {
    if (isUp(child)) {
      this.#children.change(child.id, { caller });
      this.#stop([child]);
      return;
    }
    if (child.status !== 'ended') this.#children.change(child.id, { status: 'terminated', dueAt: undefined });
    this.#commands.push({ do: 'answer', caller, error: undefined });
  }

  #answer(id: string, error: CallError | undefined, message?: string): void {
    const caller = this.#children.find(id)?.caller;
    this.#children.change(id, { caller: undefined, fresh: false });
    if (caller !== undefined) this.#commands.push({ do: 'answer', caller, error, message });
  }
}
