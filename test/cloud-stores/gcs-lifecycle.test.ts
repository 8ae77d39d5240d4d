/** The lifecycle rule of a bucket for its artifacts: shown, set when asked, beside the rules that the bucket has; and what its settings do to artifacts. By the functions and by the command. */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { applyLifecycle, planLifecycle, type LifecycleRule } from 'statewarden/gcs';
import { failing } from '../bad-input/failing.js';
import { parsed, statewarden } from '../cli/command-line.js';
import { describeGcs, GcsServer } from './gcs-server.js';

const logs: LifecycleRule = { action: { type: 'Delete' }, condition: { age: 30, matchesPrefix: ['logs/'] } };
const ours = (prefix: string, age = 1): LifecycleRule => ({
  action: { type: 'Delete' },
  condition: { age, matchesPrefix: [`${prefix}statewarden-staging/`] },
});

describeGcs('the lifecycle of a bucket', function () {
  this.timeout(60_000);
  let server: GcsServer;
  let bucket: string;
  before(async () => (server = await GcsServer.start()));
  after(() => server?.stop());
  beforeEach(async () => {
    bucket = await server.bucket();
    server.front.calm();
  });
  afterEach(() => server.front.calm());

  const rulesOf = (): unknown => (server.front.settings(bucket)['lifecycle'] as { rule?: unknown } | undefined)?.rule;
  const options = () => server.options(bucket, { prefix: 'agents/' });
  const patches = () => server.front.seen.filter(({ method }) => method === 'PATCH').length;

  it('is shown and not touched', async () => {
    server.front.settings(bucket)['lifecycle'] = { rule: [logs] };
    const plan = await planLifecycle(options());
    expect(plan).to.deep.equal({
      place: `gs://${bucket}/agents`,
      before: [logs],
      after: [logs, ours('agents/')],
      changes: true,
      applied: false,
      warnings: [],
    });
    expect(patches()).to.equal(0);
    expect(rulesOf()).to.deep.equal([logs]);
  });

  it('is set beside the rules that the bucket has, and once', async () => {
    server.front.settings(bucket)['lifecycle'] = { rule: [logs] };
    expect(await applyLifecycle(options())).to.include({ changes: true, applied: true });
    expect(rulesOf()).to.deep.equal([logs, ours('agents/')]);
    expect(await applyLifecycle(options())).to.include({ changes: false, applied: false });
    expect(patches()).to.equal(1);
    // Another place in the same bucket has a rule of its own.
    await applyLifecycle(server.options(bucket));
    expect(rulesOf()).to.deep.equal([logs, ours('agents/'), ours('')]);
  });

  it('has one rule of ours for a place: one of another age makes room', async () => {
    server.front.settings(bucket)['lifecycle'] = { rule: [ours('agents/', 7), logs, ours('other/', 7)] };
    await applyLifecycle(options());
    expect(rulesOf()).to.deep.equal([logs, ours('other/', 7), ours('agents/')]);
  });

  it('loses no rule that somebody else sets at the same moment', async () => {
    let meanwhile = false;
    server.front.weather = ({ kind, method }) => {
      if (kind === 'bucket' && method === 'PATCH' && !meanwhile) {
        meanwhile = true;
        return { status: 412, reason: 'conditionNotMet' };
      }
      return undefined;
    };
    const applying = applyLifecycle(options());
    server.front.settings(bucket)['lifecycle'] = { rule: [logs] };
    await applying;
    expect(patches()).to.equal(2);
    expect(rulesOf()).to.deep.equal([logs, ours('agents/')]);
  });

  it('is set under a condition on the bucket as it was read', async () => {
    server.front.weather = ({ kind, method }) =>
      kind === 'bucket' && method === 'PATCH' ? { status: 412, reason: 'conditionNotMet' } : undefined;
    expect((await failing('STORE_UNAVAILABLE', () => applyLifecycle(options()))).hint).to.include('Somebody else');
    const [patch] = server.front.seen.filter(({ method }) => method === 'PATCH');
    expect(patch?.query.get('ifMetagenerationMatch')).to.equal('1');
  });

  it('warns of rules that remove artifacts, and of copies that the bucket keeps', async () => {
    const harmful: LifecycleRule[] = [
      { action: { type: 'Delete' }, condition: { age: 30 } },
      { action: { type: 'Delete' }, condition: { age: 30, matchesPrefix: ['agents/content/ab'] } },
      { action: { type: 'Delete' }, condition: { createdBefore: '2026-01-01', matchesPrefix: ['age'] } },
    ];
    const harmless: LifecycleRule[] = [
      logs,
      { action: { type: 'Delete' }, condition: { daysSinceNoncurrentTime: 3 } },
      { action: { type: 'Delete' }, condition: { age: 30, isLive: false } },
      { action: { type: 'SetStorageClass' }, condition: { age: 30 } },
    ];
    Object.assign(server.front.settings(bucket), {
      lifecycle: { rule: [...harmful, ...harmless] },
      softDeletePolicy: { retentionDurationSeconds: '604800' },
      versioning: { enabled: true },
    });
    const { warnings } = await planLifecycle(options());
    expect(warnings).to.have.lengthOf(5);
    for (const [index, rule] of harmful.entries()) expect(warnings[index]).to.include(JSON.stringify(rule));
    expect(warnings[3]).to.include('7 days').and.include('--clear-soft-delete');
    expect(warnings[4]).to.include('--no-versioning');
  });

  it('says what to do without leave, and about a bucket that is not there', async () => {
    server.front.weather = () => ({ status: 403, reason: 'forbidden', message: 'x does not have storage.buckets.get access' });
    expect((await failing('STORE_OPEN', () => planLifecycle(options()))).hint).to.include('roles/storage.admin');
    server.front.calm();
    const missing = await failing('STORE_OPEN', () => applyLifecycle(server.options('nowhere-at-all')));
    expect(missing.hint).to.include('gcloud storage buckets create gs://nowhere-at-all');
  });

  it('is shipped as a file for gcloud too', () => {
    expect(JSON.parse(readFileSync('docs/gcs-lifecycle.json', 'utf8'))).to.deep.equal({ rule: [ours('')] });
  });

  describe('by the command', () => {
    const run = (...args: string[]) =>
      statewarden(['artifacts', 'lifecycle', ...args], {
        env: { STORAGE_EMULATOR_HOST: server.front.url, METADATA_SERVER_DETECTION: 'none' },
      });

    it('is shown, then set with --apply', async () => {
      server.front.settings(bucket)['lifecycle'] = { rule: [logs] };
      const shown = await run(`gs://${bucket}/agents`);
      expect(shown, shown.stderr).to.include({ code: 0, stderr: '' });
      expect(shown.stdout).to.include('nothing was changed; --apply');
      expect(shown.stdout).to.match(/stays +Delete +age 30, matchesPrefix logs\//);
      expect(shown.stdout).to.match(/new +Delete +age 1, matchesPrefix agents\/statewarden-staging\//);
      expect(rulesOf()).to.deep.equal([logs]);
      const applied = await run('--apply', `gs://${bucket}/agents`);
      expect(applied, applied.stderr).to.include({ code: 0 });
      expect(applied.stdout).to.include('the rules were changed');
      expect(rulesOf()).to.deep.equal([logs, ours('agents/')]);
      const again = await run(`gs://${bucket}/agents`, '--json');
      expect(parsed(again.stdout)).to.deep.include({ changes: false, applied: false, place: `gs://${bucket}/agents` });
    });

    it('warns on standard error', async () => {
      server.front.settings(bucket)['versioning'] = { enabled: true };
      expect((await run(`gs://${bucket}`)).stderr).to.match(/^warning: object versioning/);
    });

    it('says what is wrong', async () => {
      for (const args of [[], ['s3://b'], ['gs://B'], [`gs://${bucket}`, 'more']]) {
        expect(await run(...args), args.join(' ')).to.include({ code: 2, stdout: '' });
      }
      const missing = await run('gs://nowhere-at-all');
      expect(missing).to.include({ code: 1, stdout: '' });
      expect(missing.stderr).to.match(/^STORE_OPEN: .*\nhint: Make the bucket first/);
    });
  });
});
