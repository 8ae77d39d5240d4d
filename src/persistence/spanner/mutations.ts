/**
 * What a commit changes, as mutations in order: Spanner applies them one after the other. Rows of one table that are written alike stand in one mutation. A text that is longer than a column may hold goes in parts into `texts`, and a word that says where stands
 * in its place: nobody who writes a row has to think of it.
 */

import type { WireMutation, WireValue, WireWrite } from './api.js';
import { asBoolean, asFloat, asInteger, asText, asTimestamp } from './wire.js';

export type Cell = string | number | boolean | undefined;
export type Cells = Readonly<Record<string, Cell>>;

/** UTF-16 units: a column holds 2,621,440 characters and 10 MiB. */
const longestText = 2_000_000;
/** First character of what stands for a long text: no JSON text begins so. */
const longMark = '\u0001';
/** Parts of one column are numbered on from a multiple of this. */
const partsOfColumn = 10_000;

const floats = new Set(
  'created_at updated_at due_at delay_ms accepted_at next_retry_at intended_at settled_at buried_at noted_at ttl_ms'.split(' '),
);
const timestamps = new Set(['opened', 'seen', 'closed']);
/** Columns that may hold a long text, and what tells rows of one owner apart. */
const longColumns: Readonly<Record<string, { readonly key: readonly string[]; readonly columns: readonly string[] }>> = {
  agents: { key: [], columns: ['suspect', 'outcome', 'state', 'input'] },
  journal: { key: ['last'], columns: ['entries'] },
  checkpoints: { key: [], columns: ['data'] },
  timers: { key: ['id'], columns: ['event'] },
  mailbox: { key: ['position'], columns: ['event'] },
  ledger: { key: ['id'], columns: ['input', 'outcome', 'resolutions'] },
  effects: { key: ['id'], columns: ['params', 'event', 'context'] },
  dead_letters: { key: ['position'], columns: ['event', 'details'] },
  machines: { key: ['kind', 'version', 'schema'], columns: ['definition'] },
  notes: { key: ['topic', 'author'], columns: ['data'] },
};

export const isLong = (text: string): boolean => text.length > longestText || text.startsWith(longMark);

/** Where the parts of a long text are. */
export interface LongText {
  readonly owner: number;
  readonly place: string;
  readonly from: number;
  readonly parts: number;
}

export function longTextOf(cell: string): LongText | undefined {
  if (!cell.startsWith(longMark)) return undefined;
  const [owner, from, parts, ...place] = cell.slice(1).split(' ');
  return { owner: Number(owner), from: Number(from), parts: Number(parts), place: place.join(' ') };
}

type Write = 'insert' | 'update' | 'insertOrUpdate';

export class Mutations {
  readonly #list: WireMutation[] = [];
  #last: { readonly write: Write; readonly table: string; readonly columns: string; readonly rows: { values: WireValue[] }[] } | undefined;

  get list(): readonly WireMutation[] {
    return this.#list;
  }

  insert(table: string, cells: Cells): void {
    this.#write('insert', table, cells);
  }

  /** The row must be there. */
  update(table: string, cells: Cells): void {
    this.#write('update', table, cells);
  }

  upsert(table: string, cells: Cells): void {
    this.#write('insertOrUpdate', table, cells);
  }

  delete(table: string, ...key: Cell[]): void {
    this.#last = undefined;
    this.#list.push({ delete: { table, keySet: { keys: [{ values: key.map(wireKey) }] } } });
  }

  /** All rows whose key begins so. */
  deleteAll(table: string, ...prefix: Cell[]): void {
    this.#deleteRange(table, prefix, prefix);
  }

  /** Parts of what a row has in `texts`. */
  forgetTexts(table: string, owner: number, ...key: Cell[]): void {
    this.deleteAll('texts', owner, placeOf(table, key));
  }

  /** Parts of what one column of a row has in `texts`. */
  forgetText(table: string, column: string, owner: number, ...key: Cell[]): void {
    const from = (longColumns[table]?.columns.indexOf(column) ?? 0) * partsOfColumn;
    const place = placeOf(table, key);
    this.#deleteRange('texts', [owner, place, from], [owner, place, from + partsOfColumn - 1]);
  }

  /** Parts of all that the rows of one owner have in `texts`. */
  forgetAllTexts(table: string, owner: number): void {
    this.#deleteRange('texts', [owner, table], [owner, `${table}/\u{10ffff}`]);
  }

  #deleteRange(table: string, from: readonly Cell[], to: readonly Cell[]): void {
    this.#last = undefined;
    const range = { startClosed: { values: from.map(wireKey) }, endClosed: { values: to.map(wireKey) } };
    this.#list.push({ delete: { table, keySet: { ranges: [range] } } });
  }

  #write(write: Write, table: string, cells: Cells): void {
    const whole = this.#shorten(table, cells);
    const columns = Object.keys(whole);
    const name = columns.join();
    const row = { values: columns.map((column) => wireCell(column, whole[column])) };
    if (this.#last?.write === write && this.#last.table === table && this.#last.columns === name) {
      this.#last.rows.push(row);
      return;
    }
    const rows = [row];
    this.#last = { write, table, columns: name, rows };
    const mutation: WireWrite = { table, columns, values: rows };
    this.#list.push({ [write]: mutation });
  }

  #shorten(table: string, cells: Cells): Cells {
    const long = longColumns[table];
    let shortened = cells;
    for (const [index, column] of (long?.columns ?? []).entries()) {
      const cell = cells[column];
      if (typeof cell !== 'string' || cell.length <= longestText) continue;
      const owner = (cells['agent'] as number | undefined) ?? -1;
      const place = placeOf(
        table,
        (long?.key ?? []).map((name) => cells[name]),
      );
      const from = index * partsOfColumn;
      this.#deleteRange('texts', [owner, place, from], [owner, place, from + partsOfColumn - 1]);
      const parts = partsOf(cell);
      for (const [part, content] of parts.entries()) this.#write('insert', 'texts', { owner, place, part: from + part, content });
      shortened = { ...shortened, [column]: `${longMark}${[owner, from, parts.length, place].join(' ')}` };
    }
    return shortened;
  }
}

const placeOf = (table: string, key: readonly Cell[]): string => [table, ...key].join('/');

/** Never between the halves of a character. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + longestText, text.length);
    if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end -= 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

function wireCell(column: string, cell: Cell): WireValue {
  if (typeof cell !== 'number') return typeof cell === 'boolean' ? asBoolean(cell) : asText(cell);
  if (floats.has(column)) return asFloat(cell);
  return timestamps.has(column) ? asTimestamp(cell) : asInteger(cell);
}

const wireKey = (cell: Cell): WireValue => (typeof cell === 'number' ? asInteger(cell) : asText(cell as string | undefined));
