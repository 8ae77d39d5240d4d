/** `statewarden approvals [ls]`: decisions that people are waited for. `show OPERATION`: one with what it is decided by. `decide OPERATION DECISION`, `approve`, `reject OPERATION`: decides it, once. */

import { encode } from '../../core/codec.js';
import { approvalDocument } from '../../runtime/approvals-handler.js';
import { answerInMail, approvalOf, decide, listApprovals, type Signed } from '../../runtime/holds.js';
import { resolutionsOf } from '../../actors/operation.js';
import { away, oneLine, printable, time } from '../output.js';
import { findWaiting, placeIn, resolutionDocument, resolutionInWords, whenTaken } from '../people.js';
import type { ExitCode, Session } from '../session.js';

export interface ApprovalListOptions {
  readonly agent: string | undefined;
  readonly limit: number;
}

export async function approvals({ store, output, now }: Session, { agent, limit }: ApprovalListOptions): Promise<ExitCode> {
  const found = await listApprovals(store, { limit: limit + 1, ...(agent === undefined ? {} : { agentId: agent }) });
  const page = found.slice(0, limit);
  const more = found.length > limit;
  const at = now();
  if (output.json) output.document({ approvals: page.map(approvalDocument), more });
  else if (page.length === 0) output.line('nothing is to be decided');
  else {
    output.table(page, [
      { title: 'AGENT', text: ({ agentId }) => agentId },
      { title: 'WHAT', text: ({ title }) => oneLine(title) },
      { title: 'CHOICES', text: ({ choices }) => choices.join(', ') },
      { title: 'SINCE', text: ({ since }) => away(since, at) },
      {
        title: 'DEADLINE',
        text: ({ deadline }) => (deadline === undefined ? '' : away(deadline, at)),
        colour: ({ deadline = Infinity }) => (deadline <= at ? 'yellow' : undefined),
      },
      { title: 'OPERATION', text: ({ operationId }) => operationId },
    ]);
    if (more) output.line(output.paint('dim', '… more: --limit'));
  }
  return 0;
}

/** @throws UnknownOperationError */
export async function showApproval(session: Session, typed: string): Promise<ExitCode> {
  const { store, output, now } = session;
  const found = await findWaiting(session, typed, 'approvals');
  const { status } = found.operation;
  const pending = approvalOf(found);
  const answer = (status === 'held' ? await answerInMail(store, found) : undefined) ?? resolutionsOf(found.operation).at(-1);
  if (output.json) {
    output.document({ ...approvalDocument(pending), status, answer: answer === undefined ? null : resolutionDocument(answer) });
    return 0;
  }
  const at = now();
  const { title, agentId, operationId, choices, since, deadline, details } = pending;
  output.facts([
    ['what', printable(title)],
    ['operation', printable(operationId)],
    ['agent', printable(agentId)],
    ['status', output.paint(status === 'held' ? 'yellow' : undefined, status === 'held' ? 'waits' : status)],
    ['asked for', `${time(since)} (${away(since, at)})`],
    ['deadline', deadline === undefined ? 'none' : `${time(deadline)} (${away(deadline, at)})`],
    ['choices', printable(choices.join(', '))],
    ...(answer === undefined
      ? []
      : [['answered', `${resolutionInWords(answer, at)}${status === 'held' ? '; its agent has not taken it yet' : ''}`] as const]),
  ]);
  if (details !== undefined) {
    output.heading('Details');
    output.value(encode(details, 'details'));
  }
  return 0;
}

/** @throws UnknownOperationError, NotHeldError, ApprovalExpiredError, BadInputError, MailboxFullError */
export async function decideApproval(session: Session, typed: string, decision: string, signed: Signed): Promise<ExitCode> {
  const { output } = session;
  const found = await findWaiting(session, typed, 'approvals');
  const { agentId, operationId, title } = approvalOf(found);
  await decide(placeIn(session), operationId, decision, signed);
  const { by, note = null } = signed;
  if (output.json) output.document({ operationId, agentId, decision, by, note });
  else
    output.line(
      `${output.paint('green', printable(decision))}: ${oneLine(title)} (${printable(agentId)}), says ${printable(by)}${await whenTaken(session)}`,
    );
  return 0;
}
