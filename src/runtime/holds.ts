/**
 * Operations that wait for a person, wherever their agents are: found in the store, and answered by mail, which is taken now or when a node next runs the agent. Each hold takes one answer: the
 * message has an id that only this hold has, and whoever comes second is told who was first.
 */

import { answerType } from '../actors/collector.js';
import { holdName, resolutionsOf, type Resolution } from '../actors/operation.js';
import { decode, encode } from '../core/codec.js';
import { BadInputError, MailboxFullError } from '../core/errors.js';
import { ApprovalExpiredError, NotHeldError, UnknownOperationError } from '../core/operation-errors.js';
import { heldAlert } from '../effects/doubt.js';
import { deadlineAt, defaultChoices, type ApprovalRequest } from '../effects/approval.js';
import type { AgentKey, AgentOperation, OpenedStore } from '../persistence/store.js';
import type { Alerts } from './alerts.js';
import { agentsOf } from './operation-id.js';

/** An operation that a person is to say something about. */
export interface Hold {
  readonly agentId: string;
  readonly operationId: string;
  readonly activity: string;
  readonly input: unknown;
  /** Why it is held; undefined for an approval. */
  readonly error: Error | undefined;
  /** When it was asked for: epoch milliseconds. */
  readonly since: number;
  /** The saga that it belongs to, or that it undoes a step of. */
  readonly saga: string | undefined;
  /** Id of the operation that it undoes. */
  readonly compensates: string | undefined;
  /** What has been said of it before. */
  readonly resolutions: readonly Resolution[];
}

/** A decision that is waited for. */
export interface PendingApproval extends Pick<Hold, 'agentId' | 'operationId' | 'since'> {
  readonly title: string;
  readonly details: unknown;
  readonly choices: readonly string[];
  /** Epoch milliseconds. */
  readonly deadline: number | undefined;
}

/** Somebody's word. `by`: who says so. */
export interface Signed {
  readonly by: string;
  readonly note?: string;
}

export interface HoldFilter {
  readonly agentId?: string;
  /** Default 1,000. */
  readonly limit?: number;
}

export interface HoldPlace {
  readonly store: Pick<OpenedStore, 'flagged' | 'operations' | 'post' | 'lookup' | 'mailbox'>;
  readonly now: () => number;
  /** Events that a mailbox holds at most. */
  readonly cap: number;
  /** There is mail for an agent. */
  readonly mailed?: (agent: AgentKey) => void;
}

const page = 500;
export const approvalActivity = 'approval';

async function flagged(
  store: HoldPlace['store'],
  flag: 'held' | 'unknown',
  { agentId, limit = 1_000 }: HoldFilter,
  wanted: (operation: AgentOperation) => boolean,
): Promise<readonly AgentOperation[]> {
  const agents =
    agentId === undefined ? undefined : (await store.lookup([agentId])).flatMap((agent) => (agent === undefined ? [] : [agent.key]));
  const all: AgentOperation[] = [];
  for (let after: { readonly agent: AgentKey; readonly id: string } | undefined; ;) {
    const found = await store.flagged({
      flag,
      limit: page,
      ...(agents === undefined ? {} : { agents }),
      ...(after === undefined ? {} : { after }),
    });
    all.push(...found.filter(wanted));
    const last = found.at(-1);
    if (last === undefined || found.length < page || all.length >= limit) return all.slice(0, limit);
    after = { agent: last.agent, id: last.operation.id };
  }
}

const isApproval = ({ operation }: AgentOperation): boolean => operation.activity === approvalActivity;

/** In order of agent. `unknown`: those that have ended so, instead of those that wait. */
export async function listHolds(
  store: HoldPlace['store'],
  filter: HoldFilter,
  flag: 'held' | 'unknown' = 'held',
): Promise<readonly Hold[]> {
  return (await flagged(store, flag, filter, (found) => !isApproval(found))).map(holdOf);
}

export async function listApprovals(store: HoldPlace['store'], filter: HoldFilter): Promise<readonly PendingApproval[]> {
  return (await flagged(store, 'held', filter, isApproval)).map(approvalOf);
}

export function holdOf({ agentId, operation }: AgentOperation): Hold {
  const { id, activity, input, outcome, intendedAt, saga, compensates } = operation;
  return {
    agentId,
    operationId: id,
    activity,
    input: input === undefined ? undefined : decode(input),
    error: outcome === undefined || activity === approvalActivity ? undefined : (decode(outcome) as Error),
    since: intendedAt,
    saga,
    compensates,
    resolutions: resolutionsOf(operation),
  };
}

export function approvalOf({ agentId, operation }: AgentOperation): PendingApproval {
  const request = decode(operation.input ?? '{}') as ApprovalRequest;
  return {
    agentId,
    operationId: operation.id,
    since: operation.intendedAt,
    title: request.title,
    details: request.details,
    choices: request.choices ?? defaultChoices,
    deadline: deadlineAt(request, operation.intendedAt),
  };
}

/** Tells again of what waits already. */
export async function raiseAgain(store: HoldPlace['store'], alerts: Pick<Alerts, 'raise'>): Promise<void> {
  for (const { agentId, operation } of await flagged(store, 'held', { limit: Infinity }, () => true)) {
    const { id, activity, input } = operation;
    if (activity === approvalActivity) {
      const { title } = decode(input ?? '{}') as ApprovalRequest;
      const alert = 'approval-requested' as const;
      alerts.raise({ type: 'alert', id: holdName(operation), alert, agentId, operationId: id, activity, message: title });
    } else {
      const error = decode(operation.outcome ?? 'null') as Error;
      const undoes = (error as { readonly code?: unknown }).code === 'COMPENSATION_FAILED';
      alerts.raise(heldAlert(agentId, operation, error, undoes ? 'compensation-failed' : 'held'));
    }
  }
}

/** One that waits. @throws UnknownOperationError, NotHeldError when it waits no more */
export async function readHold(store: HoldPlace['store'], operationId: string): Promise<Hold> {
  const found = await findOperation(store, operationId);
  if (isApproval(found)) throw unknown(operationId, 'is an approval');
  await assertWaits(store, found);
  return holdOf(found);
}

/** One that waits. `now`: epoch milliseconds. @throws UnknownOperationError, NotHeldError when somebody has decided, ApprovalExpiredError */
export async function readApproval(store: HoldPlace['store'], operationId: string, now: number): Promise<PendingApproval> {
  const found = await findOperation(store, operationId);
  if (!isApproval(found)) throw unknown(operationId, 'is no approval');
  await assertWaits(store, found);
  const pending = approvalOf(found);
  if (now >= (pending.deadline ?? Infinity)) throw expired(pending.title, pending.deadline as number);
  return pending;
}

/** @throws UnknownOperationError */
export async function findOperation(store: HoldPlace['store'], operationId: string): Promise<AgentOperation> {
  const ids = agentsOf(operationId);
  for (const agent of ids.length === 0 ? [] : await store.lookup(ids)) {
    const operation = agent && (await store.operations(agent.key)).find(({ id }) => id === operationId);
    if (agent !== undefined && operation !== undefined) return { agent: agent.key, agentId: agent.id, operation };
  }
  throw unknown(operationId);
}

function unknown(operationId: string, what?: string): UnknownOperationError {
  const id = JSON.stringify(operationId);
  return new UnknownOperationError(what === undefined ? `there is no operation ${id}` : `operation ${id} ${what}`, {
    hint: '`statewarden holds` and `statewarden approvals` list those that wait for a person.',
  });
}

/** What a person has said of one that is held and whose agent has not taken it yet. */
export async function answerInMail(
  store: Pick<OpenedStore, 'mailbox'>,
  { agent, operation }: Pick<AgentOperation, 'agent' | 'operation'>,
): Promise<Resolution | undefined> {
  const name = holdName(operation);
  const mail = (await store.mailbox(agent, 0)).find(({ messageId }) => messageId === name);
  return mail && (decode(mail.event) as { readonly resolution: Resolution }).resolution;
}

/** @throws NotHeldError, ApprovalExpiredError */
async function assertWaits(store: HoldPlace['store'], found: AgentOperation): Promise<void> {
  const { id, status } = found.operation;
  if (status !== 'held') throw notHeld(id, status, resolutionsOf(found.operation).at(-1));
  const said = await answerInMail(store, found);
  if (said !== undefined) throw notHeld(id, status, said);
}

/**
 * Answers what is held, once. Durable when it resolves.
 * @throws BadInputError, UnknownOperationError, NotHeldError when it waits no more, ApprovalExpiredError, MailboxFullError
 */
export async function resolveHold(
  place: HoldPlace,
  operationId: string,
  resolution: Pick<Resolution, 'order' | 'result' | 'abandons'>,
  signed: Signed,
): Promise<void> {
  const { by, note } = checkSigned(signed);
  const found = await findOperation(place.store, operationId);
  if (isApproval(found)) {
    throw new BadInputError(`operation ${JSON.stringify(operationId)} is an approval`, {
      hint: 'Decide it: statewarden approvals decide, or runtime.approvals.decide(…).',
    });
  }
  await answer(place, found, { ...resolution, by, ...(note === undefined ? {} : { note }), at: place.now() });
}

/**
 * Decides, once. Durable when it resolves.
 * @throws BadInputError, UnknownOperationError, NotHeldError when somebody has decided, ApprovalExpiredError, MailboxFullError
 */
export async function decide(place: HoldPlace, operationId: string, decision: string, signed: Signed): Promise<void> {
  const { by, note } = checkSigned(signed);
  const found = await findOperation(place.store, operationId);
  if (!isApproval(found)) {
    throw new BadInputError(`operation ${JSON.stringify(operationId)} is no approval`, {
      hint: 'It may be held for another reason: see `statewarden holds`.',
    });
  }
  const { choices, deadline, title } = approvalOf(found);
  if (!choices.includes(decision)) {
    throw new BadInputError(`${JSON.stringify(decision)} cannot be decided of ${JSON.stringify(title)}`, {
      hint: `Use one of ${choices.join(', ')}.`,
    });
  }
  const at = place.now();
  if (found.operation.status === 'held' && at >= (deadline ?? Infinity)) throw expired(title, deadline as number);
  await answer(place, found, { order: 'done', result: decision, by, ...(note === undefined ? {} : { note }), at });
}

async function answer(
  { store, cap, mailed }: HoldPlace,
  { agent, agentId, operation }: AgentOperation,
  resolution: Resolution,
): Promise<void> {
  if (operation.status !== 'held') throw notHeld(operation.id, operation.status, resolutionsOf(operation).at(-1));
  const [posted] = await store.post(
    [
      {
        to: agentId,
        messageId: holdName(operation),
        event: encode({ type: answerType, operation: operation.id, resolution }, 'the result'),
        from: undefined,
        replyTo: undefined,
        acceptedAt: resolution.at,
      },
    ],
    cap,
  );
  if (posted?.outcome === 'full') {
    throw new MailboxFullError(`the mailbox of agent ${JSON.stringify(agentId)} is full`, {
      hint: 'Try again when it has taken some of its mail.',
    });
  }
  if (posted?.outcome === 'accepted') {
    mailed?.(agent);
    return;
  }
  // Who was first is in the mailbox, or in the ledger once its agent has taken it.
  const waiting = await answerInMail(store, { agent, operation });
  const { operation: now } = await findOperation(store, operation.id);
  throw notHeld(operation.id, now.status, waiting ?? resolutionsOf(now).at(-1));
}

function notHeld(operationId: string, status: string, last: Resolution | undefined): Error {
  if (last?.order === 'expired') return expired(operationId, last.at);
  const [what, by] =
    last === undefined
      ? [status === 'held' ? 'has been answered a moment ago' : `is ${status}, not held`, undefined]
      : [`was answered by ${last.by} at ${new Date(last.at).toISOString()}`, last.by];
  return new NotHeldError(`operation ${JSON.stringify(operationId)} ${what}`, {
    hint: 'Each hold takes one answer; nothing was changed.',
    by,
  });
}

function expired(what: string, at: number): ApprovalExpiredError {
  return new ApprovalExpiredError(`the deadline has passed at ${new Date(at).toISOString()}: ${what}`, {
    hint: 'Its agent goes on as its machine says; nothing was changed.',
  });
}

/** @throws BadInputError */
function checkSigned(signed: Signed | undefined): Signed {
  const { by, note } = (signed ?? {}) as Partial<Signed>;
  if (typeof by !== 'string' || by.trim() === '' || by.length > 200) {
    throw new BadInputError(`by is ${JSON.stringify(by) ?? 'undefined'}`, { hint: "Say who answers: { by: 'ada@example.com' }." });
  }
  if (note !== undefined && (typeof note !== 'string' || note.length > 10_000)) {
    throw new BadInputError(`note is ${typeof note}`, { hint: 'Give a text of up to 10,000 characters, or leave it out.' });
  }
  return signed as Signed;
}
