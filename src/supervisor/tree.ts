/**
 * Supervision trees as data, read from a store: with or without a runtime. A supervisor's state is its checkpoint and the journal after it, run through the same mind.
 */

import { readCheckpoint } from '../actors/restore.js';
import { readSegments } from '../actors/entry.js';
import { decode, errorOf } from '../core/codec.js';
import type { AgentRecord, AgentStatus, LoadedAgent, OpenedStore } from '../persistence/store.js';
import { statusOf, type FleetStatus } from './fleet/state.js';
import { supervisorKind } from './machine.js';
import { newMind, think, type Mind } from './mind.js';
import type { RestartType, Strategy, SupervisorInput } from './spec.js';
import type { ChildFailure, ChildState, ChildStatus, SupervisorExit, SupervisorState } from './state.js';

/** A supervisor or one of its children. */
export interface TreeNode {
  readonly id: string;
  /** Undefined for a supervisor. */
  readonly kind: string | undefined;
  /** As its supervisor sees it; for the root, how it stands itself. */
  readonly status: ChildStatus | SupervisorState['status'];
  /** As its own record says; undefined when there is none. */
  readonly agent: AgentStatus | undefined;
  /** Why its own machine cannot take it, when it is parked. Its supervisor knows nothing of that: to it such a child runs. */
  readonly parked: string | undefined;
  /** State value of its machine; encoded. */
  readonly state: string | undefined;
  readonly restart: RestartType | undefined;
  readonly restarts: number;
  /** Epoch milliseconds; undefined while it is not up. */
  readonly startedAt: number | undefined;
  /** When a restart that waits is due. */
  readonly dueAt: number | undefined;
  readonly failure: ChildFailure | undefined;
  /** Of a supervisor. */
  readonly strategy?: Strategy;
  readonly exit?: SupervisorExit | undefined;
  /** Of a fleet. */
  readonly fleet?: FleetStatus;
  readonly children?: readonly TreeNode[];
}

const page = 500;

/** All trees of a store, by id of their roots. */
export async function readTree(store: OpenedStore): Promise<readonly TreeNode[]> {
  const supervisors: AgentRecord[] = [];
  for (let after: string | undefined; ;) {
    const found = await store.list({ kind: supervisorKind, limit: page, ...(after === undefined ? {} : { after }) });
    supervisors.push(...found);
    if (found.length < page) break;
    after = found.at(-1)?.id;
  }
  const known = new Map(supervisors.map((record) => [record.id, record]));
  const roots = supervisors.filter(({ supervisor }) => supervisor === undefined || !known.has(supervisor));
  const trees: TreeNode[] = [];
  for (const root of roots) trees.push(await readNode(store, root, undefined));
  return trees;
}

/** The tree under one supervisor, as the supervisors above it see it. */
export async function readTreeUnder(store: OpenedStore, supervisor: AgentRecord): Promise<TreeNode | undefined> {
  let root = supervisor;
  for (let above = root.supervisor; above !== undefined; above = root.supervisor) {
    const [record] = await store.lookup([above]);
    if (record === undefined) break;
    root = record;
  }
  const level = [await readNode(store, root, undefined)];
  for (let node = level.pop(); node !== undefined; node = level.pop()) {
    if (node.id === supervisor.id) return node;
    level.push(...(node.children ?? []));
  }
  return undefined;
}

async function readNode(store: OpenedStore, record: AgentRecord, child: ChildState | undefined): Promise<TreeNode> {
  const { state, fleet } = await readMind(store, record);
  const children: TreeNode[] = [];
  for (let from = 0; from < state.children.length; from += page) {
    const some = state.children.slice(from, from + page);
    const records = await store.lookup(some.map(({ id }) => id));
    for (const [index, one] of some.entries()) {
      const of = records[index];
      children.push(one.kind === undefined && of !== undefined ? await readNode(store, of, one) : leaf(one, of));
    }
  }
  const { restart, restarts = 0, startedAt, dueAt, failure } = child ?? {};
  return {
    id: record.id,
    kind: undefined,
    status: child?.status ?? state.status,
    agent: record.status,
    parked: parkedFor(record),
    state: record.state,
    restart,
    restarts,
    startedAt: (child?.status ?? state.status) === 'running' ? (startedAt ?? record.createdAt) : undefined,
    dueAt,
    failure,
    strategy: state.spec.strategy,
    exit: state.exit,
    ...(fleet === undefined ? {} : { fleet: statusOf(fleet, state) }),
    children,
  };
}

function leaf({ id, kind, status, restart, restarts, startedAt, dueAt, failure }: ChildState, record: AgentRecord | undefined): TreeNode {
  const up = status === 'running' ? startedAt : undefined;
  const parked = record === undefined ? undefined : parkedFor(record);
  return { id, kind, status, agent: record?.status, parked, state: record?.state, restart, restarts, startedAt: up, dueAt, failure };
}

function parkedFor({ status, outcome }: AgentRecord): string | undefined {
  return status === 'parked' && outcome !== undefined ? errorOf(decode(outcome)).message : undefined;
}

/** What a supervisor's agent knows. @throws CorruptRecordError */
export async function readMind(store: Pick<OpenedStore, 'inspect'>, record: AgentRecord): Promise<Mind> {
  const loaded = await store.inspect(record.key);
  return loaded === undefined ? newMind(nobody) : mindFrom(record.id, loaded);
}

const nobody: SupervisorInput = {
  spec: { strategy: 'one-for-one', intensity: 1, periodMs: 5_000, delay: undefined, autoShutdown: 'never' },
  children: [],
};

/** As `readMind`, of what was read already. @throws CorruptRecordError */
export function mindFrom(id: string, { checkpoint, tail, input }: Pick<LoadedAgent, 'checkpoint' | 'tail' | 'input'>): Mind {
  let mind = newMind(input === undefined ? nobody : (decode(input) as SupervisorInput));
  if (checkpoint !== undefined) mind = readCheckpoint(id, checkpoint).snapshot.context as unknown as Mind;
  for (const { event, at, reply } of readSegments(id, tail, checkpoint?.sequenceNumber ?? 0)) {
    if (event !== undefined) ({ mind } = think(id, mind, event, at, reply));
  }
  return mind;
}
