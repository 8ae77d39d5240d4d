/** An agent's past for pages: its journal, with states and effects where its code is at hand to run it again, and one moment of it beside the one before. */

import { readSegments, type JournalEntry } from '../actors/entry.js';
import { readCheckpoint } from '../actors/restore.js';
import { BadInputError, StatewardenError, UnknownKindError } from '../core/errors.js';
import type { AgentRecord, OperationRecord } from '../persistence/store.js';
import type { PastState, PastTurn } from '../runtime/history.js';
import { childrenOf, seeAgent, seeJournal, whyUnseen, type ChildSnapshot } from '../runtime/seen-agent.js';
import { archivesHint, unknownAgent } from './agents.js';
import type { Failure, Moment, TurnPage } from './api.js';
import { changesBetween } from './changes.js';
import { childLine, turnLine, type TurnSurroundings } from './lines.js';
import { wholeLimits } from './shown.js';
import { failureOf, type Source } from './source.js';

export type TurnChoice = { readonly after: number; readonly limit: number } | { readonly last: number };

/** Segments read at once. */
const segmentsAtOnce = 200;
/** Turns that are run again for one page: a longer past is shown as the journal has it. */
const mostRunAgain = 5_000;

/** @throws UnknownAgentError; CorruptRecordError when not even its journal can be read */
export async function turnPage(source: Source, id: string, choice: TurnChoice): Promise<TurnPage> {
  const [record] = await source.store.lookup([id]);
  if (record === undefined) throw await unknownAgent(source, id);
  const [after, limit] = 'last' in choice ? [Math.max(0, record.sequenceNumber - choice.last), choice.last] : [choice.after, choice.limit];
  const { entries, more, operations } = await readJournal(source, record, after, limit);
  const last = entries.at(-1)?.seq ?? 0;
  const unseen = await whyUnseen(source, record, archivesHint(source));
  const again =
    unseen !== undefined
      ? { why: failureOf(unseen, source.redactor) }
      : entries.length === 0
        ? {}
        : await runAgain(source, record, after, last);
  const past = new Map((again.turns ?? []).map((turn) => [turn.sequenceNumber, turn]));
  const around = { redactor: source.redactor, operations, checkpoint: record.checkpointSequenceNumber || undefined };
  return {
    turns: entries.map((entry) => turnLine(entry, around, past.get(entry.seq))),
    more,
    ...(again.exact === undefined ? {} : { exact: again.exact }),
    ...(again.why === undefined ? {} : { why: again.why }),
  };
}

interface ReadJournal {
  readonly entries: readonly JournalEntry[];
  readonly more: boolean;
  readonly operations: ReadonlyMap<string, OperationRecord>;
}

async function readJournal(source: Source, record: AgentRecord, after: number, limit: number): Promise<ReadJournal> {
  const seen = await seeJournal(source, record.key);
  const entries: JournalEntry[] = [];
  let more = false;
  for (let from = after; !more;) {
    const segments = await seen.segments({ after: from, limit: segmentsAtOnce });
    if (segments.length === 0) break;
    for (const entry of readSegments(record.id, segments, from)) {
      if (entries.length < limit) entries.push(entry);
      else more = true;
    }
    from = segments.at(-1)?.lastSequenceNumber ?? from;
  }
  return { entries, more, operations: await operationsOf(entries, seen.operations) };
}

/** Those whose outcomes are among the entries. */
export async function operationsOf(
  entries: readonly JournalEntry[],
  read: () => Promise<readonly OperationRecord[]>,
): Promise<ReadonlyMap<string, OperationRecord>> {
  if (entries.every(({ op }) => op === undefined)) return new Map();
  return new Map((await read()).map((operation) => [operation.id, operation]));
}

interface RunAgain {
  readonly turns?: readonly PastTurn[];
  readonly exact?: boolean | undefined;
  readonly why?: Failure;
}

async function runAgain(source: Source, record: AgentRecord, after: number, last: number): Promise<RunAgain> {
  const { runtime, redactor } = source;
  const refusal = whyNot(source, record.kind);
  if (refusal !== undefined) return { why: failureOf(refusal, redactor) };
  if (last > mostRunAgain) {
    return {
      why: {
        code: 'PAST_TOO_LONG',
        message: `states are shown of the first ${String(mostRunAgain)} turns`,
        hint: 'Look at one turn for its state, or read the whole past with agent.history().',
      },
    };
  }
  try {
    const { turns, exact } = await (runtime as NonNullable<typeof runtime>).agent(record.id).history({ after, limit: last - after });
    return { turns, exact };
  } catch (error) {
    return { why: failureOf(error, redactor) };
  }
}

function whyNot(source: Source, kind: string): UnknownKindError | undefined {
  if (source.replays(kind)) return undefined;
  return new UnknownKindError(`the code of kind ${JSON.stringify(kind)} is not here: turns are shown without the states they led to`, {
    hint: 'Where the app itself serves its console its past is run again, and each turn has its state.',
  });
}

/** @throws UnknownAgentError, BadInputError for a turn that there is not, AgentArchivedError, UnknownKindError, and what its machine throws when it is run again */
export async function moment(source: Source, id: string, sequenceNumber: number): Promise<Moment> {
  const seen = await seeAgent(source, id);
  if (seen === undefined) throw await unknownAgent(source, id);
  const { record, checkpoint } = seen.loaded;
  const unseen = await whyUnseen(source, record, archivesHint(source));
  if (unseen !== undefined) throw unseen;
  const around = {
    redactor: source.redactor,
    operations: new Map(seen.operations.map((operation) => [operation.id, operation])),
    checkpoint: record.checkpointSequenceNumber || undefined,
  };
  const refusal = whyNot(source, record.kind);
  if (refusal === undefined) return runMoment(source, id, sequenceNumber, around);
  // Without its code there is one moment that the store has whole.
  if (checkpoint?.sequenceNumber !== sequenceNumber) throw refusal;
  const { entries } = await readJournal(source, record, sequenceNumber - 1, 1);
  const [entry] = entries;
  if (entry === undefined) throw refusal;
  const { snapshot } = readCheckpoint(id, checkpoint);
  const { context, children } = snapshot as unknown as { context: unknown; children?: Readonly<Record<string, ChildSnapshot>> };
  return {
    turn: turnLine(entry, around),
    state: (snapshot as { readonly value?: unknown }).value ?? null,
    context: source.redactor.shown(context, wholeLimits),
    children: childrenOf(children).map(childLine),
    changes: [],
  };
}

async function runMoment(source: Source, id: string, sequenceNumber: number, around: TurnSurroundings): Promise<Moment> {
  const agent = (source.runtime as NonNullable<Source['runtime']>).agent(id);
  const at = async (number: number): Promise<PastState> => {
    try {
      return await agent.at(number);
    } catch (error) {
      if (error instanceof StatewardenError) throw error;
      throw new BadInputError(`turn ${String(number)} cannot be run again: ${(error as Error).message}`, {
        hint: 'The machine may have changed since. The journal shows what was taken.',
        cause: error,
      });
    }
  };
  const now = await at(sequenceNumber);
  const before = sequenceNumber > 1 ? await at(sequenceNumber - 1).catch(() => undefined) : undefined;
  const { redactor } = source;
  return {
    turn: turnLine(now.entry, around, now),
    state: now.value,
    context: redactor.shown(now.context, wholeLimits),
    children: childrenOf(now.snapshot.children as unknown as Readonly<Record<string, ChildSnapshot>> | undefined).map(childLine),
    changes: before === undefined ? [] : changesBetween(before.context, now.context, redactor),
    ...(before === undefined ? {} : { before: { state: before.value } }),
    ...(now.exact === undefined ? {} : { exact: now.exact }),
  };
}
