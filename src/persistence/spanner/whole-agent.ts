/** Agents whole, as `Whole` reads and writes them: for archives and for moving house. */

import type {
  AgentKey,
  AgentRecord,
  CheckpointRecord,
  EffectRecord,
  JournalSegment,
  MailboxRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';

/** A record that may say where the rest of its agent is. */
export interface ArchivedRecord extends AgentRecord {
  /** Encoded pointer; undefined: all of it is here. */
  readonly archive: string | undefined;
}

/** All that a store keeps of one agent. */
export interface WholeAgent {
  readonly record: ArchivedRecord;
  readonly input: string | undefined;
  readonly checkpoint: CheckpointRecord | undefined;
  /** All that is kept, oldest first, not only what follows the checkpoint. */
  readonly journal: readonly JournalSegment[];
  readonly timers: readonly TimerRecord[];
  readonly operations: readonly OperationRecord[];
  readonly effects: readonly EffectRecord[];
  readonly mailbox: readonly MailboxRecord[];
  readonly marks: readonly { readonly messageId: string; readonly sequenceNumber: number }[];
}

/** An agent, and where it has to stand. */
export interface Standing {
  readonly key: AgentKey;
  readonly fence: number;
  readonly sequenceNumber: number;
}

export interface Archivable extends Standing {
  /** Encoded pointer to its archive. */
  readonly archive: string;
}
