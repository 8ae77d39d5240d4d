/** A turn that does not end, over an encrypted store: what the store's own thread writes then is sealed as all else. */

import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile } from '#src/persistence/encryption/key-file-changes.js';
import { connect } from '#src/persistence/sqlite/driver.js';
import { inFolder } from '../../crash/lives.js';
import { looperPath, open } from '../../supervisor/looper.js';

/** A life that ends in such a turn. Resolves to what it said. */
async function endless(path: string, how: string): Promise<string> {
  const child = spawn(process.execPath, ['--no-warnings', looperPath, path, how, '400', '5000'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text) => (stderr += String(text)));
  await new Promise((resolve) => child.on('close', resolve));
  return stderr;
}

/** Every text that could be a user's, as it stands in the file. */
function texts(path: string): string[] {
  const connection = connect(path);
  const found = ['dead_letters.event', 'mailbox.event', 'agents.outcome', 'timers.event', 'ledger.outcome'].flatMap((place) => {
    const [table = '', column = ''] = place.split('.');
    return connection
      .prepare(`SELECT ${column} AS it FROM ${table} WHERE ${column} IS NOT NULL`)
      .all()
      .map(({ it }) => String(it));
  });
  connection.close();
  return found;
}

describe('a turn that does not end, over an encrypted store', function () {
  this.timeout(60_000);
  const ways: readonly (readonly [how: string, letter: string | undefined])[] = [
    ['send', '{"type":"LOOP","note":"by code"}'],
    ['mail', '{"type":"LOOP","note":"by mail"}'],
    ['timer', '{"type":"xstate.after.50.looper.waiting"}'],
    ['outcome', undefined],
    ['supervised outcome', undefined],
    ['job', '{"type":"LOOP","note":"a job"}'],
  ];
  for (const [how, letter] of ways) {
    it(`puts aside what it was about, sealed (by ${how})`, () =>
      inFolder(async (folder) => {
        const path = join(folder, 'agents.db');
        await createKeyFile(`${path}.keys`, { kind: 'aes-256', now: Date.now });
        const stderr = await endless(path, how);
        expect(stderr).to.include('a turn does not end').and.to.not.include('LOOP');
        for (const text of texts(path)) expect(text).to.match(/^sw1\./);
        expect(readFileSync(path).includes('LOOP')).to.equal(false);
        await using runtime = await open(path);
        const letters = await runtime.store.deadLetters({ after: 0, limit: 10 });
        expect(letters.map(({ event, reason }) => [reason, event])).to.deep.equal(letter === undefined ? [] : [['endless-turn', letter]]);
        if (how === 'outcome') expect((await runtime.store.lookup(['l']))[0]?.outcome).to.include('did not end');
        if (how === 'supervised outcome') {
          await runtime.agent<'teller'>('t').send({ type: 'BEAR' });
          expect((await runtime.tree())[0]?.children?.[0]?.failure).to.include({ reason: 'endless-turn' });
        }
        expect(await runtime.store.check()).to.deep.equal([]);
      }));
  }
});
