/** Who follows a runtime's work and counts it, as the runtime knows them: opened before the store, told of the runtime before it recovers. What they throw goes to the runtime's logger, and nothing waits for them. */

import type { Tracing } from '../actors/tracing.js';
import type { Observable } from '../core/observables.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { StoreCounts } from '../persistence/store.js';

/** What is counted. */
export interface TelemetrySource {
  readonly events: Observable<RuntimeEvent>;
  readonly counts: () => Promise<StoreCounts>;
  /** Agents in memory. */
  readonly resident: () => number;
  readonly breakers: () => Iterable<{ readonly name: string; readonly level: string; readonly state: string }>;
}

export interface OpenTelemetry {
  readonly tracing: Tracing | undefined;
  /** The runtime is there, and is about to recover. */
  started(source: TelemetrySource): void;
  /** It does no more. */
  close(): void;
}

export interface Telemetry {
  /** @throws BadInputError when what it needs is not installed */
  open(failed: (error: unknown) => void): Promise<OpenTelemetry>;
}
