/**
 * Rows for one table, inserted many at a time: with a binding's cost for each call, a statement of 64 rows takes less than half the time of
 * 64 statements. The order of rows is kept.
 */

import type { Connection, Statement, Value } from './driver.js';

/** Rows a statement takes; a rest is written by the next smaller ones. */
const sizes = [64, 8, 1] as const;

export class RowBatch {
  readonly #columns: number;
  readonly #statements: readonly { readonly rows: number; readonly statement: Statement }[];
  #values: Value[] = [];

  constructor(connection: Connection, table: string, columns: readonly string[], conflict: string) {
    this.#columns = columns.length;
    const row = `(${columns.map(() => '?').join(', ')})`;
    this.#statements = sizes.map((rows) => ({
      rows,
      statement: connection.prepare(
        `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${new Array(rows).fill(row).join(', ')} ${conflict}`,
      ),
    }));
  }

  add(...values: Value[]): void {
    for (const value of values) this.#values.push(value);
  }

  flush(): void {
    const values = this.#values;
    let at = 0;
    for (const { rows, statement } of this.#statements) {
      const width = rows * this.#columns;
      for (; values.length - at >= width; at += width) statement.run(...values.slice(at, at + width));
    }
    this.#values = [];
  }

  discard(): void {
    this.#values = [];
  }
}
