/** Agents on an encrypted store: killed and started again, wherever it hits; nothing of theirs in a file, nothing of a key outside of its own. */

import { expect } from 'chai';
import { fork } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime } from 'statewarden';
import { encrypted, keyFile } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import { createKeyFile, rotateKeyFile } from '#src/persistence/encryption/key-file-changes.js';
import { inFolder } from '../../crash/lives.js';
import { statewarden } from '../../cli/command-line.js';
import { kinds, lifePath, marker, places } from './life.js';

interface Told {
  readonly acknowledged?: number;
  readonly event?: string;
}

/** A life that is killed when so much is acknowledged. Resolves to what was, and to all it has told. */
async function live(folder: string, atLeast: number): Promise<{ acknowledged: number; told: string }> {
  const child = fork(lifePath, [folder], { execArgv: ['--no-warnings'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let [acknowledged, told] = [0, ''];
  child.stdout?.on('data', (text) => (told += String(text)));
  child.stderr?.on('data', (text) => (told += String(text)));
  child.on('message', (message: Told) => {
    told += message.event ?? '';
    acknowledged = message.acknowledged ?? acknowledged;
    if (acknowledged >= atLeast) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.on('close', resolve));
  return { acknowledged, told };
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && !path.includes('agents.keys'));

describe('agents on an encrypted store', function () {
  this.timeout(120_000);

  it('lose nothing when their process is killed, and leave nothing readable, over a rotation of keys', () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, 'keys'));
      const keyPath = join(folder, 'keys', 'agents.keys');
      const made = [await createKeyFile(keyPath, { kind: 'aes-256', now: Date.now })];
      let told = '';
      let least = 0;
      for (let round = 1; round <= 4; round += 1) {
        const life = await live(folder, least + 7 * round);
        expect(life.acknowledged, life.told.slice(-2_000)).to.be.at.least(least + 7 * round);
        least = life.acknowledged;
        told += life.told;
        if (round === 2) made.push(await rotateKeyFile(keyPath, { kind: 'aes-256', now: Date.now }));
        const found = filesUnder(folder);
        expect(found.length).to.be.greaterThan(1);
        for (const path of found) expect(readFileSync(path).includes(marker), path).to.equal(false);
      }
      const { store, artifacts } = places(folder);
      const results = await artifacts.open({ now: Date.now });
      const runtime = await createRuntime({ store, agents: kinds, results: { artifacts: results, inlineBytes: 1_024 } });
      const { context } = await runtime.agent<'reader'>('r').snapshot();
      expect(context.words.length).to.be.at.least(least);
      expect(context.words).to.deep.equal(context.words.map((_, n) => `${marker} word ${String(n)}`));
      expect(context.found).to.equal(`${marker} result on ${marker} topic `.length * 5_000);
      expect((await results.list({ limit: 10 })).artifacts).to.have.length(1);
      expect(await runtime.store.check()).to.deep.equal([]);
      await runtime.close();
      await results.close();
      const everything = told + JSON.stringify(process.memoryUsage());
      expect(told).to.include('"type"');
      for (const { keys } of made) {
        for (const { key } of keys) {
          for (const form of ['base64', 'hex', 'base64url'] as const) {
            expect(everything.includes(Buffer.from(key).toString(form))).to.equal(false);
            for (const path of filesUnder(folder))
              expect(readFileSync(path).includes(Buffer.from(key).toString(form)), path).to.equal(false);
          }
          for (const path of filesUnder(folder)) expect(readFileSync(path).includes(Buffer.from(key)), path).to.equal(false);
        }
      }
    }));

  it('are parked, never reset, when what is stored of them was changed', () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, 'keys'));
      await createKeyFile(join(folder, 'keys', 'agents.keys'), { kind: 'aes-256', now: Date.now });
      const { store } = places(folder);
      const one = await createRuntime({ store, agents: kinds });
      await (await one.spawn('reader', { id: 'r', input: { topic: 't' } })).send({ type: 'READ', word: 'w' });
      await (await one.spawn('reader', { id: 's', input: { topic: 't' } })).send({ type: 'READ', word: 'w' });
      await one.close();
      const { connect } = await import('#src/persistence/sqlite/driver.js');
      const connection = connect(join(folder, 'agents.db'));
      const before = connection.prepare("SELECT * FROM checkpoints JOIN agents ON agents.key = agent WHERE id = 'r'").all();
      expect(before).to.have.length(1);
      connection
        .prepare("UPDATE checkpoints SET data = replace(data, 'sw1.', 'sw1.A') WHERE agent = (SELECT key FROM agents WHERE id = 'r')")
        .run();
      const two = await createRuntime({ store, agents: kinds });
      const events: string[] = [];
      two.events$.subscribe((event) => events.push(event.type));
      const thrown: unknown = await two
        .agent<'reader'>('r')
        .send({ type: 'READ', word: 'x' })
        .catch((error: unknown) => error);
      expect(thrown).to.have.property('code', 'CORRUPT_RECORD');
      expect(events).to.include('parked');
      expect((await two.agent<'reader'>('s').snapshot()).context.words).to.deep.equal(['w']);
      await two.close();
      connection
        .prepare("UPDATE checkpoints SET data = replace(data, 'sw1.A', 'sw1.') WHERE agent = (SELECT key FROM agents WHERE id = 'r')")
        .run();
      connection.close();
      const three = await createRuntime({ store, agents: kinds });
      expect((await three.agent<'reader'>('r').snapshot()).context.words).to.deep.equal(['w']);
      await three.close();
    }));

  it('are seen at the command line by who has the keys, and by nobody else', () =>
    inFolder(async (folder) => {
      const keyPath = join(folder, 'agents.keys');
      const run = (...args: string[]) => statewarden(args, { cwd: folder });
      expect((await run('keys', 'create', 'agents.keys', '--id', 'one')).stdout).to.include('"one"');
      const store = encrypted(sqlite(join(folder, 'agents.db')), { keys: keyFile(keyPath) });
      const runtime = await createRuntime({ store, agents: kinds });
      await (await runtime.spawn('reader', { id: 'r', input: { topic: marker } })).send({ type: 'READ', word: marker });
      await runtime.close();

      const commands = [['ls'], ['show', 'r'], ['journal', 'r'], ['tree'], ['holds'], ['dead-letters'], ['budgets'], ['doctor']];
      for (const words of commands) {
        const without = await run(...words);
        expect(without.code, words.join(' ')).to.equal(1);
        expect(without.stderr).to.include('KEY_MISSING').and.include('--keys FILE');
        expect(without.stdout).to.equal('');
        const { code, stderr } = await run(...words, '--keys', keyPath);
        expect(stderr, words.join(' ')).to.equal('');
        expect(code, words.join(' ')).to.equal(0);
      }
      expect((await run('show', 'r', '--keys', keyPath)).stdout).to.include(marker);
      expect((await run('send', 'r', `{"type":"READ","word":"sent ${marker}"}`)).code).to.equal(1);
      expect((await run('send', 'r', `{"type":"READ","word":"sent ${marker}"}`, '--keys', keyPath)).code).to.equal(0);
      for (const path of filesUnder(folder)) expect(readFileSync(path).includes(marker), path).to.equal(false);

      expect((await statewarden(['keys', 'rotate', 'agents.keys', '--id', 'two', '--hybrid'], { cwd: folder })).code).to.equal(0);
      const early = await run('keys', 'retire', 'agents.keys', 'one', '--store', 'agents.db');
      expect(early.code).to.equal(1);
      expect(early.stderr).to.include('2 data keys').and.include('rewrap');
      const wrapped = await statewarden(['keys', 'rewrap', 'agents.db', '--json'], { cwd: folder, env: { STATEWARDEN_KEYS: keyPath } });
      expect(JSON.parse(wrapped.stdout)).to.deep.include({ currentKeyId: 'two', rewrapped: 2, kept: 0, released: ['one'] });
      expect((await run('keys', 'retire', 'agents.keys', 'one', '--store', 'agents.db')).code).to.equal(0);
      const again = await createRuntime({ store, agents: kinds });
      expect((await again.agent<'reader'>('r').snapshot()).context.words).to.deep.equal([marker, `sent ${marker}`]);
      await again.close();

      const listed = await run('keys', 'list', 'agents.keys', '--json');
      expect(JSON.parse(listed.stdout)).to.deep.include({ current: 'two' });
      const { keys } = JSON.parse(readFileSync(keyPath, 'utf8')) as { keys: { key: string }[] };
      for (const { key } of keys) expect(listed.stdout + wrapped.stdout + wrapped.stderr).to.not.include(key);
      expect((await run('keys', 'list', 'agents.keys')).stdout).to.match(/two +x25519-mlkem768 .*current/);

      for (const [words, code, says] of [
        [['keys'], 2, 'needs an action'],
        [['keys', 'rotat', 'agents.keys'], 2, 'rotate'],
        [['keys', 'create'], 2, 'takes FILE'],
        [['keys', 'list', 'agents.keys', '--id', 'x'], 2, 'no option'],
        [['keys', 'rewrap', 'agents.db'], 2, '--keys'],
        [['keys', 'rewrap', 'none.db', '--keys', keyPath], 1, 'STORE_OPEN'],
        [['keys', 'create', 'agents.keys'], 1, 'KEY_FILE'],
        [['ls', '--keys', 'none.keys'], 1, 'KEY_FILE'],
      ] as const) {
        const ran = await run(...words);
        expect(ran.code, words.join(' ')).to.equal(code);
        expect(ran.stderr, words.join(' ')).to.include(says);
      }
    }));
});
