/** The research team of the example, unchanged, on Firestore and on Spanner with large values in Cloud Storage: in several processes at once, under kills, with the report it writes on SQLite, byte for byte. */

import { expect } from 'chai';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readCallLog } from '../../examples/research-team/call-log.js';
import { statewarden } from '../cli/command-line.js';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { folderOfDocs, startTeam, summaryOf } from '../examples/research-team/team-command.js';
import { describeGcs, GcsServer } from './gcs-server.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeFirestore('The research team, Firestore', () =>
  describeSpanner('and Spanner', () =>
    describeGcs('and Cloud Storage', function () {
      this.timeout(300_000);
      let spanner: SpannerEmulator;
      let gcs: GcsServer;
      let env: Record<string, string>;
      let cwd: string;
      /** Of a run in one process, on SQLite. */
      let plain: Record<string, unknown>;

      before(async () => {
        [spanner, gcs] = await Promise.all([SpannerEmulator.start(), GcsServer.start()]);
        env = {
          FIRESTORE_EMULATOR_HOST: (await firestoreEmulator()).host,
          SPANNER_EMULATOR_HOST: `127.0.0.1:${String(spanner.port)}`,
          STORAGE_EMULATOR_HOST: gcs.front.url,
          METADATA_SERVER_DETECTION: 'none',
        };
        cwd = folderOfDocs();
        plain = summaryOf(await start('--dir', 'plain', '--pace', '0').ended);
      });
      after(async () => {
        rmSync(cwd, { recursive: true, force: true });
        await Promise.all([spanner.stop(), gcs.stop()]);
      });

      const start = (...args: string[]) => startTeam(cwd, ['docs', '--researchers', '4', '--json', ...args], env);
      const report = (dir: string): string => readFileSync(join(cwd, dir, 'report.md'), 'utf8');

      async function urlOf(kind: 'firestore' | 'spanner'): Promise<string> {
        if (kind === 'firestore') return `firestore://${newProject()}`;
        const { project, instance, database } = await spanner.database({ bare: true });
        const url = `spanner://${project}/${instance}/${database}`;
        const untouched = await start('--store', url, '--dir', 'untouched').ended;
        expect(untouched.code).to.equal(1);
        expect(untouched.stderr).to.include(`hint:   Run: statewarden migrate ${url}`);
        expect((await statewarden(['migrate', url], { env })).code).to.equal(0);
        return url;
      }

      for (const kind of ['firestore', 'spanner'] as const) {
        it(`is killed again and again on ${kind}, in three processes, and writes the same report`, async () => {
          const [store, bucket] = [await urlOf(kind), await gcs.bucket()];
          const large = ['--store', store, '--artifacts', `gs://${bucket}/team`];
          const ended = await start(...large, '--dir', `chaos-${kind}`, '--pace', '40', '--nodes', '3', '--chaos', '--kills', '3').ended;
          expect(ended.code, ended.stderr + ended.stdout).to.equal(0);
          const { calls, reportSha256 } = plain;
          const summary = summaryOf(ended);
          expect(summary).to.include({ calls, reportSha256, repeated: 0, unwitnessed: 0, crashes: 3, identical: true });
          expect(report(`chaos-${kind}`)).to.equal(report('plain'));
          expect((await gcs.names(bucket, 'team/content/')).length).to.be.greaterThan(3);
        });

        it(`is one team when the command is started twice on ${kind}, and one is killed`, async () => {
          const [store, bucket] = [await urlOf(kind), await gcs.bucket()];
          const args = ['--store', store, '--artifacts', `gs://${bucket}/team`, '--dir', `twice-${kind}`, '--pace', '150'];
          const [one, other] = [start(...args), start(...args)];
          const log = join(cwd, `twice-${kind}`, 'calls.jsonl');
          const working = (): Set<number> =>
            new Set(existsSync(log) ? readCallLog(log).flatMap((line) => (line.type === 'done' ? [line.pid] : [])) : []);
          const pids = [one.child.pid ?? 0, other.child.pid ?? 0];
          // Killed is who began, as soon as the other one has a part in it.
          const first = (): number | undefined => [...working()][0];
          while (working().size < 2 && one.child.exitCode === null && other.child.exitCode === null)
            await new Promise((resolve) => setTimeout(resolve, 5));
          expect(pids).to.include(first());
          const [victim, survivor] = first() === one.child.pid ? [one, other] : [other, one];
          victim.child.kill('SIGKILL');
          expect((await victim.ended).code).to.equal(null);
          const ended = await survivor.ended;
          expect(ended.code, ended.stderr + ended.stdout).to.equal(0);
          const { calls, reportSha256 } = plain;
          expect(summaryOf(ended)).to.include({ run: 'run-1', calls, reportSha256, repeated: 0, unwitnessed: 0, crashes: 1 });
          expect(report(`twice-${kind}`)).to.equal(report('plain'));
        });
      }
    }),
  ),
);
