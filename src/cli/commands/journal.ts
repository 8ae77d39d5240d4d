/** `statewarden journal ID`: what an agent accepted, one line for each event, oldest first; activities' outcomes are read from the ledger. */

import { readSegments, type JournalEntry } from '../../actors/entry.js';
import { encode } from '../../core/codec.js';
import type { OperationRecord } from '../../persistence/store.js';
import { findAgent } from '../agent-id.js';
import type { SeenJournal } from '../../runtime/seen-agent.js';
import { seeJournal } from '../archived.js';
import { brief, briefOutcome, stored, time, type Column } from '../output.js';
import type { ExitCode, Session } from '../session.js';

export interface JournalOptions {
  /** Sequence number after which to begin. */
  readonly after: number;
  readonly limit: number;
}

/** Segments read at once. */
const page = 200;

interface Line {
  readonly entry: JournalEntry;
  readonly kind: 'init' | 'event' | 'outcome' | 'stop';
  readonly type: string;
  /** Encoded. */
  readonly payload: string | undefined;
  /** Whose outcome it is. */
  readonly operation?: OperationRecord | undefined;
}

export async function journal(session: Session, typed: string, { after, limit }: JournalOptions): Promise<ExitCode> {
  const { output } = session;
  const agent = await findAgent(session, typed, 'prefix');
  const seen = await seeJournal(session, agent.key);
  const { entries, more } = await read(seen, agent.id, after, limit);
  const operations = new Map<string, OperationRecord>();
  if (entries.some(({ op }) => op !== undefined)) {
    for (const operation of await seen.operations()) operations.set(operation.id, operation);
  }
  const lines = entries.map((entry) => lineOf(entry, operations));
  const next = more ? (entries.at(-1)?.seq ?? null) : null;
  if (output.json) {
    output.document({ id: agent.id, events: lines.map(eventDocument), next });
    return 0;
  }
  if (lines.length === 0) {
    output.line(after === 0 ? 'no events' : `no events after ${String(after)}`);
    return 0;
  }
  const columns: readonly Column<Line>[] = [
    { title: 'SEQ', text: ({ entry }) => String(entry.seq), align: 'right' },
    { title: 'TIME', text: ({ entry }) => time(entry.at) },
    {
      title: 'EVENT',
      text: ({ type, entry }) => (entry.to === undefined ? type : `${type} → ${entry.to}`),
      colour: ({ kind }) => (kind === 'event' ? undefined : 'dim'),
    },
    { title: 'FROM', text: ({ entry }) => origin(entry) },
    { title: 'PAYLOAD', text: ({ payload, operation }) => (operation === undefined ? brief(payload) : briefOutcome(operation)) },
  ];
  output.table(
    lines,
    columns.filter(({ title }) => title !== 'FROM' || lines.some(({ entry }) => origin(entry) !== '')),
  );
  if (next !== null) output.line(output.paint('dim', `… more: --after ${String(next)}, or --limit`));
  return 0;
}

async function read(
  { segments: pageOf }: SeenJournal,
  id: string,
  after: number,
  limit: number,
): Promise<{ entries: readonly JournalEntry[]; more: boolean }> {
  const entries: JournalEntry[] = [];
  let last = after;
  while (entries.length <= limit) {
    const segments = await pageOf({ after: last, limit: page });
    if (segments.length === 0) break;
    entries.push(...readSegments(id, segments, last));
    last = segments.at(-1)?.lastSequenceNumber ?? last;
  }
  return { entries: entries.slice(0, limit), more: entries.length > limit };
}

function lineOf(entry: JournalEntry, operations: ReadonlyMap<string, OperationRecord>): Line {
  if (entry.init === true) {
    return { entry, kind: 'init', type: '(start)', payload: 'input' in entry ? encode(entry.input, 'input') : undefined };
  }
  if (entry.stop === true) return { entry, kind: 'stop', type: '(stop)', payload: undefined };
  if (entry.op !== undefined) {
    const operation = operations.get(entry.op);
    return {
      entry,
      kind: 'outcome',
      type: operation === undefined ? entry.op : `${operation.activity} ${operation.status}`,
      payload: operation?.outcome,
      operation,
    };
  }
  const { type = '', ...payload } = entry.event ?? {};
  return { entry, kind: 'event', type, payload: Object.keys(payload).length === 0 ? undefined : encode(payload, 'event') };
}

function origin({ from, id, timer }: JournalEntry): string {
  if (timer !== undefined) return 'timer';
  return [from, id === undefined ? undefined : `#${id}`].filter((part) => part !== undefined).join(' ');
}

function eventDocument({ entry, kind, type, payload, operation }: Line): object {
  return {
    sequenceNumber: entry.seq,
    at: entry.at,
    kind,
    type,
    payload: stored(payload),
    to: entry.to ?? '',
    messageId: entry.id ?? null,
    from: entry.from ?? null,
    timer: entry.timer ?? null,
    operation: entry.op ?? null,
    artifact: operation?.artifact ?? null,
  };
}
