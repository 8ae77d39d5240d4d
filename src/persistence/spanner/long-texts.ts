/** Long texts put back where they belong in rows that were read: see `mutations.ts`. */

import { longTextOf, type LongText } from './mutations.js';
import type { Row, Value } from './wire.js';

export const textsQuery = `SELECT t.owner, t.place, t.part, t.content FROM UNNEST(@places) AS wanted
  JOIN texts t ON t.owner = CAST(wanted.id AS INT64) AND t.place = wanted.name ORDER BY t.owner, t.place, t.part`;

export function longTextsIn(rows: readonly Row[]): LongText[] {
  const found: LongText[] = [];
  const look = (value: Value): void => {
    if (typeof value === 'string') {
      const long = longTextOf(value);
      if (long !== undefined) found.push(long);
    } else if (typeof value === 'object') for (const part of Object.values(value) as Value[]) look(part);
  };
  for (const row of rows) look(row);
  return found;
}

/** `parts`: rows of `textsQuery`. */
export function withLongTexts(rows: readonly Row[], parts: readonly Row[]): Row[] {
  const contents = new Map(parts.map((row) => [JSON.stringify([row['owner'], row['place'], row['part']]), row['content'] as string]));
  const fill = (value: Value): Value => {
    if (typeof value === 'string') {
      const long = longTextOf(value);
      if (long === undefined) return value;
      const { owner, place, from } = long;
      return Array.from({ length: long.parts }, (_, part) => contents.get(JSON.stringify([owner, place, from + part])) ?? '').join('');
    }
    if (Array.isArray(value)) return (value as readonly Value[]).map(fill);
    return typeof value === 'object' ? filled(value as Row) : value;
  };
  const filled = (row: Row): Row => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, fill(value)]));
  return rows.map(filled);
}
