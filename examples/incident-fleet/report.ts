/** What the run says in words: the supervision tree, the dead letters by cause, the board, and what it all came to. */

import type { DeadLetterGroup, TreeNode } from 'statewarden';
import { rowsOf } from './board.js';
import type { Summary } from './run.js';
import type { Board } from './team/commander.js';

export function treeInWords(node: TreeNode, branch = '', margin = ''): string[] {
  const { id, kind, fleet, restarts, failure, status, children = [] } = node;
  const role = kind ?? (fleet === undefined ? 'supervisor' : `fleet of ${String(fleet.size)} ${fleet.kind}s`);
  const parts = [id, role, status];
  if (fleet !== undefined) parts.push(`${String(fleet.done)} jobs done`, `${String(fleet.failed)} failed`);
  if (restarts > 0) parts.push(`${String(restarts)} restart${restarts === 1 ? '' : 's'}`);
  if (failure !== undefined) parts.push(`last failure (${failure.reason}): ${failure.message}`);
  const below = children.flatMap((child, index) => {
    const last = index === children.length - 1;
    return treeInWords(child, `${margin}${last ? '└─ ' : '├─ '}`, `${margin}${last ? '   ' : '│  '}`);
  });
  return [`${branch}${parts.join('  ')}`, ...below];
}

export function lettersInWords(groups: readonly DeadLetterGroup[]): string[] {
  return table([
    ['COUNT', 'EVENT', 'REASON', 'WHY'],
    ...groups.map(({ count, type, reason, message }) => [String(count), type, reason, message ?? '']),
  ]);
}

export function boardInWords(board: Board): string[] {
  return table([
    ['INCIDENT', 'SEV', 'OPENED', 'ALERTS', 'CAUSE', 'PAGE', 'STEPS', 'HOW', 'WHAT THE LOG SAYS'],
    ...rowsOf(board).map(({ incident, page, actions, status, buried, evidence }) => [
      incident.id,
      String(incident.severity),
      new Date(incident.openedAt).toISOString().slice(11, 19),
      String(incident.alerts),
      incident.cause ?? '-',
      page === '' ? '-' : page,
      String(actions.length),
      status === 'closed' && buried !== '' ? 'closed, redriven' : status,
      shortened(evidence),
    ]),
  ]);
}

export function summaryInWords(summary: Summary & { readonly identical?: boolean }, boardPath: string): string[] {
  const { incidents, closed, deadLetters, redriven, left, restarts, crashes, interrupted, calls, actions, repeated } = summary;
  const lines = [
    `incidents   ${String(incidents)}, ${String(closed)} closed`,
    `letters     ${String(deadLetters)} became dead letters, ${String(redriven)} were redriven and closed, ${String(left)} left`,
    `restarts    ${String(restarts)} of agents, by their supervisors`,
    `calls       ${String(calls)} made, ${String(actions)} of them actions on services and people`,
    `repeated    ${String(repeated)} completed calls made again`,
  ];
  if (crashes > 0)
    lines.push(
      `crashes     ${String(crashes)} of the process survived; ${String(interrupted)} calls they cut off were made again with the same key`,
    );
  lines.push(`board       ${boardPath}`, `sha256      ${summary.boardSha256}`);
  if (summary.identical !== undefined)
    lines.push(
      `identical   ${summary.identical ? 'yes: byte for byte the board of an undisturbed run' : 'NO: the board differs from that of an undisturbed run'}`,
    );
  return lines;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 58).trimEnd()} …`;
}
