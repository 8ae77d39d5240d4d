/**
 * `statewarden dead-letters [ls|show|redrive|discard]`: events that no agent could take. To redrive or to discard one says which: positions,
 * `--group`, `--to`, `--type`, `--reason`, or `--all`.
 */

import { encode } from '../../core/codec.js';
import { BadInputError } from '../../core/errors.js';
import {
  DeadLetters,
  type DeadLetter,
  type DeadLetterDetails,
  type DeadLetterGroup,
  type DeadLetterSelection,
} from '../../supervisor/dead-letters.js';
import { systemClock } from '../../core/clock.js';
import { findAgent } from '../agent-id.js';
import { away, brief, count, oneLine, printable, stateName, stored, time } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';
import type { DeadLetterAction } from './dead-letter-words.js';

/** A runtime's default limit. */
const mailboxLimit = 10_000;

export interface DeadLetterOptions {
  readonly action: DeadLetterAction;
  readonly positions: readonly string[];
  readonly filter: Exclude<DeadLetterSelection, readonly number[]>;
  readonly all: boolean;
  /** `ls`: print groups. */
  readonly groups: boolean;
  /** Position after which to begin. */
  readonly after: number;
  readonly limit: number;
  /** Agent that is to take what is redriven. */
  readonly into: string | undefined;
  /** Events a second. */
  readonly rate: number;
}

/** @throws UsageError, BadInputError, UnknownAgentError */
export async function deadLetters(session: Session, options: DeadLetterOptions): Promise<ExitCode> {
  const letters = new DeadLetters({ store: session.store, clock: systemClock, mailbox: mailboxLimit });
  switch (options.action) {
    case 'ls':
      return options.groups ? listGroups(session, letters, options) : list(session, letters, options);
    case 'show':
      return show(session, letters, options);
    case 'redrive':
      return redrive(session, letters, options);
    case 'discard':
      return discard(session, letters, options);
  }
}

async function list({ output, now }: Session, letters: DeadLetters, { filter, after, limit }: DeadLetterOptions): Promise<ExitCode> {
  const found = await letters.list(filter, { after, limit: limit + 1 });
  const page = found.slice(0, limit);
  const next = found.length > limit ? (page.at(-1)?.position ?? null) : null;
  if (output.json) {
    output.document({ deadLetters: page.map(document), next });
    return 0;
  }
  if (page.length === 0) {
    output.line('no dead letters');
    return 0;
  }
  output.table(page, [
    { title: 'POSITION', text: ({ position }) => String(position), align: 'right' },
    { title: 'AT', text: ({ at }) => away(at, now()) },
    { title: 'TO', text: ({ to }) => to },
    { title: 'FROM', text: ({ from }) => from ?? '' },
    ...(page.some(({ details }) => details?.job !== undefined)
      ? [{ title: 'JOB', text: ({ details }: DeadLetter) => details?.job ?? '' }]
      : []),
    { title: 'REASON', text: ({ reason }) => reason, colour: () => 'yellow' },
    { title: 'EVENT', text: ({ event }) => brief(encode(event, 'event')) },
  ]);
  if (next !== null) output.line(output.paint('dim', `… more: --after ${String(next)}, or --limit`));
  return 0;
}

async function listGroups({ output, now }: Session, letters: DeadLetters, { filter }: DeadLetterOptions): Promise<ExitCode> {
  const groups = await letters.groups(filter);
  if (output.json) output.document({ groups: groups.map(({ message, ...group }) => ({ ...group, message: message ?? null })) });
  else if (groups.length === 0) output.line('no dead letters');
  else {
    output.table(groups, [
      { title: 'GROUP', text: ({ group }) => group },
      { title: 'COUNT', text: (group) => String(group.count), align: 'right' },
      { title: 'FOR', text: ({ receivers }) => count(receivers, 'agent') },
      { title: 'FIRST', text: ({ firstAt }) => away(firstAt, now()) },
      { title: 'LAST', text: ({ lastAt }) => away(lastAt, now()) },
      { title: 'REASON', text: ({ reason }) => reason, colour: () => 'yellow' },
      { title: 'EVENT', text: ({ type }) => type },
      ...(groups.some(({ message }) => message !== undefined)
        ? [{ title: 'ERROR', text: ({ message = '' }: DeadLetterGroup) => oneLine(message) }]
        : []),
    ]);
  }
  return 0;
}

async function show({ output, now }: Session, letters: DeadLetters, { positions }: DeadLetterOptions): Promise<ExitCode> {
  const wanted = numbers(positions);
  if (wanted.length === 0) throw new UsageError('which dead letter?', 'Give its position: statewarden dead-letters show 7.');
  const found = await letters.list(wanted);
  const missing = wanted.filter((position) => !found.some((letter) => letter.position === position));
  if (missing.length > 0) {
    throw new BadInputError(`there is no dead letter ${missing.join(', ')}`, {
      hint: 'It was redriven or discarded, or never was: see statewarden dead-letters ls.',
    });
  }
  if (output.json) output.document({ deadLetters: found.map(document) });
  else {
    for (const [index, letter] of found.entries()) {
      if (index > 0) output.line();
      const { position, to, from, messageId, reason, at, group, event, details } = letter;
      output.facts([
        ['position', String(position)],
        ['to', printable(to)],
        ['from', from === undefined ? '(outside)' : printable(from)],
        ['message id', messageId === undefined ? '(none)' : printable(messageId)],
        ['reason', output.paint('yellow', printable(reason))],
        ['group', group],
        ['at', `${time(at)} (${away(at, now())})`],
        ...factsOf(details),
      ]);
      output.heading('event');
      output.value(encode(event, 'event'));
      if (details?.stack === undefined) continue;
      output.heading('stack');
      for (const line of details.stack.split('\n')) output.line(`  ${printable(line)}`);
    }
  }
  return 0;
}

/** How its turns failed. */
function factsOf(details: DeadLetterDetails | undefined): (readonly [string, string])[] {
  if (details === undefined) return [];
  const { message, deliveries, state, sequenceNumber, member, job } = details;
  return [
    ...(job === undefined ? [] : [['job', printable(job)] as const]),
    ...(member === undefined ? [] : [['member', printable(member)] as const]),
    ['error', printable(message.replace(/\s*\n\s*/g, ' '))],
    ['deliveries', `${String(deliveries)}, all failed`],
    ...(state === undefined && job !== undefined
      ? []
      : [['state', state === undefined ? 'unknown' : stateName(encode(state, 'state'))] as const]),
    ...(sequenceNumber === undefined ? [] : [['after event', String(sequenceNumber)] as const]),
  ];
}

async function redrive(session: Session, letters: DeadLetters, options: DeadLetterOptions): Promise<ExitCode> {
  const { output, aside, now, store } = session;
  const selection = chosen(options);
  const to = options.into === undefined ? undefined : (await findAgent(session, options.into, 'exact')).id;
  const progress = new Progress(aside, 'redriving', now);
  const report = await letters
    .redrive(selection, {
      ...(to === undefined ? {} : { to }),
      perSecond: options.rate,
      progress: (done, total) => progress.show(done, total),
    })
    .finally(() => progress.end());
  const kept = Object.entries(report.kept);
  if (output.json) output.document(report);
  else {
    const up = report.redriven === 0 || (await store.nodes()).length > 0;
    output.line(
      `${output.paint('green', 'redriven')}: ${count(report.redriven, 'event')}${up ? '' : '; no runtime is up, taken when one starts'}`,
    );
    if (report.duplicates > 0) output.line(`accepted before: ${count(report.duplicates, 'event')}, now no dead letters`);
    if (report.absent > 0) output.line(`gone already: ${count(report.absent, 'event')}`);
    for (const [reason, events] of kept) {
      const hint = reason === 'mailbox-full' ? 'try again when some are taken' : 'see --into';
      output.line(`${output.paint('yellow', 'kept')}: ${count(events, 'event')} (${reason}); ${hint}`);
    }
  }
  return kept.length > 0 ? 1 : 0;
}

async function discard({ output }: Session, letters: DeadLetters, options: DeadLetterOptions): Promise<ExitCode> {
  const discarded = await letters.discard(chosen(options));
  if (output.json) output.document({ discarded });
  else output.line(`discarded: ${count(discarded, 'event')}`);
  return 0;
}

/** @throws UsageError when nothing, or too much, was said. */
function chosen({ action, positions, filter, all }: DeadLetterOptions): DeadLetterSelection {
  const filters = Object.keys(filter).length > 0;
  if ([positions.length > 0, filters, all].filter(Boolean).length !== 1) {
    throw new UsageError(
      positions.length > 0 || filters || all ? 'positions, filters and --all exclude one another' : `which dead letters to ${action}?`,
      `Give positions, or --group, --to, --type, --reason, or --all: statewarden dead-letters ${action} 7 9.`,
    );
  }
  return positions.length > 0 ? numbers(positions) : filter;
}

function numbers(positions: readonly string[]): number[] {
  return positions.map(Number);
}

function document({ event, from, messageId, details, ...letter }: DeadLetter): object {
  return {
    ...letter,
    from: from ?? null,
    messageId: messageId ?? null,
    event: stored(encode(event, 'event')),
    details: details === undefined ? null : detailsDocument(details),
  };
}

function detailsDocument({ stack, state, sequenceNumber, member, job, ...details }: DeadLetterDetails): object {
  return {
    ...details,
    stack: stack ?? null,
    state: state ?? null,
    sequenceNumber: sequenceNumber ?? null,
    member: member ?? null,
    job: job ?? null,
  };
}
