/** Where an agent is, seen from one node: in its memory, at rest, parked, with another node, or nowhere. */

import type { Agent } from '../actors/agent.js';
import type { StatewardenError } from '../core/errors.js';
import type { AgentRecord, LoadedAgent, NodeRecord } from '../persistence/store.js';

export type Presence =
  | { readonly where: 'here'; readonly agent: Agent }
  | { readonly where: 'ended'; readonly record: AgentRecord; readonly loaded: LoadedAgent }
  | { readonly where: 'suspended'; readonly record: AgentRecord }
  | { readonly where: 'parked'; readonly record: AgentRecord; readonly error: StatewardenError }
  | { readonly where: 'elsewhere'; readonly record: AgentRecord; readonly node: NodeRecord }
  | { readonly where: 'nowhere' };
