/** Reads an agent's past from its store, wherever the agent is now: its journal, its ledger, and results that are kept as artifacts. Nothing is taken or written. */

import { setImmediate } from 'node:timers/promises';
import { readSegments, type JournalEntry } from '../actors/entry.js';
import type { OperationRunner } from '../actors/operation.js';
import type { Registration } from '../actors/registration.js';
import { BadInputError, UnknownAgentError, UnknownKindError } from '../core/errors.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import { readArchive } from '../persistence/tiers/archiver.js';
import type { CheckpointRecord, JournalSegment, OpenedStore, OperationRecord } from '../persistence/store.js';
import { History, type PastState, type PastTurn } from './history.js';
import type { Node } from './node.js';
import type { ResolvedOptions } from './options.js';

export interface PastSource {
  readonly store: OpenedStore;
  /** Where archived agents are. */
  readonly archives?: ArtifactStore | undefined;
  readonly registrationOf: (kind: string, version: number) => Registration | undefined;
  readonly traits: OperationRunner['traits'];
  /** Encoded result of an operation. */
  readonly textOf: (operation: OperationRecord) => Promise<string>;
}

export interface HistoryPage {
  /** Sequence number after which to begin. Default 0. */
  readonly after?: number;
  /** Default 1,000. */
  readonly limit?: number;
}

export interface PastPage {
  readonly turns: readonly PastTurn[];
  readonly more: boolean;
  /** Whether it came to what the store's checkpoint has; undefined when that lies beyond. */
  readonly exact: boolean | undefined;
}

/** As a node knows it. */
export function pastOf(
  { store, kinds, operations }: Pick<Node, 'store' | 'kinds' | 'operations'>,
  { archive }: ResolvedOptions,
): PastSource {
  return {
    store,
    archives: archive.artifacts,
    registrationOf: (kind, version) => kinds.of(kind, version),
    traits: (logic, path) => operations.traits(logic, path),
    textOf: (operation) => operations.results.textOf(operation),
  };
}

/** Turns run again between two looks at whoever else waits for this thread. */
const stride = 500;
const segmentsAtOnce = 200;

interface Kept {
  readonly segments: (after: number) => Promise<readonly JournalSegment[]>;
  readonly operations: readonly OperationRecord[];
  readonly checkpoint: CheckpointRecord | undefined;
}

/** @throws UnknownAgentError, UnknownKindError, CorruptRecordError, ArtifactMissingError */
export async function historyOf(source: PastSource, agentId: string, { after = 0, limit = 1_000 }: HistoryPage = {}): Promise<PastPage> {
  check('after', after, 0);
  check('limit', limit, 1);
  const turns: PastTurn[] = [];
  const { history, more } = await runAgain(
    source,
    agentId,
    after + limit,
    (turn) => void (turn.sequenceNumber > after && turns.push(turn)),
  );
  return { turns, more, exact: history.exact };
}

/** Where the agent stood after the turn of this number. @throws as `historyOf`; BadInputError when there is no such turn */
export async function stateAt(source: PastSource, agentId: string, sequenceNumber: number): Promise<PastState> {
  check('sequenceNumber', sequenceNumber, 1);
  const { history } = await runAgain(source, agentId, sequenceNumber, () => undefined);
  const { state } = history;
  if (state?.sequenceNumber === sequenceNumber) return state;
  throw noSuchTurn(agentId, sequenceNumber, state?.sequenceNumber ?? 0);
}

export function noSuchTurn(agentId: string, sequenceNumber: number, last: number): BadInputError {
  return new BadInputError(`agent "${agentId}" has no turn ${String(sequenceNumber)}: its last is ${String(last)}`, {
    hint: '`statewarden journal` lists its turns.',
  });
}

/** Runs the turns up to `last` again; `seen` is told after each, and waited for. @throws as `historyOf` */
export async function runAgain(
  source: PastSource,
  agentId: string,
  last: number,
  seen: (turn: PastTurn, history: History) => void | Promise<void>,
): Promise<{ history: History; more: boolean }> {
  const { store, traits } = source;
  const loaded = await store.inspect(agentId);
  if (loaded === undefined) {
    throw new UnknownAgentError(`there is no agent "${agentId}"`, { hint: '`statewarden ls` lists the agents.' });
  }
  const { record } = loaded;
  const registration = source.registrationOf(record.kind, record.version);
  if (registration === undefined) {
    throw new UnknownKindError(`the machine of kind "${record.kind}" is not registered here`, {
      hint: 'Its past can be run again only by its code; its journal can be read without: `statewarden journal`.',
    });
  }
  const archive = record.archive === undefined || source.archives === undefined ? undefined : await readArchive(source.archives, record);
  const kept: Kept =
    archive === undefined
      ? {
          segments: (after) => store.journal(record.key, { after, limit: segmentsAtOnce }),
          operations: await store.operations(record.key),
          checkpoint: loaded.checkpoint,
        }
      : {
          segments: async (after) => archive.journal.filter(({ lastSequenceNumber }) => lastSequenceNumber > after),
          operations: archive.operations,
          checkpoint: archive.checkpoint,
        };
  const byId = new Map(kept.operations.map((operation) => [operation.id, operation]));
  const results = new Map<string, string>();
  const history = new History({ agentId, registration, traits, operations: kept.operations, results, checkpoint: kept.checkpoint });
  let taken = 0;
  for (let after = 0; ;) {
    const segments = await kept.segments(after);
    if (segments.length === 0) return { history, more: false };
    for (const entry of readSegments(agentId, segments, after)) {
      if (entry.seq > last) return { history, more: true };
      await fetchResult(source, byId, results, entry);
      const waited = seen(history.take(entry), history);
      if (waited !== undefined) await waited;
      results.clear();
      taken += 1;
      if (taken % stride === 0) await setImmediate();
    }
    after = segments.at(-1)?.lastSequenceNumber ?? after;
  }
}

async function fetchResult(
  { textOf }: PastSource,
  operations: ReadonlyMap<string, OperationRecord>,
  results: Map<string, string>,
  { op }: JournalEntry,
): Promise<void> {
  const operation = op === undefined ? undefined : operations.get(op);
  if (operation?.artifact !== undefined) results.set(operation.id, await textOf(operation));
}

function check(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new BadInputError(`${name} is ${String(value)}`, { hint: `Give a whole number from ${String(least)}.` });
}
