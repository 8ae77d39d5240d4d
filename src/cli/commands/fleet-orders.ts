/**
 * `statewarden fleet submit|resize|drain|open|roll ID`: tells a fleet something, by an event in its mailbox. Whichever node runs the fleet takes it, now or when it next
 * starts. With `--wait` the command ends when it has come true, which it sees from the store: it asks no node anything.
 */

import { setTimeout } from 'node:timers/promises';
import { systemRandom } from '../../core/random.js';
import { SupervisionError, TimeoutError, UnknownAgentError } from '../../core/errors.js';
import { checkId } from '../../runtime/kinds.js';
import { checkSize } from '../../supervisor/fleet/options.js';
import type { FleetEvent, FleetStatus, Job } from '../../supervisor/fleet/state.js';
import type { ChildState } from '../../supervisor/state.js';
import { fleetType } from '../../supervisor/mind.js';
import type { JobQueue } from '../../supervisor/fleet/queue.js';
import { findFleet, fleetDocument, readFleet, type SeenFleet } from '../fleets.js';
import { count, printable } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';
import { inWords, outcomeDocument, parseEvent, post, type Posted } from './send.js';

export type FleetOrder = Extract<FleetEvent, { readonly type: 'resize' | 'drain' | 'open' | 'roll' }>;

export interface WaitOptions {
  /** Until it has come true. */
  readonly wait: boolean;
  /** For how long at most. */
  readonly timeoutMs: number;
}

const pollMs = 100;
/** For so long there may be no node that holds the fleet. */
const graceMs = 5_000;

/** Hands in a job. @throws UsageError, BadEventError, EventTooLargeError, UnknownAgentError, BadInputError, MailboxFullError */
export async function submitJob(session: Session, id: string, eventText: string, job = systemRandom.id()): Promise<ExitCode> {
  const event = parseEvent(eventText);
  checkId(job);
  const { output } = session;
  const seen = await findFleet(session, id);
  const { record, status } = seen;
  const carrier = `{"type":"${fleetType}","do":{"type":"submit","id":${JSON.stringify(job)},"event":${event}}}`;
  const outcome = await post(session, record, carrier, `submit ${job}`);
  if (output.json) output.document({ id: record.id, job, ...outcomeDocument(outcome) });
  else if (outcome.outcome === 'duplicate') output.line(`duplicate: job ${printable(job)} was handed in before`);
  else {
    const closed = status.status === 'draining' || status.status === 'drained';
    const later = closed && outcome.outcome === 'accepted' ? `; the fleet is ${status.status} and begins it when it is opened` : '';
    output.line(`${await saidTo(session, seen, outcome, `job ${job}`)}${later}`);
  }
  return outcome.outcome === 'dead-letter' ? 1 : 0;
}

/** Tells it anything else. @throws UnknownAgentError, BadInputError, MailboxFullError; SupervisionError, TimeoutError when it waits */
export async function orderFleet(session: Session, id: string, order: FleetOrder, { wait, timeoutMs }: WaitOptions): Promise<ExitCode> {
  const { output } = session;
  const before = await findFleet(session, id);
  const outcome = await post(session, before.record, JSON.stringify({ type: fleetType, do: order }), undefined);
  const waits = wait && outcome.outcome === 'accepted';
  const status = waits ? await untilTrue(session, before, order, outcome.position, timeoutMs) : undefined;
  if (output.json) {
    const after = status === undefined ? {} : { fleet: fleetDocument(status) };
    output.document({ id: before.record.id, ...outcomeDocument(outcome), ...after });
  } else output.line(status === undefined ? await saidTo(session, before, outcome, wordsOf(order)) : came(session, order, status));
  return outcome.outcome === 'dead-letter' ? 1 : 0;
}

/** As `send` says it, and that nobody takes it when the fleet is down. */
async function saidTo(session: Session, { record, status }: SeenFleet, outcome: Posted, what: string): Promise<string> {
  const said = await inWords(session, record, outcome, what);
  return status.status === 'down' && outcome.outcome === 'accepted' ? `${said}; the fleet is down: see statewarden tree` : said;
}

function wordsOf(order: FleetOrder): string {
  return order.type === 'resize' ? `resize to ${String(order.size)}` : order.type;
}

function came({ output }: Session, { type }: FleetOrder, { up, kind, done, failed, queued }: FleetStatus): string {
  switch (type) {
    case 'resize':
      return `${output.paint('green', 'resized')}: ${String(up)} × ${kind} up`;
    case 'drain': {
      const later = queued === 0 ? '' : `; ${count(queued, 'job')} handed in since wait until it is opened`;
      return `${output.paint('green', 'drained')}: ${String(done)} done, ${String(failed)} failed${later}`;
    }
    case 'roll':
      return `${output.paint('green', 'rolled')}: ${String(up)} × ${kind} up`;
    case 'open':
      return `${output.paint('green', 'open')}: ${count(queued, 'job')} queued`;
  }
}

const labels = { resize: 'resizing', drain: 'draining', open: 'opening', roll: 'rolling' } as const;

/** Polls until it has come true. @throws SupervisionError, TimeoutError, UnknownAgentError */
async function untilTrue(
  session: Session,
  before: SeenFleet,
  order: FleetOrder,
  position: number,
  timeoutMs: number,
): Promise<FleetStatus> {
  const { store, aside, now } = session;
  const { id } = before.record;
  const progress = new Progress(aside, labels[order.type], now);
  const started = now();
  let heldAt = started;
  let total = 0;
  try {
    for (;;) {
      const asked = now();
      const [seen, nodes] = await Promise.all([readFleet(store, id), store.nodes()]);
      if (seen === undefined) throw new UnknownAgentError(`fleet "${id}" is gone`, { hint: 'List the fleets with `statewarden fleet`.' });
      const at = now();
      const taken = !seen.mailbox.some((message) => message.position === position);
      if (taken) {
        refuseWhatCannotBe(seen, order);
        const left = leftOf(seen, order);
        total = Math.max(total, left, seen.status.rolling?.total ?? 0);
        if (left === 0) {
          if (order.type === 'roll') checkRolled(id, before.state.children, seen.state.children);
          return seen.status;
        }
        progress.show(total - left, total);
      }
      const { status, owner } = seen.record;
      if (status === 'active' && nodes.some(({ node }) => node === owner)) heldAt = at;
      else if (at - heldAt >= graceMs) throw notHeld(seen);
      if (at - started >= timeoutMs) throw tooLong(seen, order, taken, timeoutMs);
      // A large fleet takes long to read: most of the time is its own.
      await setTimeout(Math.min(Math.max(pollMs, 4 * (at - asked)), Math.max(0, started + timeoutMs - at)));
    }
  } finally {
    progress.end();
  }
}

/** What is to be done yet, in members or jobs. */
function leftOf({ record, fleet, state, status }: SeenFleet, order: FleetOrder): number {
  switch (order.type) {
    case 'resize': {
      const above = state.children.filter(({ id }) => Number(id.slice(record.id.length + 1)) > order.size);
      const up = status.up - above.filter((child) => child.status === 'running').length;
      return Math.max(0, order.size - up) + above.length;
    }
    case 'drain': {
      const { drainTo = 0, queue, running } = fleet;
      return jobsUpTo(queue, drainTo) + jobsUpTo(running, drainTo);
    }
    case 'roll':
      return status.rolling === undefined ? 0 : status.rolling.total - status.rolling.done;
    case 'open':
      return 0;
  }
}

function jobsUpTo(jobs: JobQueue, last: number): number {
  const earlier = (job: Job): boolean => job.n <= last;
  return jobs.reduce((sum, part) => sum + part.filter(earlier).length, 0);
}

/** @throws SupervisionError when it cannot come true any more */
function refuseWhatCannotBe({ record: { id }, fleet, status }: SeenFleet, order: FleetOrder): void {
  if (status.status === 'down') throw failed(`fleet "${id}" is down`, 'not-running', 'See why with `statewarden tree`.');
  if (order.type === 'resize' && fleet.spec.size !== order.size) {
    throw failed(
      `fleet "${id}" was resized to ${String(fleet.spec.size)} meanwhile`,
      'overtaken',
      'Somebody else did that: ask, or try again.',
    );
  }
  if (order.type === 'drain' && fleet.drainTo === undefined) {
    throw failed(`fleet "${id}" was opened meanwhile`, 'overtaken', 'Somebody else did that: ask, or try again.');
  }
}

/** A roll that stops halfway leaves the others as they were: they are the same as before. @throws SupervisionError */
export function checkRolled(fleet: string, before: readonly ChildState[], after: readonly ChildState[]): void {
  const runs = new Map(before.map(({ id, run, status }) => [id, status === 'running' ? run : undefined]));
  const same = after.filter(({ id, run, status }) => status === 'running' && runs.get(id) === run);
  const bad = after.find(({ failure, status }) => failure?.reason === 'start' && status !== 'running');
  if (same.length === 0 && bad === undefined) return;
  const why = bad === undefined ? '' : `: member "${bad.id}" did not come up: ${bad.failure?.message ?? ''}`;
  throw failed(
    `the roll of fleet "${fleet}" stopped with ${count(same.length, 'member')} left${why}`,
    'roll-stopped',
    'Those that had not had their turn run as before. Correct the machine and roll again.',
  );
}

function notHeld({ record: { id, status }, status: fleet }: SeenFleet): SupervisionError {
  const hint = 'What it was told is kept and taken when it is up.';
  if (status !== 'active' || fleet.status === 'down') {
    return failed(`fleet "${id}" is down (${status})`, 'not-running', `${hint} See why with \`statewarden tree\`.`);
  }
  return failed(`no node seems to hold fleet "${id}"`, 'not-running', `${hint} Start the program that declares it.`);
}

function failed(message: string, reason: string, hint: string): SupervisionError {
  return new SupervisionError(message, { reason, hint });
}

function tooLong(seen: SeenFleet, order: FleetOrder, taken: boolean, timeoutMs: number): TimeoutError {
  const { id } = seen.record;
  const left = taken ? `${count(leftOf(seen, order), order.type === 'drain' ? 'job' : 'member')} left` : 'no node has taken it yet';
  return new TimeoutError(`fleet "${id}": ${wordsOf(order)} is not done after ${String(timeoutMs / 1_000)} s: ${left}`, {
    hint: `It goes on: look with \`statewarden fleet show ${id}\`, or wait longer.`,
  });
}

/** @throws UsageError */
export function parseSize(text: string): number {
  const size = text.trim() === '' ? NaN : Number(text);
  try {
    checkSize(size, 'the fleet');
  } catch (error) {
    throw new UsageError(`the size is "${text}"`, (error as { hint?: string }).hint ?? '');
  }
  return size;
}
