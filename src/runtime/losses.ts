/** Agents that left memory without their last turns: the store knows of none, so who supervises them is told from here. And what a supervisor knows of a child's failures. */

import type { Agent } from '../actors/agent.js';
import { LeaseLostError, type StatewardenError } from '../core/errors.js';
import { childIn } from '../supervisor/children.js';
import { supervisorKind } from '../supervisor/machine.js';
import type { ChildFailure } from '../supervisor/state.js';
import { stateOf, type Supervision, type SupervisionHost } from './supervision.js';

/** Tells the supervisor of an agent that was lost. False when there is none to be told. */
export function tellOfLoss(host: SupervisionHost, supervision: Supervision, agent: Agent, error: StatewardenError): boolean {
  const supervisor = agent.supervisor === undefined ? undefined : host.resident(agent.supervisor);
  if (supervisor?.status !== 'active' || supervisor.gone) return false;
  const at = host.clock.now();
  const failure = { reason: error instanceof LeaseLostError ? 'lease-lost' : 'store', message: error.message, at } as const;
  supervision.tell(supervisor, { type: 'exited', id: agent.id, how: 'failed', counts: true, failure, at, random: host.chance() });
  return true;
}

/** Children of a supervisor that was lost: what it has been told of them went with it. */
export function orphansOf(host: SupervisionHost, agent: Agent): readonly string[] {
  if (agent.kind !== supervisorKind) return [];
  const { children } = stateOf(agent);
  return children.filter(({ id, status }) => status === 'running' && host.resident(id) === undefined).map(({ id }) => id);
}

/** How a child failed last, as far as a supervisor that is here knows. */
export function failureOf(host: Pick<SupervisionHost, 'resident'>, supervisorId: string, id: string): ChildFailure | undefined {
  const supervisor = host.resident(supervisorId);
  return supervisor?.kind === supervisorKind ? childIn(stateOf(supervisor).children, id)?.failure : undefined;
}
