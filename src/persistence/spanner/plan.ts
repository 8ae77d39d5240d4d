/**
 * What a group of commits writes, worked out in memory, in order. The plan is made twice at most: first by what the store believes to know, then, if that does not do, by what it has read in a transaction.
 *
 * The mutations of a plan carry its conditions (`cast.ts`), so that one made from memory needs no reading; new agents and message ids are inserted, which fails where they are.
 */

import { InvariantViolationError } from '../../core/errors.js';
import { isKeptBySender } from '../kept-by-sender.js';
import type {
  AgentCommit,
  AgentKey,
  AgentRecord,
  CommitOutcome,
  DeadLetter,
  MessageRecord,
  PostOutcome,
  RedriveOutcome,
  SpawnRecord,
} from '../store.js';
import { newRecord } from '../new-agent.js';
import { markKey, Cast, type Actor } from './cast.js';
import { shardOf, shards } from './keys.js';
import type { Known, Waiting } from './known.js';
import { isLong, Mutations } from './mutations.js';
import { effectCells, ledgerCells, timerCells } from './rows.js';
import { commitTimestamp } from './wire.js';

/** The plan needs something that memory does not have: it must be read. */
export class Unsure extends Error {}

/** What a plan is made from. `isRead`: it is so, in this transaction; what is not there does not exist. Else it is believed, and what is not there is not known. */
export interface World {
  readonly isRead: boolean;
  agent(key: AgentKey): Known | undefined;
  byId(id: string): Known | undefined;
  /** Sequence number of a message id's turn; 0 while it waits; undefined when it was never accepted. */
  mark(agent: AgentKey, messageId: string): number | undefined;
  /** How many wait in a mailbox, where not all of them are known. */
  count(agent: AgentKey): number | undefined;
  /** Last position of a dead letter; undefined: not known. */
  readonly letters: number | undefined;
}

export const isFinal = (status: unknown): boolean => status === 'done' || status === 'error' || status === 'stopped';

export class Plan {
  readonly #world: World;
  readonly #node: number;
  readonly #cast: Cast;
  readonly #marks = new Map<string, number | undefined>();
  readonly #rows = new Mutations();
  #letters: number | undefined;

  constructor(world: World, node: number) {
    this.#world = world;
    this.#cast = new Cast(world);
    this.#node = node;
    this.#letters = world.letters;
  }

  /** What memory cannot answer is read. */
  #unsure(): void {
    if (!this.#world.isRead) throw new Unsure();
  }

  // ── Commits ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @throws Unsure */
  commit(commit: AgentCommit): CommitOutcome {
    const { key, id, create, at } = commit;
    if (create !== undefined) {
      const old = this.#cast.byId(id);
      if (old !== undefined) {
        if (old.now.record === undefined) throw new Unsure();
        return { outcome: 'exists', record: old.now.record };
      }
      if (this.#cast.actor(key) !== undefined) {
        this.#unsure();
        throw new InvariantViolationError(`the key of new agent "${id}" is in use`, { hint: 'Keys are made by the engine, each once.' });
      }
      if (commit.expected !== 0 || commit.taken !== undefined) return { outcome: 'refused', fence: 0, sequenceNumber: 0 };
      this.#cast.born(newRecord({ ...create, key, id }, commit.fence, at, this.#node), create.input);
    }
    const actor = this.#cast.actor(key) ?? this.#cast.assumed(commit);
    if (actor === undefined) return { outcome: 'refused', fence: 0, sequenceNumber: 0 };
    const { fence, sequenceNumber } = actor.now;
    if (fence !== commit.fence || sequenceNumber !== commit.expected || !this.#hasAll(actor, commit.taken)) {
      this.#unsure();
      return { outcome: 'refused', fence, sequenceNumber };
    }
    this.#move(actor, commit);
    this.#take(actor, commit);
    this.#keep(actor, commit);
    this.#end(actor, commit);
    const spawned = (commit.spawns ?? []).map((spawn) => this.#spawn(spawn, at));
    const messages = (commit.messages ?? []).map((message) => this.post(message, Infinity, at));
    return { outcome: 'applied', messages, spawned };
  }

  #hasAll(actor: Actor, taken: readonly number[] | undefined): boolean {
    if (taken === undefined) return true;
    if (actor.now.waiting === undefined) throw new Unsure();
    return taken.every((position) => waitingIn(actor, position) !== undefined);
  }

  #move(actor: Actor, commit: AgentCommit): void {
    const { sequenceNumber, at, checkpoint, status, outcome, state, busy, suspect } = commit;
    const { cells, now } = actor;
    actor.moves = true;
    cells['sequence_number'] = sequenceNumber;
    cells['updated_at'] = at;
    if (checkpoint !== undefined) cells['checkpoint_sequence_number'] = checkpoint.sequenceNumber;
    if (status !== undefined) cells['status'] = status;
    // One that ended, or was parked or suspended, becomes the agent of whoever brings it up.
    if (status === 'active') cells['owner'] = this.#node;
    if (outcome !== undefined) cells['outcome'] = outcome;
    if (state !== undefined) cells['state'] = state;
    if (busy !== undefined) cells['busy_shard'] = busy ? shardOf(now.key) : undefined;
    if (suspect !== undefined) cells['suspect'] = suspect === 'null' ? undefined : suspect;
    actor.now = {
      ...now,
      sequenceNumber,
      ended: status === undefined ? now.ended : isFinal(status),
      longCheckpoint: checkpoint === undefined ? now.longCheckpoint : isLong(checkpoint.data),
      record: now.record && {
        ...now.record,
        sequenceNumber,
        checkpointSequenceNumber: checkpoint?.sequenceNumber ?? now.record.checkpointSequenceNumber,
        status: status ?? now.record.status,
        owner: status === 'active' ? this.#node : now.record.owner,
        outcome: outcome ?? now.record.outcome,
        state: state ?? now.record.state,
        busy: busy ?? now.record.busy,
        suspect: suspect === 'null' ? undefined : (suspect ?? now.record.suspect),
        updatedAt: at,
      },
    };
  }

  #take(actor: Actor, { taken = [], marks = [] }: AgentCommit): void {
    const { agent, key } = actor.now;
    const listed = new Set(marks.map(({ messageId }) => messageId));
    for (const position of taken) {
      const { messageId, marked, isLong: long } = waitingIn(actor, position) as Waiting;
      this.#drop(actor, position, long);
      // Taken and not remembered: the same id may come again.
      if (messageId !== undefined && marked && !listed.has(messageId) && !((this.#mark(key, messageId) ?? 0) > 0))
        this.#unmark(actor, messageId);
    }
    for (const { messageId, sequenceNumber } of marks) {
      if ((this.#mark(key, messageId) ?? 0) > 0) continue;
      this.#rows.upsert('marks', { agent, message_id: messageId, sequence_number: sequenceNumber });
      this.#marks.set(markKey(key, messageId), sequenceNumber);
    }
  }

  #mark(key: AgentKey, messageId: string): number | undefined {
    const name = markKey(key, messageId);
    return this.#marks.has(name) ? this.#marks.get(name) : this.#world.mark(key, messageId);
  }

  #unmark({ now: { agent, key } }: Actor, messageId: string): void {
    this.#rows.delete('marks', agent, messageId);
    this.#marks.set(markKey(key, messageId), undefined);
  }

  #drop(actor: Actor, position: number, long: boolean): void {
    const { agent } = actor.now;
    this.#rows.delete('mailbox', agent, position);
    if (long) this.#rows.forgetTexts('mailbox', agent, position);
    actor.gone.add(position);
  }

  #keep(actor: Actor, commit: AgentCommit): void {
    const rows = this.#rows;
    const { agent, key } = actor.now;
    const { segment, checkpoint } = commit;
    if (segment !== undefined) {
      const { firstSequenceNumber: first, lastSequenceNumber: last, entries, checksum } = segment;
      rows.insert('journal', { agent, last, first, entries, checksum, written: commitTimestamp });
    }
    if (checkpoint !== undefined) {
      const { sequenceNumber: sequence_number, version, schema, data, checksum } = checkpoint;
      if (actor.before?.longCheckpoint === true) rows.forgetTexts('checkpoints', agent);
      rows.upsert('checkpoints', { agent, sequence_number, version, schema, data, checksum, written: commitTimestamp });
    }
    if (commit.timersCleared === 'all') rows.deleteAll('timers', agent);
    else for (const id of commit.timersCleared ?? []) rows.delete('timers', agent, id);
    for (const timer of commit.timers ?? []) rows.upsert('timers', timerCells(agent, key, timer));
    for (const operation of commit.operations ?? []) rows.upsert('ledger', ledgerCells(agent, key, operation));
    for (const effect of commit.effects ?? []) rows.upsert('effects', effectCells(agent, effect));
    for (const id of commit.effectsSettled ?? []) {
      rows.delete('effects', agent, id);
      rows.forgetTexts('effects', agent, id);
    }
  }

  /** What an agent leaves behind when it ends, and what it could not take. */
  #end(actor: Actor, commit: AgentCommit): void {
    if (isFinal(commit.status)) {
      if (actor.now.waiting === undefined || actor.now.tail === undefined) throw new Unsure();
      const left = [...actor.now.waiting, ...actor.added].filter(([position]) => !actor.gone.has(position));
      for (const [position, { messageId, marked, keptBySender, letter }] of left) {
        if (!keptBySender) {
          if (letter === undefined) throw new Unsure();
          this.#bury({ to: commit.id, messageId, event: letter.event, from: letter.from }, 'agent-ended', commit.at);
        }
        this.#drop(actor, position, false);
        if (messageId !== undefined && marked && !((this.#mark(actor.now.key, messageId) ?? 0) > 0)) this.#unmark(actor, messageId);
      }
      // A number is left out, so that whoever still believes it open fails at the mailbox's last position.
      actor.guardsTail = true;
      actor.now = { ...actor.now, tail: actor.now.tail + 1 };
    }
    for (const letter of commit.deadLetters ?? []) this.#bury(letter, letter.reason, letter.at);
  }

  #spawn(spawn: SpawnRecord, at: number): AgentRecord {
    const old = this.#cast.byId(spawn.id);
    if (old !== undefined) {
      if (old.now.record === undefined) throw new Unsure();
      return old.now.record;
    }
    // Busy from the start: it has a first turn to take.
    const record = { ...newRecord(spawn, 0, at, undefined), busy: true };
    this.#cast.born(record, spawn.input);
    return record;
  }

  // ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────

  #bury({ to, messageId, event, from, details }: Omit<DeadLetter, 'position' | 'reason' | 'at'>, reason: string, at: number): void {
    if (this.#letters === undefined) throw new Unsure();
    const position = (this.#letters += 1);
    const cells = { shard: position % shards, position, recipient: to, message_id: messageId, event, sender: from, reason, details };
    this.#rows.insert('dead_letters', { ...cells, buried_at: at });
  }

  /** Unfenced: anyone may. @throws Unsure */
  post(message: MessageRecord, cap: number, at: number): PostOutcome {
    const outcome = this.#deliver(message, cap);
    if (outcome.outcome === 'dead-letter' && !isKeptBySender(message.replyTo)) this.#bury(message, outcome.reason, at);
    return outcome;
  }

  /** From the dead letters into a mailbox. */
  redrive(letter: DeadLetter, to: string | undefined, cap: number, at: number): RedriveOutcome {
    const { messageId, event, from, position } = letter;
    const outcome = this.#deliver({ to: to ?? letter.to, messageId, event, from, replyTo: undefined, acceptedAt: at }, cap);
    if (outcome.outcome === 'dead-letter') return { outcome: 'kept', reason: outcome.reason };
    if (outcome.outcome === 'full') return { outcome: 'kept', reason: 'mailbox-full' };
    this.discard(position);
    return outcome.outcome === 'accepted' ? { ...outcome, outcome: 'redriven' } : outcome;
  }

  discard(position: number): void {
    this.#rows.delete('dead_letters', position % shards, position);
  }

  /** Into the mailbox, if it can be. */
  #deliver({ to, messageId, event, from, replyTo, acceptedAt, trace }: MessageRecord, cap: number): PostOutcome {
    const receiver = this.#cast.byId(to);
    if (receiver === undefined) {
      this.#unsure();
      return { outcome: 'dead-letter', reason: 'no-such-agent' };
    }
    const { key, agent, tail, ended } = receiver.now;
    // What it has taken stays taken, also when it has ended since: a sender that tries again is told so.
    const taken = messageId === undefined ? undefined : this.#mark(key, messageId);
    if (taken !== undefined && taken > 0) return { outcome: 'duplicate', sequenceNumber: taken };
    if (ended !== false) {
      this.#unsure();
      return { outcome: 'dead-letter', reason: 'agent-ended' };
    }
    if (taken !== undefined) return { outcome: 'duplicate', sequenceNumber: 0 };
    if (cap !== Infinity && this.#count(receiver) >= cap) return { outcome: 'full' };
    if (tail === undefined) throw new Unsure();
    const position = tail + 1;
    receiver.guardsTail = true;
    receiver.now = { ...receiver.now, tail: position };
    const sent = {
      agent,
      position,
      shard: shardOf(key),
      message_id: messageId,
      event,
      sender: from,
      reply_to: replyTo,
      accepted_at: acceptedAt,
      trace,
    };
    this.#rows.insert('mailbox', { ...sent, origin: this.#node, arrived: commitTimestamp });
    if (messageId !== undefined) {
      this.#rows.insert('marks', { agent, message_id: messageId, sequence_number: 0 });
      this.#marks.set(markKey(key, messageId), 0);
    }
    const waiting = { messageId, marked: messageId !== undefined, keptBySender: isKeptBySender(replyTo), isLong: isLong(event) };
    receiver.added.set(position, this.#world.isRead ? { ...waiting, letter: { event, from } } : waiting);
    return { outcome: 'accepted', position, agent: key };
  }

  #count({ now, gone, added }: Actor): number {
    const before = now.waiting?.size ?? this.#world.count(now.key);
    if (before === undefined) throw new Unsure();
    return before + added.size - gone.size;
  }

  // ── What comes of it ────────────────────────────────────────────────────────────────────────────────────────────

  /** `presence`: the row that says that this opening of the store goes on, when nothing was read that says so. */
  mutations(presence: string | undefined): Mutations['list'] {
    const first = new Mutations();
    if (presence !== undefined) first.update('presences', { incarnation: presence, written: commitTimestamp });
    this.#cast.write(first);
    if (this.#letters !== undefined && this.#letters !== this.#world.letters) {
      first.upsert('counters', { name: 'dead-letters', value: this.#letters });
    }
    return [...first.list, ...this.#rows.list];
  }

  /** Where agents stand when it is written. */
  known(): Iterable<Known> {
    return this.#cast.known(this.#marks);
  }
}

function waitingIn({ now, gone, added }: Actor, position: number): Waiting | undefined {
  return gone.has(position) ? undefined : (added.get(position) ?? now.waiting?.get(position));
}
