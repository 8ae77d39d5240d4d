/**
 * Carries out what supervisors want done: starts children, stops them in order, brings them back, and reports. A supervisor's state says what it wants, so after
 * a crash the same is wanted again; each deed may be done twice and comes to the same. Children tell of their own end in their own commits (`actors/setback`).
 */

import type { Agent } from '../actors/agent.js';
import { suspendedError } from '../actors/agent-failure.js';
import { failHung } from '../actors/departure.js';
import type { WithoutTime } from '../actors/host.js';
import { errorOf } from '../core/codec.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import type { StatewardenError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { AgentRecord } from '../persistence/store.js';
import { childIn, isUp } from '../supervisor/children.js';
import type { FleetEvent } from '../supervisor/fleet/state.js';
import { supervisorKind } from '../supervisor/machine.js';
import { fleetType, superviseType, type FleetCarrier, type Mind, type SuperviseEvent } from '../supervisor/mind.js';
import { pendingOf } from '../supervisor/pending.js';
import type { ChildState, Command, Renewal, StartOf, SupervisorEvent, SupervisorExit, SupervisorState } from '../supervisor/state.js';
import type { Presence } from './presence.js';
import { hung, notStarted, taken } from './supervision-outcome.js';

/** What of the node it needs. */
export interface SupervisionHost {
  readonly clock: Clock;
  readonly isOpen: boolean;
  resident(id: string): Agent | undefined;
  presence(id: string): Promise<Presence>;
  /** Makes an agent; resolves to the older record that has the id, or to undefined. */
  make(kind: string, id: string, input: unknown, supervisor: string | undefined): Promise<AgentRecord | undefined>;
  /** Brings a suspended or ended agent up. @throws StatewardenError */
  bringUp(id: string, input: unknown, renewal: Renewal | undefined): Promise<void>;
  /** Ends an agent that is down for good. */
  bury(id: string): Promise<void>;
  chance(): number;
  answer(address: string, value: unknown): void;
  failed(error: unknown): void;
  observed: boolean;
  tell(event: WithoutTime<RuntimeEvent>): void;
  restarted(agentId: string, supervisor: string, durationMs: number): void;
}

export function stateOf(agent: Agent): SupervisorState {
  return mindOf(agent).state;
}

export function mindOf(agent: Agent): Mind {
  return mindIn(agent.snapshot());
}

export function mindIn(snapshot: unknown): Mind {
  return (snapshot as { context: Mind }).context;
}

export class Supervision {
  readonly #host: SupervisionHost;
  /** Who waits for a supervisor to have started its children. */
  readonly #ready = new Map<string, Waiting[]>();
  /** Who waits for an agent to leave memory. */
  readonly #gone = new Map<Agent, (() => void)[]>();
  /** Who waits for a suspended agent to come back. */
  readonly #up = new Map<string, (() => void)[]>();
  /** Who waits for the end of a supervisor. */
  readonly #ends = new Map<string, ((exit: SupervisorExit) => void)[]>();
  readonly #started = new Map<Agent, StartOf[]>();
  readonly #wakes = new Map<string, TimerHandle>();
  readonly #watches = new Map<string, TimerHandle>();

  constructor(host: SupervisionHost) {
    this.#host = host;
  }

  // ── From the agents ─────────────────────────────────────────────────────────────────────────────────────────────

  carryOut(supervisor: Agent, commands: readonly Command[]): void {
    for (const command of commands) void this.#carryOut(supervisor, command).catch((error: unknown) => this.#host.failed(error));
  }

  /** A supervisor is back in memory: what it wanted, it wants still. What it has wanted since, by mail that it has taken already, comes with that commit. */
  restored(supervisor: Agent): void {
    const mind = mindIn(supervisor.committed ?? supervisor.snapshot());
    if (mind.state.status === 'new') this.tell(supervisor, { type: 'init', at: this.#host.clock.now() });
    else {
      const pending = (): void => this.carryOut(supervisor, pendingOf(mind));
      if (supervisor.traced === undefined) pending();
      else supervisor.traced.bound(pending)();
    }
    this.#watch(supervisor);
  }

  suspended(agent: Agent): void {
    if (agent.kind === supervisorKind) {
      this.#forget(agent.id);
      const { exit } = stateOf(agent);
      for (const { reject } of this.#take(this.#ready, agent.id)) reject(notStarted(agent.id, exit, stateOf(agent)));
      if (exit !== undefined) {
        const { type, ...child } = exit;
        this.#host.tell({ type: 'supervisor-ended', agentId: agent.id, exit: type, ...child });
        for (const tell of this.#take(this.#ends, agent.id)) tell(exit);
      }
    }
    this.left(agent);
  }

  /** It has left memory, however. */
  left(agent: Agent): void {
    const waiting = this.#gone.get(agent);
    this.#gone.delete(agent);
    for (const tell of waiting ?? []) tell();
  }

  whenGone(agent: Agent, callback: () => void): void {
    if (agent.gone) callback();
    else this.#gone.set(agent, [...(this.#gone.get(agent) ?? []), callback]);
  }

  isUp(id: string): void {
    for (const tell of this.#take(this.#up, id)) tell();
  }

  whenUp(id: string): Promise<void> {
    return new Promise((resolve) => this.#up.set(id, [...(this.#up.get(id) ?? []), resolve]));
  }

  whenEnded(id: string): Promise<SupervisorExit> {
    return new Promise((resolve) => this.#ends.set(id, [...(this.#ends.get(id) ?? []), resolve]));
  }

  /** Whether it was down, and has ended for good now. */
  async stopSuspended(id: string): Promise<boolean> {
    if (this.#host.resident(id)?.status === 'active') return false;
    const presence = await this.#host.presence(id);
    if (presence.where !== 'suspended') return false;
    await this.#host.bury(id);
    return true;
  }

  stop(): void {
    for (const id of [...this.#wakes.keys(), ...this.#watches.keys()]) this.#forget(id);
    for (const waiting of this.#up.values()) for (const tell of waiting) tell();
    this.#up.clear();
  }

  // ── To the supervisors ──────────────────────────────────────────────────────────────────────────────────────────

  tell(supervisor: Agent, event: SupervisorEvent): void {
    const carrier: SuperviseEvent = { type: superviseType, do: event };
    supervisor.relay('', carrier);
  }

  tellFleet(fleet: Agent, event: FleetEvent): void {
    const carrier: FleetCarrier = { type: fleetType, do: event };
    fleet.relay('', carrier);
  }

  /** Resolves when a supervisor's children are started. @throws SupervisionError when it has given up */
  whenReady(supervisor: Agent): Promise<void> {
    const { state, fleet } = mindOf(supervisor);
    if (state.status === 'running' && fleet?.ready !== false) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#ready.set(supervisor.id, [...(this.#ready.get(supervisor.id) ?? []), { resolve, reject }]);
    });
  }

  async #carryOut(supervisor: Agent, command: Command): Promise<void> {
    switch (command.do) {
      case 'start':
        await this.#start(supervisor, command.children);
        return;
      case 'stop':
        await this.#stop(supervisor, command.children);
        return;
      case 'wake':
        this.#wake(supervisor, command.at);
        return;
      case 'answer':
        this.#host.answer(command.caller, { error: command.error, message: command.message });
        return;
      case 'ready':
        for (const { resolve } of this.#take(this.#ready, supervisor.id)) resolve();
        return;
      case 'exit': // done with the turn itself
    }
  }

  async #start(supervisor: Agent, children: Extract<Command, { do: 'start' }>['children']): Promise<void> {
    failpoint('supervisor:start');
    const { clock } = this.#host;
    const known = stateOf(supervisor).children;
    const atOnce = mindOf(supervisor).fleet?.spec.startConcurrency ?? Infinity;
    const coming: { readonly id: string; readonly run: number; readonly up: Promise<void> }[] = [];
    for (const start of children) {
      const { id, run } = start;
      const child = childIn(known, id);
      // It has ended since, and what is wanted now is another start or none: such news waits in the mailbox of a supervisor that comes back after a crash.
      if (child?.run !== run || !isUp(child)) continue;
      const up = this.#bringUp(supervisor, child, start);
      up.catch(() => undefined); // told below
      coming.push({ id, run, up });
      // What a supervisor starts comes before what is started after it; a fleet's members come a few at a time.
      if (child.kind === undefined) await up.catch(() => undefined);
      else if (coming.length > atOnce) await coming[coming.length - 1 - atOnce]?.up.catch(() => undefined);
    }
    const started: string[] = [];
    for (const [index, { id, up }] of coming.entries()) {
      try {
        await up;
        started.push(id);
      } catch (error) {
        if (!this.#host.isOpen) return;
        for (const later of coming.slice(index + 1).reverse()) {
          await later.up.then(
            () => this.#takeDown(childIn(known, later.id) as ChildState, 0, false),
            () => undefined,
          );
        }
        this.tell(supervisor, {
          type: 'start-failed',
          id,
          started,
          message: errorOf(error).message,
          at: clock.now(),
          random: this.#host.chance(),
        });
        return;
      }
    }
    failpoint('supervisor:started');
    if (coming.length > 0) this.#report(supervisor, coming);
  }

  /** Children that have come up with the same commit are told of together. */
  #report(supervisor: Agent, started: readonly StartOf[]): void {
    const others = this.#started.get(supervisor);
    if (others !== undefined) {
      others.push(...started);
      return;
    }
    const all = [...started];
    this.#started.set(supervisor, all);
    queueMicrotask(() => {
      this.#started.delete(supervisor);
      const [ids, runs] = [all.map(({ id }) => id), all.map(({ run }) => run)];
      this.tell(supervisor, { type: 'started', ids, runs, at: this.#host.clock.now() });
      this.#watch(supervisor);
    });
  }

  async #bringUp(supervisor: Agent, child: ChildState, { run, renew }: StartOf): Promise<void> {
    const { id, input } = child;
    const kind = child.kind ?? supervisorKind;
    const started = this.#host.clock.elapsed();
    const resident = this.#host.resident(id);
    const isHere = resident?.status === 'active';
    if (isHere && resident.supervisor !== supervisor.id) throw taken(id, resident.supervisor);
    // Whether one that is here has been renewed is not seen from here.
    if (!isHere || renew !== undefined) {
      const older = run > 1 ? undefined : await this.#host.make(kind, id, input, supervisor.id);
      if (run > 1 || older !== undefined) {
        if (older !== undefined && older.supervisor !== supervisor.id) throw taken(id, older.supervisor);
        if (older?.status !== 'active') await this.#host.bringUp(id, input, renew);
        this.isUp(id);
        if (this.#host.observed) this.#host.restarted(id, supervisor.id, this.#host.clock.elapsed() - started);
      }
    }
    if (child.kind !== undefined) return;
    const presence = await this.#host.presence(id);
    if (presence.where !== 'here') throw suspendedError(id);
    const { status } = stateOf(presence.agent);
    const ready = this.whenReady(presence.agent);
    if (status === 'new' || status === 'ended') this.tell(presence.agent, { type: 'init', at: this.#host.clock.now() });
    await ready;
  }

  async #stop(supervisor: Agent, children: Extract<Command, { do: 'stop' }>['children']): Promise<void> {
    failpoint('supervisor:stop');
    const known = stateOf(supervisor).children;
    const leaving: Promise<void>[] = [];
    for (const { id, shutdownMs, forget } of children) {
      const child = childIn(known, id);
      if (child === undefined) continue;
      const agent = this.#host.resident(id);
      // One at a time, the last one first; who has nothing running takes no time.
      if (child.kind === undefined || agent?.status !== 'active' || forget) await this.#takeDown(child, shutdownMs, forget);
      else {
        const running = agent.quiet(shutdownMs);
        if (running !== undefined) await running;
        leaving.push(agent.leave());
      }
    }
    await Promise.all(leaving);
    failpoint('supervisor:stopped');
    this.tell(supervisor, { type: 'stopped', ids: children.map(({ id }) => id), at: this.#host.clock.now() });
  }

  async #takeDown(child: ChildState, shutdownMs: number, forget: boolean): Promise<void> {
    const { id } = child;
    const presence = await this.#host.presence(id);
    if (presence.where === 'here') {
      const { agent } = presence;
      if (child.kind === undefined) {
        const gone = new Promise<void>((resolve) => this.whenGone(agent, resolve));
        this.tell(agent, { type: 'shutdown', forget, at: this.#host.clock.now() });
        await gone;
      } else {
        await agent.quiet(shutdownMs);
        await agent.leave();
      }
    }
    if (forget && (presence.where === 'here' || presence.where === 'suspended')) await this.#host.bury(id);
  }

  #wake(supervisor: Agent, at: number): void {
    const { clock } = this.#host;
    const old = this.#wakes.get(supervisor.id);
    if (old !== undefined) clock.clearTimeout(old);
    const handle = clock.setTimeout(
      () => {
        this.#wakes.delete(supervisor.id);
        const now = clock.now();
        if (now < at) this.#wake(supervisor, at);
        else if (!supervisor.gone) this.tell(supervisor, { type: 'wake', at: now });
      },
      Math.max(0, at - clock.now()),
    );
    this.#wakes.set(supervisor.id, handle);
  }

  // ── Heartbeats ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks at the children that have a heartbeat, as long as there are any. */
  #watch(supervisor: Agent, seen: ReadonlyMap<string, Pulse> = new Map()): void {
    const { clock } = this.#host;
    const beating = stateOf(supervisor).children.filter(({ heartbeatMs, status }) => heartbeatMs !== undefined && status === 'running');
    const old = this.#watches.get(supervisor.id);
    if (old !== undefined) clock.clearTimeout(old);
    this.#watches.delete(supervisor.id);
    const shortest = Math.min(...beating.map(({ heartbeatMs }) => heartbeatMs as number));
    if (supervisor.gone || shortest === Infinity) return;
    const pulses = new Map<string, Pulse>();
    for (const { id, heartbeatMs } of beating) {
      const agent = this.#host.resident(id);
      // Whoever has nothing under way needs no heartbeat.
      if (agent?.status !== 'active' || !agent.working) continue;
      const before = seen.get(id);
      const beat = `${String(agent.sequenceNumber)}.${String(agent.beats)}`;
      const since = before?.agent === agent && before.beat === beat ? before.since : clock.elapsed();
      if (clock.elapsed() - since < (heartbeatMs as number)) pulses.set(id, { agent, beat, since });
      else failHung(agent, hung(id, heartbeatMs as number));
    }
    const handle = clock.setTimeout(() => this.#watch(supervisor, pulses), shortest / 4);
    this.#watches.set(supervisor.id, handle);
  }

  #forget(id: string): void {
    const { clock } = this.#host;
    const wake = this.#wakes.get(id);
    if (wake !== undefined) clock.clearTimeout(wake);
    this.#wakes.delete(id);
    const watch = this.#watches.get(id);
    if (watch !== undefined) clock.clearTimeout(watch);
    this.#watches.delete(id);
  }

  #take<T>(waiting: Map<string, T[]>, id: string): T[] {
    const found = waiting.get(id) ?? [];
    waiting.delete(id);
    return found;
  }
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StatewardenError) => void;
}

interface Pulse {
  readonly agent: Agent;
  readonly beat: string;
  readonly since: number;
}
