/** Records for tests of the Spanner store: agents `a-1`, `a-2`, … that take one turn after the other. */

import { checksum } from '#src/core/checksum.js';
import type { AgentCommit, MessageRecord, OpenedStore } from '#src/persistence/store.js';

function segment(sequenceNumber: number): NonNullable<AgentCommit['segment']> {
  const entries = JSON.stringify([{ seq: sequenceNumber }]);
  return { firstSequenceNumber: sequenceNumber, lastSequenceNumber: sequenceNumber, entries, checksum: checksum(entries) };
}

/** The first commit of agent `a-N`. */
export function birth(store: OpenedStore, number: number, more: Partial<AgentCommit> = {}): AgentCommit {
  return {
    key: store.node * 2 ** 32 + number,
    id: `a-${String(number)}`,
    fence: 1,
    expected: 0,
    sequenceNumber: 1,
    at: 1_700_000_000_000,
    create: { kind: 'counter', version: 1, input: undefined },
    segment: segment(1),
    ...more,
  };
}

/** The turn after a commit. */
export function next({ key, id, fence, at, sequenceNumber }: AgentCommit, more: Partial<AgentCommit> = {}): AgentCommit {
  const number = sequenceNumber + 1;
  return { key, id, fence, at, expected: sequenceNumber, sequenceNumber: number, segment: segment(number), ...more };
}

export function message(to: string, messageId: string): MessageRecord {
  return { to, messageId, event: '{"type":"PING"}', from: undefined, replyTo: undefined, acceptedAt: 1_700_000_000_000 };
}
