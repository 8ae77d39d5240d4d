/**
 * An open operation: an activity that an agent's machine has asked for and whose outcome is not recorded yet. The agent keeps
 * the record; whoever runs operations (effects/) is told to begin and to cancel, and hands the outcome back.
 */

import type { AnyActorLogic, AnyActorRef, EventObject } from 'xstate';
import type { OperationRecord } from '../persistence/store.js';
import type { Agent } from './agent.js';

export interface Operation {
  record: OperationRecord;
  readonly logic: AnyActorLogic;
  readonly input: unknown;
  /** Sent to another agent instead of being run here. */
  readonly question: boolean;
  /** The promise actor that waits for it. */
  readonly actor: AnyActorRef;
}

/** An event for another agent, which answers it. */
export interface Asked {
  /** Id of the agent. */
  readonly to: string;
  readonly event: EventObject;
  readonly messageId: string | undefined;
}

/** Text on an activity's logic that names it in the ledger and gives the key that the user chose. */
export interface OperationTraits {
  readonly name: string;
  /** Sent to another agent as a question instead of being run here. */
  readonly question: boolean;
  userKey(input: unknown): string | undefined;
  /** What another agent is asked with the intent: the question itself, or leave to begin. @throws what makes it a failure before it was intended */
  asks?(input: unknown, operationId: string): Asked | undefined;
}

/** The record of an open operation that nobody wants any more. `settledIn`: the turn that it ended with. */
export function cancelled(record: OperationRecord, settledIn: number, at: number): OperationRecord {
  return { ...record, status: 'cancelled', nextRetryAt: undefined, parkedBy: undefined, settledIn, settledAt: at };
}

/** The record of an operation that has ended. `outcome`: encoded. */
export function settled(
  record: OperationRecord,
  { ok }: OperationOutcome,
  outcome: string,
  settledIn: number,
  at: number,
): OperationRecord {
  return { ...record, status: ok ? 'succeeded' : 'failed', outcome, nextRetryAt: undefined, parkedBy: undefined, settledIn, settledAt: at };
}

export type OperationOutcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** What comes for an operation by mail. */
export interface Answer {
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of a person, to one that waits for its breaker: go, or end. */
  readonly parked?: 'release' | 'cancel';
}

/** Runs operations. Called only when the intent is durable. */
export interface OperationRunner {
  traits(logic: AnyActorLogic, path: string): OperationTraits;
  /** Begins, or goes on after a restart: `record.attempts` have failed and `record.nextRetryAt` may lie ahead. */
  start(agent: Agent, operation: Operation, resumed: boolean): void;
  cancel(operation: Operation): void;
  /** Another agent has answered what the operation asked, or a person has given an order; what it ends with, if it does. */
  answered(operation: Operation, answer: Answer): OperationOutcome | undefined;
  /** What another agent is told of an operation's end, with the end's own commit. `outcome` undefined: it was cancelled. */
  settlement(operation: Operation, outcome: OperationOutcome | undefined): Asked | undefined;
  /** Tells those that run to end, and resolves once they have, after `graceMs` at the latest. Undefined when none runs. Their outcomes are nobody's. */
  halt(operations: Iterable<Operation>, graceMs: number): Promise<void> | undefined;
}
