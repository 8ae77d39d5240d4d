/** An agent as commands show it, wherever it is: what the store has, or, of one that is archived, what is in its archive. Nothing is written. */

import type { AgentKey, AgentRecord, JournalSegment, LoadedAgent, OperationRecord, WholeAgent } from '../persistence/store.js';
import { readArchive } from '../persistence/tiers/archiver.js';
import { printable } from './output.js';
import type { Session } from './session.js';

/** Of an agent that is archived, where a command knows its artifact store. @throws ArtifactMissingError, CorruptRecordError */
async function archiveOf({ artifacts, aside }: Session, record: AgentRecord | undefined): Promise<WholeAgent | undefined> {
  if (record?.archive === undefined) return undefined;
  const opened = await artifacts();
  if (opened !== undefined) return readArchive(opened, record);
  aside.write(`agent ${printable(record.id)} is archived: say where with --artifacts to see the rest of it\n`);
  return undefined;
}

export interface SeenAgent {
  readonly loaded: LoadedAgent;
  /** All of them. */
  readonly operations: readonly OperationRecord[];
}

/** Undefined for an unknown id. @throws as `archiveOf` */
export async function seeAgent(session: Session, id: string): Promise<SeenAgent | undefined> {
  const { store } = session;
  const loaded = await store.inspect(id);
  if (loaded === undefined) return undefined;
  const archive = await archiveOf(session, loaded.record);
  if (archive === undefined) return { loaded, operations: await store.operations(loaded.record.key) };
  const { checkpoint, journal, timers, effects, operations } = archive;
  const base = checkpoint?.sequenceNumber ?? 0;
  const tail = journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > base);
  return { loaded: { ...loaded, checkpoint, tail, timers, effects, operations }, operations };
}

export interface SeenJournal {
  readonly segments: (page: { readonly after: number; readonly limit: number }) => Promise<readonly JournalSegment[]>;
  readonly operations: () => Promise<readonly OperationRecord[]>;
}

/** @throws as `archiveOf` */
export async function seeJournal(session: Session, key: AgentKey): Promise<SeenJournal> {
  const { store } = session;
  const archive = await archiveOf(session, (await store.lookup([key]))[0]);
  if (archive === undefined) return { segments: (page) => store.journal(key, page), operations: () => store.operations(key) };
  return {
    segments: async ({ after, limit }) => archive.journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > after).slice(0, limit),
    operations: async () => archive.operations,
  };
}
