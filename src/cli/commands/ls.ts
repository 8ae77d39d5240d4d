/** `statewarden ls`: the agents of a store, in order of id. */

import type { AgentKey, AgentRecord, AgentStatus, AgentOperation } from '../../persistence/store.js';
import { parkedWork } from '../../runtime/parked-work.js';
import { decode } from '../../core/codec.js';
import { away, stateName, stored, type Colour, type Column } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';
import { parkedDocument, wakes } from './breakers.js';

export interface ListOptions {
  readonly kind: string | undefined;
  readonly status: string | undefined;
  readonly prefix: string | undefined;
  readonly after: string | undefined;
  readonly limit: number;
}

/** Parked activities that are looked at. */
const mostParked = 5_000;

const statuses: readonly AgentStatus[] = ['active', 'done', 'error', 'stopped', 'parked', 'suspended'];

/** Colours of a status, wherever it is shown. */
export const statusColours: Readonly<Record<AgentStatus, Colour>> = {
  active: 'cyan',
  done: 'green',
  error: 'red',
  stopped: 'dim',
  parked: 'yellow',
  suspended: 'yellow',
};

/** @throws UsageError for a status that there is not. */
export async function list({ store, output, now }: Session, options: ListOptions): Promise<ExitCode> {
  const { kind, prefix, after, limit } = options;
  const status = statuses.find((known) => known === options.status);
  if (options.status !== undefined && status === undefined) {
    throw new UsageError(`there is no status "${options.status}"`, `Use one of ${statuses.join(', ')}.`);
  }
  const found = await store.list({
    ...(kind === undefined ? {} : { kind }),
    ...(status === undefined ? {} : { status }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
    limit: limit + 1,
  });
  const agents = found.slice(0, limit);
  const next = found.length > limit ? (agents.at(-1)?.id ?? null) : null;
  const parked = agents.length === 0 ? [] : await store.parked({ agents: agents.map(({ key }) => key), limit: mostParked });
  if (output.json) {
    output.document({ agents: agents.map(agentDocument), next, parked: parked.map((one) => parkedDocument(parkedWork(one))) });
    return 0;
  }
  if (agents.length === 0) {
    output.line('no agents');
    return 0;
  }
  const columns: readonly Column<AgentRecord>[] = [
    { title: 'ID', text: ({ id }) => id },
    { title: 'KIND', text: (agent) => `${agent.kind}@${String(agent.version)}` },
    { title: 'STATUS', text: (agent) => agent.status, colour: (agent) => statusColours[agent.status] },
    { title: 'STATE', text: ({ state }) => stateName(state) },
    { title: 'EVENTS', text: ({ sequenceNumber }) => String(sequenceNumber), align: 'right' },
    { title: 'UPDATED', text: ({ updatedAt }) => away(updatedAt, now()) },
    ...(agents.every(({ archive }) => archive === undefined)
      ? []
      : [{ title: 'KEPT', text: ({ archive }: AgentRecord) => (archive === undefined ? '' : 'archived') }]),
    ...(parked.length === 0 ? [] : [waitsFor(parked, now())]),
  ];
  output.table(agents, columns);
  if (next !== null) output.line(output.paint('dim', `… more: --after ${JSON.stringify(next)}, or --limit`));
  return 0;
}

/** `search-api × 3, in 4 s`: the breaker that most of an agent's parked activities wait for, and when the first of them asks again. */
function waitsFor(parked: readonly AgentOperation[], at: number): Column<AgentRecord> {
  const ofAgents = new Map<AgentKey, Map<string, AgentOperation[]>>();
  for (const one of parked) {
    const groups = ofAgents.get(one.agent) ?? new Map<string, AgentOperation[]>();
    ofAgents.set(one.agent, groups);
    const { parkedBy = '' } = one.operation;
    const group = groups.get(parkedBy);
    if (group === undefined) groups.set(parkedBy, [one]);
    else group.push(one);
  }
  const text = ({ key }: AgentRecord): string => {
    const groups = [...(ofAgents.get(key) ?? [])].sort(([, one], [, other]) => other.length - one.length);
    const [first] = groups;
    if (first === undefined) return '';
    const [breaker, waiting] = first;
    const next = waiting.map(({ operation }) => operation.nextRetryAt).filter((time) => time !== undefined);
    const times = waiting.length === 1 ? '' : ` × ${String(waiting.length)}`;
    return `${breaker}${times}, ${wakes(next.length === 0 ? undefined : Math.min(...next), at)}${groups.length > 1 ? ', …' : ''}`;
  };
  return { title: 'WAITS FOR', text, colour: () => 'yellow' };
}

/** The event whose turn failed last, by what it is known as, and how often it did. */
export function suspectOf({ suspect }: AgentRecord): { readonly name: string; readonly deliveries: number } | undefined {
  return suspect === undefined ? undefined : (decode(suspect) as { name: string; deliveries: number });
}

/** An agent's record in JSON output; the names are stable. */
export function agentDocument(agent: AgentRecord): object {
  return {
    id: agent.id,
    kind: agent.kind,
    version: agent.version,
    status: agent.status,
    state: stored(agent.state),
    outcome: stored(agent.outcome),
    supervisor: agent.supervisor ?? null,
    suspect: suspectOf(agent) ?? null,
    sequenceNumber: agent.sequenceNumber,
    checkpointSequenceNumber: agent.checkpointSequenceNumber,
    busy: agent.busy,
    owner: agent.owner ?? null,
    fence: agent.fence,
    archived: agent.archive !== undefined,
    createdAt: agent.createdAt,
    updatedAt: agent.updatedAt,
  };
}
