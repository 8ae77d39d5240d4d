/** Whoever looks into agents, as they know it. What they do is the same whether somebody looks or not. */

import type { AnyActorRef } from 'xstate';
import type { Agent } from './agent.js';

export interface Inspection {
  /** The live actors of an agent are being made, for its first turn or to be restored: only the root is there. */
  adopted(agent: Agent, root: AnyActorRef): void;
  /** It is back in memory. What its actors said since `adopted` was its past. */
  restored(agent: Agent): void;
}
