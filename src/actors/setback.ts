/**
 * A supervised agent's failure, written into the draft with which it goes down: what its supervisor is told, whether the event is tried again, and the dead letter of one
 * that has failed too often. All of it is one commit, so a crash leaves either the agent as it was or the whole.
 */

import { encode, encodeThrown, errorOf } from '../core/codec.js';
import { DeadLetterError, type StatewardenError } from '../core/errors.js';
import type { MailboxRecord, OperationRecord } from '../persistence/store.js';
import { isMail } from './address.js';
import type { Agent } from './agent.js';
import type { Draft } from './draft.js';
import { tellOf } from './news.js';
import { reasonOf, type FailureReason } from './failure.js';

/** What a turn is about, for when it fails. */
export interface Cause {
  /** From code, from the mailbox, or from a timer. */
  readonly event?: string;
  readonly messageId?: string | undefined;
  readonly from?: string | undefined;
  readonly mail?: MailboxRecord;
  readonly timer?: string;
  readonly dueAt?: number;
  /** An activity's outcome; whether it had failed, and what the ledger says of it when the turn that takes it fails. */
  readonly outcome?: { readonly failed: boolean; readonly left: () => OperationRecord };
  /** An action that threw after its own turn. */
  readonly action?: boolean;
  /** No turn at all: it made no progress. */
  readonly hung?: boolean;
  /** Puts an event that nobody has told to be durable into the mailbox, and says so to its sender. */
  readonly post?: () => void;
  /** Tells its sender that it is a dead letter. */
  readonly refuse?: (error: StatewardenError) => void;
}

/** What a supervisor is told of a child's end: its reducer's event, less what the agent does not know. */
export interface ExitReport {
  readonly how: 'normal' | 'shutdown' | 'failed';
  /** An event whose turn failed does not count against the intensity: it can fail only so often before it is a dead letter. */
  readonly counts: boolean;
  readonly failure?: { readonly reason: FailureReason; readonly message: string; readonly at: number };
  /** For the dead letter of a job that comes to nothing with it. */
  readonly details?: { readonly stack: string | undefined; readonly state: string | undefined; readonly sequenceNumber: number };
}

/** Type under which supervisors hear of their children; machines never see it. */
export const exitedType = 'statewarden.exited';

/** Puts the report into the supervisor's mailbox with the agent's own commit. */
export function report(agent: Agent, draft: Draft, exit: ExitReport): void {
  if (agent.supervisor === undefined) return;
  const at = agent.host.clock.now();
  const event = encode({ type: exitedType, id: agent.id, ...exit, at, random: agent.host.chance() }, 'the report');
  const message = { to: agent.supervisor, messageId: undefined, event, from: agent.id, replyTo: undefined, acceptedAt: at };
  (draft.messages ??= []).push({ ...message, trace: agent.traced?.place });
}

export function recordFailure(agent: Agent, draft: Draft, cause: Cause, error: unknown, child: boolean): void {
  const { host } = agent;
  const { message, stack } = errorOf(error);
  const failed = { error, action: cause.action === true, activity: cause.outcome?.failed === true, child };
  const reason = cause.hung === true ? 'heartbeat' : reasonOf(failed);
  const at = host.clock.now();
  draft.outcome = encodeThrown(error);
  // First the event itself, in its place before all that waits.
  if (cause.event !== undefined) {
    const deliveries = countDelivery(agent, draft, cause);
    if (deliveries < host.maxDeliveries) cause.post?.();
    else bury(agent, draft, cause, { reason, deliveries, message, stack });
  }
  const details = agent.job === undefined ? {} : { details: { stack, state: agent.stateText, sequenceNumber: agent.sequenceNumber } };
  report(agent, draft, { how: 'failed', counts: cause.event === undefined, failure: { reason, message, at }, ...details });
  if (host.observed) tellOf(agent, { type: 'failed', agentId: agent.id, kind: agent.kind, reason, error: errorOf(error) });
}

/** A message id for an event that has none: no two have the same, in this life of the node by `use` and in the next by the fence. */
export function nameOf(fence: number, use: number): string {
  return `statewarden:${String(fence)}.${String(use)}`;
}

/** How often the event has failed now, this time included. */
function countDelivery(agent: Agent, draft: Draft, cause: Cause): number {
  const { mail, messageId, timer } = cause;
  // An event from code has no name yet: it gets one when it is put into the mailbox, right after.
  const first = nameOf(agent.fence, agent.host.uses + 1);
  const name =
    timer !== undefined
      ? `timer ${timer}${cause.dueAt === undefined ? '' : ` at ${String(cause.dueAt)}`}`
      : messageId !== undefined
        ? `message ${messageId}`
        : mail !== undefined
          ? `mail ${String(mail.position)}`
          : `message ${first}`;
  const before = agent.suspect === undefined ? undefined : (JSON.parse(agent.suspect) as { name: string; deliveries: number } | null);
  const deliveries = before?.name === name ? before.deliveries + 1 : 1;
  agent.suspect = draft.suspect = JSON.stringify({ name, deliveries });
  return deliveries;
}

function bury(
  agent: Agent,
  draft: Draft,
  { event, messageId, from, mail, timer, refuse }: Cause,
  told: { readonly reason: FailureReason; readonly deliveries: number; readonly message: string; readonly stack: string | undefined },
): void {
  const at = agent.host.clock.now();
  const known = { ...told, state: agent.stateText, sequenceNumber: agent.sequenceNumber };
  const details = encode(known, 'details');
  // Whoever sends or redrives it has it tried as often again.
  agent.suspect = undefined;
  draft.suspect = 'null';
  if (mail !== undefined) (draft.taken ??= []).push(mail.position);
  if (timer !== undefined) draft.clearTimer(timer);
  const error = new DeadLetterError(`the event failed agent "${agent.id}" ${String(told.deliveries)} times: ${told.message}`, {
    hint: 'It is kept with the error and the state: `statewarden dead-letters`. Correct the cause, then redrive it.',
  });
  // A job is its fleet's to keep. Without a timer of its own the agent would not come to the end of one.
  const job = mail?.replyTo !== undefined && isMail(mail.replyTo) ? mail.replyTo : timer === undefined ? undefined : agent.job;
  if (job !== undefined) {
    agent.collector.refuse(job, error, encode({ ...known, renew: timer !== undefined }, 'details'));
    return;
  }
  const own = messageId?.startsWith('statewarden:') === true ? undefined : messageId;
  (draft.deadLetters ??= []).push({ to: agent.id, messageId: own, event: event ?? 'null', from, reason: told.reason, details, at });
  if (refuse !== undefined) draft.awaitCommit(() => refuse(error), refuse as never);
  if (mail?.replyTo !== undefined) agent.collector.refuse(mail.replyTo, error);
  if (agent.host.observed) tellOf(agent, { type: 'dead-letter', to: agent.id, event: event ?? 'null', reason: told.reason });
}
