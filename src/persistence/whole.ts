/**
 * Agents as wholes: what archives and moving house need of a store. An archived agent has left its journal, checkpoint, timers, effects and most of its ledger to one
 * artifact, and the store keeps what answers others meanwhile: its record (with a pointer), its mailbox, its marks, and its operations that have a user key.
 *
 * Invariants: `archive` raises the agent's fence and leaves it with no owner, so whoever had it in memory is refused. `load` never gives an archived agent, blank or otherwise:
 * it says `archived`. A finished agent that is not busy is held by nobody, as for `load`. Mail is accepted, and refused as a duplicate, as for any other. `archive`, `restore`, `install` and `remove` may be called by an observer too.
 */

import type { OperationRecord } from './operations.js';
import type { AgentKey, AgentRecord, CheckpointRecord, EffectRecord, JournalSegment, MailboxRecord, TimerRecord } from './store.js';

/** All that a store keeps of one agent. */
export interface WholeAgent {
  readonly record: AgentRecord;
  /** Only of an agent that has taken no turn yet (sequence number 0): afterwards the journal has it. */
  readonly input: string | undefined;
  readonly checkpoint: CheckpointRecord | undefined;
  /** All that is kept, oldest first, not only what follows the checkpoint. */
  readonly journal: readonly JournalSegment[];
  readonly timers: readonly TimerRecord[];
  /** All of them; of an archived agent those that have a user key. */
  readonly operations: readonly OperationRecord[];
  readonly effects: readonly EffectRecord[];
  readonly mailbox: readonly MailboxRecord[];
  /** All of them, in no particular order. */
  readonly marks: readonly { readonly messageId: string; readonly sequenceNumber: number }[];
  /** Of an archived agent: the names given to `archive`. Empty for any other. */
  readonly artifacts: readonly string[];
}

/** An agent as somebody has seen it: what is done to it is done only while it stands so. */
export interface AgentStand {
  readonly key: AgentKey;
  readonly fence: number;
  readonly sequenceNumber: number;
}

export interface ArchiveOrder extends AgentStand {
  /** Goes into the record. Means nothing to the store. */
  readonly archive: string;
  /** Names that `hasArtifacts` says yes to for as long as it is archived: of the archive itself, and of the results within it. */
  readonly artifacts: readonly string[];
}

export interface RemoveOrder extends AgentStand {
  /** Position of the last mail that may go with it; 0: none. One with mail beyond stays. */
  readonly lastMail: number;
}

/** A part of `OpenedStore`. */
export interface WholeAgents {
  /** Reads all that there is of agents, each in one consistent view, taking nothing. Undefined for an unknown key. */
  whole(agents: readonly AgentKey[]): Promise<readonly (WholeAgent | undefined)[]>;
  /**
   * Puts agents in as they were, held by nobody, each atomic and in order. `exists`: its id or key is taken, and nothing of it was written. Mailbox rows get new positions, in their
   * order; nodes hear of them as of any mail.
   */
  install(agents: readonly WholeAgent[]): Promise<readonly ('installed' | 'exists')[]>;
  /** Archives agents, each atomic. `changed`: it stands otherwise, is busy, is archived already, or is held by another live node; nothing was written. */
  archive(agents: readonly ArchiveOrder[]): Promise<readonly ('archived' | 'changed' | 'absent')[]>;
  /**
   * Brings back what `archive` took: checkpoint, journal, timers, effects, and operations that are not there. Record, mailbox, marks and operations with a user key stay as they stand now, the
   * record's pointer goes. `changed`: its pointer is not `agent.record.archive`; nothing was written.
   */
  restore(agent: WholeAgent): Promise<'restored' | 'changed' | 'absent'>;
  /** Removes agents for good, each atomic with all that belongs to it, archived or not. `changed`: it stands otherwise, has more mail, or is held by another live node. Dead letters stay. */
  remove(agents: readonly RemoveOrder[]): Promise<readonly ('removed' | 'changed' | 'absent')[]>;
  /**
   * Gives space that nothing uses any more back to the file system, in whatever time that takes. Resolves to how many bytes the store had and has; to undefined when another live node is at work, which would have to wait: then
   * nothing was done. Absent: the store has nothing to give back.
   */
  reclaim?(): Promise<{ readonly before: number; readonly after: number } | undefined>;
}
