/**
 * What a memory store keeps, shared by all who have it open: agents with everything of theirs, nodes, dead letters. Plain maps,
 * changed only inside one synchronous call, so that each call is atomic. It is gone with the process.
 */

import type {
  AgentKey,
  AgentRecord,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  MachineRecord,
  MailboxRecord,
  NodeRecord,
  NoteRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';

/** One agent and all that is stored with it. */
export interface AgentRow {
  record: AgentRecord;
  input: string | undefined;
  checkpoint: CheckpointRecord | undefined;
  readonly journal: JournalSegment[];
  readonly timers: Map<string, TimerRecord>;
  readonly operations: Map<string, OperationRecord>;
  readonly effects: Map<string, EffectRecord>;
  /** By position, oldest first. */
  readonly mailbox: Map<number, MailboxRecord>;
  /** Message id to sequence number, oldest first. */
  readonly marks: Map<string, number>;
  /** What an archived one names. */
  artifacts: readonly string[];
}

export interface NodeRow {
  record: NodeRecord;
  closedAt: number | undefined;
  /** Another node has taken agents from it since its last heartbeat. */
  robbed: boolean;
}

/** Somebody who wants to hear of mail: called with the receivers of what others posted. */
export type MailListener = (agents: readonly AgentKey[]) => void;

export class Data {
  readonly agents = new Map<AgentKey, AgentRow>();
  readonly byId = new Map<string, AgentRow>();
  readonly nodes = new Map<number, NodeRow>();
  /** By position, oldest first. */
  readonly deadLetters = new Map<number, DeadLetter>();
  readonly machines = new Map<string, MachineRecord>();
  /** By topic and author. */
  readonly notes = new Map<string, NoteRecord>();
  readonly listeners = new Map<object, MailListener>();
  #position = 0;

  nextPosition(): number {
    return (this.#position += 1);
  }

  find(agent: string | AgentKey): AgentRow | undefined {
    return typeof agent === 'string' ? this.byId.get(agent) : this.agents.get(agent);
  }

  add(record: AgentRecord, input: string | undefined): AgentRow {
    const row: AgentRow = {
      record,
      input,
      checkpoint: undefined,
      journal: [],
      timers: new Map(),
      operations: new Map(),
      effects: new Map(),
      mailbox: new Map(),
      marks: new Map(),
      artifacts: [],
    };
    this.agents.set(record.key, row);
    this.byId.set(record.id, row);
    return row;
  }

  isAlive(node: NodeRow, now: number): boolean {
    return node.closedAt === undefined && node.record.expiresAt > now;
  }

  /** The live node other than `self` that holds the agent. */
  holder(row: AgentRow, self: number, now: number): NodeRow | undefined {
    const { owner } = row.record;
    if (owner === undefined || owner === self) return undefined;
    const node = this.nodes.get(owner);
    return node !== undefined && this.isAlive(node, now) ? node : undefined;
  }
}
