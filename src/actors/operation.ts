/**
 * An open operation: an activity that an agent's machine has asked for and whose outcome is not recorded yet. The agent keeps
 * the record; whoever runs operations (effects/) is told to begin and to cancel, and hands the outcome back.
 */

import type { AnyActorLogic, AnyActorRef, EventObject } from 'xstate';
import { decode, encode, encodeThrown } from '../core/codec.js';
import type { OperationRecord, OperationStatus, TimerRecord } from '../persistence/store.js';
import type { Agent } from './agent.js';

export interface Operation {
  record: OperationRecord;
  readonly logic: AnyActorLogic;
  readonly input: unknown;
  /** Sent to another agent instead of being run here. */
  readonly question: boolean;
  /** The promise actor that waits for it. */
  readonly actor: AnyActorRef;
  /** `traceparent` of the turn that asked for it, then of the attempt that its outcome comes from; undefined when nobody of this life knows. */
  trace?: string | undefined;
}

/** An event for another agent, which answers it. */
export interface Asked {
  /** Id of the agent. */
  readonly to: string;
  readonly event: EventObject;
  readonly messageId: string | undefined;
}

/** What an operation is by its logic: how the ledger names it and what is written with its intent. */
export interface OperationTraits {
  readonly name: string;
  /** Sent to another agent as a question instead of being run here. */
  readonly question: boolean;
  /** What its intent says: `started` when it may be begun as soon as that is durable, with nothing written in between. */
  readonly status: OperationStatus;
  userKey(input: unknown): string | undefined;
  /** What another agent is asked with the intent: the question itself, or leave to begin. @throws what makes it a failure before it was intended */
  asks?(input: unknown, operationId: string): Asked | undefined;
  /** The scope within which it can be undone. */
  saga?(input: unknown, agentId: string): string | undefined;
  /** Id of the operation that it undoes. */
  compensates?(input: unknown): string | undefined;
  /** When it is to be looked at, epoch milliseconds, whether or not anything has happened. @throws as `asks` */
  wakesAt?(input: unknown, now: number): number | undefined;
}

/** The record of an open operation that nobody wants any more. `settledIn`: the turn that it ended with. `mayBeDone`: then its outcome is unknown. */
export function cancelled(
  record: OperationRecord,
  settledIn: number,
  at: number,
  mayBeDone = record.status === 'started' || record.status === 'held',
): OperationRecord {
  // One whose outcome its machine could not take was done.
  const status = record.status === 'succeeded' ? 'succeeded' : mayBeDone ? 'unknown' : 'cancelled';
  return { ...record, status, nextRetryAt: undefined, parkedBy: undefined, settledIn, settledAt: at };
}

/** The record of an operation that has ended, and what its machine is told. One whose result cannot be kept was carried out all the same: it is `unknown`, for a person to settle. */
export function settled(
  record: OperationRecord,
  outcome: OperationOutcome,
  settledIn: number,
  at: number,
): { readonly record: OperationRecord; readonly result: OperationOutcome } {
  let result = outcome;
  let kept: KeptResult;
  try {
    if (result.ok) kept = result.kept ?? { text: encode(result.value, `the result of activity "${record.activity}"`) };
    else kept = { text: encodeThrown(result.error) };
  } catch (error) {
    result = { ok: false, error, unknown: true };
    kept = { text: encodeThrown(error) };
  }
  const status = result.ok ? 'succeeded' : result.unknown === true ? 'unknown' : 'failed';
  const settledAt = (result.ok ? result.since : undefined) ?? at;
  const { text: encoded, artifact } = kept;
  return {
    result,
    record: { ...record, status, outcome: encoded, nextRetryAt: undefined, settledIn, settledAt, parkedBy: undefined, artifact },
  };
}

/**
 * The record of one whose outcome is known and whose machine could not take it. `ended`: as it would have been. What succeeded is taken again, and not run again; what failed is run again when the agent comes back: that is what
 * it is brought back for.
 */
export function untaken(record: OperationRecord, ended: OperationRecord, result: OperationOutcome): OperationRecord {
  if (!result.ok) return result.unknown === true ? record : { ...record, status: 'intended', nextRetryAt: undefined, parkedBy: undefined };
  return { ...ended, settledIn: 0, settledAt: undefined };
}

/** A result as the ledger has it: encoded or, with the name of an artifact, a pointer to its text. */
export interface KeptResult {
  readonly text: string;
  readonly artifact?: string | undefined;
}

export interface Success {
  readonly ok: true;
  readonly value: unknown;
  /** Absent: it is encoded when it is recorded. */
  readonly kept?: KeptResult;
  /** When it came, of one that is another operation's: epoch milliseconds. */
  readonly since?: number | undefined;
}

/** `unknown`: it failed for its machine, and nobody knows whether it was done, or what it came to. */
export type OperationOutcome = Success | { readonly ok: false; readonly error: unknown; readonly unknown?: boolean };

/** What a person says of a held operation. `done`: it was, with this result; `failed`: it was not, and is not to be; `retry`: it was not, run it. `expired`: the time for an answer is over. */
export interface Resolution {
  readonly order: 'done' | 'failed' | 'retry' | 'expired';
  readonly result?: unknown;
  /** With `failed`, of a step of an undoing: the whole undoing is given up, whatever the step would make of it. */
  readonly abandons?: true;
  readonly by: string;
  readonly note?: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What comes for an operation by mail. */
export interface Answer {
  readonly value?: unknown;
  readonly error?: unknown;
  /** Of a person, to one that waits for its breaker: go, or end. */
  readonly parked?: 'release' | 'cancel';
  /** Of a person, to one that is held. */
  readonly resolution?: Resolution;
}

/** Oldest first. */
export function resolutionsOf({ resolutions }: Pick<OperationRecord, 'resolutions'>): readonly Resolution[] {
  return resolutions === undefined ? [] : (decode(resolutions) as readonly Resolution[]);
}

export function withResolution(record: OperationRecord, resolution: Resolution): OperationRecord {
  return { ...record, resolutions: encode([...resolutionsOf(record), resolution], 'the resolution') };
}

/** Of the message that answers a hold: each hold takes one answer, for ever. */
export function holdName(record: Pick<OperationRecord, 'id' | 'resolutions'>): string {
  return `hold ${String(resolutionsOf(record).length + 1)} of ${record.id}`;
}

/** Ends the id of a timer that is an operation's and not a machine's; before it stands the path. */
export const operationTimer = '#statewarden.operation';

/** Has an operation looked at again at a time (epoch milliseconds), also after a crash. Until then its agent need not be in memory. */
export function wakeAt(agent: Agent, { record: { path } }: Pick<Operation, 'record'>, at: number): void {
  if (agent.gone) return;
  const dueAt = Math.ceil(at);
  const delayMs = Math.max(0, dueAt - agent.host.clock.now());
  const timer: TimerRecord = {
    id: `${path}${operationTimer}`,
    dueAt,
    delayMs,
    policy: 'deadline',
    target: path,
    event: '{"type":"statewarden.due"}',
  };
  agent.timers.set(timer.id, timer);
  const draft = agent.draft();
  draft.setTimer(timer);
  // Not before: what lies too far ahead is left to the store, which must have it then.
  draft.releases.push(() => agent.host.armTimer(agent.key, timer.id, dueAt));
}

/** It is looked at now. */
export function stopWaking(agent: Agent, { record: { path } }: Pick<Operation, 'record'>): void {
  const id = `${path}${operationTimer}`;
  if (agent.forgetTimer(id)) agent.draft().clearTimer(id);
}

/** Whether nothing of it is under way here: another agent, a person or a time has the word. */
export function rests(agent: Pick<Agent, 'timers'>, { question, record }: Operation): boolean {
  return question || record.status === 'held' || (record.nextRetryAt !== undefined && agent.timers.has(`${record.path}${operationTimer}`));
}

/** Runs operations. Called only when the intent is durable. */
export interface OperationRunner {
  traits(logic: AnyActorLogic, path: string): OperationTraits;
  /** Begins, or goes on after a restart: `record.attempts` have failed and `record.nextRetryAt` may lie ahead. */
  start(agent: Agent, operation: Operation, resumed: boolean): void;
  /** The time has come that it was to be looked at again. */
  due(operation: Operation): void;
  cancel(operation: Operation): void;
  /** Whether one that nobody wants any more may have been carried out all the same. */
  mayBeDone(agent: Agent, operation: Operation): boolean;
  /** Its agent leaves memory while it rests. */
  rest(operations: Iterable<Operation>): void;
  /** Another agent has answered what the operation asked, or a person has given an order; what it ends with, if it does. */
  answered(operation: Operation, answer: Answer): OperationOutcome | undefined;
  /** What another agent is told of an operation's end, with the end's own commit. `outcome` undefined: it was cancelled. */
  settlement(operation: Operation, outcome: OperationOutcome | undefined): Asked | undefined;
  /** Another operation's record that changes with this one's end, in the same commit. */
  along(operation: Operation, outcome: OperationOutcome): OperationRecord | undefined;
  /** Tells those that run to end, and resolves once they have, after `graceMs` at the latest. Undefined when none runs. Their outcomes are nobody's. */
  halt(operations: Iterable<Operation>, graceMs: number): Promise<void> | undefined;
}
