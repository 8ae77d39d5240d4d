/**
 * One node: the agents it holds in memory and everything around them. It brings agents back when something is for them, passivates
 * idle ones, routes messages between them, and ends in good order. Agents know it only as their `AgentHost`.
 *
 * Invariant: an id has at most one resident agent, and an agent leaves memory only when idle, ended, or dropped.
 */

import { Subject } from 'rxjs';
import type { EventObject } from 'xstate';
import type { Agent } from '../actors/agent.js';
import { Agent as ResidentAgent } from '../actors/agent.js';
import type { AgentHost, WithoutTime } from '../actors/host.js';
import { register, type Registration } from '../actors/registration.js';
import { restore } from '../actors/restore.js';
import { Timers } from '../actors/timers.js';
import { encode, encodeThrown, errorOf } from '../core/codec.js';
import type { Clock, TimerHandle } from '../core/clock.js';
import {
  BadEventError,
  BadInputError,
  DeadLetterError,
  EventTooLargeError,
  KindConflictError,
  LeaseLostError,
  RuntimeClosedError,
  SnapshotVersionError,
  StatewardenError,
  UnknownKindError,
} from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import { Runner } from '../effects/runner.js';
import { Committer } from '../persistence/committer.js';
import type {
  AgentRecord,
  DueTimer,
  LoadedAgent,
  LoadOutcome,
  MachineRecord,
  MessageRecord,
  NodeRecord,
  OpenedStore,
  PostOutcome,
} from '../persistence/store.js';
import type { ResolvedOptions } from './options.js';

/** Where an agent is, seen from this node. */
export type Presence =
  | { readonly where: 'here'; readonly agent: Agent }
  | { readonly where: 'ended'; readonly record: AgentRecord; readonly loaded: LoadedAgent | undefined }
  | { readonly where: 'parked'; readonly record: AgentRecord; readonly error: StatewardenError }
  | { readonly where: 'elsewhere'; readonly record: AgentRecord; readonly node: NodeRecord }
  | { readonly where: 'nowhere' };

const keysPerNode = 2 ** 32;
const recoveryPage = 2_000;
/** An agent dropped so often in a row, with nothing committed in between, is parked. */
const maximumStrikes = 3;

export class Node implements AgentHost {
  readonly clock: Clock;
  readonly startedAt: number;
  uses = 0;
  readonly committer: Committer;
  readonly operations: Runner;
  readonly uncommittedTurns: number;
  readonly mailboxCap: number;
  readonly store: OpenedStore;
  readonly events = new Subject<RuntimeEvent>();
  readonly #options: ResolvedOptions;
  readonly #registrations: ReadonlyMap<string, Registration>;
  readonly #timers: Timers;
  readonly #residents = new Map<string, Agent>();
  readonly #byKey = new Map<number, Agent>();
  readonly #spawning = new Map<string, Promise<AgentRecord | undefined>>();
  readonly #strikes = new Map<string, { readonly count: number; readonly sequenceNumber: number }>();
  /** Parked by this node because they failed again and again: not tried anew before the next start. */
  readonly #struck = new Map<string, StatewardenError>();
  /** Ids of agents whose mailbox is being read; true when more has come in since. */
  readonly #reading = new Map<string, boolean>();
  readonly #answers = new Map<string, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #ends = new Map<string, Set<(agent: Agent | undefined) => void>>();
  #wanted = new Map<
    string | number,
    { promise: Promise<Presence>; resolve: (presence: Presence) => void; reject: (error: unknown) => void }
  >();
  #loading = new Map<string | number, Promise<Presence>>();
  #machines: MachineRecord[] = [];
  #nextKey: number;
  #questions = 0;
  /** Other nodes that were alive at the last look. */
  #neighbours: ReadonlySet<number> = new Set();
  #heartbeat: TimerHandle;
  #failure: StatewardenError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions, registrations: ReadonlyMap<string, Registration>, store: OpenedStore) {
    this.#options = options;
    this.store = store;
    this.clock = options.clock;
    this.startedAt = options.clock.now();
    this.uncommittedTurns = options.limits.uncommittedTurns;
    this.mailboxCap = options.limits.mailbox;
    this.#nextKey = store.node * keysPerNode + 1;
    this.#registrations = registrations;
    const observed = (): boolean => this.events.observed;
    const emit = (event: RuntimeEvent): void => this.events.next(event);
    this.committer = new Committer({ store, clock: this.clock, emit, observed, poisoned: (error) => this.#poisoned(error) });
    this.operations = new Runner({ store, clock: this.clock, random: options.random, observed, tell: (event) => this.tell(event) });
    this.#timers = new Timers({
      store,
      clock: this.clock,
      fire: (timer) => this.#fire(timer),
      failed: (error) => this.tell({ type: 'store', state: 'unavailable', error: errorOf(error) }),
    });
  }

  /** @throws BadInputError, UnsupportedMachineError for kinds that cannot be registered; nothing is opened yet. */
  static check(options: ResolvedOptions): ReadonlyMap<string, Registration> {
    return new Map(Object.entries(options.agents).map(([kind, definition]) => [kind, register(kind, definition, options.checkpoints)]));
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#closing === undefined;
  }

  /** Resolves when the agent that is being made under this id is durable. */
  starting(id: string): Promise<unknown> | undefined {
    return this.#spawning.get(id);
  }

  get observed(): boolean {
    return this.events.observed;
  }

  /** Recovers what was under way, then takes part in the store's life. */
  async start(): Promise<void> {
    const machines = [...this.#registrations.values()].map(({ kind, version, schema, definition, inlineActions }): MachineRecord => ({
      kind,
      version,
      schema,
      definition: JSON.stringify({ ...definition, inlineActions }),
    }));
    await this.store.saveMachines(machines);
    this.#machines = [...(await this.store.machines())];
    this.store.onForeignMail((keys) => {
      for (const key of keys) this.#nudge(key);
    });
    await this.#recover();
    await this.#timers.refill();
    await this.#lookAround();
    this.#beat();
  }

  // ── Bringing agents back ────────────────────────────────────────────────────────────────────────────────────────

  async #recover(): Promise<void> {
    let after = 0;
    for (;;) {
      const keys = await this.store.runnable({ after, limit: recoveryPage });
      if (keys.length === 0) return;
      after = keys.at(-1) as number;
      await Promise.all(keys.filter((key) => !this.#byKey.has(key)).map((key) => this.presence(key)));
    }
  }

  resident(id: string): Agent | undefined {
    return this.#residents.get(id);
  }

  /** Finds an agent, bringing it into memory when it is active and nobody else's. */
  presence(idOrKey: string | number): Promise<Presence> {
    const agent = typeof idOrKey === 'string' ? this.#residents.get(idOrKey) : this.#byKey.get(idOrKey);
    if (agent?.status === 'active') return Promise.resolve({ where: 'here', agent });
    const known = this.#loading.get(idOrKey) ?? this.#wanted.get(idOrKey)?.promise;
    if (known !== undefined) return known;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const spawning = typeof idOrKey === 'string' ? this.#spawning.get(idOrKey) : undefined;
    if (spawning !== undefined) return spawning.then(() => this.presence(idOrKey));
    // An agent whose end is on its way to the store is found there once it has arrived.
    if (agent !== undefined) return agent.whenDurable(agent.sequenceNumber).then(() => this.#load(idOrKey));
    return this.#load(idOrKey);
  }

  #load(idOrKey: string | number): Promise<Presence> {
    const wanted = this.#wanted.get(idOrKey);
    if (wanted !== undefined) return wanted.promise;
    if (this.#wanted.size === 0) queueMicrotask(() => void this.#loadWanted());
    let resolve: (presence: Presence) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    const promise = new Promise<Presence>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    this.#wanted.set(idOrKey, { promise, resolve, reject });
    return promise;
  }

  async #loadWanted(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    for (const [name, { promise }] of wanted) this.#loading.set(name, promise);
    try {
      const outcomes = await this.store.load([...wanted.keys()]);
      let index = 0;
      for (const { resolve, reject } of wanted.values()) {
        try {
          resolve(this.#arrive(outcomes[index] as LoadOutcome));
        } catch (error) {
          reject(error);
        }
        index += 1;
      }
    } catch (error) {
      for (const { promise, reject } of wanted.values()) {
        promise.catch(() => undefined);
        reject(error);
      }
    } finally {
      for (const name of wanted.keys()) this.#loading.delete(name);
    }
    this.#sweep();
  }

  #arrive(outcome: LoadOutcome): Presence {
    if (outcome.outcome === 'absent') return { where: 'nowhere' };
    const { record } = outcome;
    if (outcome.outcome === 'owned') return { where: 'elsewhere', record, node: outcome.node };
    const ended = record.status === 'done' || record.status === 'error' || record.status === 'stopped';
    if (ended && !record.busy) return { where: 'ended', record, loaded: outcome };
    const struck = this.#struck.get(record.id);
    if (struck !== undefined) return { where: 'parked', record, error: struck };
    const here = this.#byKey.get(record.key);
    if (here !== undefined && !here.gone) return { where: 'here', agent: here };
    const registration = this.#registrations.get(record.kind);
    const started = this.clock.elapsed();
    const told = {
      type: 'recovery' as const,
      agentId: record.id,
      kind: record.kind,
      fromSequenceNumber: outcome.checkpoint?.sequenceNumber ?? 0,
    };
    if (registration === undefined) {
      const error = this.#unknownKind(record.kind);
      this.tell({ ...told, replayedTurns: 0, durationMs: 0, outcome: 'failed', error });
      return { where: 'parked', record, error };
    }
    try {
      const { agent, replayedTurns } = restore(this, registration, outcome, this.#machines);
      this.#residents.set(agent.id, agent);
      this.#byKey.set(agent.key, agent);
      if (this.observed) this.tell({ ...told, replayedTurns, durationMs: this.clock.elapsed() - started, outcome: 'resumed' });
      return ended ? { where: 'ended', record, loaded: outcome } : { where: 'here', agent };
    } catch (thrown) {
      const error = thrown instanceof StatewardenError ? thrown : notTaken(record.id, thrown);
      this.tell({ ...told, replayedTurns: 0, durationMs: this.clock.elapsed() - started, outcome: 'parked', error });
      void this.#park(record, error);
      return { where: 'parked', record, error };
    }
  }

  async #park(record: AgentRecord, error: StatewardenError): Promise<void> {
    this.tell({ type: 'parked', agentId: record.id, kind: record.kind, error });
    try {
      const { key, id, fence, sequenceNumber } = record;
      await this.store.commit([
        { key, id, fence, expected: sequenceNumber, sequenceNumber, at: this.clock.now(), status: 'parked', outcome: encodeThrown(error) },
      ]);
    } catch {
      // Parking only notes the reason: the agent is met again in the same state at the next start.
    }
    this.#wakeEnds(record.id, undefined);
  }

  /** There may be mail for an agent that its memory does not know of. */
  #nudge(key: number): void {
    this.presence(key).then(
      (presence) => (presence.where === 'here' ? this.#readMail(presence.agent.id) : undefined),
      (error: unknown) => this.#background(error),
    );
  }

  /** Hands over what waits in the store, in order. What is accepted meanwhile is found there too, behind it: see `routed`. */
  async #readMail(id: string): Promise<void> {
    const underWay = this.#reading.has(id);
    this.#reading.set(id, underWay);
    if (underWay) return;
    try {
      do {
        this.#reading.set(id, false);
        const presence = await this.presence(id);
        if (presence.where !== 'here') return;
        for (const message of await this.store.mailbox(presence.agent.key, 0)) presence.agent.receive(message);
      } while (this.#reading.get(id) === true);
    } catch (error) {
      this.#background(error);
    } finally {
      this.#reading.delete(id);
    }
  }

  #background(error: unknown): void {
    if (this.#closing === undefined && this.#failure === undefined)
      this.tell({ type: 'store', state: 'unavailable', error: errorOf(error) });
  }

  // ── Making agents ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes an agent, or finds the one that has the id. @throws KindConflictError */
  async spawn(kind: string, id: string, input: unknown): Promise<void> {
    this.assertOpen();
    const { key } = this.newAgent(kind, id);
    const registration = this.#registrations.get(kind) as Registration;
    let record: AgentRecord | undefined;
    const known = this.#residents.get(id);
    const spawning = this.#spawning.get(id);
    if (spawning !== undefined) {
      record = await spawning;
      this.#assertKind(id, kind, record?.kind ?? this.#residents.get(id)?.kind ?? kind);
    } else if (known !== undefined) this.#assertKind(id, kind, known.kind);
    else {
      const made = this.#make(registration, key, id, input);
      this.#spawning.set(id, made);
      try {
        record = await made;
      } finally {
        this.#spawning.delete(id);
        this.#sweep();
      }
      if (record !== undefined) this.#assertKind(id, kind, record.kind);
    }
  }

  /** Resolves to the record of an older agent with that id, or to undefined when the new one is durable. */
  async #make(registration: Registration, key: number, id: string, input: unknown): Promise<AgentRecord | undefined> {
    const agent = new ResidentAgent(this, registration, { key, id, fence: 1, sequenceNumber: 0 }, false);
    this.#residents.set(id, agent);
    this.#byKey.set(key, agent);
    const older = new Promise<AgentRecord>((resolve) => this.#older.set(agent, resolve));
    try {
      agent.begin(input, true);
      const record = await Promise.race([agent.whenDurable(1), older]);
      if (record === undefined && this.observed) this.tell({ type: 'spawned', agentId: id, kind: registration.kind });
      return record as AgentRecord | undefined;
    } catch (error) {
      agent.gone = true;
      this.#leave(agent);
      throw error;
    } finally {
      this.#older.delete(agent);
    }
  }

  readonly #older = new Map<Agent, (record: AgentRecord) => void>();

  exists(agent: Agent, record: AgentRecord): void {
    this.#leave(agent);
    this.#older.get(agent)?.(record);
  }

  newAgent(kind: string, id: string): { readonly key: number; readonly version: number } {
    const registration = this.#registrations.get(kind);
    if (registration === undefined) throw this.#unknownKind(kind);
    checkId(id);
    const key = this.#nextKey;
    this.#nextKey += 1;
    return { key, version: registration.version };
  }

  #unknownKind(kind: string): UnknownKindError {
    const known = [...this.#registrations.keys()].map((name) => JSON.stringify(name)).join(', ');
    return new UnknownKindError(`no agents of kind ${JSON.stringify(kind)} are registered`, {
      hint:
        known === ''
          ? 'Register it with createRuntime({ agents: { … } }).'
          : `Registered kinds: ${known}. Add it to createRuntime({ agents: { … } }).`,
    });
  }

  #assertKind(id: string, kind: string, actual: string): void {
    if (kind === actual) return;
    throw new KindConflictError(`agent "${id}" exists and is a "${actual}", not a "${kind}"`, {
      hint: 'Choose another id; putting the kind into the id (`orders/o-42`) keeps kinds apart.',
    });
  }

  // ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

  checkEvent(event: unknown): EventObject {
    const hint = "Send an object with a string type: { type: 'START' }.";
    if (typeof event !== 'object' || event === null || Array.isArray(event)) {
      throw new BadEventError(
        `an event must be an object, not ${event === null ? 'null' : Array.isArray(event) ? 'an array' : typeof event}`,
        { hint },
      );
    }
    const { type } = event as { type?: unknown };
    if (typeof type !== 'string' || type === '')
      throw new BadEventError(`an event needs a string type, not ${JSON.stringify(type) ?? 'undefined'}`, { hint });
    if (type === '*' || type.startsWith('xstate.') || type.startsWith('statewarden.')) {
      throw new BadEventError(`the event type "${type}" is reserved`, { hint: 'Use a type of your own.' });
    }
    return event as EventObject;
  }

  /** The event's text. @throws BadEventError, NotSerializableError, EventTooLargeError */
  encodeEvent(event: unknown): string {
    const text = encode(this.checkEvent(event), 'event');
    const limit = this.#options.limits.eventBytes;
    if (text.length > limit || (text.length * 3 > limit && Buffer.byteLength(text) > limit)) {
      throw new EventTooLargeError(
        `the event "${(event as EventObject).type}" takes ${String(Buffer.byteLength(text))} bytes, more than ${String(limit)}`,
        {
          hint: 'Keep the value elsewhere and send a reference, or raise limits.eventBytes.',
        },
      );
    }
    return text;
  }

  async post(message: MessageRecord): Promise<PostOutcome> {
    const [outcome] = await this.store.post([message], this.mailboxCap);
    if (outcome?.outcome === 'dead-letter') this.#deadLetter(message, outcome.reason);
    return outcome as PostOutcome;
  }

  routed(message: MessageRecord, outcome: PostOutcome | undefined): void {
    if (outcome === undefined) void this.#readMail(message.to);
    else if (outcome.outcome === 'accepted') {
      const agent = this.#byKey.get(outcome.agent);
      const next = agent !== undefined && !agent.gone && !this.#reading.has(message.to);
      if (next) agent.receive({ ...message, position: outcome.position, agent: outcome.agent });
      else void this.#readMail(message.to);
    } else if (outcome.outcome === 'dead-letter') this.#deadLetter(message, outcome.reason);
  }

  #deadLetter(message: MessageRecord, reason: string): void {
    if (this.observed) this.tell({ type: 'dead-letter', to: message.to, event: message.event, reason });
    const address = message.replyTo;
    if (address === undefined) return;
    const error = new DeadLetterError(`the question to agent "${message.to}" found nobody (${reason})`, {
      hint: 'Spawn the agent before it is asked; the question is kept among the dead letters.',
    });
    if (!address.startsWith('agent:')) {
      this.#answers.get(address)?.reject(error);
      return;
    }
    const separator = address.indexOf(' ');
    const operationId = decodeURIComponent(address.slice(6, separator));
    const asker = this.#residents.get(decodeURIComponent(address.slice(separator + 1)));
    for (const operation of asker?.operations.values() ?? []) {
      if (operation.record.id === operationId) asker?.settleOperation(operation, { ok: false, error });
    }
  }

  /** An address for one answer, and the promise of it. */
  question(): {
    readonly address: string;
    readonly answer: Promise<unknown>;
    readonly fail: (error: Error) => void;
    readonly abandon: () => void;
  } {
    this.#questions += 1;
    const address = `code:${String(this.store.node)}.${String(this.#questions)}`;
    const answer = new Promise<unknown>((resolve, reject) => this.#answers.set(address, { resolve, reject }));
    answer.catch(() => undefined);
    return { address, answer, fail: (error) => this.#answers.get(address)?.reject(error), abandon: () => this.#answers.delete(address) };
  }

  answer(address: string, value: unknown): void {
    this.#answers.get(address)?.resolve(value);
    this.#answers.delete(address);
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
    if (this.observed && record !== undefined) this.tell({ type: 'spawned', agentId: record.id, kind: record.kind });
    this.presence(record?.key ?? id).catch((error: unknown) => this.#background(error));
  }

  // ── Timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  armTimer(agent: number, id: string, dueAt: number): void {
    this.#timers.arm({ agent, id, dueAt });
  }

  #fire(timer: DueTimer): void {
    const agent = this.#byKey.get(timer.agent);
    if (agent !== undefined && !agent.gone) {
      agent.fire(timer.id);
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

  /**
   * The least recently used idle agents leave: of all when the cap is small, else of some that stand first in line, so that a sweep
   * costs the same with any number of agents. A large cap is swept below itself, so that not every new agent brings a sweep.
   */
  #sweep(): void {
    const cap = this.#options.limits.residentAgents;
    if (this.#residents.size <= cap) return;
    const leaving = this.#residents.size - cap + Math.floor(Math.min(cap, 16_384) / 64);
    let looks = Math.min(this.#residents.size, 2 * leaving + 32);
    const idle: Agent[] = [];
    for (const agent of this.#residents.values()) {
      if (looks === 0) break;
      looks -= 1;
      this.#residents.delete(agent.id);
      this.#residents.set(agent.id, agent);
      if (agent.usedAt === 0) agent.usedAt = this.uses += 1;
      else if (agent.idle) idle.push(agent);
    }
    idle.sort((one, other) => one.usedAt - other.usedAt);
    for (const agent of idle.slice(0, leaving)) {
      agent.gone = true;
      this.#leave(agent);
      if (this.observed) this.tell({ type: 'passivated', agentId: agent.id, kind: agent.kind });
    }
  }

  #leave(agent: Agent): void {
    if (this.#residents.get(agent.id) === agent) this.#residents.delete(agent.id);
    if (this.#byKey.get(agent.key) === agent) this.#byKey.delete(agent.key);
  }

  ended(agent: Agent): void {
    this.#leave(agent);
    this.#strikes.delete(agent.id);
    if (this.observed) {
      const status = agent.status as 'done' | 'error' | 'stopped';
      const error = status === 'error' ? { error: errorOf(agent.failure) } : {};
      this.tell({ type: 'ended', agentId: agent.id, kind: agent.kind, status, ...error });
    }
    this.#wakeEnds(agent.id, agent);
  }

  #wakeEnds(id: string, agent: Agent | undefined): void {
    const waiting = this.#ends.get(id);
    this.#ends.delete(id);
    for (const wake of waiting ?? []) wake(agent);
  }

  /** Calls back when the agent ends here or leaves this node's care. Costs the agent nothing. */
  onEnd(id: string, wake: (agent: Agent | undefined) => void): () => void {
    const waiting = this.#ends.get(id) ?? new Set();
    this.#ends.set(id, waiting.add(wake));
    return () => {
      waiting.delete(wake);
      if (waiting.size === 0 && this.#ends.get(id) === waiting) this.#ends.delete(id);
    };
  }

  dropped(agent: Agent, error: StatewardenError, told: boolean): void {
    this.#leave(agent);
    if (error instanceof LeaseLostError) {
      this.tell({ type: 'lease-lost', agentId: agent.id, kind: agent.kind });
      this.#wakeEnds(agent.id, undefined);
    } else if (this.#failure === undefined && this.#closing === undefined && agent.committedSequenceNumber > 0) {
      // What was under way goes on from the last commit, unless that ends the same way again and again with nobody there to see it.
      if (told || this.#strike(agent) < maximumStrikes) this.presence(agent.id).catch((failure: unknown) => this.#background(failure));
      else {
        this.#strikes.delete(agent.id);
        void this.#parkStruck(agent.id, error);
      }
    }
  }

  #strike(agent: Agent): number {
    const { id, committedSequenceNumber: sequenceNumber } = agent;
    const before = this.#strikes.get(id);
    const count = before?.sequenceNumber === sequenceNumber ? before.count + 1 : 1;
    this.#strikes.set(id, { count, sequenceNumber });
    return count;
  }

  async #parkStruck(id: string, error: StatewardenError): Promise<void> {
    this.#struck.set(id, error);
    try {
      const [outcome] = await this.store.load([id]);
      if (outcome?.outcome === 'loaded' && outcome.record.status === 'active') await this.#park(outcome.record, error);
    } catch (failure) {
      this.#background(failure);
    }
  }

  // ── The node's own life ─────────────────────────────────────────────────────────────────────────────────────────

  tell(event: WithoutTime<RuntimeEvent>): void {
    if (this.events.observed) this.events.next({ ...event, at: this.clock.now() } as RuntimeEvent);
  }

  log(values: readonly unknown[]): void {
    this.#options.logger(...values);
  }

  /** @throws RuntimeClosedError, StorePoisonedError */
  assertOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw closed();
  }

  /** Its timer also keeps the process up until the runtime is closed. */
  #beat(): void {
    this.#heartbeat = this.clock.setTimeout(() => {
      this.store
        .heartbeat()
        .then(() => this.#lookAround())
        .catch((error: unknown) => this.#background(error))
        .finally(() => {
          if (this.#closing === undefined && this.#failure === undefined) this.#beat();
        });
    }, this.#options.leaseMs / 3);
  }

  /** Adopts what a node left that is gone since the last look. */
  async #lookAround(): Promise<void> {
    const alive = new Set((await this.store.nodes()).map(({ node }) => node));
    const gone = [...this.#neighbours].some((node) => !alive.has(node));
    alive.delete(this.store.node);
    this.#neighbours = alive;
    if (!gone || this.#closing !== undefined) return;
    await this.#recover();
    await this.#timers.refill();
  }

  #poisoned(error: StatewardenError): void {
    this.#failure = error;
    this.#halt(error);
  }

  #halt(error: StatewardenError): void {
    this.#timers.stop();
    if (this.#heartbeat !== undefined) this.clock.clearTimeout(this.#heartbeat);
    this.operations.abandon();
    for (const agent of [...this.#residents.values()]) agent.drop(error);
    for (const { reject } of this.#answers.values()) reject(error);
    this.#answers.clear();
    for (const id of [...this.#ends.keys()]) this.#wakeEnds(id, undefined);
  }

  /** Takes nothing new, lets running activities finish for `graceMs`, waits until all is durable, releases the lease. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    await this.operations.drain(graceMs);
    if (this.#failure === undefined) await this.committer.quiesce();
    this.#halt(this.#failure ?? closed());
    await this.store.close();
    this.events.complete();
  }
}

function notTaken(id: string, cause: unknown): SnapshotVersionError {
  const { message } = errorOf(cause);
  return new SnapshotVersionError(`agent "${id}" cannot be brought back: ${message}`, {
    differences: [`the registered machine throws: ${message}`],
    cause,
    hint: 'Look at the cause: it comes from the machine, its migrations or XState. The agent is tried again when something is for it.',
  });
}

function closed(): RuntimeClosedError {
  return new RuntimeClosedError('the runtime is closed', { hint: 'Make a new one with createRuntime(…): the agents are in the store.' });
}

/** @throws BadInputError */
export function checkId(id: unknown): asserts id is string {
  if (typeof id === 'string' && id !== '' && id.length <= 512 && !/[\0-\x1f\x7f]/.test(id)) return;
  throw new BadInputError(`${JSON.stringify(id) ?? String(id)} cannot be an agent's id`, {
    hint: 'Use a string of 1 to 512 characters without control characters, for example "orders/o-42".',
  });
}
