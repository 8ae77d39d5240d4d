/** Agents for pages: lists that go through a store of any size a page at a time, and one with all that is known of it. */

import { readCheckpoint } from '../actors/restore.js';
import { BadInputError, UnknownAgentError } from '../core/errors.js';
import type { AgentFilter, AgentRecord, LoadedAgent } from '../persistence/store.js';
import { nearIds } from '../runtime/near-ids.js';
import { childrenOf, seeAgent, whyUnseen, type ChildSnapshot } from '../runtime/seen-agent.js';
import type { Peeked } from '../runtime/tools.js';
import type { AgentDetail, AgentLine, AgentList, AgentStatus, ChildLine, Failure, Shown } from './api.js';
import { agentLine, childLine, mailLine, operationLine, readable, shownText, stateText, timerLine } from './lines.js';
import { chartIn, chosen, takes } from './machines.js';
import { failureOf, type Source } from './source.js';
import { wholeLimits } from './shown.js';

export const statuses: readonly AgentStatus[] = ['active', 'done', 'error', 'stopped', 'parked', 'suspended'];

/** A filter by state looks at so many agents in one request. */
const mostScanned = 5_000;
const scannedAtOnce = 500;
const mostOperations = 500;
const mostMail = 100;

export interface ListOptions {
  readonly prefix?: string | undefined;
  readonly kind?: string | undefined;
  readonly status?: AgentStatus | undefined;
  /** Part of the state as text, whatever its case. */
  readonly state?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

export async function agentList(source: Source, options: ListOptions): Promise<AgentList> {
  const { store, redactor } = source;
  const { prefix, kind, status, limit } = options;
  const wanted = options.state?.toLowerCase();
  const filter: Omit<AgentFilter, 'limit'> = {
    ...(prefix === undefined ? {} : { prefix }),
    ...(kind === undefined ? {} : { kind }),
    ...(status === undefined ? {} : { status }),
  };
  const counts = source.counts();
  // Told where it is waited for.
  counts.catch(() => undefined);
  const agents: AgentLine[] = [];
  let scanned = 0;
  let after = options.after;
  for (;;) {
    const most = wanted === undefined ? limit : Math.min(scannedAtOnce, mostScanned - scanned);
    const found: readonly AgentRecord[] = await store.list({ ...filter, limit: most + 1, ...(after === undefined ? {} : { after }) });
    const page = found.slice(0, most);
    for (const record of page) {
      scanned += 1;
      after = record.id;
      if (wanted === undefined || stateText(readable(record.state)).toLowerCase().includes(wanted))
        agents.push(agentLine(record, redactor));
      if (agents.length >= limit) break;
    }
    const more = found.length > most || page.at(-1)?.id !== after;
    if (!more || agents.length >= limit || scanned >= mostScanned || wanted === undefined) {
      return { agents, ...(more && after !== undefined ? { next: after } : {}), counts: (await counts).agents, scanned };
    }
  }
}

/** @throws UnknownAgentError with the ids that come close */
export async function unknownAgent({ store }: Pick<Source, 'store'>, id: string): Promise<UnknownAgentError> {
  const { hint = 'It may have been removed, or never was: look through the list.' } = await nearIds(store, id);
  return new UnknownAgentError(`no agent has the id ${JSON.stringify(id)}`, { hint });
}

/** Where one says where archives are. */
export function archivesHint({ runtime }: Pick<Source, 'runtime'>): string {
  return runtime === undefined
    ? 'Say where its archives are: --artifacts files:PATH or gs://BUCKET/PREFIX, or STATEWARDEN_ARTIFACTS.'
    : 'Give createRuntime({ archive: { artifacts } }) the artifact store that it was archived to.';
}

/** @throws UnknownAgentError */
export async function agentDetail(source: Source, id: string): Promise<AgentDetail> {
  const { store, redactor, runtime } = source;
  let damage: Failure | undefined;
  const broken = (error: unknown): undefined => {
    damage ??= failureOf(error, redactor);
    return undefined;
  };
  const seen = await seeAgent(source, id).catch(async (error: unknown) => {
    // Its archive cannot be read: what the store has is shown.
    const loaded = await store.inspect(id);
    if (loaded === undefined) throw error;
    broken(error);
    return { loaded, operations: await store.operations(loaded.record.key).catch(() => []) };
  });
  if (seen === undefined) throw await unknownAgent(source, id);
  const { loaded } = seen;
  const { record, checkpoint } = loaded;
  if (loaded.damage !== undefined) broken(loaded.damage);
  const unseen = damage === undefined ? await whyUnseen(source, record, archivesHint(source)) : undefined;
  if (unseen !== undefined) broken(unseen);
  const peeked = runtime?.tools.peek(id);
  const live = peeked !== undefined && peeked.sequenceNumber >= record.sequenceNumber ? peeked : undefined;
  const [nodes, machines] = await Promise.all([store.nodes(), store.machines(record.kind)]);
  const inside = await insideOf(source, loaded, live).catch(broken);
  const outcome = shownText(redactor, record.outcome);
  const node = nodes.find((one) => one.node === record.owner);
  const line = agentLine(record, redactor);
  const state = live === undefined ? line.state : (live.snapshot.value as unknown);
  const machine = chosen(machines, { version: checkpoint?.version ?? record.version, schema: checkpoint?.schema }) ?? chosen(machines, {});
  const chart = machine === undefined ? undefined : chartIn(machine);
  const newestFirst = [...seen.operations].sort(
    (one, other) => Number(one.settledIn !== 0) - Number(other.settledIn !== 0) || other.intendedIn - one.intendedIn,
  );
  return {
    ...line,
    state,
    ...(live === undefined ? {} : { sequenceNumber: live.sequenceNumber }),
    ...(inside?.context === undefined ? {} : { context: inside.context, contextAt: (live ?? checkpoint ?? record).sequenceNumber }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(damage === undefined ? {} : { damage }),
    children: inside?.children ?? [],
    timers: [...loaded.timers].sort((one, other) => one.dueAt - other.dueAt).map(timerLine),
    operations: newestFirst.slice(0, mostOperations).map((operation) => operationLine(operation, redactor)),
    mailbox: loaded.mailbox.slice(0, mostMail).map((mail) => mailLine(mail, redactor)),
    ...(checkpoint === undefined
      ? {}
      : {
          checkpoint: {
            sequenceNumber: checkpoint.sequenceNumber,
            version: checkpoint.version,
            schema: checkpoint.schema,
            bytes: checkpoint.data.length,
          },
        }),
    ...(node === undefined ? {} : { node: { node: node.node, name: node.name, host: node.host, pid: node.pid } }),
    replays: source.replays(record.kind),
    takes: chart === undefined || record.status !== 'active' ? [] : takes(chart, state),
  };
}

interface Inside {
  readonly context: Shown | undefined;
  readonly children: readonly ChildLine[];
}

/** In memory it is as it was committed; else as its checkpoint has it, which may be some turns older. @throws CorruptRecordError */
async function insideOf({ redactor }: Source, { record, checkpoint }: LoadedAgent, live: Peeked | undefined): Promise<Inside> {
  if (live !== undefined) return liveInside(live, redactor);
  if (checkpoint === undefined) return { context: undefined, children: [] };
  const { snapshot } = readCheckpoint(record.id, checkpoint);
  const { context, children } = snapshot as { context?: unknown; children?: Readonly<Record<string, ChildSnapshot>> };
  return { context: redactor.shown(context, wholeLimits), children: childrenOf(children).map(childLine) };
}

interface LiveChild {
  readonly src?: unknown;
  getSnapshot?(): { readonly status?: string; readonly value?: unknown; readonly children?: Readonly<Record<string, LiveChild>> };
}

export function liveInside({ snapshot }: Peeked, redactor: Source['redactor']): Inside {
  const asChild = (child: LiveChild): ChildSnapshot => {
    const { status, value, children } = child.getSnapshot?.() ?? {};
    return {
      src: child.src,
      snapshot: {
        ...(status === undefined ? {} : { status }),
        ...(value === undefined ? {} : { value }),
        ...(children === undefined ? {} : { children: childrenMapped(children) }),
      },
    };
  };
  const childrenMapped = (children: Readonly<Record<string, LiveChild>>): Record<string, ChildSnapshot> =>
    Object.fromEntries(Object.entries(children).map(([id, child]) => [id, asChild(child)]));
  return {
    context: redactor.shown(snapshot.context, wholeLimits),
    children: childrenOf(childrenMapped((snapshot.children ?? {}) as Readonly<Record<string, LiveChild>>)).map(childLine),
  };
}

/** @throws BadInputError */
export function statusOf(text: string | undefined): AgentStatus | undefined {
  if (text === undefined || text === '') return undefined;
  const found = statuses.find((status) => status === text);
  if (found !== undefined) return found;
  throw new BadInputError(`there is no status ${JSON.stringify(text)}`, { hint: `Use one of ${statuses.join(', ')}.` });
}
