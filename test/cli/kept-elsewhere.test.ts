/** `statewarden console` and `inspect` on agents that are archived, results that are artifacts, and stores that are encrypted: what is shown with all that it takes, and what is said where something is missing or wrong. */

import { expect } from 'chai';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Store } from 'statewarden';
import { files } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts, keyFile } from 'statewarden/encryption';
import { sqlite } from 'statewarden/sqlite';
import type * as api from '#src/console/api.js';
import { populate } from '../cloud-stores/copy-source.js';
import { ask, get } from '../console/asking.js';
import { statewarden, type Ran } from './command-line.js';
import { runCommand } from './running-command.js';
import { emptyFolder, type SampleStore } from './sample-store.js';

const archived = encodeURIComponent('page/000');
/** Its result is an artifact. */
const large = encodeURIComponent('page/005');

interface Message {
  readonly type: string;
  readonly event?: { readonly type: string; readonly output?: unknown };
  readonly snapshot?: { readonly value?: unknown; readonly context?: unknown };
}

const messagesOf = ({ stdout }: Ran): Message[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Message);

for (const [kind, keys] of [
  ['a plain', []],
  ['an encrypted', ['--keys', 'agents.keys']],
] as const) {
  describe(`on ${kind} store with archives and artifacts`, function () {
    this.timeout(60_000);
    let place: SampleStore;
    let app: string;
    before(async () => {
      place = emptyFolder();
      for (const [file, id] of [
        ['agents.keys', 'k-1'],
        ['other.keys', 'k-2'],
        ['forged.keys', 'k-1'],
      ] as const)
        await statewarden(['keys', 'create', file, '--id', id], { cwd: place.folder });
      const source = files(join(place.folder, 'kept'));
      let [store, artifacts]: [Store, typeof source] = [sqlite(place.path), source];
      if (keys.length > 0) {
        const sealed = encrypted(store, { keys: keyFile(join(place.folder, 'agents.keys')) });
        [store, artifacts] = [sealed, encryptedArtifacts(source, { store: sealed })];
      }
      await populate(store, await artifacts.open({ now: Date.now }), 6);
      app = join(place.folder, 'app.mjs');
      const code = pathToFileURL(join(process.cwd(), '.build', 'test', 'cloud-stores', 'copy-source.js')).href;
      writeFileSync(app, `export { pageKinds as agents } from ${JSON.stringify(code)};\n`);
    });
    after(() => place.remove());

    async function shown(args: readonly string[], work: (at: { readonly port: number }) => Promise<void>): Promise<void> {
      const running = runCommand(['console', 'agents.db', '--port', '0', ...keys, ...args], { cwd: place.folder });
      try {
        const [, port] = await running.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)/);
        await work({ port: Number(port) });
        running.signal('SIGINT');
        expect(await running.ended).to.equal(0);
        expect(running.stderr()).to.equal('\n');
      } finally {
        await running.kill();
      }
    }
    const inspect = (...args: string[]): Promise<Ran> =>
      statewarden(['inspect', ...args, '--store', 'agents.db', '--json', ...keys], { cwd: place.folder });

    it('the console shows an archived agent whole where its archive is', () =>
      shown(['--artifacts', 'kept'], async (at) => {
        const detail = await get<api.AgentDetail>(at, `/api/agents/${archived}`);
        expect(detail).to.deep.include({ archived: true, status: 'done', context: { value: { bytes: 50_000, length: 50_000 } } });
        expect(detail).not.to.have.property('damage');
        const { turns, why } = await get<api.TurnPage>(at, `/api/agents/${archived}/turns`);
        expect(turns.map(({ type }) => type)).to.deep.equal(['start', 'read', 'GO', 'END']);
        expect(why?.code).to.equal('UNKNOWN_KIND');
        expect(await get<api.Moment>(at, `/api/agents/${archived}/at/4`)).to.include({ state: 'ended' });
      }));

    it('the console says that it does not know where, and shows what the record says', () =>
      shown([], async (at) => {
        const detail = await get<api.AgentDetail>(at, `/api/agents/${archived}`);
        expect(detail).to.deep.include({ archived: true, status: 'done', state: 'ended', sequenceNumber: 4 });
        expect(detail).not.to.have.property('context');
        expect(detail.damage).to.include({ code: 'AGENT_ARCHIVED' });
        expect(detail.damage?.hint).to.contain('--artifacts');
        const page = await get<api.TurnPage>(at, `/api/agents/${archived}/turns`);
        expect(page).to.deep.equal({ turns: [], more: false, why: detail.damage });
        const { status, body } = await ask(at, `/api/agents/${archived}/at/4`);
        expect([status, body]).to.deep.equal([409, detail.damage]);
      }));

    it('the console says what is missing of an archive that is not there', () =>
      shown(['--artifacts', 'nowhere'], async (at) => {
        const detail = await get<api.AgentDetail>(at, `/api/agents/${archived}`);
        expect(detail).to.include({ archived: true, status: 'done', state: 'ended' });
        expect(detail.damage).to.include({ code: 'ARTIFACT_MISSING' });
        for (const path of ['turns', 'at/4']) {
          const { status, body } = await ask(at, `/api/agents/${archived}/${path}`);
          expect([path, status, body.code]).to.deep.equal([path, 409, 'ARTIFACT_MISSING']);
          expect(body.hint).to.match(/\S/);
        }
        expect((await get<api.AgentList>(at, '/api/agents')).agents).to.have.length(6);
      }));

    it('the console names a large result in its place', () =>
      shown([], async (at) => {
        const detail = await get<api.AgentDetail>(at, `/api/agents/${large}`);
        const [operation] = detail.operations;
        expect(operation?.outcome?.value).to.match(/^\(50,002 bytes, kept as artifact [0-9a-f]{12}…\)$/);
        expect(operation?.artifact).to.match(/^[0-9a-f]{64}$/);
        const { turns } = await get<api.TurnPage>(at, `/api/agents/${large}/turns`);
        expect(turns[1]?.payload).to.deep.equal(operation?.outcome);
      }));

    it('inspect shows an archived agent with its code and without', async () => {
      const without = await inspect('page/000', '--artifacts', 'kept');
      expect(without.code).to.equal(0);
      const last = messagesOf(without).at(-1)?.snapshot;
      expect(last).to.deep.include({ value: 'ended', context: { bytes: 50_000, length: 50_000 } });
      const told = messagesOf(without).find(({ event }) => event?.type.startsWith('xstate.done.actor.') === true);
      expect(told?.event?.output).to.match(/^\(50,002 bytes, kept as artifact [0-9a-f]{12}…\)$/);
      const within = await inspect('page/000', '--artifacts', 'kept', '--app', app);
      expect([within.code, within.stderr]).to.deep.equal([0, '']);
      expect(messagesOf(within).filter(({ type }) => type === '@xstate.event')).to.have.length(4);
      const then = messagesOf(await inspect('page/000', '--artifacts', 'kept', '--app', app, '--at', '1'));
      expect(then.find(({ type }) => type === '@xstate.snapshot')?.snapshot).to.deep.include({ value: 'reading' });
    });

    it('inspect says what it lacks', async () => {
      const cases: readonly (readonly [readonly string[], string, RegExp])[] = [
        [['page/000'], 'AGENT_ARCHIVED', /--artifacts/],
        [['page/000', '--app', app], 'AGENT_ARCHIVED', /--artifacts/],
        [['page/000', '--artifacts', 'nowhere'], 'ARTIFACT_MISSING', /./],
        [['page/005', '--app', app], 'ARTIFACT_MISSING', /--artifacts/],
        [['page/005', '--app', app, '--artifacts', 'nowhere'], 'ARTIFACT_MISSING', /./],
        [['page/005', '--artifacts', 'ftp://x', '--app', app], 'USAGE', /files:/],
      ];
      for (const [args, code, hint] of cases) {
        const ran = await inspect(...args);
        expect(ran.code, args.join(' ')).to.equal(code === 'USAGE' ? 2 : 1);
        const { error } = JSON.parse(ran.stderr) as { error: { code: string; hint: string } };
        expect([args, error.code]).to.deep.equal([args, code]);
        expect(error.hint).to.match(hint);
      }
      expect((await inspect('page/005')).code, 'its events need no artifact').to.equal(0);
    });

    if (keys.length === 0) return;
    it('both refuse it without its key, with another one, with one that is not there, and print nothing of it', async () => {
      writeFileSync(join(place.folder, 'broken.keys'), '{', { mode: 0o600 });
      for (const command of [
        ['console', '--port', '0'],
        ['inspect', 'page/005'],
      ]) {
        for (const [given, code] of [
          [[], 'KEY_MISSING'],
          [['--keys', 'other.keys'], 'KEY_MISSING'],
          [['--keys', 'forged.keys'], 'DECRYPTION'],
          [['--keys', 'nowhere.keys'], 'KEY_FILE'],
          [['--keys', 'broken.keys'], 'KEY_FILE'],
        ] as const) {
          const ran = await statewarden([...command, '--store', 'agents.db', ...given], { cwd: place.folder });
          expect(ran, [...command, ...given].join(' ')).to.include({ code: 1, stdout: '' });
          expect(ran.stderr).to.match(new RegExp(`^${code}: .*\\nhint: \\S.*\\n$`));
        }
      }
      const plain = join(place.folder, 'plain.db');
      await populate(sqlite(plain), await files(join(place.folder, 'other')).open({ now: Date.now }), 4);
      const ran = await statewarden(['console', plain, '--port', '0', ...keys], { cwd: place.folder });
      expect(ran.stderr).to.match(/^STORE_NOT_ENCRYPTED: .*\nhint: /);
      rmSync(plain);
    });
  });
}
