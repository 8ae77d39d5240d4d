/**
 * How fast this disk takes records in groups: a plain file with fdatasync after each group, and rows in an integer-keyed SQLite table
 * (WAL, synchronous=FULL) with a transaction for each group. No agents, no machines.
 */

import { join } from 'node:path';
import Database from 'libsql';
import { RawLog } from '../raw-log.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly recordBytes: number;
  readonly records: number;
  readonly groups: readonly number[];
  readonly repetitions: number;
}

export interface Figures {
  /** Records per second by group size, one figure for each repetition. */
  readonly raw: Readonly<Record<string, readonly number[]>>;
  readonly sqlite: Readonly<Record<string, readonly number[]>>;
}

const { folder, recordBytes, records, groups, repetitions } = parameters<Parameters>();
const record = 'r'.repeat(Math.max(1, Math.round(recordBytes)));
const raw: Record<string, number[]> = {};
const table: Record<string, number[]> = {};
const log = new RawLog(join(folder, 'raw.log'));
const database = new Database(join(folder, 'rows.db'));
database.exec('pragma journal_mode=WAL; pragma synchronous=FULL; create table rows (id integer primary key, data text not null)');
const begin = database.prepare('begin immediate');
const insert = database.prepare('insert into rows (data) values (?)');
const commit = database.prepare('commit');

function timed(group: number, write: () => void): number {
  const started = performance.now();
  let written = 0;
  for (; written < records; written += group) write();
  return written / ((performance.now() - started) / 1000);
}

for (let repetition = -1; repetition < repetitions; repetition += 1) {
  for (const group of groups) {
    const rawRate = timed(group, () => log.append(Buffer.from(Array.from({ length: group }, () => record).join(''))));
    const rowRate = timed(group, () => {
      begin.run();
      for (let row = 0; row < group; row += 1) insert.run(record);
      commit.run();
    });
    if (repetition < 0) continue; // warm-up
    (raw[String(group)] ??= []).push(rawRate);
    (table[String(group)] ??= []).push(rowRate);
  }
}
log.close();
database.close();
answer({ raw, sqlite: table } satisfies Figures);
