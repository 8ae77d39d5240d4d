/**
 * What is out of the ordinary in a window of the log: a service that fails, is slow, or has fallen silent, each measured against what the same service did
 * before. Pure: the detector keeps what it has learned in its context.
 */

import type { LogWindow } from './log-window.js';

export interface Signal {
  readonly service: string;
  readonly kind: 'errors' | 'slow' | 'silent';
  /** When its window begins, epoch milliseconds of the log. */
  readonly at: number;
  /** Where in the log to look. */
  readonly offset: number;
  /** For people: "5 of 6 lines are errors". */
  readonly finding: string;
}

/** What a service is like when all is well. */
export interface Habit {
  /** Windows it was learned from. */
  readonly windows: number;
  /** Lines in a window. */
  readonly lines: number;
  /** Milliseconds of a request. */
  readonly took: number;
  /** Windows in a row without a line. */
  readonly silentFor: number;
}

export type Habits = Readonly<Record<string, Habit>>;

const stranger: Habit = { windows: 0, lines: 0, took: 0, silentFor: 0 };
/** So many windows make a habit. */
const acquainted = 2;

export function examine(habits: Habits, window: LogWindow, services: readonly string[]): { habits: Habits; signals: Signal[] } {
  const after: Record<string, Habit> = { ...habits };
  const found: { readonly first: number; readonly signal: Signal }[] = [];
  for (const service of services) {
    const habit = habits[service] ?? stranger;
    const lines = window.lines.filter((line) => line.service === service);
    const failures = lines.filter(({ failed }) => failed);
    const took = mean(lines.flatMap((line) => (line.failed || line.took === undefined ? [] : [line.took])));
    const silentFor = lines.length === 0 && habit.windows >= acquainted && habit.lines >= 2 ? habit.silentFor + 1 : 0;
    const raise = (kind: Signal['kind'], first: number, finding: string): void =>
      void found.push({ first, signal: { service, kind, at: window.at, offset: window.offset, finding } });
    if (failures.length >= 2 && failures.length * 3 >= lines.length) {
      raise('errors', failures[0]?.at ?? window.at, `${String(failures.length)} of ${String(lines.length)} lines are errors`);
    } else if (habit.windows >= acquainted && took > 4 * habit.took) {
      raise('slow', lines[0]?.at ?? window.at, `${took.toFixed(0)} ms instead of ${habit.took.toFixed(0)} ms`);
    } else if (silentFor >= 2) raise('silent', window.at, `no line for ${String(silentFor)} windows`);
    else if (lines.length > 0) {
      const windows = habit.windows + 1;
      const towards = (old: number, now: number): number => old + (now - old) / Math.min(windows, 8);
      after[service] = { windows, lines: towards(habit.lines, lines.length), took: towards(habit.took, took), silentFor: 0 };
      continue;
    }
    after[service] = { ...habit, silentFor };
  }
  // Whoever failed first comes first: causes before what they cause.
  return { habits: after, signals: found.sort((one, other) => one.first - other.first).map(({ signal }) => signal) };
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
