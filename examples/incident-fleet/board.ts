/** The board as it is kept: what happened, in the log's own time. No clocks, ids of processes or names of workers, so that an outage has one board, byte for byte, however often its fleet was killed. */

import { createHash } from 'node:crypto';
import type { Board, Row } from './team/commander.js';

export interface BoardFile {
  readonly text: string;
  readonly sha256: string;
}

export function boardFile(outage: string, board: Board): BoardFile {
  const text = `${JSON.stringify({ outage, incidents: rowsOf(board).map(entry) }, undefined, 2)}\n`;
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** In the order in which the log tells of them. */
export function rowsOf(board: Board): Row[] {
  const key = ({ incident: { openedAt, id } }: Row): string => `${String(openedAt)} ${id}`;
  return Object.values(board).sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

function entry({ incident, status, evidence, page, actions, buried }: Row): object {
  const { id, service, severity, openedAt, lastAt, alerts, kind, finding, cause } = incident;
  return {
    id,
    service,
    severity,
    opened: new Date(openedAt).toISOString(),
    lastAlert: new Date(lastAt).toISOString(),
    alerts,
    signal: kind,
    finding,
    cause: cause ?? null,
    evidence,
    page: page === '' ? null : page,
    actions,
    redriven: buried !== '' && status === 'closed',
    status,
  };
}
