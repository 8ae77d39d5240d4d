/**
 * Journal entries: what an agent accepted, one for each turn, as JSON objects that a person can read:
 *
 *     {"seq":5,"at":1700000000000,"event":{"type":"INC"},"to":"child","id":"req-7","from":"orders/1"}
 *
 * `init`: the first turn, with its input. `event`: an event from outside, a timer, a message or a callback, for the actor
 * at path `to` (absent: the root). `op`: an activity's outcome; its value is in the ledger. `stop`: the agent was stopped.
 */

import type { EventObject } from 'xstate';
import { checksum } from '../core/checksum.js';
import { decode } from '../core/codec.js';
import { CorruptRecordError } from '../core/errors.js';
import type { JournalSegment } from '../persistence/store.js';

export interface JournalEntry {
  readonly seq: number;
  readonly at: number;
  readonly init?: true;
  readonly input?: unknown;
  readonly event?: EventObject;
  readonly to?: string;
  /** Message id given by the sender. */
  readonly id?: string;
  readonly from?: string;
  /** Where a reply goes. */
  readonly reply?: string;
  /** Id of the timer that fired. */
  readonly timer?: string;
  readonly op?: string;
  readonly stop?: true;
}

/** Where an event came from, beyond what it says. */
export interface EventOrigin {
  readonly to?: string;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
  readonly reply?: string | undefined;
  readonly timer?: string;
  /** Position in the mailbox; not journaled. */
  readonly mail?: number;
}

/** The text of an event's entry; `event` is encoded already. */
export function eventEntry(seq: number, at: number, event: string, origin: EventOrigin | undefined): string {
  const head = `{"seq":${String(seq)},"at":${String(at)},"event":${event}`;
  if (origin === undefined) return `${head}}`;
  let tail = '';
  if (origin.to !== undefined && origin.to !== '') tail += `,"to":${JSON.stringify(origin.to)}`;
  if (origin.id !== undefined) tail += `,"id":${JSON.stringify(origin.id)}`;
  if (origin.from !== undefined) tail += `,"from":${JSON.stringify(origin.from)}`;
  if (origin.reply !== undefined) tail += `,"reply":${JSON.stringify(origin.reply)}`;
  if (origin.timer !== undefined) tail += `,"timer":${JSON.stringify(origin.timer)}`;
  return `${head}${tail}}`;
}

/** The text of the first entry; `input` is encoded already. */
export function initEntry(seq: number, at: number, input: string | undefined): string {
  return `{"seq":${String(seq)},"at":${String(at)},"init":true${input === undefined ? '' : `,"input":${input}`}}`;
}

export function operationEntry(seq: number, at: number, operation: string): string {
  return `{"seq":${String(seq)},"at":${String(at)},"op":${JSON.stringify(operation)}}`;
}

export function stopEntry(seq: number, at: number): string {
  return `{"seq":${String(seq)},"at":${String(at)},"stop":true}`;
}

/**
 * The entries of consecutive segments, oldest first.
 * @throws CorruptRecordError when a checksum is wrong or a sequence number is missing.
 */
export function readSegments(agentId: string, segments: readonly JournalSegment[], after: number): JournalEntry[] {
  const entries: JournalEntry[] = [];
  let expected = after + 1;
  for (const segment of segments) {
    const where = `journal of "${agentId}", events ${String(segment.firstSequenceNumber)} to ${String(segment.lastSequenceNumber)}`;
    if (checksum(segment.entries) !== segment.checksum) throw corrupt(`${where}: the checksum is wrong`);
    let read: JournalEntry[];
    try {
      read = decode(segment.entries) as JournalEntry[];
    } catch (cause) {
      throw corrupt(`${where}: not readable`, cause);
    }
    for (const entry of read) {
      if (entry.seq <= after) continue;
      if (entry.seq !== expected) {
        throw corrupt(`${where}: event ${String(expected)} is missing, found ${String(entry.seq)}`);
      }
      expected += 1;
      entries.push(entry);
    }
  }
  return entries;
}

function corrupt(message: string, cause?: unknown): CorruptRecordError {
  return new CorruptRecordError(message, {
    cause,
    hint: 'Run `statewarden doctor` for a full check; restore the store from a backup if it confirms this.',
  });
}
