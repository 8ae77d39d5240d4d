/** Agents that cannot go on as they are: they are set aside with the reason, and met again in the same state at the next start. */

import type { WithoutTime } from '../actors/host.js';
import { encodeThrown } from '../core/codec.js';
import type { Clock } from '../core/clock.js';
import type { StatewardenError } from '../core/errors.js';
import type { RuntimeEvent } from '../core/runtime-event.js';
import type { AgentRecord, OpenedStore } from '../persistence/store.js';
import type { Ends } from './ends.js';

interface ParkHost {
  readonly store: OpenedStore;
  readonly clock: Clock;
  readonly ends: Ends;
  tell(event: WithoutTime<RuntimeEvent>): void;
}

export async function park(host: ParkHost, record: AgentRecord, error: StatewardenError): Promise<void> {
  const { store, clock, ends } = host;
  const { key, id, fence, sequenceNumber } = record;
  host.tell({ type: 'parked', agentId: id, kind: record.kind, error });
  try {
    const outcome = encodeThrown(error);
    await store.commit([{ key, id, fence, expected: sequenceNumber, sequenceNumber, at: clock.now(), status: 'parked', outcome }]);
  } catch {
    // Parking only notes the reason.
  }
  ends.wake(id, undefined);
}

/** One that has failed again and again with nobody there to see it. */
export async function parkStruck(host: ParkHost, id: string, error: StatewardenError): Promise<void> {
  const [outcome] = await host.store.load([id]);
  if (outcome?.outcome === 'loaded' && outcome.record.status === 'active') await park(host, outcome.record, error);
}
