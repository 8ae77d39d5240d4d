/**
 * An agent's past: its journal, run again turn by turn in actors that do nothing. Every turn says where the agent stood after it and what it asked for.
 *
 * The journal has what came from outside, not what a machine made of it: one whose turns depend on the time, on chance, or on code that has changed since
 * may come out differently. Where the store still has a checkpoint it is compared, and the history says whether it came to the same.
 */

import { isDeepStrictEqual } from 'node:util';
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import { Agent } from '../actors/agent.js';
import type { JournalEntry } from '../actors/entry.js';
import type { AgentHost } from '../actors/host.js';
import type { OperationOutcome, OperationRunner } from '../actors/operation.js';
import { actorAt } from '../actors/place.js';
import type { PersistedSnapshot, Registration } from '../actors/registration.js';
import { readCheckpoint } from '../actors/restore.js';
import { persist } from '../actors/seam.js';
import { decode, deepestCheckpoint, encode } from '../core/codec.js';
import type { AgentCommit, CheckpointRecord, OperationRecord } from '../persistence/store.js';

/** One turn of the past. */
export interface PastTurn {
  readonly sequenceNumber: number;
  /** When it was taken, epoch milliseconds. */
  readonly at: number;
  /** What it was about, as the journal has it. */
  readonly entry: JournalEntry;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** The machine's state value after it. */
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly asked: PastEffects;
}

/** What a turn asked for, to be done once it was durable. */
export interface PastEffects {
  /** Activities, questions and approvals that it began. */
  readonly operations: readonly { readonly id: string; readonly activity: string; readonly path: string }[];
  readonly timers: readonly { readonly id: string; readonly delayMs: number }[];
  readonly timersCleared: readonly string[];
  /** Encoded events. */
  readonly messages: readonly { readonly to: string; readonly event: string }[];
  readonly spawns: readonly { readonly id: string; readonly kind: string }[];
  /** Named actions. */
  readonly actions: readonly string[];
}

/** Where an agent stood after a turn, with all that a checkpoint would have. */
export interface PastState extends PastTurn {
  readonly context: unknown;
  /** As XState persists it. */
  readonly snapshot: PersistedSnapshot;
  /** Whether the history came to what the store's checkpoint has; undefined before it. */
  readonly exact: boolean | undefined;
}

export interface HistoryOptions {
  readonly agentId: string;
  readonly registration: Registration;
  /** How the ledger names what machines invoke. */
  readonly traits: OperationRunner['traits'];
  /** All of the agent's. */
  readonly operations: readonly OperationRecord[];
  /** Encoded results that are kept as artifacts, by operation. */
  readonly results?: ReadonlyMap<string, string>;
  readonly checkpoint?: CheckpointRecord | undefined;
}

const nothing = (): void => undefined;

export class History {
  readonly #options: HistoryOptions;
  readonly #operations: ReadonlyMap<string, OperationRecord>;
  readonly #host: AgentHost;
  #agent: Agent;
  #at = 0;
  #last: PastTurn | undefined;
  #stopped = false;
  #exact: boolean | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#operations = new Map(options.operations.map((operation) => [operation.id, operation]));
    this.#host = inertHost(options.traits, () => this.#at);
    this.#agent = this.#fresh(0);
  }

  #fresh(sequenceNumber: number): Agent {
    return new Agent(this.#host, this.#options.registration, { key: 0, id: this.#options.agentId, fence: 0, sequenceNumber }, false);
  }

  /** Runs the next turn again. @throws what its machine throws where XState does not make it the agent's own error */
  take(entry: JournalEntry): PastTurn {
    this.#at = entry.at;
    // A life of its own, when it was begun anew after its end.
    if (entry.init === true && entry.seq > 1) this.#agent = this.#fresh(entry.seq - 1);
    this.#stopped = entry.stop === true;
    const agent = this.#agent;
    if (entry.op !== undefined) this.#match(entry.op);
    if (entry.timer !== undefined) agent.forgetTimer(entry.timer);
    agent.replay(entry, (id) => this.#outcomeOf(id));
    const commit = agent.seal()?.commit;
    const { status, value, tags } = agent.snapshot() as Readonly<{ status: PastTurn['status']; value: unknown; tags: ReadonlySet<string> }>;
    const turn: PastTurn = {
      sequenceNumber: entry.seq,
      at: entry.at,
      entry,
      status: this.#stopped ? 'stopped' : status,
      value,
      tags: [...tags],
      asked: effectsOf(commit),
    };
    this.#last = turn;
    if (entry.seq === this.#options.checkpoint?.sequenceNumber) this.#exact = this.#isAsKept(this.#options.checkpoint);
    return turn;
  }

  /** Where it stands after the last turn taken; undefined before the first. */
  get state(): PastState | undefined {
    if (this.#last === undefined) return undefined;
    const snapshot = this.#snapshot();
    return { ...this.#last, context: snapshot.context, snapshot, exact: this.#exact };
  }

  /** The live snapshot, for whoever asks it `matches` or `can`. */
  get snapshot(): AnyMachineSnapshot {
    return this.#agent.snapshot();
  }

  get exact(): boolean | undefined {
    return this.#exact;
  }

  /** A copy: machines may change their context in place. */
  #snapshot(): PersistedSnapshot {
    return decode(encode(persist(this.#agent.root), 'snapshot', deepestCheckpoint)) as PersistedSnapshot;
  }

  #isAsKept(checkpoint: CheckpointRecord): boolean {
    return isDeepStrictEqual(this.#snapshot(), readCheckpoint(this.#options.agentId, checkpoint).snapshot);
  }

  /** An operation whose input came out differently has another id: the one at its place is meant. */
  #match(id: string): void {
    const kept = this.#operations.get(id);
    const open = kept === undefined ? undefined : this.#agent.operations.get(kept.path);
    if (open !== undefined && open.record.id !== id) open.record = { ...open.record, id };
  }

  #outcomeOf(id: string): OperationOutcome | undefined {
    const kept = this.#operations.get(id);
    const text = this.#options.results?.get(id) ?? (kept?.artifact === undefined ? kept?.outcome : undefined);
    if (kept === undefined || text === undefined) return { ok: true, value: undefined };
    return kept.status === 'succeeded' ? { ok: true, value: decode(text) } : { ok: false, error: decode(text) };
  }

  /** An actor of the agent as it stands, by path. */
  actorAt(path: string): AnyActorRef | undefined {
    return actorAt(this.#agent.root, path);
  }
}

function effectsOf(commit: AgentCommit | undefined): PastEffects {
  const operations = (commit?.operations ?? []).filter(
    ({ intendedIn, settledIn }) => intendedIn === commit?.sequenceNumber && settledIn === 0,
  );
  return {
    operations: operations.map(({ id, activity, path }) => ({ id, activity, path })),
    timers: (commit?.timers ?? []).map(({ id, delayMs }) => ({ id, delayMs })),
    timersCleared: commit?.timersCleared === 'all' ? [] : (commit?.timersCleared ?? []),
    messages: (commit?.messages ?? []).map(({ to, event }) => ({ to, event })),
    spawns: (commit?.spawns ?? []).map(({ id, kind }) => ({ id, kind })),
    actions: (commit?.effects ?? []).map(({ type }) => type),
  };
}

/** A host under which nothing is done: what a turn asks for is looked at and forgotten. */
function inertHost(traits: OperationRunner['traits'], now: () => number): AgentHost {
  const operations: OperationRunner = {
    traits,
    start: nothing,
    due: nothing,
    cancel: nothing,
    mayBeDone: () => false,
    rest: nothing,
    answered: () => undefined,
    settlement: () => undefined,
    along: () => undefined,
    halt: () => undefined,
  };
  return {
    clock: { now, elapsed: () => 0, setTimeout: () => undefined, clearTimeout: nothing },
    startedAt: 0,
    uses: 0,
    committer: { enlist: nothing, turning: nothing },
    operations,
    uncommittedTurns: Infinity,
    pulse: undefined,
    inspection: undefined,
    tracing: undefined,
    mailboxCap: Infinity,
    maxDeliveries: Infinity,
    slowTurnMs: Infinity,
    chance: () => 0,
    observed: false,
    tell: nothing,
    log: nothing,
    newAgent: () => ({ key: 0, version: 1 }),
    armTimer: nothing,
    answer: nothing,
    refuse: nothing,
    routed: nothing,
    spawned: nothing,
    redirect: nothing,
    ended: nothing,
    whenGone: nothing,
    suspended: nothing,
    supervise: nothing,
    dropped: nothing,
    exists: nothing,
  };
}
