/** A scenario's figures over the seeds as a table, with the goals of our own below it. */

import { median, sorted } from '../statistics.js';
import { ours } from './policies/contenders.js';
import type { Column, Figures, Scenario } from './scenarios/scenario.js';

/** Figures by policy, one per seed, all with the same seeds. */
export type Outcome = ReadonlyMap<string, { readonly title: string; readonly figures: readonly Figures[] }>;

export interface Verdict {
  readonly goal: string;
  /** In so many seeds of so many. */
  readonly met: number;
  readonly of: number;
}

export function scenarioTable(scenario: Scenario, outcome: Outcome): string {
  const heads = ['', ...scenario.columns.map(({ head, unit }) => (unit === undefined ? head : `${head}, ${unit}`))];
  const rows = [...outcome.values()].map(({ title, figures }) => [title, ...scenario.columns.map((column) => cell(column, figures))]);
  const goals = [
    'goal',
    ...scenario.columns.map((column) => {
      const verdict = judge(column, outcome);
      if (verdict === undefined) return '';
      if (verdict.of === 0) return verdict.goal;
      return `${verdict.goal}: ${verdict.met === verdict.of ? 'met' : `met in ${String(verdict.met)} of ${String(verdict.of)}`}`;
    }),
  ];
  const lines = goals.some((text, index) => index > 0 && text !== '') ? [...rows, goals] : rows;
  const widths = heads.map((head, index) => Math.max(head.length, ...lines.map((line) => line[index]?.length ?? 0)));
  const show = (cells: readonly string[]): string =>
    cells.map((text, index) => (index === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[index] ?? 0))).join('  ');
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [show(heads), rule, ...rows.map(show), ...(lines.length > rows.length ? [rule, show(goals)] : [])]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** The middle one of the seeds, and the least and the most. */
function cell({ name, digits, missing = '–' }: Column, figures: readonly Figures[]): string {
  const found = figures.map((each) => each[name]).filter((figure) => figure !== undefined);
  if (found.length === 0) return missing;
  const text = (figure: number): string => figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const ordered = sorted(found);
  const [least, most] = [text(ordered[0]!), text(ordered.at(-1)!)];
  const range = least === most ? text(median(found)) : `${text(median(found))} (${least}–${most})`;
  return found.length === figures.length ? range : `${range}, ${missing} in ${String(figures.length - found.length)}`;
}

/** Whether our own meets the goal of a column, seed by seed; undefined when it has none. */
export function judge({ name, goal, digits }: Column, outcome: Outcome): Verdict | undefined {
  if (goal === undefined) return undefined;
  const own = outcome.get(ours)?.figures ?? [];
  if (!('of' in goal)) {
    const met = own.filter((figures) => {
      const figure = figures[name];
      if (figure === undefined) return false;
      return 'most' in goal ? figure <= goal.most : figure >= goal.least;
    }).length;
    return { goal: 'most' in goal ? `≤ ${String(goal.most)}` : `≥ ${String(goal.least)}`, met, of: own.length };
  }
  const theirs = outcome.get(goal.of);
  const sign = goal.kind === 'most' ? '≤' : '≥';
  if (theirs === undefined) return { goal: `${sign} ${String(goal.factor)} × ${goal.of}`, met: 0, of: 0 };
  const limits = theirs.figures.map((figures) => (figures[name] ?? (goal.kind === 'most' ? Infinity : 0)) * goal.factor);
  const met = own.filter((figures, seed) => {
    const [figure, limit] = [figures[name], limits[seed]];
    if (figure === undefined || limit === undefined) return false;
    return goal.kind === 'most' ? figure <= limit : figure >= limit;
  }).length;
  return { goal: `${sign} ${String(goal.factor)} × ${goal.of} = ${median(limits).toFixed(digits)}`, met, of: own.length };
}
