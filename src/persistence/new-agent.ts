/** The record of an agent that has just been made: of its first commit, or of another agent's that spawned it. */

import type { AgentRecord, SpawnRecord } from './store.js';

type Made = Pick<SpawnRecord, 'key' | 'id' | 'kind' | 'version' | 'trace'> & { readonly supervisor?: string | undefined };

/** `owner`: the node that holds it; undefined: nobody does yet. */
export function newRecord(
  { key, id, kind, version, supervisor, trace }: Made,
  fence: number,
  at: number,
  owner: number | undefined,
): AgentRecord {
  return {
    key,
    id,
    kind,
    version,
    status: 'active',
    sequenceNumber: 0,
    fence,
    owner,
    checkpointSequenceNumber: 0,
    busy: false,
    supervisor,
    trace,
    suspect: undefined,
    outcome: undefined,
    state: undefined,
    archive: undefined,
    createdAt: at,
    updatedAt: at,
  };
}
