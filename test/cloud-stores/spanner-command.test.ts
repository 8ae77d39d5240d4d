import { expect } from 'chai';
import { parsed, statewarden, type Ran } from '../cli/command-line.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeSpanner('The command line on Spanner', function () {
  this.timeout(180_000);
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());

  const run = (...args: string[]): Promise<Ran> =>
    statewarden(args, { env: { SPANNER_EMULATOR_HOST: `127.0.0.1:${String(emulator.port)}` } });

  it('shows and applies migrations, and opens what is migrated', async () => {
    const { project, instance, database } = await emulator.database({ bare: true });
    const url = `spanner://${project}/${instance}/${database}`;
    const bare = await run('ls', url);
    expect(bare.code).to.equal(1);
    expect(bare.stderr).to.equal(
      `STORE_OPEN: ${url} has no tables of Statewarden\nhint: Run: statewarden migrate ${url}; or look at the name of the database.\n`,
    );
    const steps = [
      { version: 1, title: 'tables of version 1' },
      { version: 2, title: 'places in traces' },
    ];
    const shown = await run('migrate', url, '--dry-run', '--json');
    expect(parsed(shown.stdout)).to.deep.equal({ store: url, migratesItself: false, from: 0, to: 2, steps, applied: false });
    expect((await run('ls', url)).code).to.equal(1);
    const done = await run('migrate', url);
    expect(done).to.deep.equal({
      code: 0,
      stdout: `${url} went from no tables to version 2\n  1  tables of version 1\n  2  places in traces\n`,
      stderr: 'version 1: tables of version 1 …\nversion 2: places in traces …\n',
    });
    expect((await run('migrate', url)).stdout).to.equal(`${url} is at version 2: there is nothing to do\n`);
    expect((await run('ls', url)).code).to.equal(0);
    const sent = await run('send', 'nobody', 'GO', url);
    expect(sent.code).to.equal(1);
    const doctor = await run('doctor', url);
    expect(doctor.stdout + doctor.stderr)
      .to.include('sound')
      .and.to.include('all is well')
      .and.not.to.match(/^files/m);
    expect(doctor.code).to.equal(0);
  });

  it('says so when there is no such database', async () => {
    const { project, instance } = emulator.options('none');
    const { code, stderr } = await run('migrate', `spanner://${project}/${instance}/none`, '--json');
    expect(code).to.equal(1);
    expect(parsed(stderr)).to.have.nested.property('error.code', 'STORE_OPEN');
  });
});
