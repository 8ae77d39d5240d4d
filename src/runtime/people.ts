/** People as code sees them: what waits for their decision or their word, and how it is given. */

import type { Node } from './node.js';
import {
  decide,
  listApprovals,
  listHolds,
  readApproval,
  readHold,
  resolveHold,
  type Hold,
  type HoldFilter,
  type HoldPlace,
  type PendingApproval,
  type Signed,
} from './holds.js';
import { listSagas, orderSaga, readSaga, type Saga, type SagaFilter, type SagaOrder, type SagaReport } from './sagas.js';

/** Operations of which a person is to say what became of them. */
export interface RuntimeHolds {
  /** Those that wait, of all nodes, in order of agent; `unknown`: those that have ended without anybody knowing. */
  list(filter?: HoldFilter & { readonly unknown?: boolean }): Promise<readonly Hold[]>;
  /** One that waits. @throws UnknownOperationError, NotHeldError */
  get(operationId: string): Promise<Hold>;
  /** It was carried out, with this result, which its machine goes on with. Durable when it resolves. @throws UnknownOperationError, NotHeldError, BadInputError */
  done(operationId: string, result: unknown, signed: Signed): Promise<void>;
  /** It was not carried out, and is not to be: its machine meets `ResolvedAsFailedError`. @throws as `done` */
  fail(operationId: string, signed: Signed): Promise<void>;
  /** It was not carried out: it is run (again). @throws as `done` */
  retry(operationId: string, signed: Signed): Promise<void>;
}

export interface RuntimeApprovals {
  list(filter?: HoldFilter): Promise<readonly PendingApproval[]>;
  /** One that is waited for. @throws UnknownOperationError, NotHeldError when somebody has decided, ApprovalExpiredError */
  get(operationId: string): Promise<PendingApproval>;
  /** `decision`: one of its choices, by default `approved` or `rejected`. Durable when it resolves. @throws UnknownOperationError, NotHeldError, ApprovalExpiredError, BadInputError */
  decide(operationId: string, decision: string, signed: Signed): Promise<void>;
}

/** What agents have done that can be undone, and how far its undoing is. The last three orders answer all that is held of an undoing; `saga` undefined: the agent's only one. */
export interface RuntimeSagas {
  /** Those that are held or being undone; `all`: every one. In order of agent and name. */
  list(filter?: SagaFilter): Promise<readonly Saga[]>;
  /** @throws UnknownAgentError, BadInputError when the agent has no such saga, or several and none is named */
  get(agentId: string, saga?: string): Promise<Saga>;
  /** What has failed is run again. Durable when it resolves. @throws as `get`; NotHeldError when nothing of its undoing is held */
  resume(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport>;
  /** What has failed was undone by hand; of a step of which nobody knew: it was not carried out. The undoing goes on after it. @throws as `resume` */
  skip(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport>;
  /** The undoing is given up: its machine meets `CompensationFailedError`. @throws as `resume` */
  abandon(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport>;
}

export function placeOf(node: Node): HoldPlace {
  const { clock, store, mailboxCap: cap } = node;
  return { store, cap, now: () => clock.now(), mailed: (agent) => node.mail.nudge(agent) };
}

export class NodeHolds implements RuntimeHolds {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  get #place(): HoldPlace {
    this.#node.assertOpen();
    return placeOf(this.#node);
  }

  list({ unknown = false, ...filter }: HoldFilter & { readonly unknown?: boolean } = {}): Promise<readonly Hold[]> {
    return listHolds(this.#place.store, filter, unknown ? 'unknown' : 'held');
  }

  async get(operationId: string): Promise<Hold> {
    return readHold(this.#place.store, operationId);
  }

  done(operationId: string, result: unknown, signed: Signed): Promise<void> {
    return resolveHold(this.#place, operationId, { order: 'done', result }, signed);
  }

  fail(operationId: string, signed: Signed): Promise<void> {
    return resolveHold(this.#place, operationId, { order: 'failed' }, signed);
  }

  retry(operationId: string, signed: Signed): Promise<void> {
    return resolveHold(this.#place, operationId, { order: 'retry' }, signed);
  }
}

export class NodeApprovals implements RuntimeApprovals {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  list(filter: HoldFilter = {}): Promise<readonly PendingApproval[]> {
    this.#node.assertOpen();
    return listApprovals(this.#node.store, filter);
  }

  async get(operationId: string): Promise<PendingApproval> {
    this.#node.assertOpen();
    return readApproval(this.#node.store, operationId, this.#node.clock.now());
  }

  decide(operationId: string, decision: string, signed: Signed): Promise<void> {
    this.#node.assertOpen();
    return decide(placeOf(this.#node), operationId, decision, signed);
  }
}

export class NodeSagas implements RuntimeSagas {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  async list(filter: SagaFilter = {}): Promise<readonly Saga[]> {
    this.#node.assertOpen();
    return listSagas(this.#node.store, filter);
  }

  async get(agentId: string, saga?: string): Promise<Saga> {
    this.#node.assertOpen();
    return readSaga(this.#node.store, agentId, saga);
  }

  resume(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport> {
    return this.#order(agentId, saga, 'resume', signed);
  }

  skip(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport> {
    return this.#order(agentId, saga, 'skip', signed);
  }

  abandon(agentId: string, saga: string | undefined, signed: Signed): Promise<SagaReport> {
    return this.#order(agentId, saga, 'abandon', signed);
  }

  async #order(agentId: string, saga: string | undefined, order: SagaOrder, signed: Signed): Promise<SagaReport> {
    this.#node.assertOpen();
    return orderSaga(placeOf(this.#node), agentId, saga, order, signed);
  }
}
