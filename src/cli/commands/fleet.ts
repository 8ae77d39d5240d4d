/**
 * `statewarden fleet [ls]`: the fleets of a store, a line each. `statewarden fleet show ID`: one of them, with its members and the job each is at, the jobs that wait
 * and those that ended last. Read from the records: a store that nobody has open tells the same.
 */

import { encode, errorOf } from '../../core/codec.js';
import type { AgentRecord } from '../../persistence/store.js';
import type { JobResult, RunningJob } from '../../supervisor/fleet/state.js';
import type { ChildState } from '../../supervisor/state.js';
import { fold, standing, statusColours, tally, type Standing } from '../children.js';
import { allFleets, findFleet, fleetDocument, type SeenFleet } from '../fleets.js';
import { away, brief, count, oneLine, printable, span, stateName, stored, type Colour } from '../output.js';
import type { ExitCode, Session } from '../session.js';

export interface FleetShowOptions {
  /** Members, waiting jobs and results that are printed at most. */
  readonly limit: number;
  /** Print all members. */
  readonly all: boolean;
}

const colours: Readonly<Record<SeenFleet['status']['status'], Colour>> = {
  starting: 'yellow',
  open: 'cyan',
  draining: 'yellow',
  drained: 'yellow',
  down: 'red',
};

export async function fleets({ store, output }: Session): Promise<ExitCode> {
  const all = await allFleets(store);
  const live = (await store.nodes()).length > 0;
  if (output.json) {
    const documents = all.map(({ record, status, mailbox }) => ({ id: record.id, ...fleetDocument(status), waiting: mailbox.length }));
    output.document({ fleets: documents, live });
    return 0;
  }
  if (all.length === 0) {
    output.line('no fleets');
    return 0;
  }
  output.table(all, [
    { title: 'ID', text: ({ record }) => record.id },
    { title: 'KIND', text: ({ status }) => status.kind },
    { title: 'STATUS', text: (fleet) => statusText(fleet), colour: ({ status }) => colours[status.status] },
    { title: 'SIZE', text: ({ status }) => String(status.size), align: 'right' },
    {
      title: 'UP',
      text: ({ status }) => String(status.up),
      colour: ({ status }) => (status.up < status.size ? 'yellow' : undefined),
      align: 'right',
    },
    { title: 'BUSY', text: ({ status }) => String(status.busy), align: 'right' },
    { title: 'QUEUED', text: ({ status }) => String(status.queued), align: 'right' },
    { title: 'DONE', text: ({ status }) => String(status.done), align: 'right' },
    {
      title: 'FAILED',
      text: ({ status }) => String(status.failed),
      colour: ({ status }) => (status.failed > 0 ? 'red' : undefined),
      align: 'right',
    },
  ]);
  const waiting = all.reduce((sum, { mailbox }) => sum + mailbox.length, 0);
  if (waiting > 0) output.line(output.paint('dim', `${count(waiting, 'event')} not taken yet`));
  if (!live) output.line(output.paint('dim', 'no runtime is up: they go on so when one starts'));
  return 0;
}

function statusText({ status: { status, rolling } }: SeenFleet): string {
  return rolling === undefined ? status : `${status}, rolling ${String(rolling.done)}/${String(rolling.total)}`;
}

interface Member extends Standing {
  readonly child: ChildState;
  readonly record: AgentRecord | undefined;
  readonly job: RunningJob | undefined;
}

/** @throws UnknownAgentError, BadInputError */
export async function showFleet(session: Session, id: string, options: FleetShowOptions): Promise<ExitCode> {
  const seen = await findFleet(session, id);
  const members = await membersOf(session, seen);
  if (session.output.json) session.output.document(document(seen, members, options.limit));
  else await print(session, seen, members, options);
  return 0;
}

async function membersOf({ store }: Session, { fleet, state }: SeenFleet): Promise<Member[]> {
  const jobs = new Map(fleet.running.flat().map((job) => [job.member, job]));
  const members: Member[] = [];
  for (let from = 0; from < state.children.length; from += 500) {
    const some = state.children.slice(from, from + 500);
    const records = await store.lookup(some.map(({ id }) => id));
    for (const [index, child] of some.entries()) {
      const record = records[index];
      members.push({ child, record, status: child.status, agent: record?.status, job: jobs.get(child.id) });
    }
  }
  return members;
}

async function print(session: Session, seen: SeenFleet, members: readonly Member[], { limit, all }: FleetShowOptions): Promise<void> {
  const { store, output, now } = session;
  const { record, fleet, status, mailbox } = seen;
  const at = now();
  const nodes = await store.nodes();
  const { rate, concurrency, jobTimeoutMs, attempts } = fleet.spec;
  const { up, size, busy, queued, done, failed, kind } = status;
  output.facts([
    ['id', printable(record.id)],
    ['status', output.paint(colours[status.status], statusText(seen))],
    ...(record.supervisor === undefined ? [] : [['supervisor', printable(record.supervisor)] as const]),
    ['members', `${String(up)} of ${String(size)} × ${printable(kind)} up, ${String(busy)} busy`],
    ['jobs', `${String(queued)} queued, ${String(done)} done, ${String(failed)} failed`],
    [
      'limits',
      [
        `${count(attempts, 'attempt')} each`,
        ...(concurrency === Infinity ? [] : [`at most ${String(concurrency)} at once`]),
        ...(rate === undefined ? [] : [`${String(rate.limit)} begin in ${span(rate.periodMs)}`]),
        ...(jobTimeoutMs === undefined ? [] : [`${span(jobTimeoutMs)} each`]),
      ].join(', '),
    ],
    ['mailbox', mailbox.length === 0 ? 'empty' : `${count(mailbox.length, 'event')} not taken yet`],
  ]);
  if (members.length > 0) {
    output.heading('Members');
    const { shown, left } = fold(members, all ? Infinity : limit, ({ child, job }) =>
      child.failure !== undefined ? 0 : job === undefined ? 2 : 1,
    );
    printMembers(session, shown, at);
    if (left.length > 0) output.line(output.paint('dim', tally(left)));
  }
  const { jobs, total } = firstJobs(seen, limit);
  if (jobs.length > 0) {
    output.heading(total > jobs.length ? `Jobs that wait: the first ${String(jobs.length)} of ${String(total)}` : 'Jobs that wait');
    output.table(jobs, [
      { title: 'JOB', text: (job) => job.id },
      { title: 'QUEUED', text: ({ queuedAt }) => away(queuedAt, at) },
      { title: 'EVENT', text: ({ event }) => brief(encode(event, 'event')) },
    ]);
  }
  const results = lastResults(seen, limit);
  if (results.length > 0) {
    const ended = done + failed;
    output.heading(
      ended > results.length ? `Results: the last ${String(results.length)} of ${String(ended)}` : 'Results, the last one first',
    );
    const failures = results.some(({ status }) => status === 'failed');
    output.table(results, [
      { title: 'JOB', text: ({ job }) => job },
      { title: 'MEMBER', text: ({ member }) => member },
      { title: 'STATUS', text: (result) => result.status, colour: (result) => (result.status === 'failed' ? 'red' : 'green') },
      { title: 'MS', text: ({ startedAt, endedAt }) => String(endedAt - startedAt), align: 'right' },
      { title: 'ENDED', text: ({ endedAt }) => away(endedAt, at) },
      ...(failures ? [{ title: 'ERROR', text: errorText }] : []),
    ]);
  }
  if (nodes.length === 0) {
    output.line();
    output.line(output.paint('dim', 'no runtime is up: it goes on so when one starts'));
  }
}

function printMembers({ output }: Session, members: readonly Member[], at: number): void {
  const some = (has: (member: Member) => boolean): boolean => members.some(has);
  output.table(members, [
    { title: 'MEMBER', text: ({ child }) => child.id },
    { title: 'STATUS', text: standing, colour: ({ status, agent }) => (agent === 'parked' ? 'red' : statusColours[status]) },
    { title: 'STATE', text: ({ record }) => stateName(record?.state) },
    ...(some(({ child }) => child.restarts > 0)
      ? [{ title: 'RESTARTS', text: ({ child }: Member) => String(child.restarts), align: 'right' as const }]
      : []),
    ...(some(({ job }) => job !== undefined)
      ? [
          { title: 'JOB', text: ({ job }: Member) => job?.id ?? '' },
          { title: 'SINCE', text: ({ job }: Member) => (job === undefined ? '' : away(job.startedAt, at)) },
          { title: 'FAILURES', text: ({ job }: Member) => (job === undefined ? '' : String(job.failures)), align: 'right' as const },
        ]
      : []),
    ...(some(({ child }) => child.failure !== undefined)
      ? [{ title: 'LAST FAILURE', text: ({ child: { failure } }: Member) => (failure === undefined ? '' : failureText(failure, at)) }]
      : []),
  ]);
}

function failureText({ at, reason, message }: NonNullable<ChildState['failure']>, now: number): string {
  return `${away(at, now)} (${reason}): ${oneLine(message)}`;
}

function errorText(result: JobResult): string {
  return result.status === 'failed' ? oneLine(errorOf(result.error).message) : '';
}

function errorDocument(error: unknown): object {
  const { name, message } = errorOf(error);
  return { name, message };
}

function firstJobs({ fleet }: SeenFleet, limit: number) {
  const jobs = fleet.queue.flat();
  return { jobs: jobs.slice(0, limit), total: jobs.length };
}

/** The newest first. */
function lastResults({ fleet }: SeenFleet, limit: number): readonly JobResult[] {
  return fleet.results.slice(-limit).reverse();
}

/** The names are stable. */
function document(seen: SeenFleet, members: readonly Member[], limit: number): object {
  const { record, status, mailbox } = seen;
  return {
    id: record.id,
    supervisor: record.supervisor ?? null,
    ...fleetDocument(status),
    waiting: mailbox.length,
    members: members.map(({ child, record: agent, job }) => ({
      id: child.id,
      status: child.status,
      agent: agent?.status ?? null,
      state: stored(agent?.state),
      restarts: child.restarts,
      startedAt: child.startedAt ?? null,
      dueAt: child.dueAt ?? null,
      failure: child.failure ?? null,
      job: job === undefined ? null : jobDocument(job),
    })),
    queue: firstJobs(seen, limit).jobs.map(({ id, queuedAt, event }) => ({ id, queuedAt, event: stored(encode(event, 'event')) })),
    results: lastResults(seen, limit).map((result) => ({
      job: result.job,
      member: result.member,
      status: result.status,
      queuedAt: result.queuedAt,
      startedAt: result.startedAt,
      endedAt: result.endedAt,
      output: result.status === 'done' ? stored(encode(result.output, 'output')) : null,
      error: result.status === 'failed' ? errorDocument(result.error) : null,
    })),
  };
}

/** The names are stable. */
export function jobDocument({ id, queuedAt, startedAt, failures, event }: RunningJob): object {
  return { id, queuedAt, startedAt, failures, event: stored(encode(event, 'event')) };
}
