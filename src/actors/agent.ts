/**
 * A resident agent: a live root actor, its turns, and what of them is not durable yet.
 *
 * A turn runs in memory at once; its entry and effects go to the draft. `seal` makes the draft a commit, and only when the store
 * has it do `settled` waiters hear of it and effects leave. Invariant: nothing outside learns of a turn that is not
 * committed, and a refused or failed commit drops the agent with all that was not.
 */

import type { AnyActorRef, AnyMachineSnapshot, EventObject } from 'xstate';
import { checksum } from '../core/checksum.js';
import { decode, deepestCheckpoint, encode, encodeThrown, errorOf } from '../core/codec.js';
import type { StatewardenError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { SealedCommit } from '../persistence/committer.js';
import type {
  AgentCommit,
  AgentStatus,
  CheckpointRecord,
  CommitOutcome,
  MailboxRecord,
  OperationRecord,
  TimerRecord,
} from '../persistence/store.js';
import { markTime } from './actions.js';
import { endedBefore, inboxFull, leaseLost, refusedBy, suspendedError } from './agent-failure.js';
import { assertTurnSavable } from './changed-context.js';
import { AgentTrace } from './agent-trace.js';
import { JournalTail } from './checkpoint-policy.js';
import { answerType, Collector } from './collector.js';
import { exit, failTurn, lastCommit, postAgain } from './departure.js';
import { effectRecords } from './effect-records.js';
import { Draft, type Receipt } from './draft.js';
import { Durability } from './durability.js';
import { eventEntry, initEntry, operationEntry, stopEntry, type EventOrigin, type JournalEntry } from './entry.js';
import type { AgentHost } from './host.js';
import { Inbox } from './inbox.js';
import { MessageMarks } from './message-marks.js';
import { Observers, type AgentObserver } from './observers.js';
import { operationTimer, rests, settled, untaken, type Answer, type Operation, type OperationOutcome } from './operation.js';
import { endJob } from './job-end.js';
import { actorAt } from './place.js';
import { asked, takeAgain } from './repetition.js';
import { report, type Cause } from './setback.js';
import type { Registration } from './registration.js';
import { tellOf, tellTurn } from './news.js';
import { createRoot, deliver, failRoot, persist, sameStates, settlePromise } from './seam.js';

export interface AgentIdentity {
  readonly key: number;
  readonly id: string;
  readonly fence: number;
  readonly sequenceNumber: number;
  /** Id of its supervisor. */
  readonly supervisor?: string | undefined;
  /** Its place in a trace. */
  readonly trace?: string | undefined;
  /** The event whose turn failed last. */
  readonly suspect?: string | undefined;
  /** Its state value as the store has it. */
  readonly state?: string | undefined;
}

/** About what an entry takes besides its event. */
const entryOverhead = 40;

/** The tag that makes entering or leaving a state a semantic boundary. */
const checkpointTag = 'checkpoint';

interface Stoppable {
  stop(): void;
}
const stop = (root: Stoppable): void => root.stop();

/** Of turns that are never looked at for why they were taken. */
const noCause: Cause = {};

export class Agent {
  readonly key: number;
  readonly id: string;
  readonly host: AgentHost;
  readonly registration: Registration;
  readonly collector: Collector;
  root!: AnyActorRef;
  /** Of the last turn taken, durable or not. */
  sequenceNumber: number;
  committedSequenceNumber: number;
  checkpointSequenceNumber = 0;
  status: AgentStatus = 'active';
  /** When code of this process has called it last, in elapsed milliseconds. */
  calledAt = -Infinity;
  /** When it took part in something last, counted in uses of any agent; 0 when whoever wanted it in memory has not used it yet. */
  usedAt = 0;
  gone = false;
  readonly supervisor: string | undefined;
  readonly fence: number;
  /** Its place in a trace, and its turns' while somebody traces. */
  readonly trace: string | undefined;
  readonly traced: AgentTrace | undefined;
  /** Signs of life of its activities. */
  beats = 0;
  /** Address of the fleet whose job it is at. */
  job: string | undefined;
  #jobBefore: string | undefined;
  suspect: string | undefined;
  /** Of the turn that is about to be taken, when there is a supervisor. */
  #cause: Cause | undefined;
  /** It is going down, or is. */
  leaving = false;
  /** A turn failed, so its live actors are no good any more. */
  broken = false;
  #timers: Map<string, TimerRecord> | undefined;
  #operations: Map<string, Operation> | undefined;
  #ephemerals: Set<string> | undefined;
  #observers: Observers | undefined;
  readonly marks = new MessageMarks();
  #inbox: Inbox | undefined;
  #mail: Map<number, MailboxRecord> | undefined;
  #durability: Durability | undefined;
  #draft: Draft | undefined;
  #inFlight = 0;
  #effectsOpen = 0;
  readonly #tail: JournalTail;
  /** Its snapshot as of the last commit; undefined before the first. */
  committed: AnyMachineSnapshot | undefined;
  #state: string | undefined;
  #busy: boolean;
  /** Why the output of a machine that is done could not be kept; then the agent has ended in error. */
  #unsavableOutput: unknown;
  #droppedWith: StatewardenError | undefined;

  constructor(host: AgentHost, registration: Registration, identity: AgentIdentity, busy: boolean) {
    this.host = host;
    this.registration = registration;
    this.key = identity.key;
    this.id = identity.id;
    this.fence = identity.fence;
    this.supervisor = identity.supervisor;
    this.trace = identity.trace;
    this.suspect = identity.suspect;
    this.#state = identity.state;
    this.sequenceNumber = identity.sequenceNumber;
    this.committedSequenceNumber = identity.sequenceNumber;
    this.#tail = new JournalTail(host.clock.now());
    this.#busy = busy;
    this.collector = new Collector(this);
    this.traced = host.tracing && new AgentTrace(host.tracing, this);
  }

  get kind(): string {
    return this.registration.kind;
  }

  get timers(): Map<string, TimerRecord> {
    return (this.#timers ??= new Map());
  }

  get operations(): Map<string, Operation> {
    return (this.#operations ??= new Map());
  }

  get ephemerals(): Set<string> {
    return (this.#ephemerals ??= new Set());
  }

  timerIds(): Iterable<string> {
    return this.#timers?.keys() ?? [];
  }

  forgetTimer(id: string): boolean {
    return this.#timers?.delete(id) ?? false;
  }

  /** What the agent has to write, made and enlisted when there is none yet. */
  draft(): Draft {
    if (this.#draft === undefined) {
      this.#draft = new Draft(this.sequenceNumberBeforeTurn());
      if (!this.gone) this.host.committer.enlist(this);
    }
    return this.#draft;
  }

  /** A collector may open the draft in the middle of a turn, when the number is already the new turn's. */
  sequenceNumberBeforeTurn(): number {
    return this.collector.inTurn ? this.sequenceNumber - 1 : this.sequenceNumber;
  }

  // ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The first turn. `create` when this commit also makes the agent's record. */
  begin(input: unknown, create: boolean): void {
    const text = input === undefined ? undefined : encode(input, 'input');
    this.host.committer.turning();
    const draft = this.draft();
    const { kind, supervisor, trace } = this;
    if (create) draft.create = { kind, version: this.registration.version, input: text, supervisor, trace };
    draft.checkpoint = true;
    const entry = initEntry(this.sequenceNumber + 1, this.host.clock.now(), text);
    this.#turn('xstate.init', entry, 'entire', (agent: this, options: { input: unknown }) => agent.#start(options), this, { input });
  }

  /** Brings the live actors back from a snapshot; their promises and callbacks are handed to the collector. */
  revive(snapshot: unknown): void {
    this.collector.inTurn = this.collector.reviving = true;
    this.sequenceNumber += 1; // whatever the start asks for belongs to no turn: see draft()
    try {
      this.#start({ snapshot });
    } finally {
      this.sequenceNumber -= 1;
      this.collector.inTurn = this.collector.reviving = false;
    }
  }

  #start(options: { input?: unknown; snapshot?: unknown }): void {
    this.root = createRoot(this.registration.logic, { id: this.id, ...options }, this.collector);
    this.root.start();
  }

  /** Runs a recorded turn again. `outcomes` finds the ledger's line for an operation. */
  replay(entry: JournalEntry, outcomes: (operation: string) => OperationOutcome | undefined): void {
    this.sequenceNumber = entry.seq;
    this.collector.inTurn = true;
    try {
      if (entry.init === true) this.#start({ input: entry.input });
      else takeAgain(this, entry, outcomes);
    } finally {
      this.collector.inTurn = false;
    }
    this.#tail.took(0);
  }

  /** After restoring: what is on disk is what is in memory, but for what a replay that came out differently asks for. */
  restored(checkpoint: CheckpointRecord | undefined, tailBytes: number, effectsOpen: number): void {
    this.committedSequenceNumber = this.sequenceNumber;
    const draft = this.#draft;
    if (draft !== undefined && this.registration.isSupervisor) {
      // Its turns come out as they did: what they asked for is done, or still wanted, by its state.
      this.#draft = undefined;
      this.collector.exit = undefined;
    } else if (draft !== undefined) {
      draft.expected = this.sequenceNumber;
      if (!draft.isEmpty) draft.checkpoint = true;
      else {
        this.#draft = undefined;
        for (const release of draft.releases) release();
      }
    }
    this.checkpointSequenceNumber = checkpoint?.sequenceNumber ?? 0;
    this.#tail.checkpointBytes = checkpoint?.data.length ?? 0;
    this.#tail.bytes = tailBytes;
    this.#effectsOpen = effectsOpen;
    this.committed = this.snapshot();
    this.host.inspection?.restored(this);
  }

  /** Its checkpoint fits again: it is active from its next commit on. */
  unpark(): void {
    const draft = this.draft();
    draft.status = 'active';
    draft.outcome = 'null';
    draft.checkpoint = true;
  }

  snapshot(): AnyMachineSnapshot {
    return this.root.getSnapshot() as AnyMachineSnapshot;
  }

  // ── Taking events ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes an event from outside; resolves when its turn is durable. `text` is the event, encoded. */
  send(event: EventObject, text: string, messageId: string | undefined, question: string | undefined): Promise<Receipt> {
    const origin = messageId === undefined && question === undefined ? undefined : { id: messageId, reply: question };
    const trace = this.traced?.tracing.active();
    return this.#mayRun() ? this.#accept(event, text, origin, trace) : this.#acceptLater(event, text, origin, trace);
  }

  #acceptLater(event: EventObject, text: string, origin: EventOrigin | undefined, trace: string | undefined): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const post = (): void => postAgain(this, text, origin, trace, resolve, reject);
      this.#queue(() => resolve(this.#accept(event, text, origin, trace)), reject, post);
    });
  }

  /** As `#accept`, for an agent whose turns may fail and be tried again. */
  #acceptGuarded(event: EventObject, text: string, origin: EventOrigin | undefined, trace: string | undefined): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const post = (): void => postAgain(this, text, origin, trace, resolve, reject);
      this.#open({ event: text, messageId: origin?.id, post, refuse: reject });
      const before = this.sequenceNumber;
      this.#take(event, text, origin, trace);
      const sequenceNumber = before + 1;
      if (this.sequenceNumber === sequenceNumber) this.draft().awaitCommit(() => resolve({ sequenceNumber, duplicate: false }), reject);
      else if (this.#droppedWith !== undefined) reject(this.#droppedWith);
    });
  }

  /** The draft, for a turn that is about to be taken. */
  #open(cause: Cause): Draft {
    this.host.committer.turning();
    const draft = this.draft();
    if (this.supervisor !== undefined) this.#remember(draft, cause);
    return draft;
  }

  #remember(draft: Draft, cause: Cause): void {
    this.#cause = cause;
    this.#jobBefore = this.job;
    this.collector.childFailed = false;
    // What was asked for so far keeps its checkpoint, should the turn break what it would be made of.
    const due = draft.turns > 0 && (draft.checkpoint || draft.hasEffects || draft.snapshots !== undefined);
    if (due && !this.registration.isSupervisor) draft.kept = this.#checkpoint(this.sequenceNumber);
    draft.remember();
  }

  #accept(event: EventObject, text: string, origin: EventOrigin | undefined, trace: string | undefined): Promise<Receipt> {
    const before = origin?.id === undefined ? undefined : this.marks.get(origin.id);
    if (before !== undefined) return this.whenDurable(before).then(() => ({ sequenceNumber: before, duplicate: true }));
    if (this.supervisor !== undefined) return this.#acceptGuarded(event, text, origin, trace);
    this.host.committer.turning();
    if (this.#droppedWith !== undefined) return Promise.reject(this.#droppedWith);
    const told = this.draft().awaitTurn();
    this.#take(event, text, origin, trace);
    return told;
  }

  /** Takes a message from the mailbox, once. */
  receive(message: MailboxRecord): void {
    if (this.gone || this.#mail?.has(message.position) === true) return;
    // Mail that came in while the end was on its way: the commit of the end makes it a dead letter.
    if (this.status !== 'active') return;
    (this.#mail ??= new Map()).set(message.position, message);
    this.usedAt = this.host.uses += 1;
    this.#whenFree(() => this.#takeMail(message));
  }

  #takeMail(message: MailboxRecord): void {
    const event = decode(message.event) as EventObject;
    const { messageId, from } = message;
    const draft = this.#open({ event: message.event, messageId, from, mail: message });
    (draft.taken ??= []).push(message.position);
    if (event.type === answerType) this.#answered(event as unknown as Answer & { operation: string }, messageId, message.trace);
    else if (messageId === undefined || this.marks.get(messageId) === undefined)
      this.#take(event, message.event, { id: messageId, from, reply: message.replyTo, mail: message.position }, message.trace);
    // What was no turn is not undone with the next one.
    this.#cause = undefined;
    draft.forget();
  }

  #answered(
    { operation: id, ...answer }: Answer & { readonly operation: string },
    messageId: string | undefined,
    trace: string | undefined,
  ): void {
    // A person is told who was first, also when that is long ago.
    if (answer.resolution !== undefined && messageId !== undefined) {
      (this.draft().marks ??= []).push({ messageId, sequenceNumber: this.sequenceNumber });
    }
    for (const operation of this.operations.values()) {
      if (operation.record.id !== id) continue;
      const outcome = this.host.operations.answered(operation, answer);
      if (outcome === undefined) return;
      this.host.operations.cancel(operation);
      this.#settleNow(operation, outcome, trace ?? operation.trace);
      return;
    }
  }

  /** Fires a durable timer, unless it was cancelled or set anew since. */
  fire(id: string): void {
    if (!this.gone) this.#whenFree(() => this.#fireNow(id));
  }

  #fireNow(id: string): void {
    const timer = this.#timers?.get(id);
    if (timer === undefined) return;
    const { clock } = this.host;
    if (timer.dueAt > clock.now()) {
      this.host.armTimer(this.key, id, timer.dueAt);
      return;
    }
    failpoint('timer:fire');
    if (id.endsWith(operationTimer)) {
      this.timers.delete(id);
      this.draft().clearTimer(id);
      const operation = this.#operations?.get(timer.target);
      if (operation !== undefined) this.host.operations.due(operation);
      return;
    }
    const draft = this.#open({ event: timer.event, timer: id, dueAt: timer.dueAt });
    this.timers.delete(id);
    draft.clearTimer(id);
    if (this.host.observed) tellOf(this, { type: 'effect', agentId: this.id, effect: 'timer', name: id });
    this.#take(decode(timer.event) as EventObject, timer.event, { to: timer.target, timer: id }, undefined);
  }

  /** An event from a callback, an observable, or an action that kept `self`: a turn of its own. */
  relay(target: string, event: EventObject): void {
    if (this.gone) {
      this.host.redirect(this.id, target, event);
      return;
    }
    const text = encode(event, 'event');
    const trace = this.traced?.tracing.active();
    this.#whenFree(() => this.#take(event, text, { to: target }, trace));
  }

  /** Records an operation's outcome and lets the machine go on. */
  settleOperation(operation: Operation, outcome: OperationOutcome): void {
    if (this.gone) return;
    this.#whenFree(() => {
      if (this.operations.get(operation.record.path) === operation) this.#settleNow(operation, outcome, operation.trace);
    });
  }

  #settleNow(operation: Operation, outcome: OperationOutcome, trace: string | undefined): void {
    this.traced?.causedBy(trace);
    const now = this.host.clock.now();
    const sequenceNumber = this.sequenceNumber + 1;
    const { record, result } = settled(operation.record, outcome, sequenceNumber, now);
    const before = operation.record;
    const draft = this.#open(
      this.supervisor === undefined ? noCause : { outcome: { failed: !result.ok, left: () => untaken(before, record, result) } },
    );
    operation.record = record;
    this.operations.delete(operation.record.path);
    draft.setOperation(operation.record);
    const other = this.host.operations.along(operation, result);
    if (other !== undefined) draft.setOperation(other);
    this.collector.settle(operation, result);
    const entry = operationEntry(sequenceNumber, now, operation.record.id);
    this.#turn(`activity ${operation.record.activity}`, entry, 'entire', settlePromise, operation.actor, result);
  }

  /** Writes down how an open operation stands: a failed attempt and when the next is due. */
  updateOperation(operation: Operation, change: Partial<OperationRecord>): void {
    if (this.gone || this.operations.get(operation.record.path) !== operation) return;
    operation.record = { ...operation.record, ...change };
    this.draft().setOperation(operation.record);
  }

  /** Ends the agent. Resolves when that is durable. */
  stop(): Promise<void> {
    return new Promise((resolve, reject) => {
      const trace = this.traced?.tracing.active();
      const run = (): void => {
        this.traced?.causedBy(trace);
        if (this.#droppedWith !== undefined) {
          reject(this.#droppedWith);
          return;
        }
        this.draft()
          .awaitTurn()
          .then(() => resolve(), reject);
        const text = stopEntry(this.sequenceNumber + 1, this.host.clock.now());
        this.#turn('xstate.stop', text, 'entire', stop, this.root as unknown as Stoppable, undefined);
      };
      if (this.#mayRun()) run();
      else this.#queue(run, reject);
    });
  }

  /** Turns may be ahead of the disk by so many and no more. */
  #hasRoom(): boolean {
    const { collector, status, gone, sequenceNumber, committedSequenceNumber } = this;
    return (
      !collector.inTurn &&
      status === 'active' &&
      !gone &&
      !this.leaving &&
      sequenceNumber - committedSequenceNumber < this.host.uncommittedTurns
    );
  }

  #mayRun(): boolean {
    return this.#hasRoom() && (this.#inbox === undefined || this.#inbox.length === 0);
  }

  /** Now or, when nobody is to be told if it never comes to that, later. */
  #whenFree(run: () => void): void {
    if (this.#mayRun()) run();
    else (this.#inbox ??= new Inbox()).add(run);
  }

  #queue(run: () => void, reject: (error: Error) => void, post?: () => void): void {
    if (this.status === 'suspended' && post !== undefined) {
      post();
      return;
    }
    const inbox = (this.#inbox ??= new Inbox());
    if (!this.isFull) inbox.add(run, reject, post);
    else reject(inboxFull(this.id, inbox.length));
  }

  /** So much waits for it that it takes no more. */
  get isFull(): boolean {
    return (this.#inbox?.length ?? 0) >= this.host.mailboxCap;
  }

  #drain(): void {
    this.#inbox?.drain(() => this.#hasRoom());
  }

  #take(event: EventObject, text: string, origin: EventOrigin | undefined, trace: string | undefined): void {
    const target = origin?.to === undefined || origin.to === '' ? this.root : actorAt(this.root, origin.to);
    if (target === undefined) return;
    this.traced?.causedBy(trace);
    const { collector } = this;
    const sequenceNumber = this.sequenceNumber + 1;
    if (origin?.id !== undefined) {
      this.marks.set(origin.id, sequenceNumber);
      (this.draft().marks ??= []).push({ messageId: origin.id, sequenceNumber });
    }
    if (origin?.reply !== undefined) asked(this, event, origin.reply);
    collector.question = origin?.reply;
    collector.event = event;
    collector.eventText = text;
    this.#turn(event.type, text, origin, deliver, target, event);
    collector.question = collector.event = collector.eventText = undefined;
  }

  /** Runs `run(actor, argument)` as a turn. `entry`: an event's text, with its origin; or the whole entry, when `origin` is `entire`. */
  #turn<A, T>(
    name: string,
    entry: string,
    origin: EventOrigin | undefined | 'entire',
    run: (actor: A, argument: T) => void,
    actor: A,
    argument: T,
  ): void {
    const { host, collector } = this;
    const started = host.observed ? host.clock.elapsed() : 0;
    const now = host.clock.now();
    if (this.registration.isSupervisor && collector.event !== undefined) markTime(collector.event, now);
    const draft = this.draft();
    if (this.supervisor !== undefined && this.#cause === undefined) this.#remember(draft, {});
    const mark = draft.mark();
    const before = this.root === undefined ? undefined : this.snapshot();
    this.usedAt = this.host.uses += 1;
    this.sequenceNumber += 1;
    collector.takeChanges(); // of a replay
    const event = origin === 'entire' ? undefined : collector.eventText;
    const from = origin === 'entire' ? undefined : origin;
    host.pulse?.begin(this.key, this.sequenceNumber, event, from?.mail, from?.timer);
    this.traced?.began(name, this.sequenceNumber, draft);
    collector.inTurn = true;
    try {
      run(actor, argument);
    } finally {
      collector.inTurn = false;
      host.pulse?.end();
    }
    const after = this.snapshot();
    if (after.status === 'error' && this.supervisor !== undefined) {
      this.#failTurn(after.error, draft, false);
      return;
    }
    if (origin === undefined) draft.addEvent(now, entry);
    else draft.addEntry(origin === 'entire' ? entry : eventEntry(this.sequenceNumber, now, entry, origin));
    this.#tail.took(entry.length + entryOverhead);
    if (after.status !== 'active') this.#end(after, mark);
    else if (!draft.checkpoint && this.#checkpointDue(before, after, now)) draft.checkpoint = true;
    else if (!draft.checkpoint && !this.registration.isSupervisor) {
      // Without a checkpoint nothing else would look at the contexts before the event is acknowledged.
      try {
        assertTurnSavable(this.root, before, after, collector.takeChanges());
      } catch (error) {
        if (this.supervisor === undefined) this.drop(refusedBy(this.id, error), draft);
        else this.#failTurn(refusedBy(this.id, error), draft, true);
        return;
      }
    }
    if (this.supervisor !== undefined) {
      this.#cause = undefined;
      draft.forget();
    }
    if (collector.exit !== undefined) exit(this, draft, collector.exit);
    if (this.status === 'error') this.traced?.failed(this.failure);
    if (this.#observers !== undefined && this.#observers.size > 0) (draft.snapshots ??= []).push(after);
    if (host.observed) tellTurn(this, name, host.clock.elapsed() - started);
    this.traced?.over();
    if (this.#inbox !== undefined && this.#inbox.length > 0) this.#drain();
  }

  #checkpointDue(before: AnyMachineSnapshot | undefined, after: AnyMachineSnapshot, now: number): boolean {
    if (before !== undefined && (before.tags.has(checkpointTag) || after.tags.has(checkpointTag)) && !sameStates(before, after)) {
      return true;
    }
    return this.#tail.isDue(this.registration.checkpoints, now);
  }

  #end(snapshot: AnyMachineSnapshot, mark: ReturnType<Draft['mark']>): void {
    const draft = this.draft();
    this.status = snapshot.status as AgentStatus;
    if (snapshot.status === 'error') {
      draft.undo(mark);
      draft.outcome = encodeThrown(snapshot.error);
    } else if (snapshot.status === 'done') {
      try {
        draft.outcome = encode(snapshot.output, 'output');
      } catch (error) {
        this.status = 'error';
        this.#unsavableOutput = error;
        draft.outcome = encodeThrown(error);
      }
    }
    draft.status = this.status;
    draft.checkpoint = true;
    if (this.job !== undefined) endJob(this, this.job, snapshot.output);
    if (this.supervisor !== undefined) report(this, draft, { how: this.status === 'done' ? 'normal' : 'shutdown', counts: true });
    draft.timersVoided = this.#timers !== undefined || draft.timers !== undefined;
    this.#timers = undefined;
    for (const operation of this.#operations?.values() ?? []) this.collector.promiseStopped(operation.record.path);
    this.#ephemerals = undefined;
    this.#abandonInbox();
  }

  // ── Going down ──────────────────────────────────────────────────────────────────────────────────────────────────

  #failTurn(error: unknown, draft: Draft, taken: boolean): void {
    const cause = this.#cause ?? {};
    this.#cause = undefined;
    this.job = this.#jobBefore;
    this.traced?.failed(error);
    failTurn(this, cause, error, draft, taken);
    this.traced?.over();
  }

  /** What is left of the agent in memory goes with this draft. */
  goDown(draft: Draft): void {
    this.leaving = true;
    this.status = draft.status = 'suspended';
    for (const { record } of this.#operations?.values() ?? []) {
      // Its intent is on the way with this commit or the one before: it is not begun any more.
      if (record.status === 'started' && record.intendedIn > this.committedSequenceNumber)
        draft.setOperation({ ...record, status: 'intended' });
    }
    this.host.operations.halt(this.#operations?.values() ?? [], 0)?.catch(() => undefined);
    this.#operations = undefined;
    // It is not busy: should it be ended for good, nothing brings its callbacks back.
    this.#ephemerals = undefined;
    this.#inbox?.post();
  }

  /** Takes nothing more, because its supervisor says so; activities are told to end and have `graceMs` for it. Undefined when none runs. */
  quiet(graceMs: number): Promise<void> | undefined {
    if (this.status !== 'active' || this.leaving) return undefined;
    this.leaving = true;
    return this.host.operations.halt(this.#operations?.values() ?? [], graceMs);
  }

  /** Goes down after `quiet`. Resolves once that is durable. */
  leave(): Promise<void> {
    if (!this.gone && this.status === 'active') this.goDown(this.draft());
    return this.gone ? Promise.resolve() : new Promise((resolve) => this.host.whenGone(this, resolve));
  }

  /** Starts over, as new, after its end. */
  beginAnew(input: unknown): void {
    this.draft().status = 'active';
    this.draft().outcome = 'null';
    this.begin(input, false);
  }

  /** Its supervisor has it up again. */
  resumed(): void {
    const draft = this.draft();
    draft.status = 'active';
    draft.outcome = 'null';
  }

  /** Senders that still wait are told; what is left in the mailbox becomes dead letters with the commit of the end. */
  #abandonInbox(): void {
    if (this.#inbox !== undefined && this.#inbox.length > 0) this.#inbox.abandon(endedBefore(this.id, this.status));
  }

  // ── Effects, once durable ───────────────────────────────────────────────────────────────────────────────────────

  /** Runs an action for its effect; one that throws fails the agent, as in XState. */
  perform(name: string, run: () => unknown): void {
    failpoint('effect:perform');
    try {
      const result = run();
      if (this.host.observed) tellOf(this, { type: 'effect', agentId: this.id, effect: 'action', name });
      if (result instanceof Promise) result.catch((error: unknown) => this.#actionFailed(name, error));
    } catch (error) {
      this.#actionFailed(name, error);
    }
  }

  #actionFailed(name: string, thrown: unknown): void {
    const error = errorOf(thrown);
    if (this.host.observed) tellOf(this, { type: 'effect', agentId: this.id, effect: 'action', name, error });
    if (this.gone || this.status !== 'active') return;
    const event = `{"type":${JSON.stringify(`xstate.error.actor.${name}`)},"error":${encodeThrown(thrown)},"actorId":${JSON.stringify(name)}}`;
    this.#whenFree(() => {
      if (this.supervisor !== undefined) this.#open({ action: true });
      this.#turn(`action ${name} failed`, event, undefined, (root, error) => failRoot(root, name, error), this.root, thrown);
    });
  }

  /** A named action was run: strike it from the record with the next commit. */
  settleEffect(id: string): void {
    this.#effectsOpen -= 1;
    if (this.gone) return;
    (this.draft().effectsSettled ??= []).push(id);
  }

  emit(event: EventObject): void {
    if (this.host.observed) tellOf(this, { type: 'effect', agentId: this.id, effect: 'emit', name: event.type });
    this.#observers?.emitted(event);
  }

  // ── Committing ──────────────────────────────────────────────────────────────────────────────────────────────────

  seal(): SealedCommit | undefined {
    const draft = this.#draft;
    this.#draft = undefined;
    if (draft === undefined || this.gone) return undefined;
    const snapshot = this.snapshot();
    let commit: AgentCommit;
    try {
      commit = this.#toCommit(draft, snapshot);
    } catch (error) {
      this.drop(refusedBy(this.id, error), draft);
      return undefined;
    }
    this.#inFlight += 1;
    const bytes = (commit.segment?.entries.length ?? 0) + (commit.checkpoint?.data.length ?? 0);
    return {
      commit,
      turns: draft.turns,
      bytes,
      traces: draft.spans,
      settled: (outcome) => this.#settled(draft, commit, snapshot, outcome),
      failed: (error) => {
        this.#inFlight -= 1;
        this.drop(error, draft);
      },
    };
  }

  #toCommit(draft: Draft, snapshot: AnyMachineSnapshot): AgentCommit {
    const { sequenceNumber } = this;
    this.#effectsOpen += draft.effects?.length ?? 0;
    if (this.broken) return lastCommit(this, draft);
    let due =
      draft.checkpoint ||
      (draft.turns > 0 && draft.hasEffects && !this.registration.isSupervisor) ||
      (draft.snapshots !== undefined && !this.registration.isSupervisor);
    due &&= sequenceNumber > this.checkpointSequenceNumber || draft.turns > 0 || draft.checkpoint;
    const checkpoint = due ? this.#checkpoint(sequenceNumber) : undefined;
    const effects = effectRecords(this.root, draft.effects, true);
    const state = JSON.stringify(snapshot.value);
    // An agent that has ended stays busy until its last named actions are settled.
    const busy = (this.registration.isSupervisor && this.status === 'active') || this.#runs();
    return draft.toCommit({
      key: this.key,
      id: this.id,
      fence: this.fence,
      at: this.host.clock.now(),
      sequenceNumber,
      checkpoint,
      effects,
      state: state === this.#state ? undefined : (this.#state = state),
      busy: busy === this.#busy ? undefined : (this.#busy = busy),
    });
  }

  /** Calls, actions or callbacks of its own are under way. Whoever only waits for an answer runs nothing. */
  #runs(): boolean {
    if (this.#effectsOpen > 0 || (this.#ephemerals?.size ?? 0) > 0) return true;
    for (const operation of this.#operations?.values() ?? []) {
      if (!rests(this, operation)) return true;
    }
    return false;
  }

  #checkpoint(sequenceNumber: number): CheckpointRecord {
    const snapshot = persist(this.root);
    if (this.#unsavableOutput !== undefined) Object.assign(snapshot, { status: 'error', output: undefined, error: this.#unsavableOutput });
    const actors = this.collector.actorCount;
    const data = encode(
      this.job === undefined ? { snapshot, actors } : { snapshot, actors, job: this.job },
      'checkpoint',
      deepestCheckpoint,
    );
    const { length: bytes } = data;
    const grownBytes = bytes - this.#tail.checkpointBytes;
    this.#tail.checkpointed(bytes, this.host.clock.now());
    this.checkpointSequenceNumber = sequenceNumber;
    const { id: agentId, kind } = this;
    if (this.host.observed) tellOf(this, { type: 'checkpoint', agentId, kind, sequenceNumber, bytes, grownBytes });
    return { sequenceNumber, version: this.registration.version, schema: this.registration.schema, data, checksum: checksum(data) };
  }

  #settled(draft: Draft, commit: AgentCommit, snapshot: AnyMachineSnapshot, outcome: CommitOutcome): void {
    this.#inFlight -= 1;
    if (outcome.outcome === 'exists') {
      this.gone = true;
      this.host.exists(this, outcome.record);
      return;
    }
    if (outcome.outcome === 'refused') {
      this.drop(leaseLost(this.id, outcome.fence), draft);
      return;
    }
    this.committedSequenceNumber = commit.sequenceNumber;
    this.committed = snapshot;
    draft.acknowledge();
    this.#durability?.reached(this.committedSequenceNumber);
    if (draft.taken !== undefined) for (const position of draft.taken) this.#mail?.delete(position);
    if (draft.snapshots !== undefined) for (const seen of draft.snapshots) this.#observers?.next(seen as AnyMachineSnapshot);
    draft.messages?.forEach((message, index) => this.host.routed(message, outcome.messages[index]));
    draft.spawns?.forEach((spawn, index) => this.host.spawned(outcome.spawned[index], spawn.id));
    for (const release of draft.releases) release();
    if (this.status === 'active') this.#drain();
    else if (this.#draft === undefined && this.#inFlight === 0) this.#finish();
  }

  #finish(): void {
    this.gone = true;
    this.collector.endEphemerals();
    if (this.status === 'suspended') {
      this.host.suspended(this);
      this.#observers?.dropped(suspendedError(this.id));
      return;
    }
    this.host.ended(this);
    this.#observers?.ended(this);
  }

  /** Leaves memory without what was not committed. Everybody who waits for that is told why. */
  drop(error: StatewardenError, sealed?: Draft): void {
    const told = sealed?.isAwaited === true || this.#draft?.isAwaited === true;
    sealed?.reject(error);
    if (this.gone) return;
    this.gone = true;
    this.#droppedWith = error;
    for (const operation of this.#operations?.values() ?? []) this.host.operations.cancel(operation);
    this.collector.endEphemerals();
    this.#draft?.reject(error);
    this.#draft = undefined;
    this.#inbox?.abandon(error);
    this.#durability?.lost(error);
    this.host.dropped(this, error, told);
    this.#observers?.dropped(error);
  }

  /** Resolves when all that it has to write is durable. */
  whenCommitted(): Promise<void> {
    if (this.#draft === undefined && this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.draft().awaitCommit(resolve, reject));
  }

  /** Resolves when a turn is durable. */
  whenDurable(sequenceNumber: number): Promise<void> {
    if (sequenceNumber <= this.committedSequenceNumber) return Promise.resolve();
    return (this.#durability ??= new Durability()).wait(sequenceNumber);
  }

  // ── Being looked at ─────────────────────────────────────────────────────────────────────────────────────────────

  observe(observer: AgentObserver): () => void {
    return (this.#observers ??= new Observers()).add(observer);
  }

  /** Whether it may leave memory: nothing to do, nobody watching. */
  get idle(): boolean {
    return !this.working && (this.#observers?.size ?? 0) === 0;
  }

  /** Something of its own is under way, or waits for it. */
  get working(): boolean {
    return this.#draft !== undefined || this.#inFlight > 0 || (this.#inbox?.length ?? 0) > 0 || this.#runs();
  }

  /** Its last state, encoded, as the store shows it. */
  get stateText(): string | undefined {
    return this.#state;
  }

  /** The error it ended with. */
  get failure(): unknown {
    return this.#unsavableOutput ?? this.snapshot().error;
  }
}
