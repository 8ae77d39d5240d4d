import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { pending } from '../pending.js';
import { failing, inFolder } from './failing.js';

const box = setup({ types: { context: {} as { kept: string[] }, events: {} as { type: 'KEEP'; text: string } } }).createMachine({
  id: 'box',
  context: { kept: [] },
  on: { KEEP: { actions: assign({ kept: ({ context, event }) => [...context.kept, event.text] }) } },
});
const agents = { box: { machine: box, version: 1 } };
const open = (path: string, options?: Parameters<typeof sqlite>[1]) => createRuntime({ store: sqlite(path, options), agents });

/** A file with one agent in it, closed in good order. */
async function fill(path: string): Promise<void> {
  await using runtime = await open(path);
  const agent = await runtime.spawn('box', { id: 'b' });
  for (let n = 0; n < 20; n += 1) await agent.send({ type: 'KEEP', text: `${String(n)} `.repeat(200) });
}

interface Shell {
  prepare(sql: string): { get(): unknown; all(): unknown[] };
  exec(sql: string): void;
  close(): void;
}

/** The file as another program sees it. */
function shell(path: string): Shell {
  const Libsql = createRequire(import.meta.url)('libsql') as new (path: string) => Shell;
  return new Libsql(path);
}

/** What version 4 of the schema added, taken back. */
const withoutVersion5 =
  [
    'DROP INDEX ledger_attention; DROP INDEX ledger_saga; DROP INDEX ledger_artifact',
    ...['saga', 'compensates', 'resolutions', 'artifact'].map((column) => `ALTER TABLE ledger DROP COLUMN ${column}`),
  ].join('; ') + ';';
const withoutVersion7 = `ALTER TABLE nodes DROP COLUMN lapses;
  ALTER TABLE agents DROP COLUMN trace; ALTER TABLE mailbox DROP COLUMN trace;`;
const withoutVersion6 = 'DROP TABLE archives; ALTER TABLE agents DROP COLUMN archive;';
const withoutVersion4 = `DROP TABLE notes; DROP INDEX ledger_parked; DROP INDEX ledger_parked_by; ALTER TABLE ledger DROP COLUMN parked_by;`;

describe('a database file that cannot be used', () => {
  it('is refused when it is no database, and is left as it is', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const text = 'Dear diary, '.repeat(400);
      writeFileSync(path, text);
      const error = await failing('CORRUPT_RECORD', () => open(path));
      expect(error.message).to.include(path);
      expect(readFileSync(path, 'utf8')).to.equal(text);
    }));

  it('is refused when pages in its middle are damaged', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      const bytes = readFileSync(path);
      bytes.fill(0xa5, 4_096, bytes.length - 4_096);
      writeFileSync(path, bytes);
      const error = await failing('CORRUPT_RECORD', () => open(path));
      expect(error.hint).to.include('backup');
    }));

  it('is refused when its end is missing', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      truncateSync(path, Math.floor(statSync(path).size / 8_192) * 4_096);
      await failing('CORRUPT_RECORD', () => open(path));
    }));

  it('is opened with a damaged checkpoint in it; its agent is parked, others go on', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      {
        await using runtime = await open(path);
        await runtime.spawn('box', { id: 'sound' });
      }
      const file = shell(path);
      file.exec("UPDATE checkpoints SET data = replace(data, 'active', 'actove') WHERE agent = (SELECT key FROM agents WHERE id = 'b')");
      file.close();
      await using runtime = await open(path);
      const error = await failing('CORRUPT_RECORD', () => runtime.agent('b').snapshot());
      expect(error.message).to.include('checkpoint of "b"').and.include('checksum');
      expect((await runtime.agent<'box'>('sound').snapshot()).context.kept).to.deep.equal([]);
      expect(await runtime.store.check()).to.have.lengthOf.greaterThan(0);
    }));

  it('is opened with a damaged journal in it; its agent is parked and says which events', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      const file = shell(path);
      file.exec("UPDATE journal SET entries = replace(entries, 'KEEP', 'KEPT') WHERE last = 5");
      file.close();
      await using runtime = await open(path);
      const error = await failing('CORRUPT_RECORD', () => runtime.agent('b').snapshot());
      expect(error.message).to.match(/journal of "b", events 5 to 5: the checksum is wrong/);
    }));

  it('is opened with a journal that has a gap; its agent is parked and says where', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      const file = shell(path);
      file.exec('DELETE FROM journal WHERE last = 5');
      file.close();
      await using runtime = await open(path);
      const error = await failing('CORRUPT_RECORD', () => runtime.agent('b').snapshot());
      expect(error.message).to.include('event 5 is missing, found 6');
    }));

  it('is brought up to date when its schema is older, and keeps what it holds', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      {
        await using runtime = await open(path);
        await runtime.store.post(
          [{ to: 'nobody', messageId: 'm', event: '{"type":"X"}', from: undefined, replyTo: undefined, acceptedAt: 1 }],
          10,
        );
      }
      const file = shell(path);
      // As version 1 made it.
      file.exec(
        `ALTER TABLE dead_letters DROP COLUMN message_id; ALTER TABLE dead_letters DROP COLUMN details;
          ALTER TABLE agents DROP COLUMN supervisor; ALTER TABLE agents DROP COLUMN suspect;
          ${withoutVersion7} ${withoutVersion6} ${withoutVersion5} ${withoutVersion4}
          UPDATE meta SET value = 1 WHERE name = 'schema'; PRAGMA user_version = 1`,
      );
      file.close();
      {
        await using runtime = await open(path);
        const [letter] = await runtime.deadLetters.list();
        expect(letter).to.deep.include({ to: 'nobody', messageId: undefined, event: { type: 'X' } });
        expect(await runtime.store.check()).to.deep.equal([]);
      }
      const again = shell(path);
      const row = again
        .prepare("SELECT value, (SELECT user_version FROM pragma_user_version) AS version FROM meta WHERE name = 'schema'")
        .get();
      expect(row).to.include({ value: 7, version: 7 });
      again.close();
    }));

  it('has the tables of a new one after it was brought up to date from version 3, and what waited in it can be parked', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      const absent = { userKey: undefined, input: undefined, outcome: undefined, nextRetryAt: undefined, settledAt: undefined };
      const intent = { id: 'o', activity: 'call', path: 'calling', status: 'intended', attempts: 1, intendedIn: 1, intendedAt: 1 } as const;
      const operation = {
        ...intent,
        ...absent,
        settledIn: 0,
        parkedBy: undefined,
        saga: undefined,
        compensates: undefined,
        resolutions: undefined,
        artifact: undefined,
      };
      const commit = { key: 1, id: 'a', fence: 1, expected: 0, sequenceNumber: 0, at: 1, operations: [operation] };
      const lease = { name: 'n', ttlMs: 5_000 };
      const tables = (): unknown => {
        const file = shell(path);
        const columns = file.prepare(
          `SELECT tables.name AS "table", columns.* FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
            WHERE tables.type = 'table' ORDER BY tables.name, columns.cid`,
        );
        const indexes = file.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name");
        const found = [...columns.all(), ...indexes.all()];
        file.close();
        return found;
      };
      {
        const store = await sqlite(path).open({ lease, now: () => 1 });
        await store.commit([{ ...commit, create: { kind: 'box', version: 1, input: undefined } }]);
        await store.close();
      }
      const fresh = tables();
      const file = shell(path);
      file.exec(
        `${withoutVersion7} ${withoutVersion6} ${withoutVersion5} ${withoutVersion4} UPDATE meta SET value = 3 WHERE name = 'schema'; PRAGMA user_version = 3`,
      );
      file.close();
      expect(tables()).to.not.deep.equal(fresh);
      const store = await sqlite(path).open({ lease, now: () => 2 });
      expect(await store.notes('')).to.deep.equal([]);
      expect(await store.parked({ limit: 10 })).to.deep.equal([]);
      // Its intent was no promise that nothing had begun.
      expect(await store.operations(1)).to.deep.equal([{ ...operation, status: 'started' }]);
      await store.load(['a']);
      await store.commit([{ ...commit, fence: 2, operations: [{ ...operation, parkedBy: 'model' }] }]);
      expect((await store.parked({ limit: 10, by: 'model' })).map(({ agentId }) => agentId)).to.deep.equal(['a']);
      await store.publish([{ topic: 't', author: 'n', data: '1', at: 2 }]);
      expect(await store.notes('t')).to.have.lengthOf(1);
      expect(await store.check()).to.deep.equal([]);
      await store.close();
      expect(tables()).to.deep.equal(fresh);
    }));

  it('is refused when its schema is newer', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      const file = shell(path);
      file.exec('PRAGMA user_version = 99');
      file.close();
      const error = await failing('STORE_SCHEMA', () => open(path));
      expect(error.message).to.include('schema 99');
      expect(error.hint).to.include('Upgrade');
    }));

  it('is refused when it is a database of something else, and is left as it is', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'photos.db');
      const file = shell(path);
      file.exec('CREATE TABLE photos (name TEXT)');
      file.close();
      const error = await failing('STORE_OPEN', () => open(path));
      expect(error.message).to.include('something else');
      const again = shell(path);
      again.exec("INSERT INTO photos VALUES ('cat')");
      expect(() => again.exec('SELECT * FROM agents')).to.throw(/no such table/);
      again.close();
    }));

  it('is refused when it is a folder', () =>
    inFolder(async (folder) => {
      const error = await failing('STORE_OPEN', () => open(folder));
      expect(error.message).to.equal(`${folder} is a folder`);
      expect(error.hint).to.include(join(folder, 'agents.db'));
    }));

  it('is refused when its folder does not exist, and none is made', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'missing', 'agents.db');
      const error = await failing('STORE_OPEN', () => open(path));
      expect(error.hint).to.include('mkdir -p');
      expect(existsSync(join(folder, 'missing'))).to.equal(false);
    }));

  it('is refused when a file stands where its folder should be', () =>
    inFolder(async (folder) => {
      writeFileSync(join(folder, 'data'), '');
      await failing('STORE_OPEN', () => open(join(folder, 'data', 'agents.db')));
    }));

  it('is refused when it is read-only', function () {
    return inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      await fill(path);
      chmodSync(path, 0o444);
      const told = openWithoutPrivileges(folder, path);
      if (told === undefined) pending(this, 'nobody without privileges may be run here');
      expect(told.code, told.message).to.equal('STORE_OPEN');
      expect(told.message).to.match(/read-?only/);
      expect(told.hint).to.include('writable');
    });
  });

  it('is refused when its folder is read-only', function () {
    return inFolder(async (folder) => {
      chmodSync(folder, 0o555);
      const told = openWithoutPrivileges(folder, join(folder, 'agents.db'));
      chmodSync(folder, 0o755);
      if (told === undefined) pending(this, 'nobody without privileges may be run here');
      expect(told.code, told.message).to.equal('STORE_OPEN');
      expect(told.hint).to.match(/permissions|writable/);
    });
  });
});

describe('a disk that is full', () => {
  it('stops the runtime, rejects what was not written, and loses nothing that was acknowledged', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'agents.db');
      let acknowledged = 0;
      {
        await using runtime = await createRuntime({ store: sqlite(path, { maximumPages: 100 }), agents, node: { leaseMs: 200 } });
        const agent = await runtime.spawn('box', { id: 'b' });
        const waiting = failing('STORE_POISONED', () => agent.result());
        const error = await failing('STORE_POISONED', async () => {
          for (;;) {
            await agent.send({ type: 'KEEP', text: 'x'.repeat(1_000) });
            acknowledged += 1;
          }
        });
        expect(error.message).to.match(/cannot be written: .*full/);
        expect(error.hint).to.include('Free space');
        await waiting;
        await failing('STORE_POISONED', () => agent.send({ type: 'KEEP', text: 'small' }));
        await failing('STORE_POISONED', () => runtime.spawn('box', { id: 'c' }));
        await failing('STORE_POISONED', () => agent.snapshot());
      }
      expect(acknowledged).to.be.greaterThan(10);
      await using runtime = await open(path);
      // A store that cannot write cannot give its lease back either: within this process it has to run out.
      const { kept } = (await released(() => runtime.agent<'box'>('b').snapshot())).context;
      expect(kept.length).to.be.oneOf([acknowledged, acknowledged + 1]);
      expect(await runtime.store.check()).to.deep.equal([]);
    }));

  it('is refused at the start when not even the tables have room', () =>
    inFolder(async (folder) => {
      await failing('STORE_OPEN', () => open(join(folder, 'agents.db'), { maximumPages: 2 }));
    }));
});

/** Root may write everything: then a child process that is nobody tries. Undefined when that cannot read the code either. */
function openWithoutPrivileges(folder: string, path: string): { code: string; message: string; hint: string } | undefined {
  const nobody = 65_534;
  const root = process.getuid?.() === 0;
  if (root) {
    for (const name of [folder, path, `${path}-wal`, `${path}-shm`]) if (existsSync(name)) chownSync(name, nobody, nobody);
  }
  const program = fileURLToPath(new URL('./open-file.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, path], {
    encoding: 'utf8',
    ...(root ? { uid: nobody, gid: nobody } : {}),
  });
  if (status === 0) return JSON.parse(stdout) as { code: string; message: string; hint: string };
  if (root && (status === null || /EACCES|permission denied|Cannot find module/.test(stderr))) return undefined;
  throw new Error(stderr);
}

/** Asks again until no other node holds the agent. */
async function released<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if ((error as { code?: string }).code !== 'AGENT_OWNED') throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
