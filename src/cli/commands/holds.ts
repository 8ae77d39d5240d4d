/**
 * `statewarden holds [ls]`: operations of which a person is to say what became of them. `show OPERATION`: one with all that is known. `done`, `retry`, `fail OPERATION`: what a person says, by an event in the mailbox of
 * its agent.
 */

import { decode } from '../../core/codec.js';
import { planActivity, undoActivity } from '../../effects/saga/plan.js';
import { answerInMail, holdOf, listHolds, resolveHold, type Hold, type Signed } from '../../runtime/holds.js';
import { away, oneLine, printable, time } from '../output.js';
import { errorDocument, findWaiting, placeIn, resolutionDocument, resolutionInWords, valueDocument, whenTaken } from '../people.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

export interface HoldListOptions {
  /** Those that have ended without anybody knowing, instead. */
  readonly unknown: boolean;
  readonly agent: string | undefined;
  readonly limit: number;
}

export async function holds(session: Session, { unknown, agent, limit }: HoldListOptions): Promise<ExitCode> {
  const { store, output, now } = session;
  const filter = { limit: limit + 1, ...(agent === undefined ? {} : { agentId: agent }) };
  const found = await listHolds(store, filter, unknown ? 'unknown' : 'held');
  const page = found.slice(0, limit);
  const more = found.length > limit;
  if (output.json) output.document({ holds: page.map(holdDocument), more });
  else if (page.length === 0) output.line(unknown ? 'nothing has ended without anybody knowing' : 'nothing is held');
  else {
    output.table(page, [
      { title: 'AGENT', text: ({ agentId }) => agentId },
      { title: 'ACTIVITY', text: ({ activity }) => activity },
      { title: 'SINCE', text: ({ since }) => away(since, now()) },
      ...(page.some(({ saga }) => saga !== undefined) ? [{ title: 'SAGA', text: ({ saga = '' }: Hold) => saga }] : []),
      { title: 'OPERATION', text: ({ operationId }) => operationId },
      { title: 'WHY', text: ({ error }) => (error === undefined ? '' : oneLine(error.message)), colour: () => 'yellow' },
    ]);
    if (more) output.line(output.paint('dim', '… more: --limit'));
  }
  return 0;
}

/** @throws UnknownOperationError */
export async function showHold(session: Session, typed: string): Promise<ExitCode> {
  const { store, output, now } = session;
  const found = await findWaiting(session, typed, 'holds');
  const { operation } = found;
  const hold = holdOf(found);
  const answer = operation.status === 'held' ? await answerInMail(store, found) : undefined;
  if (output.json) {
    output.document({
      ...holdDocument(hold),
      status: operation.status,
      failedAttempts: operation.attempts,
      answer: answer === undefined ? null : resolutionDocument(answer),
    });
    return 0;
  }
  const at = now();
  const { error } = hold;
  const hint = (error as { readonly hint?: unknown } | undefined)?.hint;
  output.facts([
    ['operation', printable(hold.operationId)],
    ['agent', printable(hold.agentId)],
    ['activity', printable(hold.activity)],
    ['status', output.paint(operation.status === 'held' ? 'yellow' : undefined, operation.status)],
    ['asked for', `${time(hold.since)} (${away(hold.since, at)})`],
    ['failed attempts', String(operation.attempts)],
    ...(hold.saga === undefined ? [] : [['saga', printable(hold.saga)] as const]),
    ...(hold.compensates === undefined || hold.compensates === '*' ? [] : [['undoes', printable(hold.compensates)] as const]),
    ...(error instanceof Error ? [['why', oneLine(error.message)] as const] : []),
    ...(error?.cause instanceof Error ? [['cause', oneLine(`${error.cause.name}: ${error.cause.message}`)] as const] : []),
    ...(typeof hint === 'string' && operation.status === 'held' ? [['what to do', oneLine(hint)] as const] : []),
    ...(answer === undefined ? [] : [['answered', `${resolutionInWords(answer, at)}; its agent has not taken it yet`] as const]),
  ]);
  if (operation.input !== undefined) {
    output.heading('Input');
    output.value(operation.input);
  }
  if (hold.resolutions.length > 0) {
    output.heading('What was said');
    for (const resolution of hold.resolutions) output.line(`  ${resolutionInWords(resolution, at)}`);
  }
  return 0;
}

export interface HoldOrder {
  readonly order: 'done' | 'retry' | 'failed';
  /** Of `done`: JSON, as it was typed. */
  readonly result?: string | undefined;
  readonly signed: Signed;
}

/** @throws UnknownOperationError, NotHeldError, BadInputError, MailboxFullError, UsageError */
export async function orderHold(session: Session, typed: string, { order, result, signed }: HoldOrder): Promise<ExitCode> {
  const { output } = session;
  const value = result === undefined ? undefined : parseResult(result);
  const { agentId, operation } = await findWaiting(session, typed, 'holds');
  const { id, activity } = operation;
  // What undoes a step comes to nothing.
  if (order === 'done' && result === undefined && activity !== undoActivity && activity !== planActivity) {
    throw new UsageError(
      `what did ${activity} come to?`,
      `Its machine goes on with that: --result '{"receipt": 7}', or --result null for nothing.`,
    );
  }
  await resolveHold(placeIn(session), id, { order, ...(result === undefined ? {} : { result: value }) }, signed);
  const { by, note = null } = signed;
  if (output.json) output.document({ operationId: id, agentId, activity, order, by, note });
  else
    output.line(
      `${output.paint('green', order)}: ${printable(activity)} of ${printable(agentId)}, says ${printable(by)}${await whenTaken(session)}`,
    );
  return 0;
}

/** @throws UsageError */
function parseResult(text: string): unknown {
  try {
    return decode(text);
  } catch (error) {
    throw new UsageError(`the result is not JSON: ${(error as Error).message}`, `Write a text in quotes of its own: --result '"paid"'.`);
  }
}

function holdDocument({ input, error, saga, compensates, resolutions, ...hold }: Hold): object {
  return {
    ...hold,
    input: valueDocument(input),
    error: error instanceof Error ? errorDocument(error) : null,
    saga: saga ?? null,
    compensates: compensates ?? null,
    resolutions: resolutions.map(resolutionDocument),
  };
}
