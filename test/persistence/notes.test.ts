/** What the conformance suite cannot see of notes and parked operations: which index is used, what a reader waits for, and a publish that fails halfway. */

import { expect } from 'chai';
import fc from 'fast-check';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { connect, type Connection } from '#src/persistence/sqlite/driver.js';
import { Notes } from '#src/persistence/sqlite/notes.js';
import { Queries } from '#src/persistence/sqlite/queries.js';
import type { NoteRecord, ParkedPage } from '#src/persistence/store.js';
import { afterPrefix, byCodePoint } from '#src/persistence/text-order.js';
import { failing, inFolder } from '../bad-input/failing.js';

const lease = { name: 'node', ttlMs: 5_000 };
const now = (): number => 1_700_000_000_000;
const note = (topic: string, data = '1'): NoteRecord => ({ topic, author: 'n', data, at: 1 });

/** How SQLite goes about the statements that `work` runs on an empty store. */
async function plansOf(folder: string, work: (connection: Connection) => void): Promise<string[]> {
  const path = join(folder, 'agents.db');
  await (await sqlite(path).open({ now })).close();
  const connection = connect(path);
  const run = new Set<string>();
  work({
    ...connection,
    prepare: (sql) => {
      const statement = connection.prepare(sql);
      const all: typeof statement.all = (...values) => {
        run.add(sql);
        return statement.all(...values);
      };
      return { run: (...values) => statement.run(...values), get: (...values) => statement.get(...values), all };
    },
  });
  const plans = [...run].map((sql) => {
    const steps = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    return steps.map(({ detail }) => String(detail)).join('; ');
  });
  connection.close();
  return plans;
}

describe('notes in a file', () => {
  it('are found by a range of the primary key, in its order', () =>
    inFolder(async (folder) => {
      const plans = await plansOf(folder, (connection) => {
        const notes = new Notes(connection);
        notes.read('breaker/');
        notes.read('breaker/', 5);
        notes.read('');
      });
      expect(plans).to.deep.equal(['SEARCH notes USING PRIMARY KEY (topic>? AND topic<?)', 'SEARCH notes USING PRIMARY KEY (topic>?)']);
    }));

  it('are read, as parked operations are, while another process writes', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const node = await sqlite(path, { busyMs: 0 }).open({ lease, now });
      await node.publish([note('a')]);
      const observer = await sqlite(path, { busyMs: 0 }).open({ now });
      const other = connect(path);
      other.exec('BEGIN IMMEDIATE');
      for (const store of [node, observer]) {
        expect(await store.notes('')).to.deep.equal([note('a')]);
        expect(await store.parked({ limit: 10 })).to.deep.equal([]);
      }
      await failing('STORE_UNAVAILABLE', () => observer.publish([note('b')]));
      await observer.publish([]);
      other.exec('ROLLBACK');
      other.close();
      await observer.publish([note('b')]);
      expect(await node.notes('')).to.deep.equal([note('a'), note('b')]);
      await observer.close();
      await node.close();
    }));

  it('are kept all or not at all', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const full = await sqlite(path, { maximumPages: 60 }).open({ lease, now });
      await full.publish([note('a')]);
      await failing('STORE_POISONED', () => full.publish([note('a', '2'), note('b'), note('c', 'x'.repeat(1_000_000))]));
      await failing('STORE_POISONED', () => full.publish([note('d')]));
      await full.close();
      const again = await sqlite(path).open({ now });
      expect(await again.notes('')).to.deep.equal([note('a')]);
      await again.close();
    }));
});

describe('parked operations in a file', () => {
  const after = { agent: 1, id: 'o' };
  const pages: readonly (readonly [Omit<ParkedPage, 'limit'>, RegExp])[] = [
    [{}, /^SCAN ledger USING INDEX ledger_parked; SEARCH agents/],
    [{ after }, /^SEARCH ledger USING INDEX ledger_parked \(\(?agent.*\)?>.*\); SEARCH agents/],
    [{ by: 'x' }, /^SEARCH ledger USING INDEX ledger_parked_by \(parked_by=\?\); SEARCH agents/],
    [{ by: 'x', after }, /^SEARCH ledger USING INDEX ledger_parked_by \(parked_by=\? AND \(?agent.*\)?>.*\); SEARCH agents/],
    [{ agents: [1, 2] }, /^SEARCH ledger USING INDEX ledger_parked \(agent=\?\)/],
    [{ by: 'x', agents: [1, 2] }, /^SEARCH ledger USING INDEX ledger_parked_by \(parked_by=\? AND agent=\?\)/],
  ];
  for (const [page, plan] of pages) {
    it(`are found by an index of nothing else, for ${JSON.stringify(page)}`, () =>
      inFolder(async (folder) => {
        const plans = await plansOf(folder, (connection) => void new Queries(connection).parked({ limit: 10, ...page }));
        expect(plans).to.have.lengthOf(1);
        expect(plans[0]).to.match(plan);
        if (page.agents === undefined) expect(plans[0]).to.not.include('ORDER BY');
      }));
  }
});

describe('the order of texts', () => {
  const edges = fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}');
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: edges, maxLength: 4 }));

  it('is that of their bytes', () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(Math.sign(byCodePoint(one, other))).to.equal(Buffer.compare(Buffer.from(one), Buffer.from(other)));
      }),
    );
  });

  it('has what starts alike between a text and the first one after', () => {
    fc.assert(
      fc.property(text, text, fc.boolean(), (prefix, other, joined) => {
        const candidate = joined ? prefix + other : other;
        const end = afterPrefix(prefix);
        const within = byCodePoint(candidate, prefix) >= 0 && (end === undefined || byCodePoint(candidate, end) < 0);
        expect(within).to.equal(candidate.startsWith(prefix));
      }),
    );
  });
});
