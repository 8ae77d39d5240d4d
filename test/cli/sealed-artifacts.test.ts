/** The command line on an encrypted store whose archives and large results are encrypted too: it reads, writes and sweeps them with the store's keys, and leaves nothing that can be read without. */

import { expect } from 'chai';
import { readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { activity, createRuntime, type Store } from 'statewarden';
import { files, type ArtifactStore } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts, keyFile } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import { inFolder } from '../crash/lives.js';
import { parsed, statewarden, type Ran } from './command-line.js';

const word = 'confidential';
const read = activity({ name: 'read', onUnknown: 'retry', run: () => Promise.resolve(`${word} `.repeat(1_000)) });
const page = setup({
  types: { context: {} as { note: string }, events: {} as { type: 'NOTE'; note: string } },
  actors: { read },
}).createMachine({
  id: 'page',
  context: { note: '' },
  initial: 'reading',
  states: {
    reading: { invoke: { src: 'read', onDone: 'read' } },
    read: { on: { NOTE: { actions: assign({ note: ({ event }) => event.note }) } } },
  },
});

interface Place {
  readonly folder: string;
  readonly run: (...args: string[]) => Promise<Ran>;
}

/** `p-1` rests with a large result, in `agents.db` and `kept`. `plain`: the results are not encrypted. */
async function place(work: (place: Place) => Promise<void>, { plain = false } = {}): Promise<void> {
  await inFolder(async (folder) => {
    const keys = join(folder, 'k.keys');
    await statewarden(['keys', 'create', keys]);
    const store = encrypted(sqlite(join(folder, 'agents.db')), { keys: keyFile(keys) });
    const source = files(join(folder, 'kept'));
    const artifacts = await (plain ? source : encryptedArtifacts(source, { store })).open({ now: Date.now });
    await fill(store, artifacts);
    await artifacts.close();
    await work({ folder, run: (...args) => statewarden([...args, '--keys', keys, '--store', 'agents.db'], { cwd: folder }) });
  });
}

async function fill(store: Store, artifacts: ArtifactStore): Promise<void> {
  await using runtime = await createRuntime({
    store,
    agents: { page: { machine: page, version: 1, checkpoints: 'every-turn' } },
    results: { artifacts, inlineBytes: 1_000 },
  });
  const agent = await runtime.spawn('page', { id: 'p-1' });
  await agent.waitFor((snapshot) => snapshot.value === 'read');
  await agent.send({ type: 'NOTE', note: word });
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

/** Whether any file there has the word, or is an archive as anybody can open it. */
const canBeRead = (folder: string): boolean =>
  filesIn(folder).some((path) => [word, 'statewarden-archive'].some((text) => readFileSync(path).includes(text)));

describe('the command line on an encrypted store with artifacts', function () {
  this.timeout(60_000);

  it('archives without a word that can be read, shows what is in there, and brings it back', () =>
    place(async ({ folder, run }) => {
      const before = await run('journal', 'p-1', '--json');
      expect((await run('archive', 'p-1', '--artifacts', 'kept')).stdout).to.match(/^archived 1 agent: /);
      expect(filesIn(join(folder, 'kept'))).to.have.lengthOf(2);
      expect(canBeRead(join(folder, 'kept'))).to.equal(false);
      expect(await run('journal', 'p-1', '--json', '--artifacts', 'kept')).to.deep.equal(before);
      expect((await run('show', 'p-1', '--artifacts', 'kept')).stdout).to.contain(`note: '${word}'`);
      expect(await run('restore', 'p-1', '--artifacts', 'kept')).to.include({ code: 0, stdout: 'restored 1 agent\n' });
      expect(await run('journal', 'p-1', '--json')).to.deep.equal(before);
    }));

  it('removes nothing that a record points to, however old', () =>
    place(async ({ folder, run }) => {
      await run('archive', 'p-1', '--artifacts', 'kept');
      const kept = filesIn(join(folder, 'kept'));
      for (const path of kept) utimesSync(path, 1, 1);
      const swept = await run('prune', '--keep-size', '--artifacts', 'kept', '--json');
      expect(parsed(swept.stdout)['artifacts']).to.deep.equal({ kept: 2, removed: 0, bytes: 0 });
      expect(filesIn(join(folder, 'kept'))).to.deep.equal(kept);
    }));

  it('goes on with artifacts that are plain beside it, as its runtime does', () =>
    place(
      async ({ folder, run }) => {
        expect((await run('archive', 'p-1', '--artifacts', 'kept')).code).to.equal(0);
        expect(canBeRead(join(folder, 'kept'))).to.equal(true);
        expect((await run('show', 'p-1', '--artifacts', 'kept')).stdout).to.contain(`note: '${word}'`);
        for (const path of filesIn(join(folder, 'kept'))) utimesSync(path, 1, 1);
        const swept = await run('prune', '--keep-size', '--artifacts', 'kept', '--json');
        expect(parsed(swept.stdout)['artifacts']).to.deep.equal({ kept: 2, removed: 0, bytes: 0 });
      },
      { plain: true },
    ));

  it('copies them from under its keys to under those of the new store', () =>
    place(async ({ folder, run }) => {
      await run('archive', 'p-1', '--artifacts', 'kept');
      const other = join(folder, 'other.keys');
      await statewarden(['keys', 'create', other]);
      const to = ['--keys-to', other, '--artifacts-from', 'kept', '--artifacts-to', 'copied'];
      const ran = await statewarden(['copy', 'agents.db', 'new.db', '--keys', 'k.keys', ...to], { cwd: folder });
      expect(ran).to.deep.include({ code: 0, stderr: '' });
      expect(ran.stdout).to.contain('copied 1 agent, 0 dead letters, 2 artifacts');
      expect(canBeRead(join(folder, 'copied'))).to.equal(false);
      const shown = await statewarden(['show', 'p-1', 'new.db', '--keys', other, '--artifacts', 'copied'], { cwd: folder });
      expect(shown.stdout).to.contain(`note: '${word}'`);
      expect((await run('show', 'p-1', '--artifacts', 'copied')).stderr).to.match(/^[A-Z_]+: .*\nhint: \S/);
    }));
});
