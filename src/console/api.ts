/**
 * What the console's server and its page say to each other: JSON under `/api/`, and server-sent events. Times are epoch milliseconds. What a store keeps encoded is decoded, redacted and cut to size here (`Shown`).
 *
 *     GET  /api/about                         About
 *     GET  /api/agents?prefix&kind&status&state&after&limit      AgentList
 *     GET  /api/agents/ID                     AgentDetail
 *     GET  /api/agents/ID/turns?after&limit   TurnPage    (`last=N`: the newest N; in order of sequence number)
 *     GET  /api/agents/ID/at/SEQ              Moment
 *     GET  /api/machines/KIND?version&schema  MachinePage
 *     GET  /api/tree                          Branch[]
 *     GET  /api/breakers                      BreakerLine[]
 *     GET  /api/dead-letters?to&group&after&limit               LetterPage
 *     GET  /api/people                        PeoplePage: approvals, holds, sagas that are held
 *     GET  /api/runtime                       RuntimePage
 *     GET  /api/stream?agent=ID&topics=…      server-sent events: `StreamEvent`, named by their `type`, in batches
 *     POST /api/agents/ID/send                { event, messageId? } → Done
 *     POST /api/agents/ID/stop, /restart      {} → Done
 *     POST /api/dead-letters/redrive          { positions, to? } → Done
 *     POST /api/dead-letters/discard          { positions } → Done
 *     POST /api/people/approvals/OPERATION    { order: 'approve' | 'reject', by, note?, value? } → Done
 *     POST /api/people/holds/OPERATION        { order: 'done' | 'failed' | 'retry', by, note?, result? } → Done
 *     POST /api/people/sagas/SAGA             { order: 'resume' | 'skip' | 'abandon', by, note?, agent? } → Done
 *     POST /api/breakers/NAME                 { order: 'open' | 'close' | 'auto' } → Done
 *
 * A POST needs `Authorization: Bearer TOKEN`, JSON, and the page's own origin. IDs are percent-encoded. What fails is a `Failure` with status 400, 401, 403, 404, 409, 503, or 500 for a defect.
 * `agent` of an order to a saga: whose it is; without it, the only one of that name that is held.
 */

import type { MachineChart } from '../actors/chart.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** A value from an agent: secrets are `'…redacted'`, what is too large is cut, and `cut` says where (JSON pointers). */
export interface Shown {
  readonly value: unknown;
  readonly cut?: readonly string[];
}

export interface About {
  readonly version: string;
  /** `sqlite:./agents.db` */
  readonly store: string;
  /** A runtime is at work in this process: pages are told of turns as they come, and one may act. */
  readonly live: boolean;
  /** A token is needed to act; false: nobody can, the store is only read. */
  readonly acts: boolean;
  /** Kinds whose code is at hand: only of their agents can the past be run again. */
  readonly replays: readonly string[];
  readonly now: number;
}

export type AgentStatus = 'active' | 'done' | 'error' | 'stopped' | 'parked' | 'suspended';

export interface AgentLine {
  readonly id: string;
  readonly kind: string;
  readonly version: number;
  readonly status: AgentStatus;
  /** State value. */
  readonly state: unknown;
  readonly sequenceNumber: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly busy: boolean;
  readonly supervisor?: string;
  readonly archived?: true;
  /** Of one that is parked, suspended or ended in error. */
  readonly failure?: string;
}

export interface AgentList {
  /** In order of id. */
  readonly agents: readonly AgentLine[];
  /** `after` of the next page. */
  readonly next?: string;
  /** Of the whole store, whatever the filter. */
  readonly counts: Readonly<Record<AgentStatus, number>>;
  /** Looked at so many without finding a page full: `next` goes on from there. */
  readonly scanned: number;
}

export interface ChildLine {
  /** Ids from the root, joined by `/`. */
  readonly path: string;
  readonly src: string;
  readonly status: string;
  readonly state?: unknown;
}

export interface TimerLine {
  readonly id: string;
  readonly dueAt: number;
  readonly delayMs: number;
  readonly policy: string;
  readonly target: string;
  readonly event: string;
}

export interface OperationLine {
  readonly id: string;
  readonly activity: string;
  readonly path: string;
  readonly status: string;
  readonly attempts: number;
  readonly intendedIn: number;
  readonly settledIn?: number;
  readonly intendedAt: number;
  readonly settledAt?: number;
  readonly nextRetryAt?: number;
  readonly parkedBy?: string;
  readonly saga?: string;
  readonly compensates?: string;
  readonly input?: Shown;
  readonly outcome?: Shown;
  /** Its result is kept as an artifact: its name. */
  readonly artifact?: string;
}

export interface MailLine {
  readonly position: number;
  readonly type: string;
  readonly event: Shown;
  readonly from?: string;
  readonly messageId?: string;
  readonly acceptedAt: number;
}

export interface AgentDetail extends AgentLine {
  readonly context?: Shown;
  /** Turn that the context is of: of an agent that is in no memory here, that of its checkpoint. */
  readonly contextAt?: number;
  readonly outcome?: Shown;
  /** Why what is stored of it cannot be read or shown. */
  readonly damage?: Failure;
  readonly children: readonly ChildLine[];
  readonly timers: readonly TimerLine[];
  readonly operations: readonly OperationLine[];
  readonly mailbox: readonly MailLine[];
  readonly checkpoint?: { readonly sequenceNumber: number; readonly version: number; readonly schema: string; readonly bytes: number };
  /** Node that holds it. */
  readonly node?: { readonly node: number; readonly name: string; readonly host: string; readonly pid: number };
  /** Its past can be run again here. */
  readonly replays: boolean;
  /** Event types that it takes where it stands, as far as the machine says. */
  readonly takes: readonly string[];
}

export interface TurnLine {
  readonly sequenceNumber: number;
  readonly at: number;
  readonly kind: 'start' | 'event' | 'outcome' | 'stop';
  /** Of the event; the activity, for an outcome. */
  readonly type: string;
  readonly payload?: Shown;
  readonly from?: string;
  /** Path of the actor that took it, when not the root. */
  readonly to?: string;
  readonly timer?: string;
  readonly messageId?: string;
  readonly operation?: string;
  /** Of an outcome: how its operation stands. */
  readonly outcomeStatus?: string;
  /** Known when the past can be run again. */
  readonly state?: unknown;
  readonly status?: string;
  readonly asked?: TurnEffects;
  /** The store's checkpoint is of this turn. */
  readonly checkpoint?: true;
}

export interface TurnEffects {
  readonly operations: readonly { readonly id: string; readonly activity: string; readonly path: string }[];
  readonly timers: readonly { readonly id: string; readonly delayMs: number }[];
  readonly timersCleared: readonly string[];
  readonly messages: readonly { readonly to: string; readonly type: string }[];
  readonly spawns: readonly { readonly id: string; readonly kind: string }[];
  readonly actions: readonly string[];
}

export interface TurnPage {
  readonly turns: readonly TurnLine[];
  readonly more: boolean;
  /** False: the past came out differently from what was. */
  readonly exact?: boolean;
  /** Why states are not known: no code, damage. */
  readonly why?: Failure;
}

export interface Change {
  /** JSON pointer. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface Moment {
  readonly turn: TurnLine;
  readonly state: unknown;
  readonly context: Shown;
  readonly children: readonly ChildLine[];
  /** Against the turn before. */
  readonly changes: readonly Change[];
  readonly before?: { readonly state: unknown };
  readonly exact?: boolean;
}

export interface MachinePage {
  readonly kind: string;
  readonly version: number;
  readonly schema: string;
  /** Absent: it was registered by a version that kept no charts. */
  readonly chart?: MachineChart;
  /** Other versions that the store knows. */
  readonly versions: readonly { readonly version: number; readonly schema: string }[];
}

export interface Branch {
  readonly id: string;
  readonly type: 'supervisor' | 'agent' | 'fleet';
  readonly kind?: string;
  readonly status: string;
  readonly strategy?: string;
  readonly restarts: number;
  readonly failure?: { readonly reason: string; readonly message: string; readonly at: number };
  readonly children: readonly Branch[];
}

export interface BreakerLine {
  readonly name: string;
  readonly level: string;
  readonly state: string;
  readonly reason?: string;
  readonly retryAt?: number;
  readonly calls: number;
  readonly failures: number;
  readonly rejected: number;
  /** Failure rate beyond which it trips. */
  readonly threshold?: number;
  readonly waiting: number;
  /** Newest last, one for each second that was seen: calls and failures in its window, 0 = closed, 0.5 = half open, 1 = open. */
  readonly past: readonly { readonly at: number; readonly calls: number; readonly failures: number; readonly open: number }[];
}

/** Dead letters with one cause: reason, type of event and error are the same. */
export interface LetterGroup {
  /** Names it. */
  readonly group: string;
  readonly reason: string;
  /** Of the event. */
  readonly type: string;
  /** First line of the error; '' when no turn was tried. */
  readonly message: string;
  readonly count: number;
}

export interface LetterLine {
  readonly position: number;
  readonly to: string;
  readonly from?: string;
  readonly reason: string;
  readonly at: number;
  readonly type: string;
  readonly event: Shown;
  readonly details?: Shown;
}

export interface LetterPage {
  /** Of all letters, whichever are asked for; the largest first. */
  readonly groups: readonly LetterGroup[];
  readonly letters: readonly LetterLine[];
  readonly next?: number;
}

export interface PeoplePage {
  readonly approvals: readonly {
    readonly operation: string;
    readonly agent: string;
    readonly title: string;
    readonly request: Shown;
    /** What can be decided, as `value` of the order. */
    readonly choices: readonly string[];
    readonly askedAt: number;
    readonly deadlineAt?: number;
  }[];
  readonly holds: readonly {
    readonly operation: string;
    readonly agent: string;
    readonly activity: string;
    readonly input?: Shown;
    readonly since: number;
    readonly message?: string;
  }[];
  readonly sagas: readonly {
    readonly saga: string;
    readonly agent: string;
    readonly status: string;
    readonly step?: string;
    readonly message?: string;
  }[];
}

/** A series has a point for each second, newest last, at most 300. */
export interface RuntimePage {
  readonly counts: {
    readonly agents: Readonly<Record<AgentStatus, number>>;
    readonly mailbox: number;
    readonly timers: number;
    readonly openOperations: number;
    readonly deadLetters: number;
    readonly bytes: number;
  };
  readonly nodes: readonly {
    readonly node: number;
    readonly name: string;
    readonly host: string;
    readonly pid: number;
    readonly seenAt: number;
    readonly isUp: boolean;
  }[];
  /** Only where a runtime is at work. */
  readonly series?: {
    /** Start of the last second, epoch milliseconds. */
    readonly at: number;
    readonly turns: readonly number[];
    readonly commits: readonly number[];
    /** Turns in a commit group, the mean. */
    readonly groupSize: readonly number[];
    /** Milliseconds. */
    readonly commitP50: readonly number[];
    readonly commitP99: readonly number[];
    readonly bytes: readonly number[];
    readonly checkpoints: readonly number[];
    readonly recoveries: readonly number[];
    readonly failures: readonly number[];
  };
}

export interface Done {
  readonly done: true;
  readonly sequenceNumber?: number;
  readonly count?: number;
}

/** At most ten batches of each a second; what comes between is joined. */
export type StreamEvent =
  /** Of the agent that is watched: its newest state, and the turns since the last batch, the newest 200 of them. */
  | {
      readonly type: 'agent';
      readonly id: string;
      readonly sequenceNumber: number;
      readonly status: AgentStatus;
      readonly state: unknown;
      readonly context?: Shown;
      readonly contextAt: number;
      readonly turns: readonly TurnLine[];
      /** Turns that are not told one by one. */
      readonly skipped: number;
    }
  /** Agents whose state has changed, the newest 500. */
  | { readonly type: 'agents'; readonly agents: readonly AgentLine[]; readonly skipped: number }
  | { readonly type: 'counts'; readonly counts: RuntimePage['counts'] }
  | { readonly type: 'breakers'; readonly breakers: readonly BreakerLine[] }
  | { readonly type: 'tree'; readonly tree: readonly Branch[] }
  | { readonly type: 'people'; readonly waiting: number }
  | { readonly type: 'dead-letters'; readonly count: number }
  /** Keeps the line open, and tells the server's time. */
  | { readonly type: 'beat'; readonly now: number };
