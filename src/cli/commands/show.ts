/**
 * `statewarden show ID`: one agent as the store has it. State and status are those of its last committed turn; context and children are
 * those of its checkpoint, which may be some events older: the store keeps records, and only the machine could play the rest.
 */

import { readCheckpoint } from '../../actors/restore.js';
import type { AgentRecord, LoadedAgent, NodeRecord, OperationRecord } from '../../persistence/store.js';
import { archivePointer } from '../../persistence/tiers/archiver.js';
import { UnknownAgentError } from '../../core/errors.js';
import { decode, encode } from '../../core/codec.js';
import type { RunningJob } from '../../supervisor/fleet/state.js';
import { approvalActivity } from '../../runtime/holds.js';
import { artifactBytes, childrenOf, type ChildSnapshot, type SeenChild } from '../../runtime/seen-agent.js';
import { supervisorKind } from '../../supervisor/machine.js';
import { describeExit, type SupervisorExit } from '../../supervisor/state.js';
import { findAgent } from '../agent-id.js';
import { seeAgent } from '../archived.js';
import { fleetDocument, fleetInWords, readFleet, type SeenFleet } from '../fleets.js';
import { away, brief, count, printable, shortened, size, stateName, stored, time } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { jobDocument } from './fleet.js';
import { agentDocument, statusColours, suspectOf } from './ls.js';

/** Of results that are kept as artifacts. */
const shownResults = 20;

export async function show(session: Session, typed: string): Promise<ExitCode> {
  const { store, output } = session;
  const { id } = await findAgent(session, typed, 'prefix');
  const [seen, nodes] = await Promise.all([seeAgent(session, id), store.nodes()]);
  if (seen === undefined) throw new UnknownAgentError(`agent "${id}" is gone`, { hint: 'List the agents with `statewarden ls`.' });
  const { loaded } = seen;
  const { owner, supervisor } = loaded.record;
  const node = nodes.find((one) => one.node === owner);
  const snapshot = snapshotOf(loaded);
  const fleets = {
    own: await readFleet(store, id),
    above: supervisor === undefined ? undefined : await readFleet(store, supervisor),
  };
  const results = seen.operations.filter(({ artifact }) => artifact !== undefined);
  if (output.json) output.document({ ...document(loaded, node, snapshot, fleets), results: results.map(resultDocument) });
  else print(session, loaded, node, snapshot, fleets, results);
  return 0;
}

/** The fleet that the agent is, and the one whose member it is. */
interface Fleets {
  readonly own: SeenFleet | undefined;
  readonly above: SeenFleet | undefined;
}

function jobOf(member: string, { above }: Fleets): RunningJob | undefined {
  return above?.fleet.running.flat().find((job) => job.member === member);
}

interface ShownSnapshot {
  readonly context: string;
  readonly children: readonly SeenChild[];
}

function snapshotOf({ record, checkpoint }: LoadedAgent): ShownSnapshot | undefined {
  if (checkpoint === undefined) return undefined;
  const { snapshot } = readCheckpoint(record.id, checkpoint) as {
    snapshot: { context?: unknown; children?: Readonly<Record<string, ChildSnapshot>> };
  };
  return { context: encode(snapshot.context, 'context'), children: childrenOf(snapshot.children) };
}

function openOperations({ operations }: LoadedAgent): readonly OperationRecord[] {
  return operations.filter(({ settledIn }) => settledIn === 0);
}

function eventsSince({ record, checkpoint }: LoadedAgent): number {
  return record.sequenceNumber - (checkpoint?.sequenceNumber ?? 0);
}

function document(loaded: LoadedAgent, node: NodeRecord | undefined, snapshot: ShownSnapshot | undefined, fleets: Fleets): object {
  const { record, checkpoint, timers, effects, mailbox } = loaded;
  const job = jobOf(record.id, fleets);
  return {
    agent: agentDocument(record),
    fleet: fleets.own === undefined ? null : fleetDocument(fleets.own.status),
    job: job === undefined ? null : jobDocument(job),
    node: node === undefined ? null : { node: node.node, name: node.name, host: node.host, pid: node.pid },
    checkpoint:
      checkpoint === undefined
        ? null
        : {
            sequenceNumber: checkpoint.sequenceNumber,
            version: checkpoint.version,
            schema: checkpoint.schema,
            bytes: checkpoint.data.length,
          },
    eventsSinceCheckpoint: eventsSince(loaded),
    context: snapshot === undefined ? null : stored(snapshot.context),
    children: snapshot?.children ?? [],
    timers: timers.map(({ event, ...timer }) => ({ ...timer, event: stored(event) })),
    activities: openOperations(loaded).map((operation) => ({
      id: operation.id,
      activity: operation.activity,
      path: operation.path,
      status: operation.status,
      failedAttempts: operation.attempts,
      parkedBy: operation.parkedBy ?? null,
      nextRetryAt: operation.nextRetryAt ?? null,
      userKey: operation.userKey ?? null,
      saga: operation.saga ?? null,
      intendedAt: operation.intendedAt,
      input: stored(operation.input),
      outcome: stored(operation.outcome),
    })),
    effects: effects.map(({ id, path, type, params, event }) => ({ id, path, type, params: stored(params), event: stored(event) })),
    mailbox: mailbox.map(({ position, messageId, from, acceptedAt, event }) => ({
      position,
      messageId: messageId ?? null,
      from: from ?? null,
      acceptedAt,
      event: stored(event),
    })),
  };
}

function print(
  { output, now }: Session,
  loaded: LoadedAgent,
  node: NodeRecord | undefined,
  snapshot: ShownSnapshot | undefined,
  fleets: Fleets,
  results: readonly OperationRecord[],
): void {
  const { record, checkpoint, timers, effects, mailbox } = loaded;
  const at = now();
  const since = eventsSince(loaded);
  const suspect = suspectOf(record);
  const { own, above } = fleets;
  const job = jobOf(record.id, fleets);
  const saved =
    checkpoint === undefined
      ? record.archive === undefined
        ? 'none yet'
        : 'in the archive'
      : `at event ${String(checkpoint.sequenceNumber)}, ${size(checkpoint.data.length)}${since === 0 ? '' : `; ${count(since, 'event')} in the journal since`}`;
  output.facts([
    ['id', printable(record.id)],
    ['kind', `${record.kind}, version ${String(record.version)}`],
    ['status', output.paint(statusColours[record.status], record.status)],
    ['state', stateName(record.state)],
    ...ending(record),
    ...(own === undefined ? [] : [['fleet', printable(fleetInWords(own.status))] as const]),
    ...(record.supervisor === undefined ? [] : [[above === undefined ? 'supervisor' : 'member of', printable(record.supervisor)] as const]),
    ...(job === undefined ? [] : [['job', jobInWords(job, at)] as const]),
    ...(suspect === undefined ? [] : [['failed event', `${printable(suspect.name)}, ${count(suspect.deliveries, 'time')}`] as const]),
    ['events', String(record.sequenceNumber)],
    ['checkpoint', saved],
    ['created', `${time(record.createdAt)} (${away(record.createdAt, at)})`],
    ['updated', `${time(record.updatedAt)} (${away(record.updatedAt, at)})`],
    record.archive === undefined ? ['held by', holder(record.owner, node)] : ['archived', archivedInWords(record, at)],
    ['mailbox', mailbox.length === 0 ? 'empty' : `${count(mailbox.length, 'event')} waiting`],
  ]);
  if (record.kind === supervisorKind) {
    const id = JSON.stringify(record.id);
    output.line();
    output.line(own === undefined ? `its children: statewarden tree ${id}` : `its members and jobs: statewarden fleet show ${id}`);
    return;
  }
  if (snapshot !== undefined) {
    output.heading(
      since === 0 ? 'Context' : `Context (as of event ${String(checkpoint?.sequenceNumber ?? 0)}, ${count(since, 'event')} ago)`,
    );
    output.value(snapshot.context);
  }
  if (snapshot !== undefined && snapshot.children.length > 0) {
    output.heading('Children');
    output.table(snapshot.children, [
      { title: 'PATH', text: ({ path }) => path },
      { title: 'ACTOR', text: ({ src }) => src },
      { title: 'STATUS', text: ({ status }) => status },
      { title: 'STATE', text: ({ state }) => (state === null ? '' : stateName(JSON.stringify(state))) },
    ]);
  }
  if (timers.length > 0) {
    output.heading('Timers');
    output.table(
      [...timers].sort((one, other) => one.dueAt - other.dueAt),
      [
        {
          title: 'DUE',
          text: ({ dueAt }) => `${time(dueAt)} (${away(dueAt, at)})`,
          colour: ({ dueAt }) => (dueAt < at ? 'yellow' : undefined),
        },
        { title: 'EVENT', text: ({ event }) => (decode(event) as { type: string }).type },
        { title: 'TARGET', text: ({ target }) => (target === '' ? '(root)' : target) },
        { title: 'POLICY', text: ({ policy }) => policy },
      ],
    );
  }
  const activities = openOperations(loaded);
  if (activities.length > 0) {
    output.heading('Open activities');
    output.table(activities, [
      { title: 'ACTIVITY', text: ({ activity }) => activity },
      { title: 'STATUS', text: ({ status }) => status, colour: ({ status }) => (status === 'held' ? 'yellow' : undefined) },
      { title: 'FAILED', text: ({ attempts }) => String(attempts), align: 'right' },
      ...(activities.some(({ parkedBy }) => parkedBy !== undefined)
        ? [{ title: 'WAITS FOR', text: ({ parkedBy = '' }: OperationRecord) => parkedBy, colour: () => 'yellow' as const }]
        : []),
      { title: 'NEXT RETRY', text: ({ nextRetryAt }) => (nextRetryAt === undefined ? '' : away(nextRetryAt, at)) },
      { title: 'SINCE', text: ({ intendedAt }) => away(intendedAt, at) },
      { title: 'OPERATION', text: ({ id }) => id },
      { title: 'LAST ERROR', text: ({ outcome }) => brief(outcome) },
    ]);
    for (const { id, activity, status } of activities) {
      if (status !== 'held') continue;
      const command = activity === approvalActivity ? 'approvals' : 'holds';
      output.line(output.paint('dim', `it waits for a person: statewarden ${command} show ${JSON.stringify(id)}`));
    }
  }
  if (results.length > 0) {
    const shown = results.slice(-shownResults);
    output.heading(
      shown.length < results.length
        ? `Results kept as artifacts (the last ${String(shown.length)} of ${String(results.length)})`
        : 'Results kept as artifacts',
    );
    output.table(shown, [
      { title: 'ACTIVITY', text: ({ activity }) => activity },
      { title: 'SIZE', text: (operation) => size(artifactBytes(operation)), align: 'right' },
      { title: 'SINCE', text: ({ settledAt }) => (settledAt === undefined ? '' : away(settledAt, at)) },
      { title: 'ARTIFACT', text: ({ artifact = '' }) => artifact },
      { title: 'OPERATION', text: ({ id }) => id },
    ]);
  }
  if (effects.length > 0) {
    output.heading('Pending effects');
    output.table(effects, [
      { title: 'ID', text: ({ id }) => id },
      { title: 'ACTION', text: ({ type }) => type },
      { title: 'ACTOR', text: ({ path }) => (path === '' ? '(root)' : path) },
      { title: 'PARAMS', text: ({ params }) => brief(params) },
    ]);
  }
}

/** A result that is kept as an artifact. */
function resultDocument({ id, activity, settledAt, artifact, outcome }: OperationRecord): object {
  return { operation: id, activity, settledAt: settledAt ?? null, artifact, bytes: artifactBytes({ outcome }) };
}

function jobInWords({ id, startedAt, failures }: RunningJob, at: number): string {
  const failed = failures === 0 ? '' : `; it failed ${count(failures, 'time')} meanwhile`;
  return `${printable(id)}, begun ${away(startedAt, at)}${failed}`;
}

/** The output of an agent that is done; why another one has ended or is down. */
function ending({ status, kind, outcome: text }: AgentRecord): (readonly [string, string])[] {
  const outcome = text === undefined ? undefined : decode(text);
  if (status === 'done') return text === undefined ? [] : [['output', shortened(printable(brief(text)), 500)]];
  if (outcome !== undefined && outcome !== null) {
    const exit = kind === supervisorKind ? describeExit(outcome as SupervisorExit) : undefined;
    return [['reason', shortened(printable(exit ?? brief(text).replace(/\s*\n\s*/g, ' ')), 500)]];
  }
  return status === 'suspended' ? [['reason', 'stopped by its supervisor; what is sent to it waits']] : [];
}

function archivedInWords(record: AgentRecord, at: number): string {
  try {
    const { id, bytes, at: since } = archivePointer(record);
    return `${away(since, at)}, artifact ${id.slice(0, 12)}… of ${size(bytes)}`;
  } catch {
    return 'by a version that this one does not know';
  }
}

function holder(owner: number | undefined, node: NodeRecord | undefined): string {
  if (owner === undefined) return 'nobody';
  if (node === undefined) return `node ${String(owner)}, which is gone`;
  return `node ${String(owner)}, ${node.name} (${node.host}, process ${String(node.pid)})`;
}
