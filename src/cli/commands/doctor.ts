/**
 * `statewarden doctor`: is this store sound, and does everything in it get on? Problems (exit code 1): damaged records, parked agents, and work
 * that stands still although a node is up. Notices: work that waits because no node is up, supervisors that gave up, what waits for people, dead letters, and inline actions, which are
 * not recorded. It changes nothing.
 */

import { statSync } from 'node:fs';
import type { AgentFilter, AgentRecord, DueTimer, MachineRecord, NodeRecord, StoreCounts } from '../../persistence/store.js';
import { decode } from '../../core/codec.js';
import { listApprovals, listHolds } from '../../runtime/holds.js';
import { supervisorKind } from '../../supervisor/machine.js';
import { describeExit, type SupervisorExit } from '../../supervisor/state.js';
import { away, brief, count, printable, shortened, size, time } from '../output.js';
import { Progress } from '../progress.js';
import type { ExitCode, Session } from '../session.js';

/** A node that is up acts on what is due within this time. */
const graceMs = 10_000;
const page = 500;
/** Lines of one sort that are printed. */
const printed = 20;

/** An agent with activities under way whose node is gone. */
interface Orphan {
  readonly id: string;
  readonly node: number;
  readonly activities: readonly string[];
}

/** Where a registered machine has functions as actions. */
interface InlineActions {
  readonly kind: string;
  readonly version: number;
  readonly places: readonly string[];
}

/** A tree that is down until somebody has looked. */
interface GivenUp {
  readonly id: string;
  readonly exit: SupervisorExit;
  /** Epoch milliseconds. */
  readonly at: number;
}

interface Finding {
  readonly severity: 'problem' | 'notice';
  readonly code:
    | 'DAMAGED'
    | 'PARKED'
    | 'OVERDUE_TIMERS'
    | 'ORPHANED_ACTIVITIES'
    | 'GAVE_UP'
    | 'HELD'
    | 'UNKNOWN'
    | 'APPROVALS'
    | 'DEAD_LETTERS'
    | 'INLINE_ACTIONS';
  readonly message: string;
  readonly hint: string;
}

/** How many operations wait for a person's word, have ended without anybody knowing, wait for a decision. */
interface ForPeople {
  readonly held: number;
  readonly unknown: number;
  readonly approvals: number;
}

interface Examination {
  readonly faults: readonly string[];
  readonly counts: StoreCounts | undefined;
  readonly nodes: readonly NodeRecord[];
  /** Numbers of nodes that are gone and still written down as holders. */
  readonly gone: readonly number[];
  readonly parked: readonly AgentRecord[];
  readonly overdue: readonly DueTimer[];
  readonly orphans: readonly Orphan[];
  readonly gaveUp: readonly GivenUp[];
  readonly people: ForPeople;
  readonly inline: readonly InlineActions[];
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

export async function doctor(session: Session): Promise<ExitCode> {
  const examination = await examine(session);
  const findings = judge(examination, session.now());
  const healthy = !findings.some(({ severity }) => severity === 'problem');
  if (session.output.json) session.output.document(document(session, examination, findings, healthy));
  else print(session, examination, findings, healthy);
  return healthy ? 0 : 1;
}

async function examine(session: Session): Promise<Examination> {
  const { store, url, aside, now } = session;
  const names = url.path === '' ? [] : [url.path, `${url.path}-wal`, `${url.path}-shm`];
  const files = names.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ path, bytes: stat.size }];
  });
  const bar = new Progress(aside, 'checking', now);
  const faults = await store.check((done, total) => bar.show(done, total));
  bar.end();
  if (faults.length > 0) {
    // A damaged store may not answer the rest; what it is, is known.
    const nothing = { counts: undefined, nodes: [], gone: [], parked: [], overdue: [], orphans: [], gaveUp: [], inline: [] };
    return { faults, ...nothing, people: { held: 0, unknown: 0, approvals: 0 }, files };
  }
  const [counts, nodes] = await Promise.all([store.counts(), store.nodes()]);
  const overdue = await store.dueTimers({ before: now(), limit: page });
  const { orphans, gone } = await findOrphans(session, new Set(nodes.map(({ node }) => node)));
  return {
    faults,
    counts,
    nodes,
    gone,
    parked: await all(session, { status: 'parked' }),
    overdue,
    orphans,
    gaveUp: gaveUpAmong(await all(session, { kind: supervisorKind, status: 'suspended' })),
    people: await forPeople(session),
    inline: inlineIn(await store.machines()),
    files,
  };
}

async function all({ store }: Session, filter: Pick<AgentFilter, 'kind' | 'status'>): Promise<AgentRecord[]> {
  const found: AgentRecord[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const some: readonly AgentRecord[] = await store.list({ ...filter, limit: page, after });
    found.push(...some);
    after = some.length < page ? undefined : some.at(-1)?.id;
  }
  return found;
}

async function forPeople({ store }: Session): Promise<ForPeople> {
  const every = { limit: Infinity };
  const held = (await listHolds(store, every)).length;
  const unknown = (await listHolds(store, every, 'unknown')).length;
  return { held, unknown, approvals: (await listApprovals(store, every)).length };
}

/** Roots: what is below one stands still with it, and comes back with it; what is below one that runs is that one's business. */
function gaveUpAmong(suspended: readonly AgentRecord[]): GivenUp[] {
  return suspended.flatMap(({ id, supervisor, outcome, updatedAt }) => {
    const exit = outcome === undefined || supervisor !== undefined ? null : (decode(outcome) as SupervisorExit | null);
    return exit === null || exit.type === 'shutdown' || exit.type === 'significant-child' ? [] : [{ id, exit, at: updatedAt }];
  });
}

/** Of each kind's newest version. */
function inlineIn(machines: readonly MachineRecord[]): InlineActions[] {
  const newest = new Map<string, MachineRecord>();
  for (const machine of machines) {
    if (machine.version >= (newest.get(machine.kind)?.version ?? 0)) newest.set(machine.kind, machine);
  }
  return [...newest.values()].flatMap(({ kind, version, definition }) => {
    const { inlineActions: places = [] } = JSON.parse(definition) as { inlineActions?: readonly string[] };
    return places.length === 0 ? [] : [{ kind, version, places }];
  });
}

/** Agents that have work and no live node, and among them those that a node left in the middle of an activity. */
async function findOrphans({ store, aside, now }: Session, alive: ReadonlySet<number>): Promise<{ orphans: Orphan[]; gone: number[] }> {
  const orphans: Orphan[] = [];
  const gone = new Set<number>();
  const bar = new Progress(aside, 'looking for work left behind', now);
  let seen = 0;
  for (let after: number | undefined = 0; after !== undefined;) {
    const keys: readonly number[] = await store.runnable({ after, limit: page });
    for (const record of await store.lookup(keys)) {
      seen += 1;
      bar.show(seen, seen + page);
      if (record?.owner === undefined || alive.has(record.owner)) continue;
      gone.add(record.owner);
      if (!record.busy) continue;
      const open = (await store.inspect(record.key))?.operations.filter(({ settledIn }) => settledIn === 0) ?? [];
      if (open.length > 0) orphans.push({ id: record.id, node: record.owner, activities: open.map(({ activity }) => activity) });
    }
    after = keys.length < page ? undefined : keys.at(-1);
  }
  bar.end();
  return { orphans, gone: [...gone].sort((one, other) => one - other) };
}

function judge({ faults, counts, nodes, parked, overdue, orphans, gaveUp, people, inline }: Examination, now: number): Finding[] {
  const findings: Finding[] = [];
  const idle = nodes.length === 0;
  if (faults.length > 0) {
    findings.push({
      severity: 'problem',
      code: 'DAMAGED',
      message: `${count(faults.length, 'record')} damaged`,
      hint: 'Restore the store from a backup.',
    });
  }
  if (parked.length > 0) {
    findings.push({
      severity: 'problem',
      code: 'PARKED',
      message: `${count(parked.length, 'agent')} parked`,
      hint: 'Each says why; correct the machine or give a migration, and start the runtime again.',
    });
  }
  const late = overdue.filter(({ dueAt }) => idle || dueAt < now - graceMs);
  if (late.length > 0) {
    findings.push({
      severity: idle ? 'notice' : 'problem',
      code: 'OVERDUE_TIMERS',
      message: `${String(late.length)}${late.length === page ? ' or more' : ''} ${late.length === 1 ? 'timer is' : 'timers are'} overdue`,
      hint: idle ? 'No node is up; they fire when one starts.' : 'A node is up but does not fire them: is their kind registered with it?',
    });
  }
  if (orphans.length > 0) {
    findings.push({
      severity: idle ? 'notice' : 'problem',
      code: 'ORPHANED_ACTIVITIES',
      message: `${count(orphans.length, 'agent')} left in the middle of an activity by a node that is gone`,
      hint: idle
        ? 'No node is up; they go on when one starts.'
        : 'A node is up but has not taken them over: is their kind registered with it?',
    });
  }
  if (gaveUp.length > 0) {
    findings.push({
      severity: 'notice',
      code: 'GAVE_UP',
      message: `${count(gaveUp.length, 'supervisor')} gave up and ${gaveUp.length === 1 ? 'stays' : 'stay'} down with all below`,
      hint: 'Look at `statewarden tree`, correct the cause; then runtime.supervise(spec, { revive: true }).',
    });
  }
  if (people.held > 0) {
    findings.push({
      severity: 'notice',
      code: 'HELD',
      message: `${count(people.held, 'operation')} held until a person says what became of ${people.held === 1 ? 'it' : 'them'}`,
      hint: 'Look at them with `statewarden holds`, and say so.',
    });
  }
  if (people.unknown > 0) {
    findings.push({
      severity: 'notice',
      code: 'UNKNOWN',
      message: `${count(people.unknown, 'operation')} ended without anybody knowing whether ${people.unknown === 1 ? 'it was' : 'they were'} carried out`,
      hint: 'Look at them with `statewarden holds --unknown`.',
    });
  }
  if (people.approvals > 0) {
    findings.push({
      severity: 'notice',
      code: 'APPROVALS',
      message: `${count(people.approvals, 'decision')} waited for`,
      hint: 'Look at them with `statewarden approvals`.',
    });
  }
  if (counts !== undefined && counts.deadLetters > 0) {
    findings.push({
      severity: 'notice',
      code: 'DEAD_LETTERS',
      message: count(counts.deadLetters, 'dead letter'),
      hint: 'Look at them with `statewarden dead-letters`.',
    });
  }
  if (inline.length > 0) {
    const places = inline.reduce((sum, machine) => sum + machine.places.length, 0);
    findings.push({
      severity: 'notice',
      code: 'INLINE_ACTIONS',
      message: `${count(places, 'inline action')}, run at most once and lost in a crash`,
      hint: 'Where that matters, name them in setup({ actions }): then they are recorded with the turn.',
    });
  }
  return findings;
}

function reason({ outcome }: AgentRecord): string {
  return brief(outcome).replace(/^Error: /, '');
}

function document({ url }: Session, examination: Examination, findings: readonly Finding[], healthy: boolean): object {
  const { faults, counts, nodes, gone, parked, overdue, orphans, gaveUp, people, inline, files } = examination;
  return {
    healthy,
    store: url.name,
    findings,
    faults,
    counts: counts ?? null,
    nodes: { live: nodes.map(({ node, name, host, pid, openedAt, seenAt }) => ({ node, name, host, pid, openedAt, seenAt })), gone },
    parked: parked.map((agent) => ({ id: agent.id, kind: agent.kind, version: agent.version, reason: reason(agent) })),
    overdueTimers: overdue.map(({ id, dueAt }) => ({ id, dueAt })),
    orphanedActivities: orphans,
    gaveUp,
    people,
    inlineActions: inline,
    files,
  };
}

function print(session: Session, examination: Examination, findings: readonly Finding[], healthy: boolean): void {
  const { output, url, now } = session;
  const { faults, counts, nodes, gone, parked, orphans, gaveUp, inline, files } = examination;
  const at = now();
  output.facts([
    ['store', url.name],
    ...(files.length === 0
      ? []
      : [['files', files.map(({ path, bytes }) => `${path.slice(url.path.length) || 'database'} ${size(bytes)}`).join(', ')] as const]),
    ['integrity', faults.length === 0 ? output.paint('green', 'sound') : output.paint('red', count(faults.length, 'fault'))],
    ...(counts === undefined ? [] : factsOf(counts)),
    ['nodes', nodes.length === 0 ? 'none is up' : `${String(nodes.length)} up`],
    ...nodes.map(
      (node) =>
        [
          '',
          `node ${String(node.node)}, ${node.name}, process ${String(node.pid)} on ${node.host}, up since ${time(node.openedAt)}, heard of ${away(node.seenAt, at)}`,
        ] as const,
    ),
    ...(gone.length === 0 ? [] : [['', `gone, with work left: ${gone.map((node) => `node ${String(node)}`).join(', ')}`] as const]),
  ]);
  section(session, 'Faults', faults);
  section(
    session,
    'Parked',
    parked.map((agent) => `${printable(agent.id)} (${agent.kind}): ${shortened(printable(reason(agent)), 400)}`),
  );
  section(
    session,
    'Left in the middle',
    orphans.map(({ id, node, activities }) => `${printable(id)}: ${activities.join(', ')} (node ${String(node)})`),
  );
  section(
    session,
    'Gave up',
    gaveUp.map(({ id, exit, at: when }) => printable(`${id}: ${describeExit(exit)} (${away(when, at)})`)),
  );
  section(
    session,
    'Inline actions',
    inline.flatMap(({ kind, places }) => places.map((place) => printable(`${kind}: ${place}`))),
  );
  output.line();
  for (const { severity, message, hint } of findings) {
    output.line(`${output.paint(severity === 'problem' ? 'red' : 'yellow', severity)}: ${message}. ${hint}`);
  }
  if (healthy) output.line(output.paint('green', findings.length === 0 ? 'all is well' : 'nothing is wrong'));
}

function factsOf({ agents, ...rest }: StoreCounts): (readonly [string, string])[] {
  const total = Object.values(agents).reduce((sum, n) => sum + n, 0);
  const byStatus = Object.entries(agents).filter(([, n]) => n > 0);
  return [
    ['agents', `${String(total)}${total === 0 ? '' : ` (${byStatus.map(([status, n]) => `${String(n)} ${status}`).join(', ')})`}`],
    [
      'waiting',
      `${count(rest.mailbox, 'event')}, ${count(rest.timers, 'timer')}, ${count(rest.openOperations, 'open activity', 'open activities')}, ${count(rest.unsettledEffects, 'effect')}`,
    ],
    [
      'kept',
      `${count(rest.journalSegments, 'journal segment')}, ${count(rest.checkpoints, 'checkpoint')}, ${count(rest.deadLetters, 'dead letter')}, ${size(rest.bytes)}`,
    ],
  ];
}

function section({ output }: Session, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  output.heading(title);
  for (const line of lines.slice(0, printed)) output.line(`  ${line}`);
  if (lines.length > printed) output.line(`  … and ${String(lines.length - printed)} more; all of them with --json`);
}
