/** Agents as they come from the store: whatever the store says of one, this says where it is, and brings it into memory when it is to be there. */

import type { Agent } from '../actors/agent.js';
import { notTaken } from '../actors/agent-failure.js';
import type { AgentHost } from '../actors/host.js';
import type { Registration } from '../actors/registration.js';
import { restore } from '../actors/restore.js';
import { StatewardenError } from '../core/errors.js';
import type { AgentRecord, MachineRecord } from '../persistence/store.js';
import type { LoadedOutcome } from './archives.js';
import type { Kinds } from './kinds.js';
import type { Presence } from './presence.js';
import type { Residents } from './residents.js';

export interface ArrivalsOptions {
  readonly host: AgentHost;
  readonly kinds: Kinds;
  readonly residents: Residents;
  readonly machines: () => readonly MachineRecord[];
  /** A supervisor wants it up. */
  readonly isRising: (id: string) => boolean;
  /** Why it is not run any more. */
  readonly struck: (id: string) => StatewardenError | undefined;
  /** A supervisor is back. */
  readonly restored: (supervisor: Agent) => void;
  readonly park: (record: AgentRecord, error: StatewardenError) => void;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  arrive(outcome: LoadedOutcome): Presence {
    const { kinds, residents, isRising, struck } = this.#options;
    if (outcome.outcome === 'absent') return { where: 'nowhere' };
    const { record } = outcome;
    if (outcome.outcome === 'owned') return { where: 'elsewhere', record, node: outcome.node };
    if (outcome.outcome === 'archived') return { where: 'parked', record, error: outcome.error };
    const ended = hasEnded(record);
    if (ended && !record.busy) return { where: 'ended', record, loaded: outcome };
    if (record.status === 'suspended' && !isRising(record.id)) return { where: 'suspended', record };
    const strike = struck(record.id);
    if (strike !== undefined) return { where: 'parked', record, error: strike };
    const here = residents.get(record.key);
    if (here !== undefined && !here.gone) return { where: 'here', agent: here };
    return this.#bringBack(outcome, kinds.of(record.kind, outcome.checkpoint?.version ?? record.version));
  }

  #bringBack(outcome: Extract<LoadedOutcome, { outcome: 'loaded' }>, registration: Registration | undefined): Presence {
    const { host, kinds, residents, machines, restored, park } = this.#options;
    const { record } = outcome;
    const ended = hasEnded(record);
    const started = host.clock.elapsed();
    const { id: agentId, kind, trace } = record;
    const fromSequenceNumber = outcome.checkpoint?.sequenceNumber ?? 0;
    const span = record.sequenceNumber === 0 ? undefined : host.tracing?.recovery(record);
    const told = {
      type: 'recovery' as const,
      agentId,
      kind,
      fromSequenceNumber,
      ...(span === undefined ? {} : { trace: span.trace ?? trace }),
    };
    try {
      if (registration === undefined) {
        const error = kinds.unknown(record.kind);
        span?.failed(error);
        host.tell({ ...told, replayedTurns: 0, durationMs: 0, outcome: 'failed', error });
        return { where: 'parked', record, error };
      }
      const { agent, replayedTurns } = restore(host, registration, outcome, machines());
      span?.replayed(fromSequenceNumber, replayedTurns);
      residents.add(agent);
      if (registration.isSupervisor) restored(agent);
      if (host.observed) host.tell({ ...told, replayedTurns, durationMs: host.clock.elapsed() - started, outcome: 'resumed' });
      return ended ? { where: 'ended', record, loaded: outcome } : { where: 'here', agent };
    } catch (thrown) {
      const error = thrown instanceof StatewardenError ? thrown : notTaken(record.id, thrown);
      span?.failed(error);
      host.tell({ ...told, replayedTurns: 0, durationMs: host.clock.elapsed() - started, outcome: ended ? 'failed' : 'parked', error });
      // Its last actions wait for a machine that fits; it stays what it ended as.
      if (ended) return { where: 'ended', record, loaded: outcome };
      park(record, error);
      return { where: 'parked', record, error };
    } finally {
      span?.ended();
    }
  }
}

function hasEnded({ status }: AgentRecord): boolean {
  return status === 'done' || status === 'error' || status === 'stopped';
}
