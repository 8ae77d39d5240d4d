/**
 * An opened store whose records are encrypted: what goes in is sealed, what comes out is opened. Atomicity, fences, durability and the order of answers are those of the store below, which sees ciphertext.
 *
 * What does not open is an error, never a value. Of an agent that is loaded it is its own: the others are loaded all the same, and it is handed on with its damage. Before that is said the data keys are read once
 * more, for another node may have made a new one.
 */

import { BadInputError, CorruptRecordError, KeyMissingError, type StatewardenError } from '../../core/errors.js';
import type { AgentRecord, CommitOutcome, DeadLetter, LoadedAgent, LoadOutcome, NoteName, OpenedStore } from '../store.js';
import { sealedFaults } from './deep-check.js';
import type { KeyRing } from './key-ring.js';
import { encryptionTopics } from './marker.js';
import { Records } from './records.js';
import { Unopened } from './sealing.js';

export class OpenedEncrypted implements OpenedStore {
  readonly node: number;
  readonly gathers: boolean;
  /** Only where the store below has it. */
  readonly watchTurns?: NonNullable<OpenedStore['watchTurns']>;
  /** Likewise. */
  readonly reclaim?: NonNullable<OpenedStore['reclaim']>;
  readonly #store: OpenedStore;
  readonly #ring: KeyRing;
  readonly #records: Records;
  readonly #now: () => number;

  constructor(store: OpenedStore, ring: KeyRing, now: () => number) {
    this.node = store.node;
    this.gathers = store.gathers === true;
    this.#store = store;
    this.#ring = ring;
    this.#records = new Records(ring);
    this.#now = now;
    const { reclaim } = store;
    if (reclaim !== undefined) this.reclaim = () => reclaim.call(store);
    if (store.watchTurns !== undefined) {
      this.watchTurns = async (pulse, limitMs) => store.watchTurns?.(pulse, limitMs, ring.forThread());
    }
  }

  // ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reaches the store below before this returns, unless there is no data key yet. */
  async #write<T, R>(seal: () => T, write: (sealed: T) => Promise<R>): Promise<R> {
    let sealed: T;
    try {
      sealed = seal();
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
      await this.#ring.read(this.#store);
      if (this.#ring.isEmpty) {
        throw new KeyMissingError('the store has no data key yet', {
          hint: 'Start the runtime that uses it first: that makes one.',
          cause: error,
        });
      }
      sealed = seal();
    }
    return write(sealed);
  }

  commit: OpenedStore['commit'] = async (commits) => {
    const outcomes = await this.#write(
      () => commits.map((commit) => this.#records.commit(commit)),
      (sealed) => this.#store.commit(sealed),
    );
    return outcomes.map((outcome) => this.#outcome(outcome));
  };

  /** What was written is written: a record of another agent that does not open is no reason to doubt it. */
  #outcome(outcome: CommitOutcome): CommitOutcome {
    const seen = (record: AgentRecord): AgentRecord => {
      try {
        return this.#records.openRecord(record);
      } catch (error) {
        if (!(error instanceof Unopened)) throw error;
        return { ...record, state: undefined, outcome: undefined, suspect: undefined };
      }
    };
    if (outcome.outcome === 'exists') return { ...outcome, record: seen(outcome.record) };
    if (outcome.outcome === 'refused' || outcome.spawned.length === 0) return outcome;
    return { ...outcome, spawned: outcome.spawned.map(seen) };
  }

  post: OpenedStore['post'] = (messages, cap) =>
    this.#write(
      () => messages.map((message) => this.#records.message(message)),
      (sealed) => this.#store.post(sealed, cap),
    );

  publish: OpenedStore['publish'] = async (notes) => {
    notes.forEach(checkTopic);
    return this.#write(
      () => notes.map((note) => this.#records.note(note)),
      (sealed) => this.#store.publish(sealed),
    );
  };

  retract: OpenedStore['retract'] = async (names) => {
    names.forEach(checkTopic);
    return this.#store.retract(names);
  };

  saveMachines: OpenedStore['saveMachines'] = (machines) =>
    this.#write(
      () => machines.map((machine) => this.#records.machine(machine)),
      (sealed) => this.#store.saveMachines(sealed),
    );

  redrive: OpenedStore['redrive'] = async (positions, to, cap) => {
    if (to !== undefined) await this.#redirect(positions, to);
    return this.#store.redrive(positions, to, cap);
  };

  /** An event is bound to its receiver: another one can open it only when this says so. */
  async #redirect(positions: readonly number[], to: string): Promise<void> {
    const letters: DeadLetter[] = [];
    for (const position of new Set(positions)) {
      const [letter] = await this.#store.deadLetters({ after: position - 1, limit: 1 });
      if (letter?.position === position) letters.push(letter);
    }
    const at = this.#now();
    const notes = await this.#read(() => letters.flatMap((letter) => this.#records.redirect(letter, to, at) ?? []));
    if (notes.length === 0) return;
    await this.#store.publish(notes);
    await this.#ring.read(this.#store);
  }

  install: OpenedStore['install'] = (agents) =>
    this.#write(
      () => agents.map((agent) => this.#records.whole(agent)),
      (sealed) => this.#store.install(sealed),
    );

  archive: OpenedStore['archive'] = (orders) =>
    this.#write(
      () =>
        orders.map((order) => ({
          ...order,
          archive: this.#records.archive(order.key, order.archive),
          artifacts: order.artifacts.map((name) => this.#records.artifact(name)),
        })),
      (sealed) => this.#store.archive(sealed),
    );

  restore: OpenedStore['restore'] = (agent) =>
    this.#write(
      () => this.#records.whole(agent),
      (sealed) => this.#store.restore(sealed),
    );

  remove: OpenedStore['remove'] = (orders) => this.#store.remove(orders);
  release: OpenedStore['release'] = (agents) => this.#store.release(agents);
  expire: OpenedStore['expire'] = (page) => this.#store.expire(page);
  discard: OpenedStore['discard'] = (positions) => this.#store.discard(positions);
  heartbeat: OpenedStore['heartbeat'] = () => this.#store.heartbeat();
  close: OpenedStore['close'] = () => this.#store.close();

  // ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `last`: there will be no other try. @throws CorruptRecordError */
  async #read<T>(open: (last: boolean) => T): Promise<T> {
    try {
      return open(false);
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
    }
    await this.#ring.read(this.#store);
    try {
      return open(true);
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
      throw damaged(error);
    }
  }

  load: OpenedStore['load'] = async (agents) => {
    const found = await this.#store.load(agents);
    return this.#read((last) => found.map((outcome) => this.#loaded(outcome, last)));
  };

  #loaded(outcome: LoadOutcome, last: boolean): LoadOutcome {
    if (outcome.outcome === 'absent') return outcome;
    if (outcome.outcome !== 'loaded') return { ...outcome, record: this.#records.openRecord(outcome.record) };
    try {
      return this.#records.openAgent(outcome);
    } catch (error) {
      if (!last || !(error instanceof Unopened)) throw error;
      return { ...unbelievable(outcome), outcome: 'loaded', damage: damaged(error) };
    }
  }

  lookup: OpenedStore['lookup'] = async (agents) => {
    const found = await this.#store.lookup(agents);
    return this.#read(() => found.map((record) => record && this.#records.openRecord(record)));
  };

  list: OpenedStore['list'] = async (filter) => {
    const found = await this.#store.list(filter);
    return this.#read(() => found.map((record) => this.#records.openRecord(record)));
  };

  inspect: OpenedStore['inspect'] = async (agent) => {
    const found = await this.#store.inspect(agent);
    return this.#read(() => found && this.#records.openAgent(found));
  };

  mailbox: OpenedStore['mailbox'] = async (agent, after) => {
    const found = await this.#store.mailbox(agent, after);
    return this.#read(() => found.map((mail) => this.#records.openMail(mail)));
  };

  whole: OpenedStore['whole'] = async (agents) => {
    const found = await this.#store.whole(agents);
    return this.#read(() => found.map((agent) => agent && this.#records.openWhole(agent)));
  };

  journal: OpenedStore['journal'] = async (agent, page) => {
    const found = await this.#store.journal(agent, page);
    return this.#read(() => found.map((segment) => this.#records.openSegment(agent, segment)));
  };

  operations: OpenedStore['operations'] = async (agent) => {
    const found = await this.#store.operations(agent);
    return this.#read(() => found.map((operation) => this.#records.openOperation(agent, operation)));
  };

  deadLetters: OpenedStore['deadLetters'] = async (page) => {
    const found = await this.#store.deadLetters(page);
    return this.#read(() => found.map((letter) => this.#records.openLetter(letter)));
  };

  parked: OpenedStore['parked'] = async (page) => {
    const found = await this.#store.parked(page);
    return this.#read(() => found.map((operation) => this.#records.openAgentOperation(operation)));
  };

  flagged: OpenedStore['flagged'] = async (page) => {
    const found = await this.#store.flagged(page);
    return this.#read(() => found.map((operation) => this.#records.openAgentOperation(operation)));
  };

  keyed: OpenedStore['keyed'] = async (activity, userKey) => {
    const found = await this.#write(
      () => this.#records.userKey(activity, userKey),
      (token) => this.#store.keyed(activity, token),
    );
    return this.#read(() => found && this.#records.openOperation(undefined, found));
  };

  mark: OpenedStore['mark'] = (agent, messageId) =>
    this.#write(
      () => this.#records.messageId(messageId),
      (token) => this.#store.mark(agent, token),
    );

  hasArtifacts: OpenedStore['hasArtifacts'] = (names) =>
    this.#write(
      () => names.map((name) => this.#records.artifact(name)),
      (tokens) => this.#store.hasArtifacts(tokens),
    );

  notes: OpenedStore['notes'] = async (prefix, since) => {
    const found = await this.#store.notes(prefix, since);
    return this.#read(() => found.filter(({ topic }) => !topic.startsWith(encryptionTopics)).map((note) => this.#records.openNote(note)));
  };

  machines: OpenedStore['machines'] = async (kind) => {
    const found = await this.#store.machines(kind);
    return this.#read(() => found.map((machine) => this.#records.openMachine(machine)));
  };

  heads: OpenedStore['heads'] = (keys) => this.#store.heads(keys);
  runnable: OpenedStore['runnable'] = (page) => this.#store.runnable(page);
  dueTimers: OpenedStore['dueTimers'] = (page) => this.#store.dueTimers(page);
  nodes: OpenedStore['nodes'] = () => this.#store.nodes();
  counts: OpenedStore['counts'] = () => this.#store.counts();

  onForeignMail(listener: Parameters<OpenedStore['onForeignMail']>[0]): void {
    this.#store.onForeignMail(listener);
  }

  /** What the store below finds, and whatever does not open. */
  check: OpenedStore['check'] = async (progress) => {
    const faults = await this.#store.check((done, total) => progress?.(Math.floor(done / 2), total));
    return [...faults, ...(await sealedFaults(this.#store, this, faults, progress))];
  };
}

function damaged(error: Unopened): StatewardenError {
  const { unknownKey } = error;
  if (unknownKey !== undefined) {
    return new KeyMissingError(`a record names data key "${unknownKey}", which the store does not have: ${error.message}`, {
      hint: 'Restore the notes on encryption/key from a backup; the record belongs to another store if there never was such a key.',
    });
  }
  return new CorruptRecordError(`a record does not open: ${error.message}`, {
    hint: 'Somebody has changed the store from outside. Run `statewarden doctor` for a full check; restore the store from a backup if it confirms this.',
  });
}

/** Of an agent that does not open: nothing that could be taken for what was stored. */
function unbelievable<T extends LoadedAgent>(loaded: T): T {
  return {
    ...loaded,
    record: { ...loaded.record, state: undefined, outcome: undefined, suspect: undefined },
    input: undefined,
    checkpoint: loaded.checkpoint && { ...loaded.checkpoint, checksum: -1 },
    tail: loaded.tail.map((segment) => ({ ...segment, checksum: -1 })),
    timers: [],
    operations: [],
    effects: [],
    mailbox: [],
    marks: [],
    marksComplete: false,
  };
}

/** @throws BadInputError */
function checkTopic({ topic }: Pick<NoteName, 'topic'>): void {
  if (!topic.startsWith(encryptionTopics)) return;
  throw new BadInputError(`the topic "${topic}" is kept for data keys`, {
    hint: `Choose one that does not begin with "${encryptionTopics}".`,
  });
}
