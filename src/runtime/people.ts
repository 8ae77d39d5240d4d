/** People as code sees them: what waits for their decision or their word, and how it is given. */

import type { Node } from './node.js';
import {
  decide,
  listApprovals,
  listHolds,
  resolveHold,
  type Hold,
  type HoldFilter,
  type HoldPlace,
  type PendingApproval,
  type Signed,
} from './holds.js';

/** Operations of which a person is to say what became of them. */
export interface RuntimeHolds {
  /** Those that wait, of all nodes, in order of agent; `unknown`: those that have ended without anybody knowing. */
  list(filter?: HoldFilter & { readonly unknown?: boolean }): Promise<readonly Hold[]>;
  /** It was carried out, with this result, which its machine goes on with. Durable when it resolves. @throws UnknownOperationError, NotHeldError, BadInputError */
  done(operationId: string, result: unknown, signed: Signed): Promise<void>;
  /** It was not carried out, and is not to be: its machine meets `ResolvedAsFailedError`. @throws as `done` */
  fail(operationId: string, signed: Signed): Promise<void>;
  /** It was not carried out: it is run (again). @throws as `done` */
  retry(operationId: string, signed: Signed): Promise<void>;
}

export interface RuntimeApprovals {
  list(filter?: HoldFilter): Promise<readonly PendingApproval[]>;
  /** `decision`: one of its choices, by default `approved` or `rejected`. Durable when it resolves. @throws UnknownOperationError, NotHeldError, ApprovalExpiredError, BadInputError */
  decide(operationId: string, decision: string, signed: Signed): Promise<void>;
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

  decide(operationId: string, decision: string, signed: Signed): Promise<void> {
    this.#node.assertOpen();
    return decide(placeOf(this.#node), operationId, decision, signed);
  }
}
