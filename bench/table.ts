/** The table that a run prints. */

import type { Row } from './workload.js';

const columns: readonly { readonly head: string; readonly right?: boolean; readonly cell: (row: Row) => string }[] = [
  { head: '', cell: (row) => row.workload },
  { head: 'measure', cell: (row) => row.measure },
  { head: 'Statewarden', right: true, cell: (row) => row.ours },
  { head: 'compared with', cell: (row) => row.against },
  { head: '', right: true, cell: (row) => row.theirs },
  { head: 'ratio', right: true, cell: (row) => row.ratio },
  { head: 'goal', cell: (row) => row.goal ?? '' },
  { head: '', cell: (row) => (row.met === undefined ? '' : row.met ? 'met' : 'NOT MET') },
];

export function table(rows: readonly Row[]): string {
  const widths = columns.map(({ head, cell }) => Math.max(head.length, ...rows.map((row) => cell(row).length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, index) => (columns[index]?.right === true ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  const lines = [line(columns.map(({ head }) => head)), widths.map((width) => '─'.repeat(width)).join('  ')];
  let last = '';
  for (const row of rows) {
    if (last !== '' && row.workload !== last) lines.push('');
    lines.push(line(columns.map(({ cell }, index) => (index === 0 && row.workload === last ? '' : cell(row)))));
    last = row.workload;
  }
  return lines.join('\n');
}
