/**
 * Writes that are being put together: commits, messages, dead letters, one after the other, each seeing what those before it will have done. What cannot be said without looking throws `NotKnown`, and the draft is thrown away. Without having looked it takes for granted that all
 * goes well, and says so to Firestore as a condition; every other answer is given only of what was read.
 */

import { InvariantViolationError } from '../../core/errors.js';
import { isKeptBySender } from '../kept-by-sender.js';
import { newRecord } from '../new-agent.js';
import type { AgentCommit, AgentKey, AgentRecord, CommitOutcome, DeadLetter, MessageRecord, PostOutcome, SpawnRecord } from '../store.js';
import { Batch } from './batch.js';
import { nameFields, type Cache, type Head, type Name } from './cache.js';
import type { Calls } from './calls.js';
import { NotKnown, type Facts } from './facts.js';
import { agentName, idName, numberName, padded, partName } from './places.js';
import {
  agentFields,
  checkpointFields,
  effectFields,
  isFinal,
  letterFields,
  mailboxRecord,
  mailFields,
  markFields,
  operationFields,
  segmentFields,
  timerFields,
} from './rows.js';
import type { Fields, Stamp } from './values.js';

/** What a draft needs of the node that makes it. */
export interface Author {
  readonly calls: Calls;
  readonly cache: Cache;
  /** This node's number; 0 of an observer. */
  readonly node: number;
  /** Unique for each time a store is opened. */
  readonly by: string;
  /** The document that is there for as long as the node is open; undefined: it may be gone. */
  guardOf(node: number): string | undefined;
  nextPosition(): number;
}

type NewHead = Omit<Head, 'updateTime'>;
type NewName = Omit<Name, 'updateTime'> & { readonly updateTime?: Stamp };

export class Draft {
  readonly batch: Batch;
  readonly #author: Author;
  readonly #facts: Facts;
  readonly #heads = new Map<AgentKey, NewHead>();
  readonly #names = new Map<string, NewName>();
  /** By name of the document. */
  readonly #marks = new Map<string, number>();
  /** Waiting messages that are taken away, and those that are put there. */
  readonly #taken = new Set<string>();
  readonly #posted = new Map<AgentKey, Map<number, MessageRecord>>();
  readonly #letters = new Set<number>();

  constructor(author: Author, facts: Facts) {
    this.#author = author;
    this.#facts = facts;
    this.batch = new Batch(author.calls);
  }

  // ── Commits ─────────────────────────────────────────────────────────────────────────────────────────────────────

  commit(commit: AgentCommit): CommitOutcome {
    const { key, create } = commit;
    let head = this.#head(key, create !== undefined);
    if (create !== undefined) {
      const older = this.#nameFor(commit.id);
      if (older !== undefined) return { outcome: 'exists', record: this.#record(older.key) };
      if (head !== undefined) throw keyInUse(commit.id);
    }
    const record = head?.record;
    const fence = create === undefined ? record?.fence : commit.fence;
    const sequenceNumber = record?.sequenceNumber ?? 0;
    if (fence !== commit.fence || sequenceNumber !== commit.expected || !this.#canTake(commit)) {
      if (!this.#facts.informed) throw new NotKnown(`where agent ${commit.id} stands`);
      return { outcome: 'refused', fence: record?.fence ?? 0, sequenceNumber };
    }
    const isNew = head === undefined;
    head ??= {
      record: newRecord({ ...commit, ...(create as NonNullable<typeof create>) }, commit.fence, commit.at, this.#author.node),
      marked: false,
      timers: new Set(),
    };
    this.#write(head, commit, isNew);
    for (const letter of commit.deadLetters ?? []) this.bury(letter, letter.reason, letter.at);
    const spawned = (commit.spawns ?? []).map((spawn) => this.#spawn(spawn, commit.at));
    const messages = (commit.messages ?? []).map((message) => this.post(message, Infinity, commit.at));
    return { outcome: 'applied', messages, spawned };
  }

  #canTake({ key, taken = [] }: AgentCommit): boolean {
    const names = taken.map((position) => numberName(key, position));
    if (names.some((name) => this.#taken.has(name))) return false;
    return !this.#facts.informed || names.every((name) => this.#facts.mail.get(name) !== undefined);
  }

  #write({ record: old, marked, timers }: NewHead, commit: AgentCommit, isNew: boolean): void {
    const { batch } = this;
    const { key, id, at, status } = commit;
    const record: AgentRecord = {
      ...old,
      sequenceNumber: commit.sequenceNumber,
      checkpointSequenceNumber: commit.checkpoint?.sequenceNumber ?? old.checkpointSequenceNumber,
      status: status ?? old.status,
      // One that ended, or was parked or suspended, becomes the agent of whoever brings it up.
      owner: status === 'active' ? this.#author.node : old.owner,
      outcome: commit.outcome ?? old.outcome,
      state: commit.state ?? old.state,
      busy: commit.busy ?? old.busy,
      suspect: commit.suspect === 'null' ? undefined : (commit.suspect ?? old.suspect),
      updatedAt: at,
    };
    const nowMarked = marked || (commit.marks?.length ?? 0) > 0;
    this.#move(old, record, { isNew, input: commit.create?.input, marked: nowMarked });
    if (commit.segment !== undefined) {
      batch.put('journal', numberName(key, commit.segment.lastSequenceNumber), segmentFields(key, commit.segment));
    }
    if (commit.checkpoint !== undefined) batch.put('checkpoints', agentName(key), checkpointFields(key, commit.checkpoint));
    this.#heads.set(key, { record, marked: nowMarked, timers: this.#timers(commit, timers) });
    for (const position of commit.taken ?? []) {
      const name = numberName(key, position);
      this.#taken.add(name);
      batch.remove('mailbox', name, 'there');
    }
    for (const { messageId, sequenceNumber } of commit.marks ?? []) {
      const name = partName(key, messageId);
      if ((this.#marks.get(name) ?? 0) > 0) continue;
      this.#marks.set(name, sequenceNumber);
      batch.put('marks', name, markFields(key, messageId, sequenceNumber));
    }
    for (const operation of commit.operations ?? []) batch.put('ledger', partName(key, operation.id), operationFields(key, id, operation));
    for (const effect of commit.effects ?? []) batch.put('effects', partName(key, effect.id), effectFields(key, effect));
    for (const effect of commit.effectsSettled ?? []) batch.remove('effects', partName(key, effect));
    if (status !== undefined && isFinal(status)) this.#buryMail(key, at);
  }

  /** The agent's document, which is on condition that it is as it was, and the id's when it says something else now. */
  #move(
    old: AgentRecord,
    record: AgentRecord,
    { isNew, input, marked }: { isNew: boolean; input: string | undefined; marked: boolean },
  ): void {
    const { key, id } = record;
    const fields: Fields = { ...agentFields(record), marked };
    if (isNew) this.batch.put('agents', agentName(key), { ...fields, input }, { expected: 'absent' });
    else {
      const before: Fields = { ...agentFields(old), marked: undefined };
      const changed = Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== before[name]));
      const expected = this.#stored(key);
      this.batch.put('agents', agentName(key), changed, { merge: true, ...(expected === undefined ? {} : { expected }) });
    }
    if (!isNew && isFinal(record.status) === isFinal(old.status) && record.owner === old.owner) return;
    const name = nameFields(record);
    this.#names.set(id, name);
    this.batch.put('names', idName(id), name, isNew ? { expected: 'absent' } : {});
  }

  #timers({ key, timersCleared = [], timers = [] }: AgentCommit, known: ReadonlySet<string> | undefined): ReadonlySet<string> | undefined {
    if (timersCleared.length === 0 && timers.length === 0) return known;
    let left = known === undefined ? undefined : new Set(known);
    if (timersCleared === 'all') {
      const all = known ?? this.#facts.timersOf.get(key);
      if (all === undefined) throw new NotKnown('timers');
      for (const id of all) this.batch.remove('timers', partName(key, id));
      left = new Set();
    } else {
      for (const id of timersCleared) {
        this.batch.remove('timers', partName(key, id));
        left?.delete(id);
      }
    }
    for (const timer of timers) {
      this.batch.put('timers', partName(key, timer.id), timerFields(key, timer));
      left?.add(timer.id);
    }
    return left;
  }

  #spawn(spawn: SpawnRecord, at: number): AgentRecord {
    const older = this.#nameFor(spawn.id);
    if (older !== undefined) return this.#record(older.key);
    if (this.#head(spawn.key, true) !== undefined) throw keyInUse(spawn.id);
    const record = newRecord(spawn, 0, at, undefined);
    this.#move(record, record, { isNew: true, input: spawn.input, marked: false });
    this.#heads.set(spawn.key, { record, marked: false, timers: new Set() });
    return record;
  }

  // ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Unfenced: anyone may. */
  post(message: MessageRecord, cap: number, at: number): PostOutcome {
    const outcome = this.deliver(message, cap);
    if (outcome.outcome === 'dead-letter' && !isKeptBySender(message.replyTo)) this.bury(message, outcome.reason, at);
    return outcome;
  }

  /** Into the mailbox, if it can be. */
  deliver(message: MessageRecord, cap: number): PostOutcome {
    const { batch } = this;
    const { messageId } = message;
    const name = this.#name(message.to);
    const mark = name === undefined || messageId === undefined ? undefined : this.#mark(name.key, messageId, name.ended);
    // What it has taken stays taken, also when it has ended since: a sender that tries again is told so.
    if (mark !== undefined && mark > 0) return { outcome: 'duplicate', sequenceNumber: mark };
    if (name === undefined) return { outcome: 'dead-letter', reason: 'no-such-agent' };
    if (name.ended) return { outcome: 'dead-letter', reason: 'agent-ended' };
    if (mark === 0) return { outcome: 'duplicate', sequenceNumber: 0 };
    const agent = name.key;
    const posted = this.#posted.get(agent) ?? new Map<number, MessageRecord>();
    if (cap !== Infinity && this.#waiting(agent) + posted.size >= cap) {
      if (messageId !== undefined) this.#facts.mark(agent, messageId);
      return { outcome: 'full' };
    }
    const position = this.#author.nextPosition();
    const guard = name.owner === undefined ? undefined : this.#author.guardOf(name.owner);
    const node = guard === undefined ? 0 : (name.owner as number);
    if (name.updateTime !== undefined) batch.verify('names', idName(message.to), name.updateTime);
    if (guard !== undefined && node !== this.#author.node) batch.verify('guards', guard, 'there');
    batch.put('mailbox', numberName(agent, position), mailFields(agent, position, message, node, this.#author.by), { expected: 'absent' });
    if (messageId !== undefined) {
      const markName = partName(agent, messageId);
      this.#marks.set(markName, 0);
      batch.put('marks', markName, markFields(agent, messageId, 0), { expected: 'absent' });
    }
    this.#posted.set(agent, posted.set(position, message));
    return { outcome: 'accepted', position, agent };
  }

  #mark(agent: AgentKey, messageId: string, mustKnow: boolean): number | undefined {
    const own = this.#marks.get(partName(agent, messageId));
    if (own !== undefined) return own;
    return mustKnow || this.#facts.informed ? this.#facts.mark(agent, messageId) : undefined;
  }

  #waiting(agent: AgentKey): number {
    const waiting = this.#facts.waiting.get(agent);
    if (waiting !== undefined) return waiting;
    // Made by this draft.
    if (this.#heads.has(agent) && this.#stored(agent) === undefined) return 0;
    throw new NotKnown('how much waits');
  }

  /** What waits for an agent that ends. */
  #buryMail(key: AgentKey, at: number): void {
    const isNew = this.#stored(key) === undefined;
    const stored = isNew ? [] : this.#facts.mailOf.get(key);
    if (stored === undefined) throw new NotKnown('what waits');
    const waiting = stored.filter(({ name }) => !this.#taken.has(name)).map(mailboxRecord);
    const posted = [...(this.#posted.get(key) ?? [])].map(([position, message]) => ({ ...message, position }));
    for (const message of [...waiting, ...posted]) {
      this.batch.remove('mailbox', numberName(key, message.position), 'there');
      if (!isKeptBySender(message.replyTo)) this.bury(message, 'agent-ended', at);
    }
    this.#posted.delete(key);
  }

  bury(
    { to, messageId, event, from, details }: Pick<DeadLetter, 'to' | 'messageId' | 'event' | 'from' | 'details'>,
    reason: string,
    at: number,
  ): void {
    const position = this.#author.nextPosition();
    const letter = { position, to, messageId, event, from, reason, details, at };
    this.batch.put('deadLetters', padded(position), letterFields(letter), { expected: 'absent' });
  }

  /** Takes a dead letter away; undefined when it is not there. */
  unbury(position: number): (() => void) | undefined {
    if (this.#letters.has(position) || this.#facts.letters.get(position) === undefined) return undefined;
    return () => {
      this.#letters.add(position);
      this.batch.remove('deadLetters', padded(position), 'there');
    };
  }

  // ── What is known ───────────────────────────────────────────────────────────────────────────────────────────────

  /** `fresh`: nobody is thought to have it. */
  #head(key: AgentKey, fresh: boolean): NewHead | undefined {
    const own = this.#heads.get(key);
    if (own !== undefined) return own;
    if (this.#facts.heads.has(key)) return this.#facts.heads.get(key);
    const cached = this.#author.cache.head(key);
    if (cached === undefined && !fresh) throw new NotKnown(`agent ${String(key)}`);
    return cached;
  }

  /** When the agent's document was last written; undefined when it is one of this draft's. */
  #stored(key: AgentKey): Stamp | undefined {
    return (this.#facts.heads.get(key) ?? this.#author.cache.head(key))?.updateTime;
  }

  /** The record of an agent that has an id which somebody wants. */
  #record(key: AgentKey): AgentRecord {
    const own = this.#heads.get(key) ?? this.#facts.heads.get(key);
    if (own === undefined) throw new NotKnown(`agent ${String(key)}`);
    return own.record;
  }

  /** Who has an id that is wanted for a new agent; undefined, without having looked: nobody, it is hoped. */
  #nameFor(id: string): NewName | undefined {
    const own = this.#names.get(id);
    if (own !== undefined) return own;
    if (this.#facts.names.has(id)) return this.#facts.names.get(id);
    return this.#author.cache.name(id);
  }

  #name(id: string): NewName | undefined {
    const known = this.#nameFor(id);
    if (known === undefined && !this.#facts.names.has(id)) throw new NotKnown(`agent ${id}`);
    return known;
  }

  /** What is known once the batch is written. */
  settle(times: ReadonlyMap<string, Stamp>): void {
    const { cache, calls } = this.#author;
    for (const [key, head] of this.#heads) {
      const updateTime = times.get(calls.path('agents', agentName(key)));
      if (updateTime !== undefined) cache.setHead({ ...head, updateTime });
    }
    for (const [id, name] of this.#names) {
      const updateTime = times.get(calls.path('names', idName(id)));
      if (updateTime !== undefined) cache.setName({ ...name, updateTime });
    }
    for (const path of times.keys()) cache.setChunks(path, this.batch.chunked.get(path) ?? []);
  }
}

function keyInUse(id: string): InvariantViolationError {
  return new InvariantViolationError(`the key of new agent "${id}" is in use`, { hint: 'Keys are made by the engine, each once.' });
}
