/**
 * The store contract: records, never machines. A driver keeps plain data and one safety rule: every write of an agent is conditional on its fencing token and expected sequence number, checked inside the store's own
 * transaction. Unfenced are only posts to a mailbox (anyone may send, insert-if-absent on message id), notes, which are nobody's state, `expire`, which takes what no agent needs any more, and `install`, which makes what is not there.
 *
 * What a driver promises: `commit` applies each agent's commit atomically and in order, or not at all; when its promise resolves the applied commits are durable. A lost reply is an outcome of its own: the promise
 * rejects with `StoreUnavailableError` and the caller reads back with `heads`. Calls are answered in the order made.
 *
 * Times are epoch milliseconds. Payloads are text (JSON made by `core/codec`).
 */

import type { StatewardenError } from '../core/errors.js';
import type { ThreadKeys } from './encryption/thread-keys.js';
import type { StoreCounts } from './counts.js';
import type { NoteName, NoteRecord } from './notes.js';
import type { AgentOperation, Expired, ExpiryPage, FlaggedPage, OperationRecord, ParkedPage } from './operations.js';
import type { CommitOutcome, PostOutcome, RedriveOutcome } from './outcomes.js';
import type { WholeAgents } from './whole.js';

export type { StoreCounts } from './counts.js';
export type { NoteName, NoteRecord } from './notes.js';
export type { AgentOperation, Expired, ExpiryPage, FlaggedPage } from './operations.js';
export type { OperationPage, OperationRecord, OperationStatus, ParkedPage } from './operations.js';
export type { CommitOutcome, PostOutcome, RedriveOutcome } from './outcomes.js';
export type { AgentStand, ArchiveOrder, RemoveOrder, WholeAgent } from './whole.js';

/** An agent's integer key. The engine allocates it: node number × 2^32 + a counter, so that new agents append. */
export type AgentKey = number;

/**
 * `parked`: the machine registered now cannot take its checkpoint. `suspended`: its supervisor has it down, its mail waits. `stopped`, `done`, `error` are final,
 * unless a supervisor starts the agent anew.
 */
export type AgentStatus = 'active' | 'done' | 'error' | 'stopped' | 'parked' | 'suspended';

export interface StoreCapabilities {
  /** Survives the death of the process. */
  readonly durable: boolean;
  /** Several processes may open it at once. */
  readonly shared: boolean;
  /** It may be out of reach of one node and of no other: over a network. A node that cannot reach it for a whole term stops. Default false. */
  readonly remote?: boolean;
}

/** Who opens the store. A node with a lease owns agents; an observer (`undefined` lease) only reads and posts. */
export interface NodeLease {
  readonly name: string;
  /** A node that has not been heard of for so long may be taken over. */
  readonly ttlMs: number;
}

export interface AgentRecord {
  readonly key: AgentKey;
  readonly id: string;
  readonly kind: string;
  readonly version: number;
  readonly status: AgentStatus;
  /** Of the last committed turn; 0 before the first. */
  readonly sequenceNumber: number;
  readonly fence: number;
  /** Number of the node that holds it; a node that is gone holds nothing. */
  readonly owner: number | undefined;
  /** Sequence number of the active checkpoint; 0 when there is none. */
  readonly checkpointSequenceNumber: number;
  /** Must be resident to make progress: activities in flight, running ephemeral children, unsettled effects. */
  readonly busy: boolean;
  /** Id of the supervisor that it is a child of. */
  readonly supervisor: string | undefined;
  /** Where it belongs in a trace, as the W3C's `traceparent`: what its turns hang from. Undefined: nobody traced. */
  readonly trace: string | undefined;
  /** The event whose turn failed last, and how often it did; encoded. */
  readonly suspect: string | undefined;
  /** Encoded output (`done`) or error (`error`, `parked`, `suspended`: why). */
  readonly outcome: string | undefined;
  /** State value for people and lists, for example `{"working":"reading"}`; encoded. */
  readonly state: string | undefined;
  /** Where the rest of an archived agent is; encoded by the engine. Undefined: all of it is here. */
  readonly archive: string | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Consecutive turns of one agent that were committed together: `entries` is a JSON array, oldest first. */
export interface JournalSegment {
  readonly firstSequenceNumber: number;
  readonly lastSequenceNumber: number;
  readonly entries: string;
  /** crc32 of `entries`. */
  readonly checksum: number;
}

export interface CheckpointRecord {
  readonly sequenceNumber: number;
  readonly version: number;
  /** Structural hash of the machine that wrote it. */
  readonly schema: string;
  readonly data: string;
  /** crc32 of `data`. */
  readonly checksum: number;
}

export interface TimerRecord {
  /** Unique within its agent: path of the scheduling actor and send id. */
  readonly id: string;
  readonly dueAt: number;
  /** As asked for; a `restart` policy needs it. */
  readonly delayMs: number;
  readonly policy: 'deadline' | 'remaining' | 'restart';
  /** Path of the actor that takes the event; '' is the root. */
  readonly target: string;
  readonly event: string;
}

/** A named action that was committed and not yet settled. */
export interface EffectRecord {
  /** Sequence number and place in the turn: `12.0`. */
  readonly id: string;
  readonly path: string;
  readonly type: string;
  readonly params: string | undefined;
  readonly event: string;
  /** Encoded context when it is not the committed checkpoint's. */
  readonly context: string | undefined;
}

/** An event on its way into a mailbox. */
export interface MessageRecord {
  /** Receiver's id. */
  readonly to: string;
  /** Unique for the receiver when given; the same one twice is one event. */
  readonly messageId: string | undefined;
  readonly event: string;
  /** Sender agent's id, for people. */
  readonly from: string | undefined;
  /** Where an answer goes: an address made by the engine. What `isKeptBySender` says yes to is never made a dead letter. */
  readonly replyTo: string | undefined;
  readonly acceptedAt: number;
  /** `traceparent` of the turn that sent it. */
  readonly trace?: string | undefined;
}

export interface MailboxRecord extends MessageRecord {
  /** Rises with every accepted message of the store. */
  readonly position: number;
  readonly agent: AgentKey;
}

export interface DeadLetter {
  readonly position: number;
  readonly to: string;
  /** As its sender gave it; undefined when it had none. */
  readonly messageId: string | undefined;
  readonly event: string;
  readonly from: string | undefined;
  readonly reason: string;
  /** What its turn failed with, and where the agent stood; encoded. Undefined when no turn was tried. */
  readonly details?: string | undefined;
  readonly at: number;
}

/** An agent to be made by another one's commit: inserted if the id is free; it takes its first turn when it is loaded. */
export interface SpawnRecord {
  readonly key: AgentKey;
  readonly id: string;
  readonly kind: string;
  readonly version: number;
  readonly input: string | undefined;
  /** As `AgentRecord.trace`. */
  readonly trace?: string | undefined;
}

/** All that one agent writes at once. Absent parts write nothing. */
export interface AgentCommit {
  readonly key: AgentKey;
  readonly id: string;
  readonly fence: number;
  /** Sequence number before; the commit is refused when the store has another. */
  readonly expected: number;
  /** Sequence number after. Equal to `expected` when only effects or retries are settled. */
  readonly sequenceNumber: number;
  readonly at: number;
  /** First commit of a new agent: `key` is new, `expected` is 0, `fence` is 1, the owner is this node. */
  readonly create?: {
    readonly kind: string;
    readonly version: number;
    readonly input: string | undefined;
    readonly supervisor?: string | undefined;
    readonly trace?: string | undefined;
  };
  /**
   * Set when they changed. `outcome` and `state` belong to `status`. With `active` the owner is this node. With a final status, whatever is left in the agent's
   * mailbox (beyond `taken`) becomes dead letters, `agent-ended`, in the same commit.
   */
  readonly status?: AgentStatus;
  readonly outcome?: string;
  readonly state?: string;
  readonly busy?: boolean;
  /** `null`: there is none any more. */
  readonly suspect?: string;
  readonly segment?: JournalSegment;
  readonly checkpoint?: CheckpointRecord;
  /** Upserts by id, after `timersCleared`. */
  readonly timers?: readonly TimerRecord[];
  readonly timersCleared?: readonly string[] | 'all';
  /** Positions of mailbox rows taken; each must still be there, else the commit is refused. */
  readonly taken?: readonly number[];
  /** Message ids of events that are in `segment`, remembered for deduplication. */
  readonly marks?: readonly { readonly messageId: string; readonly sequenceNumber: number }[];
  /** Upserts by id. */
  readonly operations?: readonly OperationRecord[];
  readonly effects?: readonly EffectRecord[];
  readonly effectsSettled?: readonly string[];
  /** To other agents, posted after `spawns` are made. One to an id that does not exist, or has ended, becomes a dead letter. */
  readonly messages?: readonly MessageRecord[];
  readonly spawns?: readonly SpawnRecord[];
  /** Events that this agent could not take. */
  readonly deadLetters?: readonly Omit<DeadLetter, 'position'>[];
}

/** Everything needed to bring an agent back, read in one consistent view. */
export interface LoadedAgent {
  readonly record: AgentRecord;
  /** Encoded input given at spawn. */
  readonly input: string | undefined;
  readonly checkpoint: CheckpointRecord | undefined;
  /** Journal after the checkpoint, oldest first. */
  readonly tail: readonly JournalSegment[];
  readonly timers: readonly TimerRecord[];
  /** Open operations, and those settled after the checkpoint. */
  readonly operations: readonly OperationRecord[];
  readonly effects: readonly EffectRecord[];
  readonly mailbox: readonly MailboxRecord[];
  /** The newest marks, at most 1,024. `marksComplete` when there are no older ones. */
  readonly marks: readonly { readonly messageId: string; readonly sequenceNumber: number }[];
  readonly marksComplete: boolean;
  /**
   * When this load took the agent from a node that is gone: the time that node was last heard of (or closed).
   * Undefined when this node held the agent already or nobody ever did.
   */
  readonly downSince: number | undefined;
  /** Why what is stored of it cannot be read; then nothing here but the record's own fields may be believed. */
  readonly damage?: StatewardenError;
}

/** A registered machine as data, kept so that old checkpoints can be compared and drawn without its code. */
export interface MachineRecord {
  readonly kind: string;
  readonly version: number;
  /** Structural hash, as in `CheckpointRecord.schema`. */
  readonly schema: string;
  /** JSON text. */
  readonly definition: string;
}

export type LoadOutcome =
  | ({ readonly outcome: 'loaded' } & LoadedAgent)
  | { readonly outcome: 'absent' }
  /** It is archived: not taken, and not to be run before `restore`. */
  | { readonly outcome: 'archived'; readonly record: AgentRecord }
  /** A live node holds it. */
  | { readonly outcome: 'owned'; readonly record: AgentRecord; readonly node: NodeRecord };

export interface NodeRecord {
  readonly node: number;
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  readonly openedAt: number;
  /** When it was last heard of. */
  readonly seenAt: number;
  readonly expiresAt: number;
}

export interface DueTimer {
  readonly agent: AgentKey;
  readonly id: string;
  readonly dueAt: number;
}

export interface AgentFilter {
  readonly kind?: string;
  readonly status?: AgentStatus;
  /** Ids that start so. */
  readonly prefix?: string;
  /** Ids after this one, in order of id. */
  readonly after?: string;
  readonly limit: number;
}

export interface OpenedStore extends WholeAgents {
  /** This node's number: rises with every open; 0 for an observer. */
  readonly node: number;
  /** Commits that are called for while another is under way are written together once it is done: nothing is lost by calling early. Default false. */
  readonly gathers?: boolean;

  /** Applies the commits in order, each atomic, all durable when it resolves. */
  commit(commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]>;
  /** Fence and sequence number as stored, for reading back after a lost reply; undefined for an unknown key. */
  heads(keys: readonly AgentKey[]): Promise<readonly ({ readonly fence: number; readonly sequenceNumber: number } | undefined)[]>;

  /**
   * Reads agents, by id or key, and takes those that no live node holds: raises their fence and makes this node
   * the owner. An agent that this node holds already keeps its fence. Finished agents are read and not taken, unless
   * they are busy (they have named actions to settle). Archived ones are neither read nor taken.
   */
  load(agents: readonly (string | AgentKey)[]): Promise<readonly LoadOutcome[]>;
  /** Gives up agents, so that another node may take them at once. Those that this node does not hold are left alone. */
  release(agents: readonly AgentKey[]): Promise<void>;
  /** Reads records without taking anything. */
  lookup(agents: readonly (string | AgentKey)[]): Promise<readonly (AgentRecord | undefined)[]>;
  /**
   * Agents with something to do that no *other* live node holds: busy (whatever their status), or active with mail, or
   * just spawned (sequence number 0). In order of key, after `after`. `unheld`: only those that no live node holds, this one included.
   */
  runnable(page: { readonly after: AgentKey; readonly limit: number; readonly unheld?: boolean }): Promise<readonly AgentKey[]>;
  /** The earliest timers due before `before` of agents that no other live node holds. */
  dueTimers(page: { readonly before: number; readonly limit: number }): Promise<readonly DueTimer[]>;

  /** Unfenced: anyone may. `cap` is the largest number of waiting messages a mailbox may hold. */
  post(messages: readonly MessageRecord[], cap: number): Promise<readonly PostOutcome[]>;
  /** Where a message id stands, when the loaded marks are not complete. */
  mark(agent: AgentKey, messageId: string): Promise<number | undefined>;
  /** Of an activity's operations with this user key, whichever agents they belong to: the newest that has succeeded and still has its result; else one of which nobody knows (`held` or `unknown`), the newest. */
  keyed(activity: string, userKey: string): Promise<OperationRecord | undefined>;
  /** Open operations that wait for a breaker. */
  parked(page: ParkedPage): Promise<readonly AgentOperation[]>;
  /** Operations that somebody has to look at, or that belong to a saga. */
  flagged(page: FlaggedPage): Promise<readonly AgentOperation[]>;
  /** Whether any operation's record, or any archived agent, names each of these artifacts, in their order. */
  hasArtifacts(names: readonly string[]): Promise<readonly boolean[]>;
  /**
   * Takes `outcome` and `artifact` from operations that ended before a time and whose outcome their agent's checkpoint covers. Never from one that is open, held or `unknown`, nor
   * from one of a saga that has a step which could still be undone (`succeeded`, undoing nothing itself), unless its agent has ended.
   */
  expire(page: ExpiryPage): Promise<Expired>;

  /** Keeps notes, each in place of the one that its author left on the topic before; all or none, durable when it resolves. Unfenced, as `post`. */
  publish(notes: readonly NoteRecord[]): Promise<void>;
  /** Notes on topics that start so, in order of topic and author; `since`: only those with `at` ≥ it. Writes nothing. */
  notes(prefix: string, since?: number): Promise<readonly NoteRecord[]>;
  /** Removes notes, all or none, durable when it resolves; those that are not there are no fault. */
  retract(notes: readonly NoteName[]): Promise<void>;

  /** Remembers machines by kind, version and schema; a newer definition takes the place of the older. */
  saveMachines(machines: readonly MachineRecord[]): Promise<void>;
  machines(kind?: string): Promise<readonly MachineRecord[]>;

  /** Calls back with messages that somebody else posted to agents no other live node holds. At most one listener. */
  onForeignMail(listener: (agents: readonly AgentKey[]) => void): void;
  /** Waiting messages of one agent after a position. */
  mailbox(agent: AgentKey, afterPosition: number): Promise<readonly MailboxRecord[]>;

  /** Extends this node's lease. Resolves to false when it had expired and another node has taken agents from it. */
  heartbeat(): Promise<boolean>;
  nodes(): Promise<readonly NodeRecord[]>;

  list(filter: AgentFilter): Promise<readonly AgentRecord[]>;
  /** As `load`, taking nothing, for people and tools. Of an archived agent: what is left in the store. */
  inspect(agent: string | AgentKey): Promise<LoadedAgent | undefined>;
  journal(agent: AgentKey, page: { readonly after: number; readonly limit: number }): Promise<readonly JournalSegment[]>;
  operations(agent: AgentKey): Promise<readonly OperationRecord[]>;
  /** In order of position; `to`: only those for this agent. */
  deadLetters(page: { readonly after: number; readonly limit: number; readonly to?: string }): Promise<readonly DeadLetter[]>;
  /**
   * Moves dead letters, named by position, into the mailbox of their receiver, or of `to`. Each leaves the one and enters the other in the same
   * transaction, so its event is taken exactly once however often this is called. Unfenced, as `post`; `cap` as there.
   */
  redrive(positions: readonly number[], to: string | undefined, cap: number): Promise<readonly RedriveOutcome[]>;
  /** Removes dead letters for good. Resolves to how many there were. */
  discard(positions: readonly number[]): Promise<number>;
  counts(): Promise<StoreCounts>;
  /** Reads everything and checks it: shapes, checksums, gap-free sequence numbers. One line for each fault. */
  check(progress?: (done: number, total: number) => void): Promise<readonly string[]>;

  /**
   * Watches, from another thread, the turns that this one writes to `pulse` (of `core/turn-pulse`). One that lasts for more than `limitMs` is taken to be endless:
   * its event becomes a dead letter, `endless-turn` (an agent whose turn has no event to put aside ends in error), and the process is ended. While a turn
   * lasts, the node's lease is kept. Absent: the store has no thread of its own. `keys`: of an encrypted store, for whatever that thread writes by itself.
   */
  watchTurns?(pulse: SharedArrayBuffer, limitMs: number, keys?: ThreadKeys): Promise<void>;

  /** Ends the lease, so that others may take the agents at once, and closes. */
  close(): Promise<void>;
}

/** A place to keep agents, not yet opened. Made by `memory()`, `sqlite(path)`, … */
export interface Store {
  /** For people: `sqlite:./agents.db`. */
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /**
   * @throws StoreOpenError when it cannot be opened, StoreSchemaError when it is newer than this code,
   * CorruptRecordError when its integrity check fails.
   */
  open(options: { readonly lease?: NodeLease; readonly now: () => number }): Promise<OpenedStore>;
}
