/** An agent as people are shown it, wherever it is: what the store has, or, of one that is archived, what is in its archive. Nothing is written. */

import { decode } from '../core/codec.js';
import { AgentArchivedError } from '../core/errors.js';
import type { ArtifactPointer, ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { AgentKey, AgentRecord, JournalSegment, LoadedAgent, OpenedStore, OperationRecord, WholeAgent } from '../persistence/store.js';
import { readArchive } from '../persistence/tiers/archiver.js';

export interface SeeingPlace {
  readonly store: Pick<OpenedStore, 'inspect' | 'operations' | 'lookup' | 'journal'>;
  /** Where archives are, opened when it is first needed; undefined: nobody knows. */
  readonly artifacts: () => Promise<ArtifactStore | undefined>;
  /** Told of an agent that is archived where nobody knows. */
  readonly unseen?: (record: AgentRecord) => void;
}

/** Of an agent that is archived, where it is known where archives are. @throws ArtifactMissingError, CorruptRecordError */
async function archiveOf({ artifacts, unseen }: SeeingPlace, record: AgentRecord | undefined): Promise<WholeAgent | undefined> {
  if (record?.archive === undefined) return undefined;
  const opened = await artifacts();
  if (opened !== undefined) return readArchive(opened, record);
  unseen?.(record);
  return undefined;
}

/** Why nothing is to be seen of what is inside of it: it is archived where nobody knows. @throws what opening the artifact store throws */
export async function whyUnseen(
  { artifacts }: SeeingPlace,
  { id, archive }: AgentRecord,
  hint: string,
): Promise<AgentArchivedError | undefined> {
  if (archive === undefined || (await artifacts()) !== undefined) return undefined;
  return new AgentArchivedError(`agent ${JSON.stringify(id)} is archived, and it was not said where`, { hint });
}

/** Of an operation with an artifact. */
export function artifactBytes({ outcome }: Pick<OperationRecord, 'outcome'>): number {
  return (decode(outcome ?? 'null') as ArtifactPointer | null)?.bytes ?? 0;
}

/** What stands for a result that is kept as an artifact; undefined for one that is not. */
export function keptAside({ artifact, outcome }: Partial<Pick<OperationRecord, 'artifact' | 'outcome'>>): string | undefined {
  if (artifact === undefined) return undefined;
  const name = `artifact ${artifact.slice(0, 12)}…`;
  try {
    return `(${artifactBytes({ outcome }).toLocaleString('en-US')} bytes, kept as ${name})`;
  } catch {
    return `(kept as ${name}, whose pointer is not readable)`;
  }
}

export interface SeenAgent {
  readonly loaded: LoadedAgent;
  /** All of them. */
  readonly operations: readonly OperationRecord[];
}

/** Undefined for an unknown id. @throws as `archiveOf` */
export async function seeAgent(place: SeeingPlace, id: string): Promise<SeenAgent | undefined> {
  const { store } = place;
  const loaded = await store.inspect(id);
  if (loaded === undefined) return undefined;
  const archive = await archiveOf(place, loaded.record);
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
export async function seeJournal(place: SeeingPlace, key: AgentKey): Promise<SeenJournal> {
  const { store } = place;
  const archive = await archiveOf(place, (await store.lookup([key]))[0]);
  if (archive === undefined) return { segments: (page) => store.journal(key, page), operations: () => store.operations(key) };
  return {
    segments: async ({ after, limit }) => archive.journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > after).slice(0, limit),
    operations: async () => archive.operations,
  };
}

/** An actor inside an agent, as a checkpoint has it. */
export interface SeenChild {
  /** `child/grandchild`. */
  readonly path: string;
  readonly src: string;
  readonly status: string;
  /** State value; null for what is no machine. */
  readonly state: unknown;
}

export interface ChildSnapshot {
  readonly src: unknown;
  readonly snapshot: { readonly status?: string; readonly value?: unknown; readonly children?: Readonly<Record<string, ChildSnapshot>> };
}

export function childrenOf(children: Readonly<Record<string, ChildSnapshot>> | undefined, around = ''): SeenChild[] {
  return Object.entries(children ?? {}).flatMap(([id, { src, snapshot }]) => {
    const path = around === '' ? id : `${around}/${id}`;
    const child = {
      path,
      src: typeof src === 'string' ? src : '(inline)',
      status: snapshot.status ?? 'active',
      state: snapshot.value ?? null,
    };
    return [child, ...childrenOf(snapshot.children, path)];
  });
}
