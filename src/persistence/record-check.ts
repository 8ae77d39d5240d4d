/** What must hold of one agent's stored records, whichever store keeps them: checksums, readable JSON, a journal without gaps. */

import { checksum } from '../core/checksum.js';
import type { AgentRecord, CheckpointRecord, JournalSegment } from './store.js';

/** One line for each fault. `segments` is the whole journal, oldest first. */
export function agentFaults(record: AgentRecord, segments: readonly JournalSegment[], checkpoint: CheckpointRecord | undefined): string[] {
  const name = `agent ${JSON.stringify(record.id)}`;
  const faults: string[] = [];
  if (record.archive !== undefined) {
    if (segments.length > 0 || checkpoint !== undefined) faults.push(`${name}: is archived, and has a journal or a checkpoint here too`);
    return faults;
  }
  let expected = 1;
  for (const { firstSequenceNumber: first, lastSequenceNumber: last, ...segment } of segments) {
    const where = `${name}, journal ${String(first)} to ${String(last)}`;
    if (checksum(segment.entries) !== segment.checksum) faults.push(`${where}: wrong checksum`);
    else if (entryCount(segment.entries) !== last - first + 1) faults.push(`${where}: not so many entries`);
    if (first > expected) faults.push(`${where}: events from ${String(expected)} on are missing`);
    if (first < expected) faults.push(`${where}: recorded twice up to ${String(expected - 1)}`);
    expected = last + 1;
  }
  if (expected !== record.sequenceNumber + 1) {
    faults.push(`${name}: the journal ends at ${String(expected - 1)}, the agent is at ${String(record.sequenceNumber)}`);
  }
  const at = checkpoint?.sequenceNumber ?? 0;
  if (checkpoint !== undefined && checksum(checkpoint.data) !== checkpoint.checksum) {
    faults.push(`${name}, checkpoint at ${String(at)}: wrong checksum`);
  }
  if (at !== record.checkpointSequenceNumber) {
    faults.push(`${name}: the checkpoint is at ${String(at)}, expected ${String(record.checkpointSequenceNumber)}`);
  }
  if (at > record.sequenceNumber) faults.push(`${name}: the checkpoint is at ${String(at)}, the agent at ${String(record.sequenceNumber)}`);
  return faults;
}

function entryCount(entries: string): number | undefined {
  try {
    const list: unknown = JSON.parse(entries);
    return Array.isArray(list) ? list.length : undefined;
  } catch {
    return undefined;
  }
}
