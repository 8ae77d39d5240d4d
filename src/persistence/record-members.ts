/** The members of the contract's records, for whoever writes them one after the other, or takes them out of something that holds more. */

import type {
  AgentRecord,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  MachineRecord,
  MailboxRecord,
  NoteRecord,
  OperationRecord,
  TimerRecord,
  WholeAgent,
} from './store.js';

/** In the order in which they are named; the compiler sees that none is missing. */
export function membersOf<T>(members: Readonly<Record<keyof T, true>>): readonly (keyof T & string)[] {
  return Object.keys(members) as (keyof T & string)[];
}

export const agentMembers = membersOf<AgentRecord>({
  key: true,
  id: true,
  kind: true,
  version: true,
  status: true,
  sequenceNumber: true,
  fence: true,
  owner: true,
  checkpointSequenceNumber: true,
  busy: true,
  supervisor: true,
  suspect: true,
  outcome: true,
  state: true,
  archive: true,
  createdAt: true,
  updatedAt: true,
  trace: true,
});
export const segmentMembers = membersOf<JournalSegment>({
  firstSequenceNumber: true,
  lastSequenceNumber: true,
  entries: true,
  checksum: true,
});
export const checkpointMembers = membersOf<CheckpointRecord>({
  sequenceNumber: true,
  version: true,
  schema: true,
  data: true,
  checksum: true,
});
export const timerMembers = membersOf<TimerRecord>({ id: true, dueAt: true, delayMs: true, policy: true, target: true, event: true });
export const operationMembers = membersOf<OperationRecord>({
  id: true,
  activity: true,
  path: true,
  status: true,
  attempts: true,
  userKey: true,
  input: true,
  outcome: true,
  nextRetryAt: true,
  intendedIn: true,
  settledIn: true,
  intendedAt: true,
  settledAt: true,
  parkedBy: true,
  saga: true,
  compensates: true,
  resolutions: true,
  artifact: true,
});
export const effectMembers = membersOf<EffectRecord>({ id: true, path: true, type: true, params: true, event: true, context: true });
export const markMembers = membersOf<WholeAgent['marks'][number]>({ messageId: true, sequenceNumber: true });
export const mailMembers = membersOf<Required<MailboxRecord>>({
  to: true,
  messageId: true,
  event: true,
  from: true,
  replyTo: true,
  acceptedAt: true,
  trace: true,
  position: true,
  agent: true,
});
export const letterMembers = membersOf<Required<DeadLetter>>({
  position: true,
  to: true,
  messageId: true,
  event: true,
  from: true,
  reason: true,
  details: true,
  at: true,
});
export const noteMembers = membersOf<NoteRecord>({ topic: true, author: true, data: true, at: true });
export const machineMembers = membersOf<MachineRecord>({ kind: true, version: true, schema: true, definition: true });
