/** Recorded turns, run again while an agent is brought back. Nothing is recorded and nothing leaves: what they asked for then is in the store. */

import type { EventObject } from 'xstate';
import { markQuestion, markTime } from './actions.js';
import { isMail } from './address.js';
import type { Agent } from './agent.js';
import type { JournalEntry } from './entry.js';
import type { OperationOutcome } from './operation.js';
import { actorAt } from './place.js';
import { deliver, settlePromise } from './seam.js';

/** Any turn but the first. `outcomes` finds the ledger's line for an operation. */
export function takeAgain(agent: Agent, entry: JournalEntry, outcomes: (operation: string) => OperationOutcome | undefined): void {
  if (entry.stop === true) agent.root.stop();
  else if (entry.op !== undefined) {
    const outcome = outcomes(entry.op);
    const path = [...agent.operations.values()].find(({ record }) => record.id === entry.op)?.record.path;
    const actor = path === undefined ? undefined : actorAt(agent.root, path);
    if (path !== undefined) agent.operations.delete(path);
    if (actor !== undefined && outcome !== undefined) settlePromise(actor, outcome);
  } else if (entry.event !== undefined) {
    if (entry.reply !== undefined) asked(agent, entry.event, entry.reply);
    if (agent.registration.isSupervisor) markTime(entry.event, entry.at);
    const actor = actorAt(agent.root, entry.to ?? '');
    if (actor !== undefined) deliver(actor, entry.event);
  }
}

/** Somebody waits for an answer to the event, at this address. */
export function asked(agent: Agent, event: EventObject, address: string): void {
  markQuestion(event, address);
  if (isMail(address)) agent.job = address;
}
