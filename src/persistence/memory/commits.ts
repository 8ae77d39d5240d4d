/**
 * Writing to a memory store: an agent's commit, a message. Every reason to refuse is looked at before the first change, so a commit is
 * applied whole or not at all.
 */

import { InvariantViolationError } from '../../core/errors.js';
import { newRecord } from '../new-agent.js';
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
import { isKeptBySender } from '../kept-by-sender.js';
import type { AgentRow, Data } from './data.js';

export function isFinal({ status }: Pick<AgentRecord, 'status'>): boolean {
  return status === 'done' || status === 'error' || status === 'stopped';
}

/** Applies one commit of `node`. `mailed` is told the receivers of its messages. */
export function applyCommit(data: Data, node: number, commit: AgentCommit, mailed: (agent: AgentKey) => void): CommitOutcome {
  const { create } = commit;
  if (create !== undefined) {
    const old = data.byId.get(commit.id);
    if (old !== undefined) return { outcome: 'exists', record: old.record };
    if (data.agents.has(commit.key)) {
      throw new InvariantViolationError(`the key of new agent "${commit.id}" is in use`, {
        hint: 'Keys are made by the engine, each once.',
      });
    }
  }
  const found = data.agents.get(commit.key);
  const fence = create === undefined ? found?.record.fence : commit.fence;
  const sequenceNumber = found?.record.sequenceNumber ?? 0;
  const missing = commit.taken?.some((position) => found?.mailbox.has(position) !== true) === true;
  if (fence !== commit.fence || sequenceNumber !== commit.expected || missing) {
    return { outcome: 'refused', fence: found?.record.fence ?? 0, sequenceNumber };
  }
  const row =
    found ?? data.add(newRecord({ ...commit, ...(create as NonNullable<typeof create>) }, commit.fence, commit.at, node), create?.input);
  writeAgent(row, commit, node);
  buryMail(data, row, commit);
  const spawned = (commit.spawns ?? []).map((spawn) => spawnAgent(data, spawn, commit.at));
  const messages = (commit.messages ?? []).map((message) => {
    const outcome = postMessage(data, message, Infinity, commit.at);
    if (outcome.outcome === 'accepted') mailed(outcome.agent);
    return outcome;
  });
  return { outcome: 'applied', messages, spawned };
}

function writeAgent(row: AgentRow, commit: AgentCommit, node: number): void {
  const old = row.record;
  row.record = {
    ...old,
    sequenceNumber: commit.sequenceNumber,
    checkpointSequenceNumber: commit.checkpoint?.sequenceNumber ?? old.checkpointSequenceNumber,
    status: commit.status ?? old.status,
    // One that ended, or was parked or suspended, becomes the agent of whoever brings it up.
    owner: commit.status === 'active' ? node : old.owner,
    outcome: commit.outcome ?? old.outcome,
    state: commit.state ?? old.state,
    busy: commit.busy ?? old.busy,
    suspect: commit.suspect === 'null' ? undefined : (commit.suspect ?? old.suspect),
    updatedAt: commit.at,
  };
  if (commit.segment !== undefined) row.journal.push(commit.segment);
  if (commit.checkpoint !== undefined) row.checkpoint = commit.checkpoint;
  if (commit.timersCleared === 'all') row.timers.clear();
  else for (const id of commit.timersCleared ?? []) row.timers.delete(id);
  for (const timer of commit.timers ?? []) row.timers.set(timer.id, timer);
  for (const position of commit.taken ?? []) row.mailbox.delete(position);
  for (const { messageId, sequenceNumber } of commit.marks ?? []) {
    if (!row.marks.has(messageId)) row.marks.set(messageId, sequenceNumber);
  }
  for (const operation of commit.operations ?? []) {
    const parkedBy = operation.settledIn === 0 ? operation.parkedBy : undefined;
    row.operations.set(operation.id, parkedBy === operation.parkedBy ? operation : { ...operation, parkedBy });
  }
  for (const effect of commit.effects ?? []) row.effects.set(effect.id, effect);
  for (const id of commit.effectsSettled ?? []) row.effects.delete(id);
}

/** What an agent leaves behind when it ends, and what it could not take. */
function buryMail(data: Data, row: AgentRow, commit: AgentCommit): void {
  if (commit.status !== undefined && isFinal(row.record)) {
    for (const message of row.mailbox.values()) if (!isKeptBySender(message.replyTo)) bury(data, message, 'agent-ended', commit.at);
    row.mailbox.clear();
  }
  for (const letter of commit.deadLetters ?? []) bury(data, letter, letter.reason, letter.at);
}

function spawnAgent(data: Data, spawn: SpawnRecord, at: number): AgentRecord {
  const row = data.byId.get(spawn.id) ?? data.add(newRecord(spawn, 0, at, undefined), spawn.input);
  return row.record;
}

/** Unfenced: anyone may. */
export function postMessage(data: Data, message: MessageRecord, cap: number, at: number): PostOutcome {
  const outcome = deliver(data, message, cap);
  if (outcome.outcome === 'dead-letter' && !isKeptBySender(message.replyTo)) bury(data, message, outcome.reason, at);
  return outcome;
}

/** From the dead letters into a mailbox. */
export function redriveLetter(data: Data, position: number, to: string | undefined, cap: number, at: number): RedriveOutcome {
  const letter = data.deadLetters.get(position);
  if (letter === undefined) return { outcome: 'absent' };
  const { messageId, event, from } = letter;
  const outcome = deliver(data, { to: to ?? letter.to, messageId, event, from, replyTo: undefined, acceptedAt: at, trace: undefined }, cap);
  if (outcome.outcome === 'dead-letter') return { outcome: 'kept', reason: outcome.reason };
  if (outcome.outcome === 'full') return { outcome: 'kept', reason: 'mailbox-full' };
  data.deadLetters.delete(position);
  return outcome.outcome === 'accepted' ? { ...outcome, outcome: 'redriven' } : outcome;
}

/** Into the mailbox, if it can be. */
function deliver(data: Data, message: MessageRecord, cap: number): PostOutcome {
  const row = data.byId.get(message.to);
  // What it has taken stays taken, also when it has ended since: a sender that tries again is told so.
  const taken = message.messageId === undefined ? undefined : row?.marks.get(message.messageId);
  if (taken !== undefined) return { outcome: 'duplicate', sequenceNumber: taken };
  const reason = row === undefined ? 'no-such-agent' : isFinal(row.record) ? 'agent-ended' : undefined;
  if (row === undefined || reason !== undefined) return { outcome: 'dead-letter', reason: reason ?? 'no-such-agent' };
  if (message.messageId !== undefined) {
    for (const waiting of row.mailbox.values()) {
      if (waiting.messageId === message.messageId) return { outcome: 'duplicate', sequenceNumber: 0 };
    }
  }
  if (row.mailbox.size >= cap) return { outcome: 'full' };
  const position = data.nextPosition();
  const agent = row.record.key;
  row.mailbox.set(position, { ...message, position, agent });
  return { outcome: 'accepted', position, agent };
}

function bury(
  data: Data,
  { to, messageId, event, from, details }: Omit<DeadLetter, 'position' | 'reason' | 'at'>,
  reason: string,
  at: number,
): void {
  const position = data.nextPosition();
  data.deadLetters.set(position, { position, to, messageId, event, from, reason, details, at });
}
