/**
 * Sagas as the ledger has them, whatever machine runs them: an agent's operations of one scope, in the order in which they were done, and what has become of their undoing. Orders go to all that is held
 * of an undoing at once.
 */

import { resolutionsOf, type Resolution } from '../actors/operation.js';
import { decode } from '../core/codec.js';
import { BadInputError, UnknownAgentError } from '../core/errors.js';
import { NotHeldError } from '../core/operation-errors.js';
import { newestFirst, planActivity, settleActivity, undoActivity } from '../effects/saga/plan.js';
import type { AgentKey, AgentOperation, OpenedStore, OperationRecord, OperationStatus } from '../persistence/store.js';
import { resolveHold, type HoldPlace, type Signed } from './holds.js';

/**
 * `forward`: nothing of it is being undone. `compensating`: it is. `held`: a person is to say. `compensated`: all that was done has been undone. `abandoned`: its undoing was given up, and what is left
 * stands.
 */
export type SagaStatus = 'forward' | 'compensating' | 'held' | 'compensated' | 'abandoned';

/** A step of an undoing. `plan`: reads what is to be undone; `settle`: finds out whether a step was carried out; `undo`: undoes it. */
export interface SagaWork {
  readonly operationId: string;
  readonly deed: 'plan' | 'settle' | 'undo';
  readonly status: OperationStatus;
  /** Attempts known to have failed. */
  readonly attempts: number;
  /** When the next one is due: epoch milliseconds. */
  readonly nextRetryAt: number | undefined;
  /** The last one's. */
  readonly error: Error | undefined;
  /** What people have said of it, oldest first. */
  readonly resolutions: readonly Resolution[];
}

export interface SagaStep {
  readonly operationId: string;
  readonly activity: string;
  readonly status: OperationStatus;
  readonly input: unknown;
  /** Why it has failed, or why nobody knows. */
  readonly error: Error | undefined;
  /** When it was asked for, and when it ended: epoch milliseconds. */
  readonly since: number;
  readonly endedAt: number | undefined;
  /** The last that was done to undo it, or to find out whether it was carried out. */
  readonly undoing: SagaWork | undefined;
}

export interface Saga {
  readonly agentId: string;
  /** Its scope's name. */
  readonly saga: string;
  readonly status: SagaStatus;
  /** When its first step was asked for: epoch milliseconds. */
  readonly since: number;
  /** In the order in which they ended; those that have not are last. */
  readonly steps: readonly SagaStep[];
  /** The last reading of what is to be undone. */
  readonly plan: SagaWork | undefined;
}

export interface SagaFilter {
  readonly agentId?: string;
  /** Default 1,000. */
  readonly limit?: number;
  /** Also those that nobody waits for. Default false. */
  readonly all?: boolean;
}

export type SagaOrder = 'resume' | 'skip' | 'abandon';

export interface SagaReport {
  readonly agentId: string;
  readonly saga: string;
  readonly order: SagaOrder;
  /** Ids of the operations that this has answered. */
  readonly answered: readonly string[];
  /** Of those that somebody had answered already. */
  readonly late: readonly string[];
}

const page = 500;
const deeds: Readonly<Record<string, SagaWork['deed']>> = { [planActivity]: 'plan', [settleActivity]: 'settle', [undoActivity]: 'undo' };
const waits: readonly SagaStatus[] = ['held', 'compensating'];

/** In order of agent and name. Reads the ledger of every agent that has done something that can be undone. */
export async function listSagas(
  store: Pick<OpenedStore, 'flagged' | 'lookup'>,
  { agentId, limit = 1_000, all = false }: SagaFilter = {},
): Promise<readonly Saga[]> {
  const sagas: Saga[] = [];
  for await (const operations of byAgent(store, agentId)) {
    for (const [saga, rows] of scopesOf(operations)) {
      const found = sagaOf(operations[0]?.agentId ?? '', saga, rows);
      if (all || waits.includes(found.status)) sagas.push(found);
      if (sagas.length >= limit) return sagas;
    }
  }
  return sagas;
}

/** `saga` undefined: its only one, or the only one that waits. @throws UnknownAgentError, BadInputError */
export async function readSaga(store: Pick<OpenedStore, 'operations' | 'lookup'>, agentId: string, saga?: string): Promise<Saga> {
  const { saga: name, rows } = await findSaga(store, agentId, saga);
  return sagaOf(agentId, name, rows);
}

/**
 * Answers all that is held of a saga's undoing. Durable when it resolves.
 * @throws UnknownAgentError, BadInputError, NotHeldError when nothing of it is held any more, MailboxFullError
 */
export async function orderSaga(
  place: HoldPlace,
  agentId: string,
  saga: string | undefined,
  order: SagaOrder,
  signed: Signed,
): Promise<SagaReport> {
  const found = await findSaga(place.store, agentId, saga);
  const held = found.rows.filter(({ status }) => status === 'held');
  const undoing = held.filter(isUndoing);
  const name = `saga ${JSON.stringify(found.saga)} of agent ${JSON.stringify(agentId)}`;
  if (undoing.length === 0) {
    const [step] = held;
    const { status } = sagaOf(agentId, found.saga, found.rows);
    throw new NotHeldError(
      step === undefined ? `${name} is not held: it is ${status}` : `nothing of the undoing of ${name} is held, but a step of it is`,
      {
        hint:
          step === undefined
            ? 'Look at it with `statewarden saga show`; nothing was changed.'
            : `Say what became of the step: statewarden holds done|retry|fail ${JSON.stringify(step.id)}.`,
      },
    );
  }
  const answered: string[] = [];
  const late: string[] = [];
  let first: NotHeldError | undefined;
  for (const { id, activity } of undoing) {
    try {
      await resolveHold(place, id, wordOf(order, activity), signed);
      answered.push(id);
    } catch (error) {
      if (!(error instanceof NotHeldError)) throw error;
      first ??= error;
      late.push(id);
    }
  }
  if (first !== undefined && answered.length === 0) throw first;
  return { agentId, saga: found.saga, order, answered, late };
}

/** What an order says of one operation. */
function wordOf(order: SagaOrder, activity: string): Pick<Resolution, 'order' | 'result' | 'abandons'> {
  if (order === 'resume') return { order: 'retry' };
  if (order === 'abandon') return { order: 'failed', abandons: true };
  return { order: activity === settleActivity ? 'failed' : 'done' };
}

async function findSaga(
  store: Pick<OpenedStore, 'operations' | 'lookup'>,
  agentId: string,
  saga: string | undefined,
): Promise<{ saga: string; rows: readonly OperationRecord[] }> {
  const [agent] = await store.lookup([agentId]);
  if (agent === undefined) {
    throw new UnknownAgentError(`no agent has the id ${JSON.stringify(agentId)}`, { hint: 'List the ids with `statewarden ls`.' });
  }
  const operations = (await store.operations(agent.key)).map((operation) => ({ agent: agent.key, agentId: agent.id, operation }));
  const scopes = scopesOf(operations);
  const waiting = scopes.filter(([name, rows]) => waits.includes(sagaOf(agentId, name, rows).status));
  const [only] = saga !== undefined ? scopes.filter(([name]) => name === saga) : scopes.length === 1 ? scopes : waiting;
  const several = saga === undefined && scopes.length > 1 && waiting.length !== 1;
  if (only !== undefined && !several) return { saga: only[0], rows: only[1] };
  const names = scopes.map(([name]) => JSON.stringify(name));
  const id = JSON.stringify(agentId);
  throw new BadInputError(
    several
      ? `agent ${id} has ${String(scopes.length)} sagas`
      : `agent ${id} has no saga ${saga === undefined ? 'yet' : JSON.stringify(saga)}`,
    {
      hint:
        names.length === 0
          ? 'Nothing that it has done is undone by a compensate.'
          : `Name one of ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}.`,
    },
  );
}

/** The operations of sagas, an agent's at a time. */
async function* byAgent(
  store: Pick<OpenedStore, 'flagged' | 'lookup'>,
  agentId: string | undefined,
): AsyncGenerator<readonly AgentOperation[]> {
  const agents =
    agentId === undefined ? undefined : (await store.lookup([agentId])).flatMap((agent) => (agent === undefined ? [] : [agent.key]));
  let pending: AgentOperation[] = [];
  for (let after: { readonly agent: AgentKey; readonly id: string } | undefined; ;) {
    const some: readonly AgentOperation[] = await store.flagged({
      flag: 'saga',
      limit: page,
      ...(agents === undefined ? {} : { agents }),
      ...(after === undefined ? {} : { after }),
    });
    for (const one of some) {
      if (pending.length > 0 && pending[0]?.agent !== one.agent) {
        yield pending;
        pending = [];
      }
      pending.push(one);
    }
    const last = some.at(-1);
    if (last === undefined || some.length < page) break;
    after = { agent: last.agent, id: last.operation.id };
  }
  if (pending.length > 0) yield pending;
}

/** By name. A scope of which only an undoing is there had nothing to undo: it is none. */
function scopesOf(operations: readonly AgentOperation[]): (readonly [string, readonly OperationRecord[]])[] {
  const scopes = new Map<string, OperationRecord[]>();
  for (const { operation } of operations) {
    if (operation.saga === undefined) continue;
    const rows = scopes.get(operation.saga);
    if (rows === undefined) scopes.set(operation.saga, [operation]);
    else rows.push(operation);
  }
  return [...scopes]
    .filter(([, rows]) => rows.some((row) => !isUndoing(row) || row.settledIn === 0))
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

const isUndoing = ({ compensates }: OperationRecord): boolean => compensates !== undefined;

/** An open one may end later than any that has ended. */
function inOrderOfEnd(one: OperationRecord, other: OperationRecord): number {
  if ((one.settledIn === 0) !== (other.settledIn === 0)) return one.settledIn === 0 ? 1 : -1;
  return newestFirst(other, one);
}

/** The newest that was asked for. */
function newest(rows: readonly OperationRecord[]): OperationRecord | undefined {
  return rows.reduce<OperationRecord | undefined>(
    (best, row) => (best === undefined || row.intendedIn >= best.intendedIn ? row : best),
    undefined,
  );
}

function sagaOf(agentId: string, saga: string, rows: readonly OperationRecord[]): Saga {
  const undoing = rows.filter(isUndoing);
  const plan = newest(undoing.filter(({ activity }) => activity === planActivity));
  return {
    agentId,
    saga,
    status: statusOf(rows, undoing, plan),
    since: Math.min(...rows.map(({ intendedAt }) => intendedAt)),
    steps: rows
      .filter((row) => !isUndoing(row))
      .sort(inOrderOfEnd)
      .map((step) => stepOf(step, newest(undoing.filter(({ compensates }) => compensates === step.id)))),
    plan: plan && workOf(plan),
  };
}

function statusOf(rows: readonly OperationRecord[], undoing: readonly OperationRecord[], plan: OperationRecord | undefined): SagaStatus {
  if (rows.some(({ status }) => status === 'held')) return 'held';
  if (undoing.some(({ settledIn }) => settledIn === 0)) return 'compensating';
  if (undoing.length === 0) return 'forward';
  // Of an undoing that was begun anew only the last time counts.
  const last = undoing.filter(({ intendedIn }) => intendedIn >= (plan?.intendedIn ?? 0));
  if (plan !== undefined && codeOf(plan) === 'PIVOT_PASSED') return 'forward';
  if (last.some(({ status }) => status !== 'succeeded')) return 'abandoned';
  const byHand = plan !== undefined && resolutionsOf(plan).at(-1)?.order === 'done';
  const left = rows.some(
    ({ compensates, status, settledIn }) =>
      compensates === undefined &&
      (status === 'succeeded' || status === 'unknown' || settledIn === 0) &&
      !(byHand && settledIn !== 0 && settledIn <= plan.intendedIn),
  );
  return left ? 'forward' : 'compensated';
}

function codeOf(row: OperationRecord): unknown {
  return (errorOf(row) as { readonly code?: unknown } | undefined)?.code;
}

function errorOf({ status, outcome }: OperationRecord): Error | undefined {
  return outcome === undefined || status === 'succeeded' || status === 'compensated' ? undefined : (decode(outcome) as Error);
}

function stepOf(step: OperationRecord, undoing: OperationRecord | undefined): SagaStep {
  return {
    operationId: step.id,
    activity: step.activity,
    status: step.status,
    input: step.input === undefined ? undefined : decode(step.input),
    error: errorOf(step),
    since: step.intendedAt,
    endedAt: step.settledAt,
    undoing: undoing && workOf(undoing),
  };
}

function workOf(row: OperationRecord): SagaWork {
  return {
    operationId: row.id,
    deed: deeds[row.activity] ?? 'undo',
    status: row.status,
    attempts: row.attempts,
    nextRetryAt: row.nextRetryAt,
    error: errorOf(row),
    resolutions: resolutionsOf(row),
  };
}
