/**
 * `statewarden saga [ls]`: what is being undone, and what is held of it. `show AGENT`: one saga, step by step. `resume`, `skip`, `abandon AGENT`: an order to all that is held of its undoing, by events in the
 * mailbox of its agent.
 */

import {
  listSagas,
  orderSaga,
  readSaga,
  type Saga,
  type SagaOrder,
  type SagaStatus,
  type SagaStep,
  type SagaWork,
} from '../../runtime/sagas.js';
import type { Signed } from '../../runtime/holds.js';
import { findAgent } from '../agent-id.js';
import { away, count, oneLine, printable, time, type Colour } from '../output.js';
import { errorDocument, placeIn, resolutionDocument, resolutionInWords, valueDocument, whenTaken } from '../people.js';
import type { ExitCode, Session } from '../session.js';

const statusColours: Readonly<Record<SagaStatus, Colour | undefined>> = {
  forward: undefined,
  compensating: 'cyan',
  held: 'yellow',
  compensated: 'green',
  abandoned: 'red',
};

export interface SagaListOptions {
  readonly agent: string | undefined;
  readonly limit: number;
  readonly all: boolean;
}

export async function sagas({ store, output, now }: Session, { agent, limit, all }: SagaListOptions): Promise<ExitCode> {
  const found = await listSagas(store, { all, limit: limit + 1, ...(agent === undefined ? {} : { agentId: agent }) });
  const page = found.slice(0, limit);
  const more = found.length > limit;
  const at = now();
  if (output.json) output.document({ sagas: page.map(sagaDocument), more });
  else if (page.length === 0) output.line(all ? 'no sagas' : 'no saga is held or being undone');
  else {
    output.table(page, [
      { title: 'AGENT', text: ({ agentId }) => agentId },
      { title: 'SAGA', text: ({ saga }) => saga },
      { title: 'STATUS', text: ({ status }) => status, colour: ({ status }) => statusColours[status] },
      { title: 'STEPS', text: ({ steps }) => String(steps.length), align: 'right' },
      { title: 'UNDONE', text: ({ steps }) => String(steps.filter(({ status }) => status === 'compensated').length), align: 'right' },
      { title: 'SINCE', text: ({ since }) => away(since, at) },
      { title: 'NEXT RETRY', text: (saga) => nextRetry(saga, at) },
      { title: 'WHY', text: why },
    ]);
    if (more) output.line(output.paint('dim', '… more: --limit'));
  }
  return 0;
}

/** `saga` undefined: the agent's only one. @throws UnknownAgentError, BadInputError */
export async function showSaga(session: Session, typed: string, name: string | undefined): Promise<ExitCode> {
  const { store, output, now } = session;
  const { id } = await findAgent(session, typed, 'prefix');
  const saga = await readSaga(store, id, name);
  if (output.json) {
    output.document(sagaDocument(saga));
    return 0;
  }
  const at = now();
  const { agentId, status, since, steps, plan } = saga;
  output.facts([
    ['agent', printable(agentId)],
    ['saga', printable(saga.saga)],
    ['status', output.paint(statusColours[status], status)],
    ['begun', `${time(since)} (${away(since, at)})`],
    ...(plan === undefined ? [] : [['to be undone', planInWords(plan, at)] as const]),
  ]);
  output.heading('Steps');
  output.table(steps, [
    { title: 'STEP', text: ({ activity }) => activity },
    {
      title: 'STATUS',
      text: ({ status: one }) => one,
      colour: ({ status: one }) => (one === 'held' || one === 'unknown' ? 'yellow' : undefined),
    },
    { title: 'ENDED', text: ({ endedAt }) => (endedAt === undefined ? '' : away(endedAt, at)) },
    { title: 'UNDOING', text: undoingInWords, colour: ({ undoing }) => (undoing?.status === 'held' ? 'yellow' : undefined) },
    { title: 'FAILED', text: ({ undoing }) => (undoing === undefined ? '' : String(undoing.attempts)), align: 'right' },
    { title: 'NEXT RETRY', text: ({ undoing }) => (undoing?.nextRetryAt === undefined ? '' : away(undoing.nextRetryAt, at)) },
    { title: 'OPERATION', text: ({ operationId }) => operationId },
    { title: 'ERROR', text: ({ undoing, error }) => messageOf(undoing?.error ?? error) },
  ]);
  const said = [...(plan?.resolutions ?? []), ...steps.flatMap(({ undoing }) => undoing?.resolutions ?? [])];
  if (said.length > 0) {
    output.heading('What was said');
    for (const resolution of said.sort((one, other) => one.at - other.at)) output.line(`  ${resolutionInWords(resolution, at)}`);
  }
  if (worksOf(saga).some((work) => work.status === 'held')) {
    output.line();
    const which = `${JSON.stringify(agentId)} --saga ${JSON.stringify(saga.saga)}`;
    output.line(output.paint('dim', `to go on: statewarden saga resume|skip|abandon ${which}`));
  }
  return 0;
}

/** @throws UnknownAgentError, BadInputError, NotHeldError, MailboxFullError */
export async function orderOfSaga(
  session: Session,
  typed: string,
  { order, saga, signed }: { readonly order: SagaOrder; readonly saga: string | undefined; readonly signed: Signed },
): Promise<ExitCode> {
  const { output } = session;
  const { id } = await findAgent(session, typed, 'exact');
  const report = await orderSaga(placeIn(session), id, saga, order, signed);
  if (output.json) {
    output.document({ ...report, by: signed.by, note: signed.note ?? null });
    return 0;
  }
  const what = `${printable(report.saga)} of ${printable(id)}, ${count(report.answered.length, 'operation')}, says ${printable(signed.by)}`;
  output.line(`${output.paint('green', done[order])}: ${what}${await whenTaken(session)}`);
  for (const operation of report.late) output.line(`${output.paint('yellow', 'answered before')}: ${printable(operation)}`);
  return 0;
}

const done: Readonly<Record<SagaOrder, string>> = { resume: 'resumed', skip: 'skipped', abandon: 'abandoned' };

function worksOf({ plan, steps }: Saga): SagaWork[] {
  return [plan, ...steps.map(({ undoing }) => undoing)].filter((work) => work !== undefined);
}

function nextRetry(saga: Saga, at: number): string {
  const next = Math.min(...worksOf(saga).map(({ nextRetryAt = Infinity }) => nextRetryAt));
  return next === Infinity ? '' : away(next, at);
}

/** What it waits for, or what it was given up for. */
function why(saga: Saga): string {
  if (saga.status === 'forward' || saga.status === 'compensated') return '';
  const works = worksOf(saga);
  const held = works.find(({ status }) => status === 'held') ?? saga.steps.find(({ status }) => status === 'held');
  return messageOf(held === undefined ? works.find(({ error }) => error !== undefined)?.error : held.error);
}

function messageOf(error: Error | undefined): string {
  return error instanceof Error ? oneLine(error.message) : '';
}

function planInWords({ status, error, nextRetryAt }: SagaWork, at: number): string {
  if (status === 'succeeded') return 'known';
  const next = nextRetryAt === undefined ? '' : `, read again ${away(nextRetryAt, at)}`;
  return `${status}${next}${error instanceof Error ? `: ${oneLine(error.message)}` : ''}`;
}

function undoingInWords({ undoing }: SagaStep): string {
  return undoing === undefined ? '' : `${undoing.deed} ${undoing.status}`;
}

function sagaDocument({ plan, steps, ...saga }: Saga): object {
  return { ...saga, plan: plan === undefined ? null : workDocument(plan), steps: steps.map(stepDocument) };
}

function stepDocument({ input, error, endedAt, undoing, ...step }: SagaStep): object {
  return {
    ...step,
    input: valueDocument(input),
    endedAt: endedAt ?? null,
    error: errorDocument(error),
    undoing: undoing === undefined ? null : workDocument(undoing),
  };
}

function workDocument({ attempts, nextRetryAt, error, resolutions, ...work }: SagaWork): object {
  return {
    ...work,
    failedAttempts: attempts,
    nextRetryAt: nextRetryAt ?? null,
    error: errorDocument(error),
    resolutions: resolutions.map(resolutionDocument),
  };
}
