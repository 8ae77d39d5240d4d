/**
 * A person's decision, as actor logic: a durable request with a deadline and reminders, answered once, by somebody named, from the command line, over HTTP or by code. While it waits its
 * agent need not be in memory. It is a held operation from its birth, and every answer, the deadline's among them, is mail with the one id that this hold has: whichever comes first is taken, and
 * the others are told so.
 */

import { fromPromise, type AnyActorLogic, type PromiseActorLogic } from 'xstate';
import { holdName, wakeAt, type OperationOutcome, type Resolution } from '../actors/operation.js';
import { answerType } from '../actors/collector.js';
import { encode } from '../core/codec.js';
import { longestTimeoutMs } from '../core/clock.js';
import { BadInputError } from '../core/errors.js';
import { ApprovalExpiredError } from '../core/operation-errors.js';
import { failpoint } from '../core/failpoint.js';
import type { AlertEvent } from '../core/runtime-event.js';
import type { Run } from './run.js';

export interface ApprovalRequest {
  /** What is to be decided, in one line. */
  readonly title: string;
  /** What the decision is made by. */
  readonly details?: unknown;
  /** What may be decided. Default `approved` and `rejected`. */
  readonly choices?: readonly string[];
  /** From when it is asked for; then it fails with `ApprovalExpiredError`. Default: waits for ever. */
  readonly deadlineMs?: number;
  /** An alert, again and again, while nobody has decided. Default: none but the first. */
  readonly remindEveryMs?: number;
}

/** What was decided. */
export interface Approval<TDecision extends string = 'approved' | 'rejected'> {
  readonly decision: TDecision;
  readonly by: string;
  readonly note?: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export const defaultChoices: readonly string[] = ['approved', 'rejected'];

const approvals = new WeakSet<AnyActorLogic>();

/** `setup({ actors: { decide: approval() } })`, `invoke: { src: 'decide', input: { title: 'Lend 10,000?', deadlineMs: 172_800_000 }, onDone, onError }`. */
export function approval<TDecision extends string = 'approved' | 'rejected'>(): PromiseActorLogic<Approval<TDecision>, ApprovalRequest> {
  const logic = fromPromise<Approval<TDecision>, ApprovalRequest>(() =>
    Promise.reject(new BadInputError('approval() needs a runtime', { hint: 'Spawn the machine with createRuntime(…).spawn(…).' })),
  );
  approvals.add(logic);
  return logic;
}

export function isApproval(logic: AnyActorLogic): boolean {
  return approvals.has(logic);
}

/** @throws BadInputError */
export function checkRequest(input: unknown): ApprovalRequest {
  const { title, choices, deadlineMs, remindEveryMs } = (input ?? {}) as Partial<ApprovalRequest>;
  const wrong = (what: string, value: unknown, hint: string): BadInputError =>
    new BadInputError(`approval(): ${what} is ${JSON.stringify(value) ?? typeof value}`, { hint });
  if (typeof title !== 'string' || title === '') throw wrong('title', title, "Give its input: { title: 'Lend 10,000 to Ada?' }.");
  const named = Array.isArray(choices) && choices.length > 0 && choices.every((choice) => typeof choice === 'string' && choice !== '');
  if (choices !== undefined && (!named || new Set(choices).size < choices.length)) {
    throw wrong('choices', choices, "Give different words: choices: ['approved', 'rejected'].");
  }
  for (const [what, ms] of [
    ['deadlineMs', deadlineMs],
    ['remindEveryMs', remindEveryMs],
  ] as const) {
    if (ms !== undefined && !(typeof ms === 'number' && ms > 0 && ms < Infinity)) {
      throw wrong(what, ms, 'Give milliseconds greater than 0, or leave it out.');
    }
  }
  return input as ApprovalRequest;
}

/** When its deadline passes, epoch milliseconds; undefined: never. */
export function deadlineAt({ deadlineMs }: ApprovalRequest, askedAt: number): number | undefined {
  return deadlineMs === undefined ? undefined : askedAt + deadlineMs;
}

/** When it is to be looked at next: for a reminder, or at its deadline. @throws BadInputError */
export function nextLook(input: unknown, askedAt: number, now = askedAt): number | undefined {
  const request = checkRequest(input);
  const { remindEveryMs } = request;
  const passed = remindEveryMs === undefined ? 0 : Math.floor((now - askedAt) / remindEveryMs) + 1;
  const reminder =
    remindEveryMs === undefined ? Infinity : askedAt + Math.max(1, passed) * Math.min(remindEveryMs, longestTimeoutMs * 1_000);
  const next = Math.min(reminder, deadlineAt(request, askedAt) ?? Infinity);
  return next === Infinity ? undefined : next;
}

/** Its time has come: a reminder, or the end. */
export function lookAgain(run: Run, now: number, alert: (alert: AlertEvent) => void): void {
  const { agent, operation } = run;
  const { record, input } = operation;
  const request = input as ApprovalRequest;
  if (now >= (deadlineAt(request, record.intendedAt) ?? Infinity)) {
    failpoint('approval:expire');
    const resolution: Resolution = { order: 'expired', by: 'its deadline', at: now };
    const event = encode({ type: answerType, operation: record.id, resolution }, 'event');
    (agent.draft().messages ??= []).push({
      to: agent.id,
      messageId: holdName(record),
      event,
      from: agent.id,
      replyTo: undefined,
      acceptedAt: now,
      trace: operation.trace,
    });
    return;
  }
  alert(reminderOf(run, now));
  const next = nextLook(input, record.intendedAt, now);
  if (next !== undefined) wakeAt(agent, operation, next);
}

export function alertOf({ agent, operation: { record, input } }: Run, alert: AlertEvent['alert']): AlertEvent {
  const { title } = input as ApprovalRequest;
  return {
    type: 'alert',
    id: holdName(record),
    alert,
    agentId: agent.id,
    operationId: record.id,
    activity: record.activity,
    message: title,
  };
}

/** Each has an id of its own: a receiver that knows the first by its id is to hear of the second. */
function reminderOf(run: Run, now: number): AlertEvent {
  const { record, input } = run.operation;
  const number = Math.floor((now - record.intendedAt) / ((input as ApprovalRequest).remindEveryMs ?? Infinity));
  const told = alertOf(run, 'approval-reminder');
  return { ...told, id: `${told.id}, reminder ${String(number)}` };
}

/** What its actor gets of an answer. */
export function decided(request: ApprovalRequest, { order, result, by, note, at }: Resolution): OperationOutcome {
  if (order === 'done') return { ok: true, value: { decision: result, by, ...(note === undefined ? {} : { note }), at } };
  const error = new ApprovalExpiredError(`nobody decided within ${String(request.deadlineMs)} ms: ${request.title}`, {
    hint: 'Handle it in onError, or give it a longer deadlineMs.',
  });
  return { ok: false, error };
}
