/** What of an agent may be shown: somebody who has seen a state must find it again after a crash. */

import type { AnyMachineSnapshot } from 'xstate';
import type { Agent } from './agent.js';

/**
 * The committed snapshot, once a checkpoint covers it: what somebody has seen must come back after a crash, and a turn
 * that is only journaled may come out differently when it is run again.
 */
export async function seen(agent: Agent): Promise<AnyMachineSnapshot> {
  agent.usedAt = agent.host.uses += 1;
  const { isSupervisor } = agent.registration;
  // A supervisor's turns come out as they did.
  if (isSupervisor) await agent.whenDurable(1);
  while (
    !agent.gone &&
    !isSupervisor &&
    (agent.committed === undefined || agent.checkpointSequenceNumber < agent.committedSequenceNumber)
  ) {
    const draft = agent.draft();
    draft.checkpoint = true;
    await new Promise<void>((resolve, reject) => {
      draft.awaitCommit(resolve, reject);
    });
  }
  return agent.committed ?? agent.snapshot();
}
