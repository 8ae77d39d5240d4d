/**
 * Fleets as the store has them: one found by its id, all there are, and how one stands in words and in JSON. What a fleet knows is that of its last committed turn; what
 * waits in its mailbox it has not heard of.
 */

import { BadInputError, UnknownAgentError } from '../core/errors.js';
import type { AgentRecord, LoadedAgent, OpenedStore } from '../persistence/store.js';
import { statusOf, type FleetState, type FleetStatus } from '../supervisor/fleet/state.js';
import { supervisorKind } from '../supervisor/machine.js';
import type { SupervisorState } from '../supervisor/state.js';
import { mindFrom } from '../supervisor/tree.js';
import { nearest } from '../core/nearest.js';
import type { Session } from './session.js';

export interface SeenFleet {
  readonly record: AgentRecord;
  readonly fleet: FleetState;
  readonly state: SupervisorState;
  readonly status: FleetStatus;
  /** Events that it has not taken yet. */
  readonly mailbox: LoadedAgent['mailbox'];
}

const page = 500;

/** Undefined when the agent is gone, or is no fleet. */
export async function readFleet(store: Pick<OpenedStore, 'inspect'>, id: string): Promise<SeenFleet | undefined> {
  const loaded = await store.inspect(id);
  if (loaded?.record.kind !== supervisorKind) return undefined;
  const { state, fleet } = mindFrom(id, loaded);
  const { record, mailbox } = loaded;
  return fleet === undefined ? undefined : { record, fleet, state, status: statusOf(fleet, state), mailbox };
}

/** In order of id. */
export async function allFleets(store: OpenedStore): Promise<SeenFleet[]> {
  const fleets: SeenFleet[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const found: readonly AgentRecord[] = await store.list({ kind: supervisorKind, limit: page, after });
    for (const { id } of found) {
      const fleet = await readFleet(store, id);
      if (fleet !== undefined) fleets.push(fleet);
    }
    after = found.length < page ? undefined : found.at(-1)?.id;
  }
  return fleets;
}

/** @throws UnknownAgentError with the fleets that come close, BadInputError for an agent that is no fleet. */
export async function findFleet({ store }: Session, typed: string): Promise<SeenFleet> {
  const seen = await readFleet(store, typed);
  if (seen !== undefined) return seen;
  const [record] = await store.lookup([typed]);
  if (record !== undefined) {
    const above = record.supervisor === undefined ? undefined : await readFleet(store, record.supervisor);
    throw new BadInputError(`agent ${JSON.stringify(typed)} is no fleet`, {
      hint:
        above === undefined
          ? 'List the fleets with `statewarden fleet`.'
          : `It is a member of fleet ${JSON.stringify(above.record.id)}: give that id.`,
    });
  }
  const ids = (await allFleets(store)).map(({ record: { id } }) => id);
  const [close] = nearest(typed, ids);
  const known =
    ids.length === 0 ? 'This store has none: declare one with fleet(id, { kind, size }).' : 'List them with `statewarden fleet`.';
  throw new UnknownAgentError(`there is no fleet ${JSON.stringify(typed)}`, {
    hint: close === undefined ? known : `Did you mean ${JSON.stringify(close)}?`,
  });
}

/** `8 × researcher · 8 up · 3 busy · 12 queued · 240 done · 2 failed · rolling 3/8`. */
export function fleetInWords(status: FleetStatus): string {
  const { size, kind, up, busy, queued, done, failed, rolling, pausedUntil } = status;
  return [
    `${String(size)} × ${kind}`,
    `${String(up)} up`,
    `${String(busy)} busy`,
    `${String(queued)} queued`,
    `${String(done)} done`,
    `${String(failed)} failed`,
    ...(pausedUntil === undefined ? [] : ['waits for its budget']),
    ...(rolling === undefined ? [] : [`rolling ${String(rolling.done)}/${String(rolling.total)}`]),
    ...(status.status === 'draining' || status.status === 'drained' ? [status.status] : []),
  ].join(' · ');
}

/** In JSON output; the names are stable. */
export function fleetDocument({ rolling, pausedUntil, ...status }: FleetStatus): object {
  return { ...status, pausedUntil: pausedUntil ?? null, rolling: rolling ?? null };
}
