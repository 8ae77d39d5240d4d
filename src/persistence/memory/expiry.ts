/** Results in a memory store that are too old: see `OpenedStore.expire`. */

import type { Expired, ExpiryPage, OperationRecord } from '../store.js';
import { byCodePoint } from '../text-order.js';
import { isFinal } from './commits.js';
import type { AgentRow, Data } from './data.js';

export function expireResults(data: Data, { after, limit, before }: ExpiryPage): Expired {
  const places = [...data.agents.values()]
    .flatMap((row) => [...row.operations.values()].map((operation) => ({ row, operation })))
    .filter(({ row, operation }) => {
      if (after === undefined) return true;
      return (row.record.key - after.agent || byCodePoint(operation.id, after.id)) > 0;
    })
    .sort((one, other) => one.row.record.key - other.row.record.key || byCodePoint(one.operation.id, other.operation.id))
    .slice(0, limit);
  const old = places.filter(({ row, operation }) => isExpired(row, operation, before));
  for (const { row, operation } of old) row.operations.set(operation.id, { ...operation, outcome: undefined, artifact: undefined });
  const last = places.length < limit ? undefined : places.at(-1);
  return { expired: old.length, next: last && { agent: last.row.record.key, id: last.operation.id } };
}

function isExpired(row: AgentRow, { outcome, status, settledIn, settledAt, saga }: OperationRecord, before: number): boolean {
  if (outcome === undefined || settledIn === 0 || status === 'held' || status === 'unknown') return false;
  if (settledAt === undefined || settledAt >= before || settledIn > row.record.checkpointSequenceNumber) return false;
  if (saga === undefined || isFinal(row.record)) return true;
  return ![...row.operations.values()].some((step) => step.saga === saga && step.compensates === undefined && step.status === 'succeeded');
}
