/** Where in a trace something belongs that a runtime tells. */

import type { Agent } from '../actors/agent.js';
import type { WithoutTime } from '../actors/host.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { Residents } from './residents.js';

/** As it says itself; else that of its agent's turn under way, or of the agent. */
export function placeOf(event: WithoutTime<RuntimeEvent>, residents: Pick<Residents, 'get'>): string | undefined {
  if (event.trace !== undefined || !('agentId' in event)) return event.trace;
  return residents.get(event.agentId)?.traced?.place;
}

/** Of one that may not be in memory any more. */
export function about({ id: agentId, kind, traced }: Agent): {
  readonly agentId: string;
  readonly kind: string;
  readonly trace?: string | undefined;
} {
  return traced === undefined ? { agentId, kind } : { agentId, kind, trace: traced.place };
}
