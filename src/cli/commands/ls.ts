/** `statewarden ls`: the agents of a store, in order of id. */

import type { AgentRecord, AgentStatus } from '../../persistence/store.js';
import { decode } from '../../core/codec.js';
import { away, stateName, stored, type Colour, type Column } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';

export interface ListOptions {
  readonly kind: string | undefined;
  readonly status: string | undefined;
  readonly prefix: string | undefined;
  readonly after: string | undefined;
  readonly limit: number;
}

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
  if (output.json) {
    output.document({ agents: agents.map(agentDocument), next });
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
  ];
  output.table(agents, columns);
  if (next !== null) output.line(output.paint('dim', `… more: --after ${JSON.stringify(next)}, or --limit`));
  return 0;
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
    createdAt: agent.createdAt,
    updatedAt: agent.updatedAt,
  };
}
