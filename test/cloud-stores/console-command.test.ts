/** `statewarden console` and `inspect` on Firestore and Spanner: what a store there has is shown as that of a file is, plain and encrypted; and what is said where there is none. */

import { expect } from 'chai';
import { join } from 'node:path';
import { files } from 'statewarden/artifacts';
import { encrypted, encryptedArtifacts, keyFile } from 'statewarden/encryption';
import { storeAt } from 'statewarden/urls';
import type * as api from '#src/console/api.js';
import { statewarden } from '../cli/command-line.js';
import { runCommand } from '../cli/running-command.js';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { get, openStream } from '../console/asking.js';
import { inFolder } from '../crash/lives.js';
import { populate } from './copy-source.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

interface Place {
  /** Of an empty store. */
  readonly url: string;
  /** Where there is none. */
  readonly nowhere: string;
  readonly env: Record<string, string>;
}

function describeCommands(placed: () => Promise<Place>): void {
  let place: Place;
  const kept: Record<string, string | undefined> = {};
  beforeEach(async () => {
    place = await placed();
    for (const [name, value] of Object.entries(place.env)) {
      kept[name] = process.env[name];
      process.env[name] = value;
    }
  });
  afterEach(() => {
    for (const [name, value] of Object.entries(kept)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  });

  for (const keys of [[], ['--keys', 'agents.keys']] as const) {
    it(`show ${keys.length === 0 ? 'a plain' : 'an encrypted'} store, archives and all`, () =>
      inFolder(async (folder) => {
        const { url, env } = place;
        await statewarden(['keys', 'create', 'agents.keys'], { cwd: folder });
        const store = await storeAt(url);
        const source = files(join(folder, 'kept'));
        if (keys.length === 0) await populate(store, await source.open({ now: Date.now }), 6);
        else {
          const sealed = encrypted(store, { keys: keyFile(join(folder, 'agents.keys')) });
          await populate(sealed, await encryptedArtifacts(source, { store: sealed }).open({ now: Date.now }), 6);
          const locked = await statewarden(['console', url, '--port', '0'], { env });
          expect(locked).to.include({ code: 1, stdout: '' });
          expect(locked.stderr).to.match(/^KEY_MISSING: .*\nhint: /);
        }
        const running = runCommand(['console', url, '--port', '0', '--artifacts', 'kept', ...keys], { cwd: folder, env });
        try {
          const [, port] = await running.says(/console {2}http:\/\/127\.0\.0\.1:(\d+)\/ {2}\S+, read-only/);
          const at = { port: Number(port) };
          expect(await get<api.About>(at, '/api/about')).to.include({ live: false, acts: false });
          const { agents, counts } = await get<api.AgentList>(at, '/api/agents');
          expect([agents.length, counts.active, counts.done]).to.deep.equal([6, 4, 2]);
          const archived = await get<api.AgentDetail>(at, `/api/agents/${encodeURIComponent('page/000')}`);
          expect(archived).to.deep.include({ archived: true, state: 'ended', context: { value: { bytes: 50_000, length: 50_000 } } });
          const { turns } = await get<api.TurnPage>(at, `/api/agents/${encodeURIComponent('page/005')}/turns`);
          expect(turns.map(({ type }) => type)).to.deep.equal(['start', 'read', 'GO']);
          expect((await get<api.MachinePage>(at, '/api/machines/page')).chart?.root.states).to.have.length(3);
          expect((await get<api.LetterPage>(at, '/api/dead-letters')).letters).to.have.length(1);
          for (const path of ['/api/tree', '/api/breakers', '/api/people', '/api/runtime']) await get(at, path);
          const stream = await openStream(at, `agent=${encodeURIComponent('page/001')}&topics=counts,dead-letters`);
          expect((await stream.until('agent')).state).to.equal('read');
          stream.close();
          running.signal('SIGINT');
          expect(await running.ended).to.equal(0);
        } finally {
          await running.kill();
        }
        const inspected = await statewarden(['inspect', 'page/000', '--store', url, '--artifacts', 'kept', '--json', ...keys], {
          cwd: folder,
          env,
        });
        expect(inspected.code).to.equal(0);
        expect(inspected.stdout.match(/"type":"@xstate\.event"/g)).to.have.length(4);
      }));
  }

  it('say that there is no store', async () => {
    const { nowhere, env } = place;
    for (const command of [
      ['console', nowhere, '--port', '0'],
      ['inspect', 'x', nowhere],
    ]) {
      const ran = await statewarden(command, { env });
      expect(ran, command.join(' ')).to.include({ code: 1, stdout: '' });
      expect(ran.stderr).to.match(/^STORE_OPEN: .*\nhint: \S/);
    }
  });
}

describeFirestore('console and inspect on firestore://', function () {
  this.timeout(120_000);
  describeCommands(async () => {
    const { host } = await firestoreEmulator();
    const env = { FIRESTORE_EMULATOR_HOST: host, METADATA_SERVER_DETECTION: 'none' };
    return { url: `firestore://${newProject()}`, nowhere: `firestore://${newProject()}`, env };
  });
});

describeSpanner('console and inspect on spanner://', function () {
  this.timeout(240_000);
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  describeCommands(async () => {
    const { project, instance, database } = await emulator.database();
    const env = { SPANNER_EMULATOR_HOST: `127.0.0.1:${String(emulator.port)}`, METADATA_SERVER_DETECTION: 'none' };
    return { url: `spanner://${project}/${instance}/${database}`, nowhere: `spanner://${project}/${instance}/none`, env };
  });
});
