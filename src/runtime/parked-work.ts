/** Operations that wait for a breaker, wherever their agents are: found in the store, and told to go or to end by mail, which is taken now or when a node next runs the agent. */

import { answerType } from '../actors/collector.js';
import { agentsOf } from './operation-id.js';
import type { AgentKey, MessageRecord, OpenedStore, OperationRecord, AgentOperation } from '../persistence/store.js';

/** An operation that waits for a breaker. */
export interface ParkedWork {
  readonly agentId: string;
  readonly operationId: string;
  readonly activity: string;
  /** Who refused it: a breaker, or another guard. */
  readonly breaker: string;
  /** When it was asked for: epoch milliseconds. */
  readonly since: number;
  /** When it asks again, as it was told when it was refused; undefined: when somebody releases the breaker. */
  readonly wakesAt: number | undefined;
  /** Attempts that have failed before. */
  readonly failedAttempts: number;
}

/** Which of them; without anything all there are. */
export interface ParkedFilter {
  readonly breaker?: string;
  readonly agentId?: string;
}

/** What became of an order to parked operations. */
export interface ParkedReport {
  /** That were told, durably. */
  readonly told: number;
  /** Whose agent's mailbox is full. */
  readonly full: number;
}

export interface ParkedPlace {
  readonly store: Pick<OpenedStore, 'parked' | 'post' | 'lookup'>;
  readonly now: () => number;
  /** Events that a mailbox holds at most. */
  readonly cap: number;
  /** There is mail for an agent. */
  readonly mailed?: (agent: AgentKey) => void;
}

const page = 500;

/** All of them, in order of agent and operation. `selection`: the id of one, or a filter. */
export async function* parkedOperations(
  store: ParkedPlace['store'],
  selection: string | ParkedFilter,
  limit = page,
): AsyncGenerator<readonly AgentOperation[]> {
  const ids = typeof selection === 'string' ? agentsOf(selection) : selection.agentId === undefined ? [] : [selection.agentId];
  const agents = ids.length === 0 ? [] : (await store.lookup(ids)).flatMap((agent) => (agent === undefined ? [] : [agent.key]));
  if (ids.length > 0 && agents.length === 0) return;
  const by = typeof selection === 'string' ? undefined : selection.breaker;
  const where = { ...(by === undefined ? {} : { by }), ...(agents.length === 0 ? {} : { agents }) };
  for (let after: { readonly agent: AgentKey; readonly id: string } | undefined; ;) {
    const found: readonly AgentOperation[] = await store.parked({ ...where, limit, ...(after === undefined ? {} : { after }) });
    const chosen = typeof selection === 'string' ? found.filter(({ operation }) => operation.id === selection) : found;
    if (chosen.length > 0) yield chosen;
    const last = found.at(-1);
    if (last === undefined || found.length < limit) return;
    after = { agent: last.agent, id: last.operation.id };
  }
}

/** Tells them. Durable when it resolves; an operation that has gone meanwhile does not care. */
export async function orderParked(
  { store, now, cap, mailed }: ParkedPlace,
  selection: string | ParkedFilter,
  order: 'release' | 'cancel',
  progress?: (told: number) => void,
): Promise<ParkedReport> {
  let [told, full] = [0, 0];
  for await (const found of parkedOperations(store, selection)) {
    const messages = found.map(({ agentId, operation: { id } }): MessageRecord => ({
      to: agentId,
      messageId: undefined,
      event: JSON.stringify({ type: answerType, operation: id, parked: order }),
      from: undefined,
      replyTo: undefined,
      acceptedAt: now(),
    }));
    const outcomes = await store.post(messages, cap);
    told += outcomes.filter(({ outcome }) => outcome === 'accepted').length;
    full += outcomes.filter(({ outcome }) => outcome === 'full').length;
    new Set(found.map(({ agent }) => agent)).forEach((agent) => mailed?.(agent));
    progress?.(told);
  }
  return { told, full };
}

export function parkedWork({ agentId, operation }: { readonly agentId: string; readonly operation: OperationRecord }): ParkedWork {
  const { id, activity, parkedBy = '', intendedAt, nextRetryAt, attempts } = operation;
  return { agentId, operationId: id, activity, breaker: parkedBy, since: intendedAt, wakesAt: nextRetryAt, failedAttempts: attempts };
}
