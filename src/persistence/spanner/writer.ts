/**
 * Writing: a group of commits is one call where memory knows what it needs, else a transaction of one query and one commit. A group that is larger than Spanner takes at once is written in parts, in order. Nothing here is called twice at a time.
 */

import type { AgentCommit, CommitOutcome, DeadLetter, MessageRecord, PostOutcome, RedriveOutcome } from '../store.js';
import { InvariantViolationError } from '../../core/errors.js';
import { goneError, isUnexpectedRow } from './faults.js';
import { failpoint } from '../../core/failpoint.js';
import type { Memory } from './known.js';
import { shards } from './keys.js';
import type { Link, Transaction } from './link.js';
import { Mutations } from './mutations.js';
import { isFinal, Plan, Unsure, type World } from './plan.js';
import { ReadWorld, Wants } from './read-world.js';
import { deadLetter } from './rows.js';
import { commitTimestamp, integers } from './wire.js';

export interface WriterOptions {
  /** The store's, for people. */
  readonly name: string;
  readonly link: Link;
  readonly memory: Memory;
  /** 0: an observer. */
  readonly node: number;
  readonly incarnation: string;
  readonly epoch: string;
}

/** Well below 80,000 changed columns, indexes included, and 100 MB. */
const most = { cells: 40_000, characters: 20_000_000 };
/** As many as do not come near these limits, with events of the size that a runtime lets pass. */
const postsAtOnce = 500;

export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async commit(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]> {
    if (this.#options.node === 0) {
      throw new InvariantViolationError('an observer has tried to commit', { hint: 'Open the store with a lease to run agents.' });
    }
    const outcomes: CommitOutcome[] = [];
    for (const group of partsOf(commits)) outcomes.push(...((await this.#believe(group)) ?? (await this.#commitRead(group))));
    return outcomes;
  }

  /** In one call, by what memory has. Undefined when that does not do, and nothing was written. */
  async #believe(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[] | undefined> {
    const { link, memory, node, incarnation } = this.#options;
    const world: World = {
      isRead: false,
      letters: undefined,
      agent: (key) => memory.agent(key),
      byId: (id) => memory.byId(id),
      mark: () => undefined,
      count: () => undefined,
    };
    const plan = new Plan(world, node);
    let outcomes: CommitOutcome[];
    try {
      outcomes = commits.map((commit) => plan.commit(commit));
    } catch (error) {
      if (error instanceof Unsure) return undefined;
      throw error;
    }
    failpoint('spanner:commit');
    try {
      await link.write(plan.mutations(incarnation));
    } catch (error) {
      for (const { key } of plan.known()) memory.forget(key);
      if (isUnexpectedRow(error)) return undefined;
      throw error;
    }
    for (const known of plan.known()) memory.keep(known);
    failpoint('spanner:committed');
    return outcomes;
  }

  #commitRead(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]> {
    const wants = new Wants();
    for (const { key, id, taken, status, marks = [], messages = [], spawns = [], deadLetters } of commits) {
      wants.keys.add(key);
      wants.ids.add(id);
      if (taken !== undefined || isFinal(status)) wants.mailboxes.add(id);
      if (isFinal(status)) wants.burials.add(id);
      for (const { messageId } of marks) wants.marks.push([id, messageId]);
      for (const { key: child, id: name } of spawns) {
        wants.keys.add(child);
        wants.ids.add(name);
      }
      this.#wantReceivers(wants, messages);
      if (deadLetters !== undefined) wants.letters = true;
    }
    return this.#plan(wants, (plan) => commits.map((commit) => plan.commit(commit)));
  }

  #wantReceivers(wants: Wants, messages: readonly Pick<MessageRecord, 'to' | 'messageId'>[]): void {
    for (const { to, messageId } of messages) {
      wants.ids.add(to);
      if (messageId !== undefined) wants.marks.push([to, messageId]);
    }
  }

  /** Writes what is nobody's state, if the database is still the one that was opened. */
  async keep(rows: Mutations): Promise<void> {
    const { link, node, incarnation, name } = this.#options;
    const first = new Mutations();
    if (node !== 0) first.update('presences', { incarnation, written: commitTimestamp });
    try {
      await link.write([...first.list, ...rows.list]);
    } catch (error) {
      throw isUnexpectedRow(error) ? goneError(name, error) : error;
    }
  }

  async post(messages: readonly MessageRecord[], cap: number, at: number): Promise<readonly PostOutcome[]> {
    const outcomes: PostOutcome[] = [];
    for (const part of slicesOf(messages, postsAtOnce)) outcomes.push(...(await this.#post(part, cap, at)));
    return outcomes;
  }

  #post(messages: readonly MessageRecord[], cap: number, at: number): Promise<readonly PostOutcome[]> {
    const wants = new Wants();
    this.#wantReceivers(wants, messages);
    if (cap !== Infinity) for (const { to } of messages) wants.counted.add(to);
    return this.#plan(wants, (plan) => messages.map((message) => plan.post(message, cap, at)));
  }

  redrive(positions: readonly number[], to: string | undefined, cap: number, at: number): Promise<readonly RedriveOutcome[]> {
    let letters = new Map<number, DeadLetter>();
    return this.#plan(
      async (transaction) => {
        letters = await lettersAt(transaction, positions);
        const wants = new Wants();
        const messages = [...letters.values()].map((letter) => ({ ...letter, to: to ?? letter.to }));
        this.#wantReceivers(wants, messages);
        if (cap !== Infinity) for (const message of messages) wants.counted.add(message.to);
        return wants;
      },
      (plan) => {
        const rest = new Map(letters);
        return positions.map((position): RedriveOutcome => {
          const letter = rest.get(position);
          if (letter === undefined) return { outcome: 'absent' };
          const outcome = plan.redrive(letter, to, cap, at);
          if (outcome.outcome !== 'kept') rest.delete(position);
          return outcome;
        });
      },
    );
  }

  discard(positions: readonly number[]): Promise<number> {
    let found: readonly number[] = [];
    return this.#plan(
      async (transaction) => {
        found = [...(await lettersAt(transaction, positions)).keys()];
        return new Wants();
      },
      (plan) => {
        for (const position of found) plan.discard(position);
        return found.length;
      },
    );
  }

  /** Reads what is wanted, plans, and writes, in one transaction. */
  async #plan<T>(wanted: Wants | ((transaction: Transaction) => Promise<Wants>), make: (plan: Plan) => T): Promise<T> {
    const { link, memory, node, name, epoch } = this.#options;
    const { result, plan } = await link.transact(async (transaction) => {
      const wants = typeof wanted === 'function' ? await wanted(transaction) : wanted;
      const world = await ReadWorld.read(transaction, wants);
      if (world.epoch !== epoch) throw goneError(name, undefined);
      const attempt = (): { result: T; plan: Plan } => {
        const fresh = new Plan(world, node);
        return { result: make(fresh), plan: fresh };
      };
      let made: ReturnType<typeof attempt>;
      try {
        made = attempt();
      } catch (error) {
        if (!(error instanceof Unsure)) throw error;
        // Something is to be buried that was not expected to be.
        await world.readLetters(transaction);
        made = attempt();
      }
      failpoint('spanner:read');
      return { result: made, mutations: made.plan.mutations(undefined) };
    });
    for (const known of plan.known()) memory.keep(known);
    return result;
  }
}

async function lettersAt(transaction: Transaction, positions: readonly number[]): Promise<Map<number, DeadLetter>> {
  const rows = await transaction.query(
    'SELECT d.* FROM dead_letters d WHERE d.shard IN UNNEST(@shards) AND d.position IN UNNEST(@positions)',
    {
      shards: integers(new Set(positions.map((position) => position % shards))),
      positions: integers(new Set(positions)),
    },
  );
  return new Map(rows.map((row) => [row['position'] as number, deadLetter(row)]));
}

function* slicesOf<T>(list: readonly T[], size: number): Iterable<readonly T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}

/** In order, each within the limits of a commit; a single one may be beyond them. */
function* partsOf(commits: readonly AgentCommit[]): Iterable<readonly AgentCommit[]> {
  let part: AgentCommit[] = [];
  let cells = 0;
  let characters = 0;
  for (const commit of commits) {
    const weight = weightOf(commit);
    if (part.length > 0 && (cells + weight.cells > most.cells || characters + weight.characters > most.characters)) {
      yield part;
      part = [];
      cells = 0;
      characters = 0;
    }
    part.push(commit);
    cells += weight.cells;
    characters += weight.characters;
  }
  if (part.length > 0) yield part;
}

/** Upper bounds, indexes included. */
function weightOf(commit: AgentCommit): { cells: number; characters: number } {
  const {
    segment,
    checkpoint,
    timers = [],
    operations = [],
    effects = [],
    messages = [],
    spawns = [],
    deadLetters = [],
    marks = [],
  } = commit;
  const { taken = [], effectsSettled = [], timersCleared = [], input } = { ...commit, ...commit.create };
  const rows = taken.length * 3 + effectsSettled.length * 2 + timersCleared.length * 2 + marks.length * 3;
  const cells =
    60 +
    rows +
    timers.length * 11 +
    operations.length * 45 +
    effects.length * 7 +
    messages.length * 25 +
    spawns.length * 45 +
    deadLetters.length * 12;
  const texts = [
    segment?.entries,
    checkpoint?.data,
    input,
    commit.outcome,
    commit.state,
    commit.suspect,
    ...timers.map(({ event }) => event),
    ...operations.flatMap((operation) => [operation.input, operation.outcome, operation.resolutions]),
    ...effects.flatMap((effect) => [effect.params, effect.event, effect.context]),
    ...messages.map(({ event }) => event),
    ...spawns.map((spawn) => spawn.input),
    ...deadLetters.flatMap(({ event, details }) => [event, details]),
  ];
  return { cells, characters: texts.reduce((sum, text) => sum + (text?.length ?? 0), 0) };
}
