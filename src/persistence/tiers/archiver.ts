/**
 * One agent into the artifact store and back. Each step leaves everything whole: the object is put before the record points to it, and goes only when a sweep finds that nothing does any more. So a crash
 * between two steps leaves an object that nobody needs, or an agent that is archived or restored, and never half of one.
 *
 * Exactly once holds throughout: message ids and results with a user key never leave the store, and the fence rises. What is archived has nothing under way: no mail, timers, effects, open operations.
 */

import { failpoint } from '../../core/failpoint.js';
import { AgentArchivedError, CorruptRecordError } from '../../core/errors.js';
import type { ArtifactPointer, ArtifactStore } from '../artifacts/artifact-store.js';
import { isArtifactId } from '../artifacts/content.js';
import type { AgentKey, AgentRecord, OpenedStore, WholeAgent } from '../store.js';
import { pack, unpack } from './packing.js';

/** What the record of an archived agent says. */
export interface ArchivePointer extends ArtifactPointer {
  /** When it was archived, epoch milliseconds. */
  readonly at: number;
}

/**
 * Why an agent stays where it is. `working`: something of it is under way, or waits for it. `attention`: it has an operation that a person is to look at. `supervised`: it is up, and its supervisor wants it at hand.
 * `down`: parked or suspended. `internal`: a supervisor, a budget.
 */
export type WhyNot = 'archived' | 'working' | 'attention' | 'supervised' | 'down' | 'internal';

export type ArchiveOutcome =
  | { readonly outcome: 'archived'; readonly pointer: ArchivePointer; readonly unpackedBytes: number }
  | { readonly outcome: 'kept'; readonly why: WhyNot | 'recent' }
  /** It has changed meanwhile, or another live node holds it. */
  | { readonly outcome: 'changed' }
  | { readonly outcome: 'absent' };

export interface ArchiverOptions {
  readonly store: Pick<OpenedStore, 'whole' | 'archive' | 'restore' | 'lookup'>;
  readonly artifacts: ArtifactStore;
  readonly now: () => number;
}

const ownKinds = 'statewarden.';

export function isFinished({ status }: Pick<AgentRecord, 'status'>): boolean {
  return status === 'done' || status === 'error' || status === 'stopped';
}

/** What the record alone says; `undefined`: nothing against it. */
export function whyNotByRecord(record: AgentRecord): WhyNot | undefined {
  if (record.archive !== undefined) return 'archived';
  if (record.kind.startsWith(ownKinds)) return 'internal';
  if (record.busy) return 'working';
  if (isFinished(record)) return undefined;
  if (record.status !== 'active') return 'down';
  if (record.supervisor !== undefined) return 'supervised';
  return record.sequenceNumber === 0 ? 'working' : undefined;
}

/** What all of it says. */
export function whyNot({ record, timers, effects, operations, mailbox }: WholeAgent): WhyNot | undefined {
  const said = whyNotByRecord(record);
  if (said !== undefined) return said;
  if (timers.length > 0 || effects.length > 0 || mailbox.length > 0) return 'working';
  if (operations.some(({ settledIn }) => settledIn === 0)) return 'working';
  return operations.some(({ status }) => status === 'held' || status === 'unknown') ? 'attention' : undefined;
}

/** `untouchedSince`: one that has changed since is `recent`. @throws what the stores throw; RangeError when it is more than a string can hold */
export async function archiveAgent(
  { store, artifacts, now }: ArchiverOptions,
  key: AgentKey,
  untouchedSince = Infinity,
): Promise<ArchiveOutcome> {
  const [agent] = await store.whole([key]);
  if (agent === undefined) return { outcome: 'absent' };
  const { record } = agent;
  const why = whyNot(agent) ?? (record.updatedAt > untouchedSince ? 'recent' : undefined);
  if (why !== undefined) return { outcome: 'kept', why };
  const { bytes, unpackedBytes } = await pack(agent);
  const put = await artifacts.put(bytes);
  failpoint('archive:stored');
  const pointer: ArchivePointer = { id: put.id, bytes: put.bytes, checksum: put.checksum, at: now() };
  const results = agent.operations.flatMap(({ artifact }) => (artifact === undefined ? [] : [artifact]));
  const [outcome] = await store.archive([
    {
      key,
      fence: record.fence,
      sequenceNumber: record.sequenceNumber,
      archive: JSON.stringify(pointer),
      artifacts: [...new Set([put.id, ...results])],
    },
  ]);
  failpoint('archive:archived');
  return outcome === 'archived' ? { outcome, pointer, unpackedBytes } : { outcome: outcome ?? 'absent' };
}

/** Brings one back, from what its record says. `changed`: somebody else was faster. @throws AgentArchivedError, ArtifactMissingError, CorruptRecordError, what the stores throw */
export async function restoreAgent(
  { store, artifacts }: Omit<ArchiverOptions, 'now'>,
  record: AgentRecord,
): Promise<'restored' | 'changed' | 'absent'> {
  const agent = await readArchive(artifacts, record);
  failpoint('archive:read');
  const outcome = await store.restore(agent);
  failpoint('archive:restored');
  return outcome;
}

/** All of an archived agent but its mailbox, as it was, with its record as it is now. Writes nothing. @throws as `restoreAgent` */
export async function readArchive(artifacts: ArtifactStore, record: AgentRecord): Promise<WholeAgent> {
  const pointer = archivePointer(record);
  const agent = await unpack(await artifacts.get(pointer), `the archive of agent "${record.id}"`);
  // Its key is another when the store was moved.
  const { id, sequenceNumber } = agent.record;
  if (id !== record.id || sequenceNumber !== record.sequenceNumber) {
    throw new CorruptRecordError(`the archive of agent "${record.id}" is that of "${id}" at ${String(sequenceNumber)}`, {
      hint: 'Run `statewarden doctor`; restore the store from a backup if it confirms this.',
    });
  }
  return { ...agent, record };
}

/** @throws CorruptRecordError when the record's pointer cannot be read; AgentArchivedError when it has none that is ours */
export function archivePointer({ id, archive }: Pick<AgentRecord, 'id' | 'archive'>): ArchivePointer {
  let pointer: Partial<ArchivePointer> | null = null;
  try {
    pointer = JSON.parse(archive ?? 'null') as Partial<ArchivePointer> | null;
  } catch {
    // Told below.
  }
  if (pointer !== null && isArtifactId(pointer.id) && typeof pointer.at === 'number') return pointer as ArchivePointer;
  throw new AgentArchivedError(`agent "${id}" is archived, and its record does not say where`, {
    hint: 'Upgrade statewarden, or restore the store from a backup.',
  });
}
