/** How much of everything a store holds. */

import type { AgentStatus } from './store.js';

export interface StoreCounts {
  readonly agents: Readonly<Record<AgentStatus, number>>;
  readonly journalSegments: number;
  readonly checkpoints: number;
  readonly mailbox: number;
  readonly timers: number;
  readonly openOperations: number;
  readonly unsettledEffects: number;
  readonly deadLetters: number;
  readonly bytes: number;
}
