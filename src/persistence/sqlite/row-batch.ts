/**
 * Rows for one statement, many at a time: with a binding's cost for each call, a statement of 64 rows takes less than half the time of
 * 64 statements. The order of rows is kept.
 */

import type { Connection, Statement, Value } from './driver.js';

/** Rows a statement takes; a rest is written by the next smaller ones, each once at the most. */
const sizes = [128, 64, 32, 16, 8, 4, 2, 1] as const;

export class RowBatch {
  readonly #columns: number;
  readonly #make: (rows: number) => Statement;
  /** By rows; made when it is needed first. */
  readonly #statements: (Statement | undefined)[] = [];
  #values: Value[] = [];

  /** `sql` makes the statement from its VALUES. */
  constructor(connection: Connection, columns: number, sql: (values: string) => string) {
    this.#columns = columns;
    const row = `(${new Array(columns).fill('?').join(', ')})`;
    this.#make = (rows) => connection.prepare(sql(`VALUES ${new Array(rows).fill(row).join(', ')}`));
  }

  add(...values: Value[]): void {
    for (const value of values) this.#values.push(value);
  }

  /** Rows added and not yet written. */
  get rows(): number {
    return this.#values.length / this.#columns;
  }

  /** Writes what was added. Returns how many rows of the table that changed. */
  flush(): number {
    const values = this.#values;
    if (values.length === 0) return 0;
    let at = 0;
    let changed = 0;
    for (const rows of sizes) {
      const width = rows * this.#columns;
      for (; values.length - at >= width; at += width) {
        const statement = (this.#statements[rows] ??= this.#make(rows));
        changed += Number(statement.run(...values.slice(at, at + width)).changes);
      }
    }
    this.#values = [];
    return changed;
  }

  discard(): void {
    this.#values = [];
  }
}
