/**
 * Commits on their way to the writer thread, flat: one array of strings and numbers for a whole group. Copying nested objects between threads costs
 * several times as much, on both sides, because each member's name travels with it.
 *
 * Invariant: `readTape(writeTape(commits))` equals `commits`. The layout is nobody else's business and lives no longer than a message.
 */

import {
  checkpointMembers,
  effectMembers,
  markMembers,
  membersOf,
  operationMembers,
  segmentMembers,
  timerMembers,
} from '../record-members.js';
import type { AgentCommit, CommitOutcome, DeadLetter, MessageRecord, SpawnRecord } from '../store.js';

export type Tape = unknown[];

type Row = Record<string, unknown>;
type Writable<T> = { -readonly [K in keyof T]: T[K] };

const heads = membersOf<Pick<AgentCommit, 'key' | 'id' | 'fence' | 'expected' | 'sequenceNumber' | 'at'>>({
  key: true,
  id: true,
  fence: true,
  expected: true,
  sequenceNumber: true,
  at: true,
});

/** Single values. */
const scalars = ['status', 'outcome', 'state', 'busy', 'suspect'] as const;

/** One record each. */
const singles = [
  ['segment', segmentMembers],
  ['checkpoint', checkpointMembers],
  ['create', membersOf<NonNullable<AgentCommit['create']>>({ kind: true, version: true, input: true, supervisor: true, trace: true })],
] as const;

/** Lists of plain values. */
const lists = ['taken', 'effectsSettled'] as const;

/** Lists of records. */
const tables = [
  ['operations', operationMembers],
  ['timers', timerMembers],
  ['effects', effectMembers],
  ['marks', markMembers],
  [
    'messages',
    membersOf<MessageRecord>({ to: true, messageId: true, event: true, from: true, replyTo: true, acceptedAt: true, trace: true }),
  ],
  ['spawns', membersOf<SpawnRecord>({ key: true, id: true, kind: true, version: true, input: true, trace: true })],
  [
    'deadLetters',
    membersOf<Omit<DeadLetter, 'position'>>({ to: true, messageId: true, event: true, from: true, reason: true, details: true, at: true }),
  ],
] as const;

/** A bit for each part that a commit may have, in the order above; `timersCleared` is last: a list of ids, or 'all'. */
const clearedBit = 1 << (scalars.length + singles.length + lists.length + tables.length);

export function writeTape(commits: readonly AgentCommit[]): Tape {
  const tape: Tape = [];
  for (const commit of commits) write(tape, commit as unknown as Row);
  return tape;
}

function write(tape: Tape, commit: Row): void {
  for (const name of heads) tape.push(commit[name]);
  const maskAt = tape.push(0) - 1;
  let mask = 0;
  let bit = 1;
  for (const name of scalars) {
    if (commit[name] !== undefined) {
      mask |= bit;
      tape.push(commit[name]);
    }
    bit <<= 1;
  }
  for (const [name, members] of singles) {
    const record = commit[name] as Row | undefined;
    if (record !== undefined) {
      mask |= bit;
      for (const member of members) tape.push(record[member]);
    }
    bit <<= 1;
  }
  for (const name of lists) {
    const list = commit[name] as readonly unknown[] | undefined;
    if (list !== undefined) {
      mask |= bit;
      tape.push(list);
    }
    bit <<= 1;
  }
  for (const [name, members] of tables) {
    const records = commit[name] as readonly Row[] | undefined;
    if (records !== undefined) {
      mask |= bit;
      tape.push(records.length);
      for (const record of records) writeSparse(tape, record, members);
    }
    bit <<= 1;
  }
  if (commit['timersCleared'] !== undefined) {
    mask |= clearedBit;
    tape.push(commit['timersCleared']);
  }
  tape[maskAt] = mask;
}

/** Most members of most records are undefined: those that are not, after a bit for each. */
function writeSparse(tape: Tape, record: Row, members: readonly string[]): void {
  const maskAt = tape.push(0) - 1;
  let mask = 0;
  let bit = 1;
  for (const member of members) {
    const value = record[member];
    if (value !== undefined) {
      mask |= bit;
      tape.push(value);
    }
    bit <<= 1;
  }
  tape[maskAt] = mask;
}

export function readTape(tape: Tape): AgentCommit[] {
  const commits: AgentCommit[] = [];
  let at = 0;
  const record = (members: readonly string[]): Row => {
    const row: Row = {};
    for (const member of members) row[member] = tape[at++];
    return row;
  };
  const sparse = (members: readonly string[]): Row => {
    const row: Row = {};
    const mask = tape[at++] as number;
    let bit = 1;
    for (const member of members) {
      row[member] = (mask & bit) === 0 ? undefined : tape[at++];
      bit <<= 1;
    }
    return row;
  };
  while (at < tape.length) {
    const commit = record(heads);
    const mask = tape[at++] as number;
    let bit = 1;
    for (const name of scalars) {
      if ((mask & bit) !== 0) commit[name] = tape[at++];
      bit <<= 1;
    }
    for (const [name, members] of singles) {
      if ((mask & bit) !== 0) commit[name] = record(members);
      bit <<= 1;
    }
    for (const name of lists) {
      if ((mask & bit) !== 0) commit[name] = tape[at++];
      bit <<= 1;
    }
    for (const [name, members] of tables) {
      if ((mask & bit) !== 0) {
        const rows: Row[] = [];
        for (let left = tape[at++] as number; left > 0; left -= 1) rows.push(sparse(members));
        commit[name] = rows;
      }
      bit <<= 1;
    }
    if ((mask & clearedBit) !== 0) commit['timersCleared'] = tape[at++];
    commits.push(commit as unknown as Writable<AgentCommit>);
  }
  return commits;
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
