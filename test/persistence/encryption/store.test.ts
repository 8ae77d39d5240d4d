/** An encrypted store seen from outside: what stands in its file, what becomes of a record that was changed or moved, and who is refused. */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime, memory } from 'statewarden';
import { encrypted } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import type { OpenedStore, Store } from '#src/persistence/store.js';
import { connect, type Value } from '#src/persistence/sqlite/driver.js';
import { checkpoint, effect, message, operation, segment, timer } from '#src/testing/store-cases/scene.js';
import { checksum } from '#src/core/checksum.js';
import { inFolder } from '../../crash/lives.js';
import { testKeys } from './keys.js';

const lease = { name: 'node', ttlMs: 5_000 };
const now = (): number => 1_700_000_000_000;
const secret = (what: string): string => JSON.stringify(`plain-marker ${what}`);

const open = (store: Store): Promise<OpenedStore> => store.open({ lease, now });

/** Two agents, each with something of everything, and all that belongs to no agent. */
async function fill(store: OpenedStore): Promise<{ readonly a: number; readonly b: number }> {
  const keys = { a: store.node * 2 ** 32 + 1, b: store.node * 2 ** 32 + 2 };
  for (const [id, key] of Object.entries(keys)) {
    const turn = { ...segment(1), entries: `[{"seq":1,"note":${secret(`entry of ${id}`)}}]` };
    await store.commit([
      {
        key,
        id,
        fence: 1,
        expected: 0,
        sequenceNumber: 1,
        at: now(),
        create: { kind: 'counter', version: 1, input: undefined },
        segment: { ...turn, checksum: checksum(turn.entries) },
        checkpoint: checkpoint(1, secret(`checkpoint of ${id}`)),
        state: secret(`state of ${id}`),
        outcome: secret(`outcome of ${id}`),
        suspect: secret(`suspect of ${id}`),
        timers: [timer('t', now() + 10, { event: secret(`timer of ${id}`) })],
        operations: [
          operation('o', {
            input: secret(`input of ${id}`),
            outcome: secret(`result of ${id}`),
            resolutions: secret(`resolutions of ${id}`),
            userKey: `plain-marker key of ${id}`,
            artifact: `plain-marker artifact of ${id}`,
            status: 'held',
          }),
        ],
        effects: [
          effect('1.0', { params: secret(`params of ${id}`), event: secret(`effect of ${id}`), context: secret(`context of ${id}`) }),
        ],
        marks: [{ messageId: `plain-marker mark of ${id}`, sequenceNumber: 1 }],
        spawns: [{ key: key + 10, id: `${id}/child`, kind: 'counter', version: 1, input: secret(`spawn input of ${id}`) }],
        deadLetters: [
          {
            to: id,
            messageId: `plain-marker letter of ${id}`,
            event: secret(`letter of ${id}`),
            from: undefined,
            reason: 'turn-failed',
            details: secret(`details of ${id}`),
            at: now(),
          },
        ],
      },
    ]);
    await store.post([message(id, { messageId: `plain-marker message of ${id}`, event: secret(`mail of ${id}`) })], 10);
  }
  await store.publish([{ topic: 'topic', author: 'author', data: secret('note'), at: 1 }]);
  await store.saveMachines([{ kind: 'counter', version: 1, schema: 'h', definition: secret('machine') }]);
  return keys;
}

/** All that can be read. */
async function readAll(store: OpenedStore): Promise<unknown> {
  const agents = await store.list({ limit: 100 });
  const found = [];
  for (const { key } of agents) {
    found.push(await store.inspect(key), await store.journal(key, { after: 0, limit: 10 }), await store.operations(key));
  }
  return [agents, found, await store.deadLetters({ after: 0, limit: 10 }), await store.notes(''), await store.machines()];
}

/** Whatever is sealed, by table and column. */
const sealedColumns: readonly (readonly [table: string, column: string, where: string])[] = [
  ['agents', 'state', "id = 'a'"],
  ['agents', 'outcome', "id = 'a'"],
  ['agents', 'suspect', "id = 'a'"],
  ['inputs', 'input', '1'],
  ['journal', 'entries', '1'],
  ['checkpoints', 'data', '1'],
  ['mailbox', 'event', '1'],
  ['mailbox', 'message_id', '1'],
  ['marks', 'message_id', '1'],
  ['timers', 'event', '1'],
  ['ledger', 'input', '1'],
  ['ledger', 'outcome', '1'],
  ['ledger', 'resolutions', '1'],
  ['ledger', 'user_key', '1'],
  ['ledger', 'artifact', '1'],
  ['effects', 'params', '1'],
  ['effects', 'event', '1'],
  ['effects', 'context', '1'],
  ['dead_letters', 'event', '1'],
  ['dead_letters', 'details', '1'],
  ['dead_letters', 'message_id', '1'],
  ['machines', 'definition', '1'],
  ['notes', 'data', "topic = 'topic'"],
];

/** The code of what it rejects with. */
async function refusal(work: () => Promise<unknown>): Promise<string> {
  return work().then(
    () => 'nothing',
    (error: unknown) => {
      const { code, hint = '' } = error as { readonly code?: string; readonly hint?: string };
      return hint.length > 10 ? String(code) : 'no hint';
    },
  );
}

const damagedCode = 'CORRUPT_RECORD';

describe('an encrypted store', function () {
  this.timeout(60_000);

  it('has nothing in its files that was given to it to keep', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const store = await open(encrypted(sqlite(path), { keys: testKeys() }));
      await fill(store);
      for (const name of [path, `${path}-wal`]) expect(readFileSync(name).includes('plain-marker'), name).to.equal(false);
      await store.close();
      expect(readFileSync(path).includes('plain-marker')).to.equal(false);
      // The same without encryption would be found.
      const plain = await open(sqlite(join(folder, 'plain.db')));
      await fill(plain);
      await plain.close();
      expect(readFileSync(join(folder, 'plain.db')).includes('plain-marker')).to.equal(true);
    }));

  it('seals every column that has a text of its users, and gives all of it back', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const keys = testKeys();
      const store = await open(encrypted(sqlite(path), { keys }));
      await fill(store);
      const plain = await open(sqlite(join(folder, 'plain.db')));
      await fill(plain);
      const sizes = (key: string, value: unknown): unknown => (key === 'updatedAt' ? undefined : value);
      expect(JSON.stringify(await readAll(store), sizes)).to.equal(JSON.stringify(await readAll(plain), sizes));
      expect(await store.check()).to.deep.equal([]);
      await store.close();
      await plain.close();
      const connection = connect(path);
      for (const [table, column, where] of sealedColumns) {
        const [row] = connection.prepare(`SELECT ${column} AS it FROM ${table} WHERE ${where}`).all();
        expect(String(row?.['it']), `${table}.${column}`).to.match(/(^|")s[wd]1\./);
      }
      connection.close();
    }));

  for (const [table, column, where] of sealedColumns) {
    it(`finds a change of ${table}.${column}`, () =>
      inFolder(async (folder) => {
        const path = join(folder, 'agents.db');
        const whole = encrypted(sqlite(path), { keys: testKeys() });
        const store = await open(whole);
        await fill(store);
        await store.close();
        const connection = connect(path);
        const [row] = connection.prepare(`SELECT ${column} AS it FROM ${table} WHERE ${where} ORDER BY 1`).all();
        const text = String(row?.['it']);
        // In the middle of what is sealed.
        const at = Math.floor((text.lastIndexOf('.') + (text.includes('"}') ? text.lastIndexOf('"}') : text.length)) / 2);
        const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
        connection.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`).run(changed, text);
        connection.close();
        const again = await open(whole);
        expect(await refusal(() => readAll(again))).to.equal(damagedCode);
        expect((await again.check()).length).to.be.greaterThan(0);
        await again.close();
      }));
  }

  it('finds texts that were swapped between two agents, two records or two fields', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const whole = encrypted(sqlite(path), { keys: testKeys() });
      const store = await open(whole);
      await fill(store);
      await store.close();
      const connection = connect(path);
      /** The texts of one column in two rows, or of two columns in one row. Gives back what undoes it. */
      const swap = (table: string, one: string, other: string, key: string): (() => void) => {
        const rows = connection
          .prepare(`SELECT ${key} AS key, ${one} AS one, ${other} AS other FROM ${table} WHERE ${one} LIKE '%sw1.%' ORDER BY 1`)
          .all();
        const first = rows[0] as Record<string, Value>;
        const second = (one === other ? rows[1] : first) as Record<string, Value>;
        const put = (column: string, row: Record<string, Value>, value: Value | undefined): void =>
          void connection.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${key} = ?`).run(value ?? null, row['key'] ?? null);
        expect(first['one']).to.not.equal(second['other']);
        put(one, first, second['other']);
        put(other, second, first['one']);
        return () => {
          put(one, first, first['one']);
          put(other, second, second['other']);
        };
      };
      const swaps: readonly (readonly [string, string, string, string])[] = [
        ['agents', 'state', 'state', 'key'],
        ['agents', 'state', 'outcome', 'key'],
        ['inputs', 'input', 'input', 'agent'],
        ['journal', 'entries', 'entries', 'position'],
        ['checkpoints', 'data', 'data', 'agent'],
        ['mailbox', 'event', 'event', 'position'],
        ['timers', 'event', 'event', 'agent'],
        ['ledger', 'outcome', 'outcome', 'agent'],
        ['ledger', 'input', 'outcome', 'agent'],
        ['effects', 'params', 'params', 'agent'],
        ['effects', 'params', 'context', 'agent'],
        ['dead_letters', 'event', 'event', 'position'],
        ['dead_letters', 'details', 'details', 'position'],
      ];
      for (const [table, one, other, key] of swaps) {
        const back = swap(table, one, other, key);
        const again = await open(whole);
        expect(await refusal(() => readAll(again)), `${table}.${one} and ${other}`).to.equal(damagedCode);
        await again.close();
        back();
      }
      connection.close();
      const sound = await open(whole);
      expect(await sound.check()).to.deep.equal([]);
      await sound.close();
    }));

  it('loads the others when one agent does not open, and says why it does not', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const whole = encrypted(sqlite(path), { keys: testKeys() });
      const store = await open(whole);
      const { a, b } = await fill(store);
      await store.close();
      const connection = connect(path);
      connection.prepare("UPDATE checkpoints SET data = data || 'A' WHERE agent = ?").run(a);
      connection.close();
      const again = await open(whole);
      const [one, other] = await again.load([a, b]);
      if (one?.outcome !== 'loaded' || other?.outcome !== 'loaded') throw new Error('not loaded');
      expect(one.damage?.code).to.equal(damagedCode);
      expect(one.mailbox).to.deep.equal([]);
      expect(one.record.state).to.equal(undefined);
      expect(other.damage).to.equal(undefined);
      expect(other.checkpoint?.data).to.equal(secret('checkpoint of b'));
      await again.close();
    }));

  it('lets a message be moved by redrive, and by nobody else', async () => {
    const whole = encrypted(memory(), { keys: testKeys() });
    const store = await open(whole);
    await fill(store);
    const [letter] = await store.deadLetters({ after: 0, limit: 1 });
    expect((await store.redrive([letter?.position ?? 0], 'b', 10))[0]?.outcome).to.equal('redriven');
    const other = await whole.open({ now });
    for (const opened of [store, other]) {
      const mail = (await opened.inspect('b'))?.mailbox.at(-1);
      expect(mail).to.include({ event: secret('letter of a'), messageId: 'plain-marker letter of a', to: 'b' });
    }
    await other.close();
    await store.close();
  });

  it('is refused, and nothing touched, with a wrong key, a missing one, or none', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const inner = sqlite(path);
      const store = await open(encrypted(inner, { keys: testKeys() }));
      await fill(store);
      await store.close();
      const rows = (): string => {
        const connection = connect(path);
        const tables = connection
          .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
          .all()
          .map(({ name }) => String(name));
        const all = tables.map((table) => [table, connection.prepare(`SELECT * FROM ${table}`).all()]);
        connection.close();
        return JSON.stringify(all);
      };
      const before = rows();
      const start = (keys: ReturnType<typeof testKeys>): Promise<unknown> =>
        createRuntime({ store: encrypted(inner, { keys }), agents: {} });
      expect(await refusal(() => start(testKeys('another secret')))).to.equal('DECRYPTION');
      expect(await refusal(() => start(testKeys('secret', 'k2')))).to.equal('KEY_MISSING');
      const silent = testKeys();
      silent.unwrap = () => Promise.reject(new Error('no network'));
      expect(await refusal(() => start(silent))).to.equal('STORE_UNAVAILABLE');
      expect(rows()).to.equal(before);
      expect(await refusal(() => createRuntime({ store: inner, agents: {} }))).to.equal('KEY_MISSING');
      const withoutNodes = (text: string): unknown =>
        (JSON.parse(text) as [string, unknown][]).filter(([table]) => table !== 'nodes' && table !== 'sqlite_sequence');
      expect(withoutNodes(rows())).to.deep.equal(withoutNodes(before));
      const again = await open(encrypted(inner, { keys: testKeys() }));
      expect(await again.check()).to.deep.equal([]);
      await again.close();
    }));

  it('refuses a store that has records which are not encrypted', async () => {
    for (const put of [
      (store: OpenedStore) => store.publish([{ topic: 't', author: 'a', data: '1', at: 1 }]),
      (store: OpenedStore) => store.post([message('nobody')], 1),
      (store: OpenedStore) => fill(store),
    ]) {
      const inner = memory();
      const plain = await open(inner);
      await put(plain);
      await plain.close();
      const whole = encrypted(inner, { keys: testKeys() });
      expect(await refusal(() => open(whole))).to.equal('STORE_NOT_ENCRYPTED');
      expect(await refusal(() => whole.open({ now }))).to.equal('STORE_NOT_ENCRYPTED');
    }
  });

  it('takes nothing that was put into it without being sealed', async () => {
    const inner = memory();
    const whole = encrypted(inner, { keys: testKeys() });
    const store = await open(whole);
    await fill(store);
    const outside = await inner.open({ now });
    await outside.post([message('a')], 10);
    expect(await refusal(() => store.inspect('a'))).to.equal(damagedCode);
    await outside.close();
    await store.close();
  });

  it('keeps its own topics to itself', async () => {
    const store = await open(encrypted(memory(), { keys: testKeys() }));
    expect(await store.notes('')).to.deep.equal([]);
    expect(await refusal(() => store.publish([{ topic: 'encryption/key', author: 'x', data: '1', at: 1 }]))).to.equal('BAD_INPUT');
    expect(await refusal(() => store.retract([{ topic: 'encryption/key', author: 'x' }]))).to.equal('BAD_INPUT');
    await store.close();
  });

  it('gives two nodes that make a new store theirs at the same moment one key to search by', async () => {
    for (let round = 0; round < 3; round += 1) {
      const whole = encrypted(memory(), { keys: testKeys() });
      const [one, other] = await Promise.all([open(whole), open(whole)]);
      await fill(one);
      expect(await other.mark(one.node * 2 ** 32 + 1, 'plain-marker mark of a')).to.equal(1);
      expect((await other.keyed('search', 'plain-marker key of a'))?.outcome).to.equal(secret('result of a'));
      expect(await other.hasArtifacts(['plain-marker artifact of b', 'plain-marker'])).to.deep.equal([true, false]);
      await one.close();
      await other.close();
    }
  });

  it('says what it was given wrongly', async () => {
    expect(() => encrypted(undefined as never, { keys: testKeys() }))
      .to.throw()
      .with.property('code', 'BAD_INPUT');
    expect(() => encrypted(memory(), {} as never))
      .to.throw()
      .with.property('code', 'BAD_INPUT');
    const observer = await encrypted(memory(), { keys: testKeys() }).open({ now });
    expect(await refusal(() => observer.post([message('a')], 1))).to.equal('KEY_MISSING');
    await observer.close();
  });
});
