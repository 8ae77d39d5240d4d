/**
 * One node: the agents it holds in memory and everything around them. It brings agents back when something is for them, passivates
 * idle ones, routes messages between them, and ends in good order. Agents know it only as their `AgentHost`.
 *
 * Invariant: an id has at most one resident agent, and an agent leaves memory only when idle, ended, or dropped.
 */

import inspector from 'node:inspector';
import { Subject } from '../core/observables.js';
import type { EventObject } from 'xstate';
import type { Agent } from '../actors/agent.js';
import { encodeEvent } from '../actors/event-check.js';
import type { AgentHost, WithoutTime } from '../actors/host.js';
import type { Inspection } from '../actors/inspection.js';
import { Timers } from '../actors/timers.js';
import type { Tracing } from '../actors/tracing.js';
import type { GuardPattern } from '../breakers/board.js';
import { errorOf } from '../core/codec.js';
import type { Clock } from '../core/clock.js';
import type { StatewardenError } from '../core/errors.js';
import { LeaseLostError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import { TurnPulse } from '../core/turn-pulse.js';
import type { Down } from '../effects/monitor.js';
import { Runner } from '../effects/runner.js';
import { Committer, type SealedCommit } from '../persistence/committer.js';
import type { AgentRecord, DueTimer, MachineRecord, MessageRecord, OpenedStore, PostOutcome } from '../persistence/store.js';
import { Arrivals } from './arrivals.js';
import { Alerts } from './alerts.js';
import { Answers } from './answers.js';
import { Births } from './births.js';
import { BreakerKeeper } from './breaker-keeper.js';
import { openBudgets } from './budget-ref.js';
import { closed, farewellMs } from './closed.js';
import type { Declarations } from './declarations.js';
import { endingOf } from './ending.js';
import { Ends } from './ends.js';
import { about, placeOf } from './event-place.js';
import { raiseAgain } from './holds.js';
import type { JobWaits } from './job-waits.js';
import { Kinds } from './kinds.js';
import { Loader } from './loader.js';
import { orphansOf, tellOfLoss } from './losses.js';
import { Mail } from './mail.js';
import { Membership } from './membership.js';
import type { ResolvedOptions } from './options.js';
import { park, parkStruck } from './park.js';
import type { Presence } from './presence.js';
import { Residents } from './residents.js';
import { Rising } from './rising.js';
import { Strikes } from './strikes.js';
import { Supervision, type SupervisionHost } from './supervision.js';
import { Upkeep } from './upkeep.js';
import type { Command, Renewal } from '../supervisor/state.js';

const keysPerNode = 2 ** 32;

/** Who looks into agents, and who follows them. */
export interface Watch {
  readonly inspection?: Inspection | undefined;
  readonly tracing?: Tracing | undefined;
}

export class Node implements AgentHost, SupervisionHost {
  readonly clock: Clock;
  readonly startedAt: number;
  uses = 0;
  readonly committer: Committer;
  readonly operations: Runner;
  readonly uncommittedTurns: number;
  readonly mailboxCap: number;
  readonly maxDeliveries: number;
  readonly slowTurnMs: number;
  readonly supervision: Supervision;
  readonly pulse: TurnPulse | undefined;
  readonly store: OpenedStore;
  readonly events = new Subject<RuntimeEvent>();
  readonly #options: ResolvedOptions;
  readonly kinds: Kinds;
  /** Names of those that are declared. */
  readonly budgets: ReadonlySet<string>;
  readonly breakers: BreakerKeeper;
  readonly alerts: Alerts;
  readonly #timers: Timers;
  readonly inspection: Inspection | undefined;
  readonly tracing: Tracing | undefined;
  readonly residents: Residents;
  readonly #births: Births;
  readonly #rising: Rising;
  readonly #strikes = new Strikes();
  readonly answers: Answers;
  readonly ends = new Ends();
  /** Who waits for jobs, by fleet. */
  readonly jobWaits = new Map<string, JobWaits>();
  readonly mail: Mail;
  readonly #arrivals: Arrivals;
  readonly #loader: Loader<Presence>;
  #machines: MachineRecord[] = [];
  readonly membership: Membership;
  readonly #upkeep: Upkeep;
  #failure: StatewardenError | undefined;
  #farewell: StatewardenError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions, { registrations, activities }: Declarations, store: OpenedStore, watch: Watch = {}) {
    this.inspection = watch.inspection;
    const tracing = (this.tracing = watch.tracing);
    this.#options = options;
    this.store = store;
    this.clock = options.clock;
    this.startedAt = options.clock.now();
    this.uncommittedTurns = options.limits.uncommittedTurns;
    this.mailboxCap = options.limits.mailbox;
    this.maxDeliveries = options.limits.maxDeliveries;
    this.slowTurnMs = options.limits.slowTurnMs;
    this.supervision = new Supervision(this);
    this.pulse = store.watchTurns === undefined || options.limits.turnMs === Infinity ? undefined : new TurnPulse();
    this.kinds = new Kinds(registrations, store.node * keysPerNode + 1);
    this.residents = new Residents(options.limits.residentAgents, this);
    this.#births = new Births({ host: this, store, kinds: this.kinds, residents: this.residents, made: () => this.#sweep() });
    this.answers = new Answers(store.node);
    this.mail = new Mail({
      store,
      cap: options.limits.mailbox,
      answers: this.answers,
      resident: (idOrKey) => this.residents.get(idOrKey),
      presence: (idOrKey) => this.presence(idOrKey),
      tell: (event) => this.tell(event),
      failed: (error) => this.#background(error),
    });
    this.budgets = new Set(Object.keys(options.budgets));
    const stored = (names: readonly (string | number)[]) =>
      this.membership.awake()?.then(() => this.#upkeep.load(names)) ?? this.#upkeep.load(names);
    const load = async (names: readonly (string | number)[]) => this.operations.results.fetched(await stored(names));
    this.#rising = new Rising({
      host: this,
      store,
      kinds: this.kinds,
      residents: this.residents,
      ends: this.ends,
      budgets: Object.keys(options.budgets),
      machines: () => this.#machines,
      load: (id) => load([id]),
      nudge: (key) => this.mail.nudge(key),
    });
    this.#arrivals = new Arrivals({
      host: this,
      kinds: this.kinds,
      residents: this.residents,
      machines: () => this.#machines,
      isRising: (id) => this.#rising.has(id),
      struck: (id) => this.#strikes.reason(id),
      restored: (supervisor) => this.supervision.restored(supervisor),
      park: (record, error) => void park(this, record, error),
    });
    this.#loader = new Loader({
      load,
      arrive: (outcome) => this.#arrivals.arrive(outcome),
      loaded: () => this.#sweep(),
    });
    // A node that is going does not say how an agent ended: the next one looks again.
    const ending = (id: string, since: number, signal: AbortSignal): Promise<Down> =>
      endingOf(this, id, { clock: this.clock, signal, refuseParked: false, failedSince: since }).catch((error: unknown) => {
        if (this.isOpen) throw error;
        return new Promise<never>(() => undefined);
      });
    const { clock, random, profiles, dispatcher, results, archive } = options;
    const [observed, emit] = [(): boolean => this.events.observed, (event: RuntimeEvent): void => this.events.next(event)];
    const traced = tracing && ((group: readonly SealedCommit[]) => tracing.commit(group));
    this.committer = new Committer({ store, clock, emit, observed, poisoned: (error) => this.#poisoned(error), traced });
    const tell = (event: WithoutTime<RuntimeEvent>): void => this.tell(event);
    this.alerts = new Alerts(options.alerts, clock, tell);
    const { shared, remote = false } = options.store.capabilities;
    this.breakers = new BreakerKeeper({
      store,
      shared,
      clock,
      random,
      name: options.isNamed ? options.nodeName : undefined,
      hasNeighbours: () => this.membership.hasNeighbours,
      waiting: (breaker) => this.operations.waiting(breaker),
      tell,
    });
    const { board } = this.breakers;
    this.operations = new Runner({
      activities,
      store,
      clock,
      random,
      observed,
      tell,
      ending,
      confirmed: () => this.membership.confirmed(),
      alert: (alert) => this.alerts.raise(alert),
      budgets: this.budgets,
      board,
      profiles,
      results,
      dispatcher,
    });
    const background = { tell, nudge: (key: number) => this.mail.nudge(key), failed: (error: unknown) => this.#background(error) };
    this.#upkeep = new Upkeep({ store, clock, results, archive, residents: this.residents, ...background });
    this.#timers = new Timers({
      store,
      clock,
      fire: (timer) => this.#fire(timer),
      failed: (error) => this.tell({ type: 'store', state: 'unavailable', error: errorOf(error) }),
    });
    this.membership = new Membership({
      node: this,
      shared,
      remote,
      spreads: options.spreads,
      leaseMs: options.leaseMs,
      kinds: [...registrations.keys()],
      residents: this.residents,
      timers: this.#timers,
      moved: (error) => this.close(farewellMs, error),
    });
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#closing === undefined;
  }

  /** Resolves when the agent that is being made under this id is durable. */
  starting(id: string): Promise<unknown> | undefined {
    return this.#births.underWay(id);
  }

  get observed(): boolean {
    return this.events.observed;
  }

  /** Recovers what was under way, then takes part in the store's life. */
  async start(breakers: readonly GuardPattern[] = []): Promise<void> {
    if (this.pulse !== undefined) {
      this.pulse.attached = inspector.url() !== undefined;
      await this.store.watchTurns?.(this.pulse.memory, this.#options.limits.turnMs);
    }
    await this.store.saveMachines(this.kinds.machines);
    this.#machines = [...(await this.store.machines())];
    this.store.onForeignMail((keys) => this.membership.mail(keys));
    await this.breakers.start(breakers);
    await openBudgets(this, this.#options);
    if (this.alerts.wanted) await raiseAgain(this.store, this.alerts);
    await this.membership.start();
    this.#upkeep.start();
  }

  // ── Bringing agents back ────────────────────────────────────────────────────────────────────────────────────────

  resident(id: string): Agent | undefined {
    return this.residents.get(id);
  }

  /** Finds an agent, bringing it into memory when it is active and nobody else's. */
  presence(idOrKey: string | number): Promise<Presence> {
    const agent = this.residents.get(idOrKey);
    if (agent?.status === 'active') return Promise.resolve({ where: 'here', agent });
    if (agent?.status === 'suspended' && !agent.gone) {
      return new Promise<void>((resolve) => this.supervision.whenGone(agent, resolve)).then(() => this.presence(idOrKey));
    }
    const known = this.#loader.underWay(idOrKey);
    if (known !== undefined) return known;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const spawning = typeof idOrKey === 'string' ? this.#births.underWay(idOrKey) : undefined;
    if (spawning !== undefined) return spawning.then(() => this.presence(idOrKey));
    // An agent whose end is on its way to the store is found there once it has arrived.
    if (agent !== undefined) return agent.whenDurable(agent.sequenceNumber).then(() => this.#loader.load(idOrKey));
    return this.#loader.load(idOrKey);
  }

  #background(error: unknown): void {
    if (this.#closing === undefined && this.#failure === undefined)
      this.tell({ type: 'store', state: 'unavailable', error: errorOf(error) });
  }

  // ── Making agents ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes an agent, or finds the one that has the id. @throws KindConflictError */
  async spawn(kind: string, id: string, input: unknown): Promise<void> {
    await this.make(kind, id, input, undefined);
  }

  make(kind: string, id: string, input: unknown, supervisor: string | undefined): Promise<AgentRecord | undefined> {
    this.assertOpen();
    return this.#births.make(kind, id, input, supervisor);
  }

  bringUp(id: string, input: unknown, renewal?: Renewal): Promise<void> {
    this.assertOpen();
    return this.#rising.bringUp(id, input, renewal).then(() => this.supervision.isUp(id));
  }

  bury(id: string): Promise<void> {
    return this.#rising.bury(id);
  }

  exists(agent: Agent, record: AgentRecord): void {
    this.#births.exists(agent, record);
  }

  newAgent(kind: string, id: string): { readonly key: number; readonly version: number } {
    return this.kinds.newAgent(kind, id);
  }

  // ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @throws BadEventError, NotSerializableError, EventTooLargeError */
  encodeEvent(event: unknown): string {
    return encodeEvent(event, this.#options.limits.eventBytes);
  }

  routed(message: MessageRecord, outcome: PostOutcome | undefined): void {
    this.mail.routed(message, outcome);
  }

  answer(address: string, value: unknown): void {
    this.answers.answer(address, value);
  }

  refuse(address: string, error: Error): void {
    this.answers.fail(address, error);
  }

  chance(): number {
    return this.#options.random.next();
  }

  supervise(agent: Agent, commands: readonly unknown[]): void {
    this.supervision.carryOut(agent, commands as readonly Command[]);
  }

  whenGone(agent: Agent, callback: () => void): void {
    this.supervision.whenGone(agent, callback);
  }

  suspended(agent: Agent): void {
    this.residents.remove(agent);
    this.#strikes.forgive(agent.id);
    this.tell({ type: 'suspended', ...about(agent) });
    this.supervision.suspended(agent);
    this.ends.wake(agent.id, undefined);
  }

  restarted(agentId: string, supervisor: string, durationMs: number): void {
    const kind = this.residents.get(agentId)?.kind ?? '';
    this.tell({ type: 'restarted', agentId, kind, supervisor, durationMs });
  }

  failed(error: unknown): void {
    this.#background(error);
  }

  redirect(agentId: string, target: string, event: EventObject): void {
    if (this.#closing !== undefined) return;
    this.presence(agentId).then(
      (presence) => {
        if (presence.where === 'here') presence.agent.relay(target, event);
      },
      (error: unknown) => this.#background(error),
    );
  }

  spawned(record: AgentRecord | undefined, id: string): void {
    if (record !== undefined && (record.sequenceNumber > 0 || record.status !== 'active')) return;
    if (this.observed && record !== undefined) {
      const { id: agentId, kind, trace } = record;
      this.tell({ type: 'spawned', agentId, kind, ...(trace === undefined ? {} : { trace }) });
    }
    this.presence(record?.key ?? id).catch((error: unknown) => this.#background(error));
  }

  // ── Timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  armTimer(agent: number, id: string, dueAt: number): void {
    this.#timers.arm({ agent, id, dueAt });
  }

  #fire(timer: DueTimer): void {
    const agent = this.residents.get(timer.agent);
    if (agent !== undefined && !agent.gone) {
      agent.fire(timer.id);
      return;
    }
    const leftMs = this.membership.leavesMs(timer.agent);
    if (leftMs > 0) {
      this.armTimer(timer.agent, timer.id, this.clock.now() + leftMs);
      return;
    }
    this.presence(timer.agent).then(
      (presence) => {
        if (presence.where === 'here') presence.agent.fire(timer.id);
      },
      (error: unknown) => this.#background(error),
    );
  }

  // ── Leaving memory ──────────────────────────────────────────────────────────────────────────────────────────────

  #sweep(): void {
    for (const agent of this.residents.passivate()) {
      if (this.observed) this.tell({ type: 'passivated', ...about(agent) });
    }
  }

  ended(agent: Agent): void {
    this.residents.remove(agent);
    this.supervision.left(agent);
    this.#strikes.forgive(agent.id);
    if (this.observed) {
      const status = agent.status as 'done' | 'error' | 'stopped';
      const error = status === 'error' ? { error: errorOf(agent.failure) } : {};
      this.tell({ type: 'ended', ...about(agent), status, ...error });
    }
    this.ends.wake(agent.id, agent);
  }

  dropped(agent: Agent, error: StatewardenError, told: boolean): void {
    this.residents.remove(agent);
    this.supervision.left(agent);
    if (error instanceof LeaseLostError) this.tell({ type: 'lease-lost', ...about(agent) });
    if (!this.isOpen || agent.committedSequenceNumber === 0) return;
    for (const id of orphansOf(this, agent)) this.#bringBack(id);
    if (tellOfLoss(this, this.supervision, agent, error) || error instanceof LeaseLostError) this.ends.wake(agent.id, undefined);
    else {
      // What was under way goes on from the last commit, unless that ends the same way again and again with nobody there to see it.
      if (!told && this.#strikes.strike(agent, error))
        void parkStruck(this, agent.id, error).catch((failure: unknown) => this.#background(failure));
      else this.#bringBack(agent.id);
    }
  }

  #bringBack(id: string): void {
    this.presence(id).catch((failure: unknown) => this.#background(failure));
  }

  // ── The node's own life ─────────────────────────────────────────────────────────────────────────────────────────

  tell(event: WithoutTime<RuntimeEvent>): void {
    if (!this.events.observed) return;
    const trace = this.tracing && placeOf(event, this.residents);
    this.events.next({ ...event, at: this.clock.now(), ...(trace === undefined ? {} : { trace }) } as RuntimeEvent);
  }

  log(values: readonly unknown[]): void {
    this.#options.logger(...values);
  }

  /** @throws RuntimeClosedError, StorePoisonedError */
  assertOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw this.#farewell ?? closed();
  }

  #poisoned(error: StatewardenError): void {
    this.#failure = error;
    this.#halt(error);
  }

  #halt(error: StatewardenError): void {
    this.#timers.stop();
    this.supervision.stop();
    this.membership.stop();
    this.#upkeep.stop();
    this.breakers.stop();
    this.operations.abandon();
    this.alerts.close();
    for (const agent of this.residents.all()) agent.drop(error);
    this.answers.failAll(error);
    this.ends.wakeAll();
  }

  /** Takes nothing new, lets running activities finish for `graceMs`, waits until all is durable, releases the lease. `why`: for whoever asks for an agent then. */
  close(graceMs: number, why?: StatewardenError): Promise<void> {
    this.#farewell ??= why;
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    await this.operations.drain(graceMs);
    if (this.#failure === undefined) await this.committer.quiesce();
    if (this.#failure === undefined) await this.breakers.close();
    if (this.#failure === undefined) await this.membership.leave().catch(() => undefined);
    this.#halt(this.#failure ?? this.#farewell ?? closed());
    await this.operations.dispatching.close(graceMs);
    await this.store.close();
    this.events.complete();
  }
}
