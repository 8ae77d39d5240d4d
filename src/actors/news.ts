/** What is told of an agent, with its place in the trace while somebody traces. */

import type { RuntimeEvent } from '../core/runtime-event.js';
import type { Agent } from './agent.js';
import type { WithoutTime } from './host.js';

export function tellOf({ host, traced }: Agent, event: WithoutTime<RuntimeEvent>): void {
  host.tell(traced === undefined ? event : { ...event, trace: traced.place });
}

export function tellTurn(agent: Agent, event: string, durationMs: number): void {
  const { host, id: agentId, kind, sequenceNumber } = agent;
  tellOf(agent, { type: 'turn', agentId, kind, sequenceNumber, event, durationMs });
  if (durationMs > host.slowTurnMs) tellOf(agent, { type: 'slow-turn', agentId, kind, event, durationMs });
}
