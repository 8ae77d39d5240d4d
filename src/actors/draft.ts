/**
 * What one agent has done since its last commit was sealed: turns and the effects they asked for. A draft becomes one
 * `AgentCommit`; what it collected is released, in order, when that is durable. Parts are made only when needed: most turns
 * add a line of text and a waiter.
 */

import { checksum } from '../core/checksum.js';
import { eventEntry } from './entry.js';
import type {
  AgentCommit,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  MessageRecord,
  OperationRecord,
  SpawnRecord,
  TimerRecord,
} from '../persistence/store.js';
import type { TurnSpan } from './tracing.js';

export interface Receipt {
  /** Of the turn that took the event; 0 when another node will take it. */
  readonly sequenceNumber: number;
  /** The message id had been accepted before. */
  readonly duplicate: boolean;
}

/** A promise's `resolve`; with a rejected promise it rejects. */
type Resolve<T> = (value: T | Promise<never>) => void;

/** Takes the `resolve` of a promise under construction: a closure for each would be the third part of what a send costs. */
const keepResolve = (resolve: Resolve<never>): void => void (keptResolve = resolve);
let keptResolve: Resolve<never> = () => undefined;

/** Many who wait for one commit, for turns of their own. `receipt` gives each its own, in order. */
interface SharedWait {
  readonly wait: Promise<void>;
  readonly tell: Resolve<void>;
  readonly turns: number[];
  readonly receipt: () => Receipt;
}

/** An effect record whose context is compared with the checkpoint's when the draft is sealed. */
export interface PendingEffect {
  readonly record: Omit<EffectRecord, 'context'>;
  readonly context: unknown;
}

/** How much a draft held before a turn, so that a turn which fails can be taken out again. */
export interface DraftMark {
  readonly releases: number;
  readonly effects: number;
  readonly messages: number;
  readonly spawns: number;
}

/** How a draft stood before a turn of a supervised agent, so that a turn which fails is undone whole. */
interface Before {
  readonly counts: DraftMark;
  readonly taken: number;
  readonly marks: number;
  /** Timers and operations as they were, by what the turn has changed. */
  readonly undo: (() => void)[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class Draft {
  /** Sequence number before this draft. */
  expected: number;
  turns = 0;
  /** A checkpoint is due with this commit. */
  checkpoint = false;
  create: AgentCommit['create'];
  status: AgentCommit['status'];
  outcome: string | undefined;
  releases: (() => void)[] = [];
  timers: Map<string, TimerRecord | undefined> | undefined;
  timersVoided = false;
  taken: number[] | undefined;
  marks: { messageId: string; sequenceNumber: number }[] | undefined;
  operations: Map<string, OperationRecord> | undefined;
  effects: PendingEffect[] | undefined;
  effectsSettled: string[] | undefined;
  messages: MessageRecord[] | undefined;
  /** What others are told of the ends of operations, by operation. A turn that ends its agent in error takes its messages back, not these. */
  settlements: Map<string, MessageRecord> | undefined;
  spawns: SpawnRecord[] | undefined;
  deadLetters: Omit<DeadLetter, 'position'>[] | undefined;
  /** Snapshots after each turn, kept only when somebody watches. */
  snapshots: unknown[] | undefined;
  suspect: string | undefined;
  /** Of its turns, those that failed too, while somebody traces. */
  spans: TurnSpan[] | undefined;
  /** A checkpoint that was due before the turn under way; after a turn that failed there is no other. */
  kept: CheckpointRecord | undefined;
  #before: Before | undefined;

  /** Two places for each turn: when it was taken, counted from `#since`, or -1; and its text. Let go once they are a segment. */
  #log: unknown[] = [];
  #since = 0;
  /** Who waits for a turn first, and for which. */
  #first: Resolve<Receipt> | undefined;
  #firstTurn = 0;
  /**
   * All others wait on one promise and get what is theirs in the order in which they came, which is that of reactions to a promise: half the memory
   * of a promise each with its own `resolve` and `reject`, and much is in flight at a time.
   */
  #others: SharedWait | undefined;
  /** Who waits for the commit, whatever is in it. */
  #watchers: (() => void)[] | undefined;

  constructor(expected: number) {
    this.expected = expected;
  }

  /** A turn whose entry is an event for the root and nothing else: its text is made when the draft is sealed. */
  addEvent(at: number, event: string): void {
    if (this.turns === 0) this.#since = at;
    if (at < this.#since) this.addEntry(eventEntry(this.expected + 1 + this.turns, at, event, undefined));
    else this.#add(at - this.#since, event);
  }

  /** A turn with an entry of its own. */
  addEntry(entry: string): void {
    this.#add(-1, entry);
  }

  #add(offset: number, text: string): void {
    this.#log.push(offset, text);
    this.turns += 1;
  }

  /** The journal segment's text: a JSON array. The draft takes no turn after it. */
  #entries(): string {
    const log = this.#log;
    let text = '[';
    for (let turn = 0; turn < this.turns; turn += 1) {
      const offset = log[2 * turn] as number;
      const own = log[2 * turn + 1] as string;
      text += turn === 0 ? '' : ',';
      text += offset < 0 ? own : eventEntry(this.expected + 1 + turn, this.#since + offset, own, undefined);
    }
    this.#log = [];
    return `${text}]`;
  }

  /** Resolves when the turn that is taken next is durable; rejects when it will not be. */
  awaitTurn(): Promise<Receipt> {
    const sequenceNumber = this.expected + 1 + this.turns;
    if (this.#first === undefined) {
      const promise = new Promise<Receipt>(keepResolve);
      this.#first = keptResolve as Resolve<Receipt>;
      this.#firstTurn = sequenceNumber;
      return promise;
    }
    const others = (this.#others ??= this.#manyWait());
    others.turns.push(sequenceNumber);
    return others.wait.then(others.receipt);
  }

  #manyWait(): SharedWait {
    const wait = new Promise<void>(keepResolve);
    const turns: number[] = [];
    let told = 0;
    const receipt = (): Receipt => ({ sequenceNumber: turns[told++] as number, duplicate: false });
    return { wait, tell: keptResolve as Resolve<void>, turns, receipt };
  }

  /** Calls back when this draft is durable. */
  awaitCommit(resolve: () => void, reject: (error: Error) => void): void {
    (this.#watchers ??= []).push(resolve, reject as () => void);
  }

  get isAwaited(): boolean {
    return this.#first !== undefined || this.#watchers !== undefined;
  }

  acknowledge(): void {
    if (this.spans !== undefined) for (const span of this.spans) span.ended();
    this.#first?.({ sequenceNumber: this.#firstTurn, duplicate: false });
    this.#others?.tell();
    for (let at = 0; at < (this.#watchers?.length ?? 0); at += 2) this.#watchers?.[at]?.();
  }

  /** Tells everybody, once. */
  reject(error: Error): void {
    const first = this.#first;
    const others = this.#others;
    const watchers = this.#watchers ?? [];
    this.#first = this.#others = this.#watchers = undefined;
    if (this.spans !== undefined) for (const span of this.spans) span.lost(error);
    this.spans = undefined;
    first?.(Promise.reject(error));
    others?.tell(Promise.reject(error));
    for (let at = 1; at < watchers.length; at += 2) (watchers[at] as (error: Error) => void)(error);
  }

  setTimer(timer: TimerRecord): void {
    this.timers ??= new Map();
    this.#change(this.timers, timer.id, timer);
  }

  clearTimer(id: string): void {
    this.timers ??= new Map();
    this.#change(this.timers, id, undefined);
  }

  setOperation(operation: OperationRecord): void {
    this.operations ??= new Map();
    this.#change(this.operations, operation.id, operation);
  }

  setSettlement(operation: string, message: MessageRecord): void {
    this.settlements ??= new Map();
    this.#change(this.settlements, operation, message);
  }

  #change<T>(records: Map<string, T>, id: string, record: T): void {
    if (this.#before !== undefined) {
      const had = records.has(id);
      const old = records.get(id) as T;
      this.#before.undo.push(() => void (had ? records.set(id, old) : records.delete(id)));
    }
    records.set(id, record);
  }

  /** A turn begins that may have to be undone. */
  remember(): void {
    const counts = {
      releases: this.releases.length,
      effects: this.effects?.length ?? 0,
      messages: this.messages?.length ?? 0,
      spawns: this.spawns?.length ?? 0,
    };
    this.#before = { counts, taken: this.taken?.length ?? 0, marks: this.marks?.length ?? 0, undo: [] };
  }

  /** It has ended well. */
  forget(): void {
    this.#before = undefined;
  }

  /** The last turn is none. */
  takeBackTurn(): void {
    this.#log.length -= 2;
    this.turns -= 1;
  }

  /** Takes everything back that the turn has asked for since `remember`. */
  undoTurn(): void {
    const before = this.#before;
    this.#before = undefined;
    if (before === undefined) return;
    this.undo(before.counts);
    this.taken?.splice(before.taken);
    this.marks?.splice(before.marks);
    for (const undo of before.undo.reverse()) undo();
  }

  /** Undefined for a draft without effects. */
  mark(): DraftMark | undefined {
    if (this.releases.length === 0 && this.effects === undefined && this.messages === undefined && this.spawns === undefined)
      return undefined;
    return {
      releases: this.releases.length,
      effects: this.effects?.length ?? 0,
      messages: this.messages?.length ?? 0,
      spawns: this.spawns?.length ?? 0,
    };
  }

  /** Forgets the effects since the mark. Timers and operations need no undoing: the agent ends and voids them all. */
  undo(mark: DraftMark | undefined): void {
    this.releases.length = mark?.releases ?? 0;
    this.effects?.splice(mark?.effects ?? 0);
    this.messages?.splice(mark?.messages ?? 0);
    this.spawns?.splice(mark?.spawns ?? 0);
  }

  /** Whether anything leaves the agent, so that a checkpoint is due. */
  get hasEffects(): boolean {
    return this.releases.length > 0 || (this.messages?.length ?? 0) > 0 || (this.spawns?.length ?? 0) > 0;
  }

  /** Nothing to write: only releases, if any. */
  get isEmpty(): boolean {
    return (
      this.turns === 0 &&
      !this.checkpoint &&
      !this.timersVoided &&
      !this.isAwaited &&
      [this.timers, this.taken, this.operations, this.effects, this.effectsSettled, this.messages, this.spawns, this.deadLetters].every(
        (part) => part === undefined,
      )
    );
  }

  /** The commit. `rest` is what the agent knows: identity, checkpoint, state and busy when they changed. */
  toCommit(
    rest: Pick<AgentCommit, 'key' | 'id' | 'fence' | 'at' | 'sequenceNumber'> & {
      readonly checkpoint: CheckpointRecord | undefined;
      readonly state: string | undefined;
      readonly busy: boolean | undefined;
      readonly effects: readonly EffectRecord[] | undefined;
    },
  ): AgentCommit {
    const commit: Writable<AgentCommit> = {
      key: rest.key,
      id: rest.id,
      fence: rest.fence,
      expected: this.expected,
      sequenceNumber: rest.sequenceNumber,
      at: rest.at,
    };
    if (this.turns > 0) {
      const entries = this.#entries();
      commit.segment = {
        firstSequenceNumber: this.expected + 1,
        lastSequenceNumber: rest.sequenceNumber,
        entries,
        checksum: checksum(entries),
      };
    }
    if (this.create !== undefined) commit.create = this.create;
    if (this.status !== undefined) commit.status = this.status;
    if (this.outcome !== undefined) commit.outcome = this.outcome;
    if (this.suspect !== undefined) commit.suspect = this.suspect;
    if (rest.state !== undefined) commit.state = rest.state;
    if (rest.busy !== undefined) commit.busy = rest.busy;
    if (rest.checkpoint !== undefined) commit.checkpoint = rest.checkpoint;
    if (this.timersVoided) commit.timersCleared = 'all';
    else if (this.timers !== undefined) {
      const set: TimerRecord[] = [];
      const cleared: string[] = [];
      for (const [id, timer] of this.timers) {
        if (timer === undefined) cleared.push(id);
        else set.push(timer);
      }
      if (set.length > 0) commit.timers = set;
      if (cleared.length > 0) commit.timersCleared = cleared;
    }
    if (this.taken !== undefined) commit.taken = this.taken;
    if (this.marks !== undefined) commit.marks = this.marks;
    if (this.operations !== undefined) commit.operations = [...this.operations.values()];
    if (rest.effects !== undefined && rest.effects.length > 0) commit.effects = rest.effects;
    if (this.effectsSettled !== undefined) commit.effectsSettled = this.effectsSettled;
    if (this.settlements !== undefined) this.messages = [...(this.messages ?? []), ...this.settlements.values()];
    if (this.messages !== undefined) commit.messages = this.messages;
    if (this.spawns !== undefined) commit.spawns = this.spawns;
    if (this.deadLetters !== undefined) commit.deadLetters = this.deadLetters;
    return commit;
  }
}
