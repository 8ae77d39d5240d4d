/** Notes in their table. Topics that start alike are one range of its primary key. Inside the caller's transaction. */

import type { NoteName, NoteRecord } from '../store.js';
import { afterPrefix } from '../text-order.js';
import type { Connection, Statement } from './driver.js';

export class Notes {
  readonly #s: Readonly<Record<keyof typeof statements, Statement>>;

  constructor(connection: Connection) {
    this.#s = Object.fromEntries(Object.entries(statements).map(([name, sql]) => [name, connection.prepare(sql)])) as never;
  }

  keep(notes: readonly NoteRecord[]): void {
    for (const { topic, author, data, at } of notes) this.#s.keep.run(topic, author, data, at);
  }

  remove(names: readonly NoteName[]): void {
    for (const { topic, author, ifAt } of names) {
      if (ifAt === undefined) this.#s.remove.run(topic, author);
      else this.#s.removeIf.run(topic, author, ifAt);
    }
  }

  read(prefix: string, since = -Infinity): NoteRecord[] {
    const end = afterPrefix(prefix);
    const rows = end === undefined ? this.#s.from.all(prefix, since) : this.#s.between.all(prefix, end, since);
    return rows.map((row) => ({
      topic: row['topic'] as string,
      author: row['author'] as string,
      data: row['data'] as string,
      at: row['at'] as number,
    }));
  }
}

const statements = {
  keep: `INSERT INTO notes (topic, author, data, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (topic, author) DO UPDATE SET data = excluded.data, at = excluded.at`,
  remove: 'DELETE FROM notes WHERE topic = ? AND author = ?',
  removeIf: 'DELETE FROM notes WHERE topic = ? AND author = ? AND at = ?',
  from: 'SELECT * FROM notes WHERE topic >= ? AND at >= ? ORDER BY topic, author',
  between: 'SELECT * FROM notes WHERE topic >= ? AND topic < ? AND at >= ? ORDER BY topic, author',
} as const;
