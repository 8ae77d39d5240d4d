/**
 * Whoever follows work through agents, as they know it: places in traces are the W3C's `traceparent`, so that they can be kept in records and taken up in another process. Implemented in observability/; what agents do is
 * the same whether somebody traces or not. Invariant: a turn's span is `ended` when the store has the turn, and `lost` when it will not have it.
 */

import type { AgentCommit } from '../persistence/store.js';
import type { SealedCommit } from '../persistence/committer.js';

/** Something that takes time. */
export interface WorkSpan {
  /** What hangs from it names this. Undefined: nobody collects. */
  readonly trace: string | undefined;
  /** It did not come out well; it has not ended by that. */
  failed(error: unknown): void;
  ended(): void;
}

export interface TurnSpan extends WorkSpan {
  /** It will never have happened. */
  lost(error: unknown): void;
}

export interface CallSpan extends WorkSpan {
  /** As what is active: what the user's own instrumentation begins hangs from it. */
  within<T>(run: () => T): T;
}

export interface BirthSpan extends WorkSpan {
  /** There was one with the id. */
  existed(): void;
}

export interface RecoverySpan extends WorkSpan {
  /** It is back. */
  replayed(fromSequenceNumber: number, turns: number): void;
}

/** Whose work it is, for the span's attributes. */
export interface TracedAgent {
  readonly id: string;
  readonly kind: string;
  /** Its own place. */
  readonly trace: string | undefined;
}

/** `parent`: what it hangs from, when that is not the agent's own place. */
export interface TracedTurn {
  readonly agent: TracedAgent;
  readonly event: string;
  readonly sequenceNumber: number;
  readonly parent: string | undefined;
}

export interface TracedCall {
  readonly agent: TracedAgent;
  readonly activity: string;
  readonly operationId: string;
  readonly attempt: number;
  /** Id of the operation that it undoes. */
  readonly compensates: string | undefined;
  /** The turn that asked for it, while somebody knows which that was. */
  readonly parent: string | undefined;
}

export interface Tracing {
  /** What is active where code calls. */
  active(): string | undefined;
  /** Runs with that place active. */
  within<T>(trace: string | undefined, run: () => T): T;
  /** Of an agent that code makes; hangs from what is active. */
  birth(kind: string, id: string): BirthSpan;
  turn(turn: TracedTurn): TurnSpan;
  call(call: TracedCall): CallSpan;
  recovery(agent: TracedAgent): RecoverySpan;
  /** A group of commits is on its way to the store. Undefined: there is nothing to say of it. */
  commit(
    group: readonly (Pick<SealedCommit, 'turns' | 'bytes' | 'traces'> & { readonly commit: Pick<AgentCommit, 'key'> })[],
  ): WorkSpan | undefined;
}
