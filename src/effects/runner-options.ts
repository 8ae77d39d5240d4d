/** What a runner of operations is given: where it reads, what it tells, what the runtime declares. */

import type { BreakerBoard } from '../breakers/board.js';
import type { Random } from '../core/random.js';
import type { AlertEvent } from '../core/runtime-event.js';
import type { OpenedStore } from '../persistence/store.js';
import type { ResolvedActivity } from './activity.js';
import type { DispatchingOptions } from './dispatching.js';
import type { Down } from './monitor.js';
import type { Profiles } from './profiles.js';
import type { ResultLimits } from './results.js';

export interface RunnerOptions extends DispatchingOptions {
  readonly store: Pick<OpenedStore, 'keyed' | 'operations'>;
  /** Those that its machines declare, by name. */
  readonly activities: ReadonlyMap<string, ResolvedActivity>;
  readonly random: Random;
  /** Resolves when an agent has ended, or has failed since a time. */
  readonly ending: (id: string, since: number, signal: AbortSignal) => Promise<Down>;
  readonly observed: () => boolean;
  /** Belongs before anything is begun outside; undefined: this node has its agents for certain. */
  readonly confirmed: () => Promise<void> | undefined;
  /** Somebody should look. */
  readonly alert: (alert: AlertEvent) => void;
  /** Names of those that are declared. */
  readonly budgets: ReadonlySet<string>;
  readonly board: BreakerBoard;
  readonly profiles: Profiles;
  readonly results: ResultLimits;
}
