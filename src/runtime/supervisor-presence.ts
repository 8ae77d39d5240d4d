/** A supervisor that is to be told something: it must be here, and what it refuses is an error. */

import type { Agent } from '../actors/agent.js';
import { SupervisionError } from '../core/errors.js';
import { supervisorKind } from '../supervisor/machine.js';
import type { CallError } from '../supervisor/state.js';
import type { Node } from './node.js';
import { exitOf, notStarted } from './supervision-outcome.js';

const hints: Readonly<Record<CallError, string>> = {
  'not-found': 'which() lists the children.',
  'already-present': 'A child has this id: restart() it, or delete() it first.',
  running: 'terminate() it first.',
  restarting: 'It is on its way: which() shows it.',
  'not-running': 'The supervisor is starting, stopping or has ended: `statewarden tree`.',
  'start-failed': 'Nothing of it is kept. Look at the message: it is what the machine threw.',
  fleet: 'Members of a fleet come and go with its size: resize() it.',
  'roll-stopped': 'The members that had not had their turn run as before. Correct the machine and roll again.',
};

export function callFailed(what: string, error: CallError, message: string | undefined): SupervisionError {
  return new SupervisionError(`${what}: ${error}${message === undefined ? '' : `: ${message}`}`, { reason: error, hint: hints[error] });
}

/** @throws SupervisionError, RuntimeClosedError */
export async function present(node: Node, id: string): Promise<Agent> {
  node.assertOpen();
  const presence = await node.presence(id);
  if (presence.where === 'here' && presence.agent.kind === supervisorKind) return presence.agent;
  if (presence.where === 'suspended') throw notStarted(id, exitOf(presence.record), { children: [] } as never);
  const what = presence.where === 'here' ? `is an agent of kind "${presence.agent.kind}"` : `is ${presence.where}`;
  throw new SupervisionError(`supervisor "${id}" ${what}`, { reason: presence.where, hint: 'Start it with runtime.supervise(…).' });
}
