/** A member of a fleet that ends while it is at a job: its end is what comes of the job, in the same commit. */

import { AgentStoppedError } from '../core/errors.js';
import type { Agent } from './agent.js';
import { agentFailed } from './agent-failure.js';

/** `job`: the address of whoever waits. `output`: of the machine, when it is done. */
export function endJob(agent: Agent, job: string, output: unknown): void {
  const { collector, status } = agent;
  if (status === 'done') collector.answer(job, output);
  else if (status === 'error') collector.refuse(job, agentFailed(agent.id, agent.failure));
  else collector.refuse(job, new AgentStoppedError(`agent "${agent.id}" was stopped`, { hint: 'Hand the job in again.' }));
}
