/** The artifacts that an agent's records point to: its archive, and large results, in the ledger or in the archive. From one artifact store to another, each under the same name since that is its content. */

import { CorruptRecordError } from '../../core/errors.js';
import type { ArtifactPointer, ArtifactStore } from '../artifacts/artifact-store.js';
import type { OperationRecord, WholeAgent } from '../store.js';
import { archivePointer, readArchive } from '../tiers/archiver.js';

export interface ArtifactStores {
  readonly from: ArtifactStore;
  readonly to: ArtifactStore;
}

/** Adds the names of those that were copied to `done`. @throws ArtifactMissingError, CorruptRecordError, what the stores throw */
export async function copyArtifacts({ from, to }: ArtifactStores, agent: WholeAgent, done: Set<string>): Promise<void> {
  const isArchived = agent.record.archive !== undefined;
  const packed = isArchived ? (await readArchive(from, agent.record)).operations : [];
  const pointers = [...agent.operations, ...packed].flatMap((operation) => pointerOf(operation) ?? []);
  if (isArchived) pointers.push(archivePointer(agent.record));
  for (const pointer of pointers) {
    if (done.has(pointer.id)) continue;
    const put = await to.put(from.read(pointer));
    if (put.id !== pointer.id || put.bytes !== pointer.bytes) {
      throw new CorruptRecordError(`${to.name} has kept something else than artifact ${pointer.id}`, {
        hint: 'Correct the artifact store, then copy again.',
      });
    }
    done.add(pointer.id);
  }
}

function pointerOf({ artifact, outcome }: OperationRecord): ArtifactPointer | undefined {
  if (artifact === undefined) return undefined;
  return JSON.parse(outcome ?? 'null') as ArtifactPointer;
}
