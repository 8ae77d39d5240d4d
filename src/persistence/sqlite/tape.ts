/**
 * Commits on their way to the writer thread, flat: one array of strings and numbers for a whole group. Copying nested objects between threads costs
 * several times as much, on both sides, because each member's name travels with it.
 *
 * Invariant: `readTape(writeTape(commits))` equals `commits`. The layout is nobody else's business and lives no longer than a message. What most commits have is named member by member, in one order for
 * writing and reading: a loop over names costs five times as much, for nobody knows then where in a record the next one stands.
 */

import { effectMembers, markMembers, membersOf, timerMembers } from '../record-members.js';
import type { AgentCommit, CommitOutcome, DeadLetter, MessageRecord, OperationRecord, SpawnRecord } from '../store.js';

export type Tape = unknown[];

type Row = Record<string, unknown>;

const createMembers = membersOf<NonNullable<AgentCommit['create']>>({
  kind: true,
  version: true,
  input: true,
  supervisor: true,
  trace: true,
});
const messageMembers = membersOf<MessageRecord>({
  to: true,
  messageId: true,
  event: true,
  from: true,
  replyTo: true,
  acceptedAt: true,
  trace: true,
});
const spawnMembers = membersOf<SpawnRecord>({ key: true, id: true, kind: true, version: true, input: true, trace: true });
const letterMembers = membersOf<Omit<DeadLetter, 'position'>>({
  to: true,
  messageId: true,
  event: true,
  from: true,
  reason: true,
  details: true,
  at: true,
});

/** Lists of records that few commits have. */
const tables = [
  ['timers', timerMembers],
  ['effects', effectMembers],
  ['marks', markMembers],
  ['messages', messageMembers],
  ['spawns', spawnMembers],
  ['deadLetters', letterMembers],
] as const;

/** A bit for each part that a commit may have. */
const has = {
  status: 1,
  outcome: 2,
  state: 4,
  busy: 8,
  suspect: 16,
  segment: 32,
  checkpoint: 64,
  operations: 128,
  create: 256,
  taken: 512,
  effectsSettled: 1_024,
  timersCleared: 2_048,
  /** And six more for the tables. */
  tables: 4_096,
} as const;

/** Writes onto `tape`, from its beginning; what it had after that is cut off. */
export function writeTape(commits: readonly AgentCommit[], tape: Tape = []): Tape {
  const writer = new TapeWriter(tape);
  for (const commit of commits) writer.write(commit);
  tape.length = writer.at;
  return tape;
}

class TapeWriter {
  readonly #tape: Tape;
  at = 0;

  constructor(tape: Tape) {
    this.#tape = tape;
  }

  #put(value: unknown): void {
    this.#tape[this.at] = value;
    this.at += 1;
  }

  write(c: AgentCommit): void {
    this.#put(c.key);
    this.#put(c.id);
    this.#put(c.fence);
    this.#put(c.expected);
    this.#put(c.sequenceNumber);
    this.#put(c.at);
    const maskAt = this.at;
    this.#put(0);
    let mask = 0;
    if (c.status !== undefined) mask |= this.#part(has.status, c.status);
    if (c.outcome !== undefined) mask |= this.#part(has.outcome, c.outcome);
    if (c.state !== undefined) mask |= this.#part(has.state, c.state);
    if (c.busy !== undefined) mask |= this.#part(has.busy, c.busy);
    if (c.suspect !== undefined) mask |= this.#part(has.suspect, c.suspect);
    if (c.segment !== undefined) {
      const { firstSequenceNumber, lastSequenceNumber, entries, checksum } = c.segment;
      mask |= this.#part(has.segment, firstSequenceNumber);
      this.#put(lastSequenceNumber);
      this.#put(entries);
      this.#put(checksum);
    }
    if (c.checkpoint !== undefined) {
      const { sequenceNumber, version, schema, data, checksum } = c.checkpoint;
      mask |= this.#part(has.checkpoint, sequenceNumber);
      this.#put(version);
      this.#put(schema);
      this.#put(data);
      this.#put(checksum);
    }
    if (c.operations !== undefined) {
      mask |= this.#part(has.operations, c.operations.length);
      for (const operation of c.operations) this.#operation(operation);
    }
    if (c.create !== undefined) {
      mask |= has.create;
      this.#sparse(c.create, createMembers);
    }
    if (c.taken !== undefined) mask |= this.#part(has.taken, c.taken);
    if (c.effectsSettled !== undefined) mask |= this.#part(has.effectsSettled, c.effectsSettled);
    if (c.timersCleared !== undefined) mask |= this.#part(has.timersCleared, c.timersCleared);
    let bit: number = has.tables;
    for (const [name, members] of tables) {
      const records = c[name];
      if (records !== undefined) {
        mask |= this.#part(bit, records.length);
        for (const record of records) this.#sparse(record, members);
      }
      bit <<= 1;
    }
    this.#tape[maskAt] = mask;
  }

  /** Its bit. */
  #part(bit: number, value: unknown): number {
    this.#put(value);
    return bit;
  }

  #operation(o: OperationRecord): void {
    this.#put(o.id);
    this.#put(o.activity);
    this.#put(o.path);
    this.#put(o.status);
    this.#put(o.attempts);
    this.#put(o.intendedIn);
    this.#put(o.settledIn);
    this.#put(o.intendedAt);
    const maskAt = this.at;
    this.#put(0);
    let mask = 0;
    if (o.input !== undefined) mask |= this.#part(1, o.input);
    if (o.outcome !== undefined) mask |= this.#part(2, o.outcome);
    if (o.settledAt !== undefined) mask |= this.#part(4, o.settledAt);
    if (o.userKey !== undefined) mask |= this.#part(8, o.userKey);
    if (o.nextRetryAt !== undefined) mask |= this.#part(16, o.nextRetryAt);
    if (o.parkedBy !== undefined) mask |= this.#part(32, o.parkedBy);
    if (o.saga !== undefined) mask |= this.#part(64, o.saga);
    if (o.compensates !== undefined) mask |= this.#part(128, o.compensates);
    if (o.resolutions !== undefined) mask |= this.#part(256, o.resolutions);
    if (o.artifact !== undefined) mask |= this.#part(512, o.artifact);
    this.#tape[maskAt] = mask;
  }

  /** Most members of such records are undefined: those that are not, after a bit for each. */
  #sparse(record: object, members: readonly string[]): void {
    const maskAt = this.at;
    this.#put(0);
    let mask = 0;
    let bit = 1;
    for (const member of members) {
      const value = (record as Row)[member];
      if (value !== undefined) mask |= this.#part(bit, value);
      bit <<= 1;
    }
    this.#tape[maskAt] = mask;
  }
}

export function readTape(tape: Tape): AgentCommit[] {
  const commits: AgentCommit[] = [];
  const reader = new TapeReader(tape);
  while (reader.at < tape.length) commits.push(reader.read());
  return commits;
}

class TapeReader {
  readonly #tape: Tape;
  at = 0;

  constructor(tape: Tape) {
    this.#tape = tape;
  }

  #next(): never {
    const value = this.#tape[this.at];
    this.at += 1;
    return value as never;
  }

  #if(mask: number, bit: number): never {
    return (mask & bit) === 0 ? (undefined as never) : this.#next();
  }

  /** Parts that it does not have are there, and undefined: all commits have one shape. */
  read(): AgentCommit {
    const key: number = this.#next();
    const id: string = this.#next();
    const fence: number = this.#next();
    const expected: number = this.#next();
    const sequenceNumber: number = this.#next();
    const at: number = this.#next();
    const mask: number = this.#next();
    const commit: Row = {
      key,
      id,
      fence,
      expected,
      sequenceNumber,
      at,
      status: this.#if(mask, has.status),
      outcome: this.#if(mask, has.outcome),
      state: this.#if(mask, has.state),
      busy: this.#if(mask, has.busy),
      suspect: this.#if(mask, has.suspect),
      segment: (mask & has.segment) === 0 ? undefined : this.#segment(),
      checkpoint: (mask & has.checkpoint) === 0 ? undefined : this.#checkpoint(),
      operations: (mask & has.operations) === 0 ? undefined : this.#list(() => this.#operation()),
      create: (mask & has.create) === 0 ? undefined : this.#sparse(createMembers),
      taken: this.#if(mask, has.taken),
      effectsSettled: this.#if(mask, has.effectsSettled),
      timersCleared: this.#if(mask, has.timersCleared),
      timers: undefined,
      effects: undefined,
      marks: undefined,
      messages: undefined,
      spawns: undefined,
      deadLetters: undefined,
    };
    if (mask < has.tables) return commit as unknown as AgentCommit;
    let bit: number = has.tables;
    for (const [name, members] of tables) {
      if ((mask & bit) !== 0) commit[name] = this.#list(() => this.#sparse(members));
      bit <<= 1;
    }
    return commit as unknown as AgentCommit;
  }

  #list<T>(read: () => T): T[] {
    const rows: T[] = [];
    for (let left: number = this.#next(); left > 0; left -= 1) rows.push(read());
    return rows;
  }

  #segment(): AgentCommit['segment'] {
    return { firstSequenceNumber: this.#next(), lastSequenceNumber: this.#next(), entries: this.#next(), checksum: this.#next() };
  }

  #checkpoint(): AgentCommit['checkpoint'] {
    return {
      sequenceNumber: this.#next(),
      version: this.#next(),
      schema: this.#next(),
      data: this.#next(),
      checksum: this.#next(),
    };
  }

  #operation(): OperationRecord {
    const id: string = this.#next();
    const activity: string = this.#next();
    const path: string = this.#next();
    const status: OperationRecord['status'] = this.#next();
    const attempts: number = this.#next();
    const intendedIn: number = this.#next();
    const settledIn: number = this.#next();
    const intendedAt: number = this.#next();
    const mask: number = this.#next();
    return {
      id,
      activity,
      path,
      status,
      attempts,
      intendedIn,
      settledIn,
      intendedAt,
      input: this.#if(mask, 1),
      outcome: this.#if(mask, 2),
      settledAt: this.#if(mask, 4),
      userKey: this.#if(mask, 8),
      nextRetryAt: this.#if(mask, 16),
      parkedBy: this.#if(mask, 32),
      saga: this.#if(mask, 64),
      compensates: this.#if(mask, 128),
      resolutions: this.#if(mask, 256),
      artifact: this.#if(mask, 512),
    };
  }

  #sparse(members: readonly string[]): Row {
    const row: Row = {};
    const mask: number = this.#next();
    let bit = 1;
    for (const member of members) {
      row[member] = this.#if(mask, bit);
      bit <<= 1;
    }
    return row;
  }
}

/** What becomes of most commits: applied, and nothing to tell of messages and spawns. */
const nothing: readonly never[] = Object.freeze([]);
const applied: CommitOutcome = Object.freeze({ outcome: 'applied', messages: nothing, spawned: nothing });

/** Of one commit of the plain sort, packed. */
export const packedPlain: readonly 0[] = Object.freeze([0] as const);

/** Outcomes on their way back: 0 for the plain ones. */
export function packOutcomes(outcomes: readonly CommitOutcome[]): (CommitOutcome | 0)[] {
  return outcomes.map((outcome) =>
    outcome.outcome === 'applied' && outcome.messages.length === 0 && outcome.spawned.length === 0 ? 0 : outcome,
  );
}

export function unpackOutcomes(packed: readonly (CommitOutcome | 0)[]): CommitOutcome[] {
  return packed.map((outcome) => (outcome === 0 ? applied : outcome));
}
