/**
 * What a command prints. For people: tables that fit the terminal, colours only on one. For programs (`--json`): one JSON document on standard
 * output, with what the store holds as JSON (values that JSON lacks keep their `$sw` tags). Text from agents never reaches a terminal with control
 * characters in it.
 */

import { inspect } from 'node:util';
import { decode } from '../core/codec.js';
import type { OperationRecord } from '../persistence/store.js';
import { artifactBytes } from '../runtime/seen-agent.js';

export interface Terminal {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
const codes: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

export interface Column<T> {
  readonly title: string;
  readonly text: (row: T) => string;
  readonly colour?: (row: T) => Colour | undefined;
  readonly align?: 'right';
}

export class Output {
  readonly json: boolean;
  readonly #terminal: Terminal;
  readonly #coloured: boolean;
  readonly #width: number;

  constructor(terminal: Terminal, env: NodeJS.ProcessEnv, json: boolean) {
    this.json = json;
    this.#terminal = terminal;
    const noColour = env['NO_COLOR'];
    this.#coloured = terminal.isTTY === true && (noColour === undefined || noColour === '') && env['TERM'] !== 'dumb';
    // A pipe has no width: whoever reads it wants whole lines.
    this.#width = Number(env['COLUMNS']) || (terminal.isTTY === true ? (terminal.columns ?? 0) || 80 : Infinity);
  }

  /** The one JSON document of a command. */
  document(value: unknown): void {
    this.#terminal.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  line(text = ''): void {
    this.#terminal.write(`${text}\n`);
  }

  paint(colour: Colour | undefined, text: string): string {
    return this.#coloured && colour !== undefined ? `\u001B[${String(codes[colour])}m${text}\u001B[0m` : text;
  }

  heading(text: string): void {
    this.line();
    this.line(this.paint('bold', text));
  }

  /** `name  value` lines. */
  facts(facts: readonly (readonly [name: string, value: string])[]): void {
    const width = Math.max(...facts.map(([name]) => name.length));
    for (const [name, value] of facts) this.line(`${this.paint('dim', name.padEnd(width))}  ${value}`);
  }

  /** The widest columns give way until the table fits. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
    const cells = rows.map((row) => columns.map(({ text }) => printable(text(row))));
    const widths = columns.map(({ title }, index) => Math.max(title.length, ...cells.map((line) => (line[index] as string).length)));
    let excess = widths.reduce((sum, width) => sum + width + 2, -2) - this.#width;
    while (excess > 0) {
      const widest = widths.indexOf(Math.max(...widths));
      if ((widths[widest] as number) <= 6) break;
      widths[widest] = (widths[widest] as number) - 1;
      excess -= 1;
    }
    const fit = (text: string, index: number): string => {
      const width = widths[index] as number;
      const cut = shortened(text, width);
      if (columns[index]?.align === 'right') return cut.padStart(width);
      return index === columns.length - 1 ? cut : cut.padEnd(width);
    };
    this.line(
      columns
        .map(({ title }, index) => this.paint('dim', fit(title, index)))
        .join('  ')
        .trimEnd(),
    );
    rows.forEach((row, line) => {
      this.line(
        columns
          .map(({ colour }, index) => this.paint(colour?.(row), fit(cells[line]?.[index] as string, index)))
          .join('  ')
          .trimEnd(),
      );
    });
  }

  /** Parts two spaces apart on one line, which is cut where it does not fit. `margin`: what stands before them. */
  row(margin: string, parts: readonly (readonly [text: string, colour?: Colour | undefined])[]): void {
    let left = this.#width - margin.length;
    const shown: string[] = [];
    for (const [text, colour] of parts) {
      if (left < 2) break;
      const cut = shortened(printable(text), left);
      shown.push(this.paint(colour, cut));
      left -= cut.length + 2;
    }
    this.line(`${this.paint('dim', margin)}${shown.join('  ')}`);
  }

  /** A decoded value over several lines, indented. */
  value(text: string): void {
    const shown = inspect(decode(text), {
      depth: 8,
      colors: this.#coloured,
      breakLength: Math.min(this.#width, 120) - 2,
      maxStringLength: 2_000,
    });
    for (const line of shown.split('\n')) this.line(`  ${line}`);
  }
}

/** What an encoded value says on one line. */
export function brief(text: string | undefined): string {
  if (text === undefined) return '';
  const value = decode(text);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return inspect(value, { depth: 4, breakLength: Infinity, compact: true, maxStringLength: 200, maxArrayLength: 20 });
}

/** Of an operation, what it came to on one line: a result that is kept elsewhere is named, not fetched. */
export function briefOutcome({ outcome, artifact, status }: Pick<OperationRecord, 'outcome' | 'artifact' | 'status'>): string {
  if (artifact !== undefined) return `artifact ${artifact.slice(0, 12)}… of ${size(artifactBytes({ outcome }))}`;
  return outcome === undefined && status === 'succeeded' ? '(forgotten)' : brief(outcome);
}

/** A state value: `working.reading`, `{a: on, b: off}`. */
export function stateName(text: string | undefined): string {
  const name = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value);
    const regions = Object.entries(value).map(([key, inner]) =>
      typeof inner === 'object' && inner !== null && Object.keys(inner as object).length === 0 ? key : `${key}.${name(inner)}`,
    );
    return regions.length === 1 ? (regions[0] as string) : `{${regions.join(', ')}}`;
  };
  return text === undefined ? '' : name(decode(text)).replace(/^\{\}$/, '');
}

/** The stored text as JSON, tags and all; null for nothing. */
export function stored(text: string | undefined): unknown {
  return text === undefined || decode(text) === undefined ? null : (JSON.parse(text) as unknown);
}

export function time(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '');
}

/** `3 s`, `2 h`: how long, roughly. */
export function span(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, size]) => Math.abs(ms) >= size) ?? (['ms', 1] as const);
  return `${String(Math.round(Math.abs(ms) / size))} ${unit}`;
}

/** How far a time is from now: `in 3 s`, `2 h ago`. */
export function away(at: number, now: number): string {
  return at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`;
}

export function size(bytes: number): string {
  if (bytes < 1_024) return `${String(bytes)} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1_024 ** power).toFixed(1)} ${units[power - 1] as string}`;
}

/** `1 agent`, `2 agents`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${String(n)} ${n === 1 ? one : many}`;
}

export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}

/** A message, with as much of it on one line as is read at a glance. */
export function oneLine(text: string): string {
  return printable(shortened(text.trim().replace(/\s+/g, ' '), 200));
}

/** Without control characters: an id or an event must not drive the terminal it is shown on. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
