/** Agents of a memory store: what is needed to bring one back, and wholes (see `WholeAgents`). Every reason to refuse is looked at before the first change. */

import type { AgentStand, ArchiveOrder, LoadedAgent, RemoveOrder, WholeAgent } from '../store.js';
import { isFinal } from './commits.js';
import type { AgentRow, Data } from './data.js';

/** Whether no other live node holds it. */
type IsFree = (row: AgentRow) => boolean;

const newestMarks = 1_024;

export function readLoaded(row: AgentRow): LoadedAgent {
  const { record, checkpoint, journal } = row;
  const base = checkpoint?.sequenceNumber ?? 0;
  const marks = [...row.marks].slice(-newestMarks).reverse();
  return {
    record,
    input: record.sequenceNumber === 0 ? row.input : undefined,
    checkpoint,
    tail: journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > base),
    timers: [...row.timers.values()],
    operations: [...row.operations.values()].filter(({ settledIn }) => settledIn === 0 || settledIn > base),
    effects: [...row.effects.values()],
    mailbox: [...row.mailbox.values()],
    marks: marks.map(([messageId, sequenceNumber]) => ({ messageId, sequenceNumber })),
    marksComplete: row.marks.size <= newestMarks,
    downSince: undefined,
  };
}

export function readWhole(row: AgentRow): WholeAgent {
  const { record, checkpoint } = row;
  return {
    record,
    input: record.sequenceNumber === 0 && record.archive === undefined ? row.input : undefined,
    checkpoint,
    journal: [...row.journal],
    timers: [...row.timers.values()],
    operations: [...row.operations.values()],
    effects: [...row.effects.values()],
    mailbox: [...row.mailbox.values()],
    marks: [...row.marks].map(([messageId, sequenceNumber]) => ({ messageId, sequenceNumber })),
    artifacts: row.artifacts,
  };
}

export function installWhole(data: Data, agent: WholeAgent): 'installed' | 'exists' {
  const { record } = agent;
  if (data.agents.has(record.key) || data.byId.has(record.id)) return 'exists';
  const row = data.add({ ...record, owner: undefined }, agent.input);
  putBack(row, agent);
  row.artifacts = agent.artifacts;
  for (const { messageId, sequenceNumber } of agent.marks) row.marks.set(messageId, sequenceNumber);
  for (const mail of agent.mailbox) {
    const position = data.nextPosition();
    row.mailbox.set(position, { ...mail, position, agent: record.key });
  }
  return 'installed';
}

export function archiveWhole(data: Data, order: ArchiveOrder, isFree: IsFree): 'archived' | 'changed' | 'absent' {
  const row = data.agents.get(order.key);
  if (row === undefined) return 'absent';
  const { record } = row;
  if (!stands(row, order) || record.busy || record.archive !== undefined || held(row, isFree)) return 'changed';
  row.record = { ...record, fence: record.fence + 1, owner: undefined, archive: order.archive };
  row.artifacts = order.artifacts;
  row.input = undefined;
  row.checkpoint = undefined;
  row.journal.length = 0;
  row.timers.clear();
  row.effects.clear();
  for (const [id, { userKey }] of row.operations) if (userKey === undefined) row.operations.delete(id);
  return 'archived';
}

export function restoreWhole(data: Data, agent: WholeAgent): 'restored' | 'changed' | 'absent' {
  const row = data.agents.get(agent.record.key);
  if (row === undefined) return 'absent';
  if (row.record.archive === undefined || row.record.archive !== agent.record.archive) return 'changed';
  row.record = { ...row.record, archive: undefined };
  row.artifacts = [];
  row.input = agent.input;
  putBack(row, agent);
  return 'restored';
}

export function removeWhole(data: Data, order: RemoveOrder, isFree: IsFree): 'removed' | 'changed' | 'absent' {
  const row = data.agents.get(order.key);
  if (row === undefined) return 'absent';
  const more = [...row.mailbox.keys()].some((position) => position > order.lastMail);
  if (!stands(row, order) || more || held(row, isFree)) return 'changed';
  data.agents.delete(order.key);
  data.byId.delete(row.record.id);
  return 'removed';
}

function stands({ record }: AgentRow, { fence, sequenceNumber }: AgentStand): boolean {
  return record.fence === fence && record.sequenceNumber === sequenceNumber;
}

function held(row: AgentRow, isFree: IsFree): boolean {
  return !(isFinal(row.record) && !row.record.busy) && !isFree(row);
}

/** What `archive` takes. */
function putBack(row: AgentRow, agent: WholeAgent): void {
  row.checkpoint = agent.checkpoint;
  row.journal.push(...agent.journal);
  for (const timer of agent.timers) row.timers.set(timer.id, timer);
  for (const effect of agent.effects) row.effects.set(effect.id, effect);
  for (const operation of agent.operations) if (!row.operations.has(operation.id)) row.operations.set(operation.id, operation);
}
