/** `statewarden copy` between SQLite, Firestore and Spanner, with artifacts in Cloud Storage: all that was there arrives and is the same, also where it was killed, and where a runtime is up. */

import { expect } from 'chai';
import { join } from 'node:path';
import { createRuntime, type Store } from 'statewarden';
import { files, type ArtifactStore } from 'statewarden/artifacts';
import { artifactsAt, storeAt } from 'statewarden/urls';
import { parsed, statewarden, type Ran } from '../cli/command-line.js';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { inFolder } from '../crash/lives.js';
import { artifactNames, contents, idOf, pageKinds, populate } from './copy-source.js';
import { describeGcs, GcsServer } from './gcs-server.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

const agents = 24;
type Kind = 'sqlite' | 'firestore' | 'spanner';

describeFirestore('statewarden copy, Firestore', () =>
  describeSpanner('and Spanner', () =>
    describeGcs('and Cloud Storage', function () {
      this.timeout(300_000);
      let spanner: SpannerEmulator;
      let gcs: GcsServer;
      let env: Record<string, string>;
      let kept: Record<string, string | undefined>;

      before(async () => {
        [spanner, gcs] = await Promise.all([SpannerEmulator.start(), GcsServer.start()]);
        env = {
          FIRESTORE_EMULATOR_HOST: (await firestoreEmulator()).host,
          SPANNER_EMULATOR_HOST: `127.0.0.1:${String(spanner.port)}`,
          STORAGE_EMULATOR_HOST: gcs.front.url,
          METADATA_SERVER_DETECTION: 'none',
        };
        kept = Object.fromEntries(Object.keys(env).map((name) => [name, process.env[name]]));
        Object.assign(process.env, env);
      });
      after(async () => {
        for (const [name, value] of Object.entries(kept)) {
          if (value === undefined) Reflect.deleteProperty(process.env, name);
          else process.env[name] = value;
        }
        await Promise.all([spanner.stop(), gcs.stop()]);
      });

      const run = (args: readonly string[], failpoints = ''): Promise<Ran> =>
        statewarden(args, { env: { ...env, STATEWARDEN_FAILPOINTS: failpoints } });

      /** Of a store that is not there yet; of Spanner an empty database without tables. */
      async function urlOf(kind: Kind, folder: string, name: string): Promise<string> {
        if (kind === 'sqlite') return `sqlite:${join(folder, `${name}.db`)}`;
        if (kind === 'firestore') return `firestore://${newProject()}/(default)/${name}`;
        const { project, instance, database } = await spanner.database({ bare: true });
        return `spanner://${project}/${instance}/${database}`;
      }
      const open = async (url: string): Promise<ArtifactStore> => (await artifactsAt(url)).open({ now: Date.now });

      interface House {
        readonly from: string;
        readonly to: string;
        readonly store: Store;
        readonly artifactsFrom: string;
        readonly artifactsTo: string;
        readonly flags: readonly string[];
      }

      /** A store with something of everything, and where it is to go. */
      async function house(source: Kind, target: Kind, work: (house: House) => Promise<void>): Promise<void> {
        await inFolder(async (folder) => {
          const [from, to] = [await urlOf(source, folder, 'old'), await urlOf(target, folder, 'new')];
          const [artifactsFrom, artifactsTo] = [join(folder, 'artifacts'), `gs://${await gcs.bucket()}/agents`];
          // What a user does with a database in Spanner before a runtime opens it.
          if (source === 'spanner') expect((await run(['migrate', from])).code).to.equal(0);
          const artifacts = await files(artifactsFrom).open({ now: Date.now });
          const store = await storeAt(from);
          await populate(store, artifacts, agents);
          await artifacts.close();
          const flags = ['--artifacts-from', artifactsFrom, '--artifacts-to', artifactsTo];
          await work({ from, to, store, artifactsFrom, artifactsTo, flags });
        });
      }

      /** All is there and the same, the artifacts too, and a runtime goes on with it. */
      async function settled({ to, artifactsFrom, artifactsTo }: House, before: unknown): Promise<void> {
        const store = await storeAt(to, { mustExist: true });
        expect(await contents(store)).to.deep.equal(before);
        const [old, artifacts] = [await open(artifactsFrom), await open(artifactsTo)];
        const names = await artifactNames(old);
        expect(names.length).to.be.greaterThan(2);
        expect(await artifactNames(artifacts)).to.deep.equal(names);
        await old.close();
        {
          await using runtime = await createRuntime({ store, agents: pageKinds, results: { artifacts, inlineBytes: 1_000 } });
          const agent = runtime.agent<'page'>(idOf(5));
          expect((await agent.send({ type: 'GO' }, { messageId: 'go-5' })).duplicate).to.equal(true);
          expect((await agent.snapshot()).context).to.deep.equal({ bytes: 50_000, length: 50_000 });
          await agent.send({ type: 'END' });
          await agent.result();
        }
        await artifacts.close();
      }

      for (const [source, target] of [
        ['sqlite', 'firestore'],
        ['sqlite', 'spanner'],
        ['firestore', 'sqlite'],
        ['spanner', 'firestore'],
      ] as const) {
        it(`moves from ${source} to ${target} with all artifacts`, () =>
          house(source, target, async (place) => {
            const { from, to, flags, store } = place;
            const before = await contents(store);
            const ahead = await run(['copy', from, to, '--dry-run', '--json']);
            expect(parsed(ahead.stdout)).to.deep.include({ dryRun: true, agents, deadLetters: 1, runtimes: 0, new: true });
            const moved = await run(['copy', from, to, '--move', ...flags, '--json']);
            expect(moved.code, moved.stderr).to.equal(0);
            expect(parsed(moved.stdout)).to.deep.include({ moved: true, agents, unchanged: 0, deadLetters: 1 });
            const refused = await createRuntime({ store, agents: pageKinds }).catch((error: unknown) => error);
            expect(refused).to.have.property('code', 'STORE_MOVED');
            await settled(place, before);
            const again = await run(['copy', from, to, '--move', ...flags]);
            expect(again.code).to.equal(1);
            expect(again.stderr).to.match(/^COPY_FAILED: the agents of .* have moved already\nhint: /);
          }));

        it(`goes on from ${source} to ${target} where it was killed`, () =>
          house(source, target, async (place) => {
            const { from, to, flags, store } = place;
            const before = await contents(store);
            // Each waits for the lease of the one before: all of them on one pair is enough.
            const all = source === 'sqlite' && target === 'firestore';
            for (const point of all ? ['copy:marked', 'copy:installed', 'copy:complete', 'copy:handed-over'] : ['copy:installed']) {
              const killed = await run(['copy', from, to, '--move', ...flags], `${point}=crash@1`);
              expect(killed.code, `${point}: ${killed.stderr}`).to.equal(-1);
              for (const url of [from, to]) {
                const refused = await createRuntime({ store: await storeAt(url), agents: pageKinds }).catch((error: unknown) => error);
                expect(refused, `${point} ${url}`).to.have.property('code', 'STORE_MOVED');
              }
            }
            const last = await run(['copy', from, to, '--move', ...flags, '--json']);
            expect(last.code, last.stderr).to.equal(0);
            expect(parsed(last.stdout)).to.deep.include({ agents, unchanged: agents });
            await settled(place, before);
          }));
      }

      it('moves what a runtime has that is up: it is sent home, and nothing that it has acknowledged is lost', () =>
        house('sqlite', 'firestore', async (place) => {
          const { from, to, flags, store, artifactsFrom } = place;
          const artifacts = await open(artifactsFrom);
          const runtime = await createRuntime({
            store,
            agents: pageKinds,
            results: { artifacts, inlineBytes: 1_000 },
            node: { leaseMs: 2_000 },
          });
          let acknowledged = 0;
          let refusal: unknown;
          const sending = (async () => {
            for (;;)
              await runtime
                .agent<'page'>(idOf(1))
                .send({ type: 'GO' })
                .then(() => (acknowledged += 1));
          })().catch((error: unknown) => (refusal = error));
          const still = await run(['copy', from, to, ...flags]);
          expect(still.stderr).to.match(/^COPY_FAILED: .* is in use by node .*\nhint: Stop it first, or move its agents: --move\.\n$/);
          const moved = await run(['copy', from, to, '--move', ...flags]);
          expect(moved.code, moved.stderr).to.equal(0);
          await sending;
          await runtime.close();
          await artifacts.close();
          expect(refusal).to.have.property('code', 'STORE_MOVED');
          expect(acknowledged).to.be.greaterThan(0);
          const there = await (await storeAt(to)).open({ now: Date.now });
          const went = (await there.inspect(idOf(1)))?.record.sequenceNumber ?? 0;
          await there.close();
          // Birth, result, GO, and those that were acknowledged; the last may have become durable without anybody hearing of it.
          expect(went - 3 - acknowledged).to.be.within(0, 1);
          await settled(place, await contents(store));
        }));

      it('archives, shows, restores and prunes in a bucket', () =>
        house('sqlite', 'firestore', async ({ from, to, flags, artifactsTo }) => {
          expect((await run(['copy', from, to, ...flags])).code).to.equal(0);
          const on = (...args: string[]): Promise<Ran> => run([...args, '--store', to, '--artifacts', artifactsTo]);
          expect(parsed((await on('show', idOf(0), '--json')).stdout)).to.deep.include({ context: { bytes: 50_000, length: 50_000 } });
          const archived = await on('archive', idOf(6), '--json');
          expect(parsed(archived.stdout)['archived'], archived.stderr).to.deep.equal([idOf(6)]);
          expect((await on('restore', '--all')).stdout).to.equal('restored 3 agents\n');
          expect((await on('journal', idOf(6))).stdout).to.include('END');
          const pruned = await on('prune', '--finished-for', '0', '--json');
          expect(pruned.code, pruned.stderr).to.equal(0);
          expect(parsed(pruned.stdout))
            .to.have.property('removed')
            .with.lengthOf(agents / 3);
        }));

      it('refuses what it could not tell from its own, and says what to do', () =>
        house('sqlite', 'spanner', async ({ from, to }) => {
          const used = `firestore://${newProject()}`;
          expect((await run(['copy', from, used])).code).to.equal(0);
          const [, , , , database = ''] = to.split('/');
          await spanner.change(database, ['CREATE TABLE songs (id INT64 NOT NULL) PRIMARY KEY (id)']);
          const absent = to.replace(database, 'none');
          for (const [args, expected] of [
            [
              ['copy', from, to],
              /^STORE_OPEN: spanner:\/\/\S+ has tables of others: songs\nhint: Give a database of its own; .*statewarden migrate spanner:/,
            ],
            [['copy', from, absent], /^STORE_OPEN: .*\nhint: Look at the database: gcloud spanner databases list/],
            [['copy', `${used}/(default)/none`, `${used}/(default)/other`], /^STORE_OPEN: there is no store at firestore:.*\nhint: /],
            [['copy', used, used], /^COPY_FAILED: .* cannot be copied to itself/],
            [['copy', from, 'firestore:'], /^USAGE: "firestore:" names no project\nhint: /],
            [['copy', from, 'spanner://p/i'], /^USAGE: .*\nhint: Name all three: spanner:/],
            [
              ['copy', from, `${used}/(default)/x`, '--artifacts-from', 'a', '--artifacts-to', 'gs://none-such'],
              /^STORE_OPEN: gs:\/\/none-such cannot be opened: .*\nhint: /,
            ],
            [
              ['copy', from, `${used}/(default)/x`, '--artifacts-from', 'a', '--artifacts-to', 's3://a'],
              /^USAGE: there is no artifact store for "s3:".*\nhint: .*gs:/,
            ],
          ] as const) {
            const { code, stderr } = await run(args);
            expect(stderr, args.join(' ')).to.match(expected);
            expect(code).to.equal(stderr.startsWith('USAGE') ? 2 : 1);
          }
        }));
    }),
  ),
);
