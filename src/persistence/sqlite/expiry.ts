/**
 * Results in the ledger that are too old: see `OpenedStore.expire`. A part of the ledger is looked through at a time, so that nobody waits long for the writer; an index by age would cost every
 * outcome that is written.
 */

import type { Expired, ExpiryPage } from '../store.js';
import type { Connection } from './driver.js';

const isExpired = `ledger.outcome IS NOT NULL AND ledger.settled_in <> 0 AND ledger.status NOT IN ('held', 'unknown') AND ledger.settled_at < ?1
  AND EXISTS (SELECT 1 FROM agents WHERE agents.key = ledger.agent AND ledger.settled_in <= agents.checkpoint_sequence_number
    AND (ledger.saga IS NULL OR agents.status IN ('done', 'error', 'stopped') OR NOT EXISTS (
      SELECT 1 FROM ledger AS step
      WHERE step.agent = ledger.agent AND step.saga = ledger.saga AND step.compensates IS NULL AND step.status = 'succeeded')))`;

export type ExpiryPart = Expired & Pick<ExpiryPage, 'after' | 'before'>;

/** What there is to be done. Changes nothing. */
export function lookForExpired(connection: Connection, { after, limit, before }: ExpiryPage): ExpiryPart {
  const part = connection
    .prepare(
      `SELECT agent, id, (${isExpired}) AS expired FROM ledger
        WHERE (agent, id) > (?2, ?3) ORDER BY agent, id LIMIT ?4`,
    )
    .all(before, after?.agent ?? 0, after?.id ?? '', limit);
  const last = part.length < limit ? undefined : part.at(-1);
  return {
    before,
    ...(after === undefined ? {} : { after }),
    expired: part.filter(({ expired }) => expired === 1).length,
    next: last && { agent: last['agent'] as number, id: last['id'] as string },
  };
}

/** Inside the caller's transaction. */
export function expireResults(connection: Connection, { after, before, next }: ExpiryPart): Expired {
  const until = next === undefined ? '' : 'AND (ledger.agent, ledger.id) <= (?4, ?5)';
  const { changes } = connection
    .prepare(`UPDATE ledger SET outcome = NULL, artifact = NULL WHERE (ledger.agent, ledger.id) > (?2, ?3) ${until} AND ${isExpired}`)
    .run(before, after?.agent ?? 0, after?.id ?? '', ...(next === undefined ? [] : [next.agent, next.id]));
  return { expired: Number(changes), next };
}
