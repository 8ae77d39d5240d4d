/** What an agent needs from the runtime around it; implemented in runtime/. */

import type { EventObject } from 'xstate';
import type { Clock } from '../core/clock.js';
import type { StatewardenError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { TurnPulse } from '../core/turn-pulse.js';
import type { Participant } from '../persistence/committer.js';
import type { AgentRecord, MessageRecord, PostOutcome } from '../persistence/store.js';
import type { Agent } from './agent.js';
import type { Inspection } from './inspection.js';
import type { OperationRunner } from './operation.js';
import type { Tracing } from './tracing.js';

export interface AgentHost {
  readonly clock: Clock;
  /** When this node began; agents that it took from a node that was gone before stood still until then. */
  readonly startedAt: number;
  /** Counts uses of agents, for passivation. */
  uses: number;
  readonly committer: { enlist(participant: Participant): void; turning(): void };
  readonly operations: OperationRunner;
  readonly uncommittedTurns: number;
  /** Where turns are written for somebody who watches them. */
  readonly pulse: TurnPulse | undefined;
  readonly mailboxCap: number;
  /** So often a supervised agent's turn for one event may fail before the event is a dead letter. */
  readonly maxDeliveries: number;
  /** A turn that lasts longer is worth an event. */
  readonly slowTurnMs: number;
  /** Who is told what goes on inside of agents. */
  readonly inspection: Inspection | undefined;
  /** Who follows work through agents. */
  readonly tracing: Tracing | undefined;
  /** Uniform in [0, 1). */
  chance(): number;
  /** Somebody listens to runtime events: only then are they made. */
  readonly observed: boolean;
  tell(event: WithoutTime<RuntimeEvent>): void;
  log(values: readonly unknown[]): void;
  /** Key and version for an agent to be made. @throws UnknownKindError, BadInputError */
  newAgent(kind: string, id: string): { readonly key: number; readonly version: number };
  armTimer(agent: number, timer: string, dueAt: number): void;
  /** Hands an answer to a question asked by code. */
  answer(address: string, value: unknown): void;
  /** There will be none. */
  refuse(address: string, error: Error): void;
  /** A message of a durable commit, and what became of it; undefined when the store's reply was lost. */
  routed(message: MessageRecord, outcome: PostOutcome | undefined): void;
  spawned(record: AgentRecord | undefined, id: string): void;
  /** An event for an agent that is not resident any more. */
  redirect(agentId: string, target: string, event: EventObject): void;
  ended(agent: Agent): void;
  /** Calls back when the agent has left memory. */
  whenGone(agent: Agent, callback: () => void): void;
  /** It is down, durably, until its supervisor says otherwise. */
  suspended(agent: Agent): void;
  /** A supervisor, whose state is durable, wants things done. */
  supervise(agent: Agent, commands: readonly unknown[]): void;
  /** The agent left memory without its uncommitted turns; `told` when somebody who waited for them was told why. */
  dropped(agent: Agent, error: StatewardenError, told: boolean): void;
  /** The id turned out to be in use when the agent was to be made. */
  exists(agent: Agent, record: AgentRecord): void;
}

/** A union's members, each without its time: the host stamps it. */
export type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
