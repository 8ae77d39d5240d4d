/** A scenario's figures over the seeds as a table, with the goals of our own below it. */

import { median, sorted } from '../statistics.js';
import { ours } from './policies/contenders.js';
import type { Column, Figures, Scenario } from './scenarios/scenario.js';

/** Figures by policy, one per seed, all with the same seeds. */
export type Outcome = ReadonlyMap<string, { readonly title: string; readonly figures: readonly Figures[] }>;

export interface Verdict {
  readonly goal: string;
  /** By the middle one of the seeds. */
  readonly byMedian: boolean;
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
      const median = verdict.byMedian ? 'met' : 'NOT MET';
      return `${verdict.goal}: ${verdict.met === verdict.of ? median : `${median}, in ${String(verdict.met)} of ${String(verdict.of)}`}`;
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

/** Whether our own meets the goal of a column, by the middle seed and seed by seed; undefined when it has none. What never happened counts as beyond every limit. */
export function judge({ name, goal, digits }: Column, outcome: Outcome): Verdict | undefined {
  if (goal === undefined) return undefined;
  const most = 'of' in goal ? goal.kind === 'most' : 'most' in goal;
  const never = most ? Infinity : -Infinity;
  const figuresOf = (policy: string): number[] | undefined => outcome.get(policy)?.figures.map((figures) => figures[name] ?? never);
  const own = figuresOf(ours) ?? [];
  const theirs = 'of' in goal ? figuresOf(goal.of) : undefined;
  const fixed = 'of' in goal ? undefined : 'most' in goal ? goal.most : goal.least;
  const limits = 'of' in goal ? theirs?.map((figure) => figure * goal.factor) : own.map(() => fixed as number);
  const sign = most ? '≤' : '≥';
  const within = (figure: number, limit: number): boolean => (most ? figure <= limit : figure >= limit);
  const text = 'of' in goal ? `${sign} ${String(goal.factor)} × ${goal.of}` : `${sign} ${String(fixed)}`;
  if (limits === undefined || own.length === 0) return { goal: text, byMedian: false, met: 0, of: 0 };
  return {
    goal: 'of' in goal ? `${text} = ${median(limits).toFixed(digits)}` : text,
    byMedian: within(median(own), median(limits)),
    met: own.filter((figure, seed) => within(figure, limits[seed] as number)).length,
    of: own.length,
  };
}

/** 101–103, 107. */
export function spell(seeds: readonly number[]): string {
  const spans: string[] = [];
  for (let index = 0; index < seeds.length; index += 1) {
    const from = index;
    while (seeds[index + 1] === (seeds[index] ?? 0) + 1) index += 1;
    spans.push(from === index ? String(seeds[from]) : `${String(seeds[from])}–${String(seeds[index])}`);
  }
  return spans.join(', ');
}
