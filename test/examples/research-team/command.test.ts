import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCallLog } from '../../../examples/research-team/call-log.js';
import { folderOfDocs, startTeam, summaryOf } from './team-command.js';

describe('npm start', function () {
  this.timeout(60_000);
  let cwd: string;
  beforeEach(() => {
    cwd = folderOfDocs();
  });
  afterEach(() => {
    rmSync(cwd, { recursive: true, force: true });
  });
  const start = (...args: string[]) => startTeam(cwd, args);

  it('survives kills at random points, repeats no completed call and writes the same report', async () => {
    const plain = await start('docs', '--pace', '0', '--researchers', '3', '--json').ended;
    expect(plain.code, plain.stderr).to.equal(0);
    const reference = summaryOf(plain);
    expect(reference).to.include({ repeated: 0, crashes: 0, reused: 0 });
    const chaos = await start(
      'docs',
      '--pace',
      '10',
      '--researchers',
      '3',
      '--chaos',
      '--kills',
      '4',
      '--seed',
      '3',
      '--dir',
      'chaos',
      '--json',
    ).ended;
    expect(chaos.code, chaos.stderr + chaos.stdout).to.equal(0);
    const summary = summaryOf(chaos);
    expect(summary).to.include({
      repeated: 0,
      unwitnessed: 0,
      crashes: 4,
      calls: reference['calls'],
      reportSha256: reference['reportSha256'],
      identical: true,
    });
    expect(summary['reused']).to.be.greaterThan(0);
    expect(readFileSync(join(cwd, 'chaos/report.md'), 'utf8')).to.equal(readFileSync(join(cwd, '.research-team/report.md'), 'utf8'));
  });

  it('goes on after kill -9 where it was, and begins anew when the run is finished', async () => {
    const first = start('docs', '--pace', '20', '--json');
    const log = join(cwd, '.research-team/calls.jsonl');
    while (!existsSync(log) || readCallLog(log).filter(({ type }) => type === 'done').length < 8)
      await new Promise((resolve) => setTimeout(resolve, 5));
    first.child.kill('SIGKILL');
    await first.ended;
    const other = await start('docs', '--question', 'What is a worker?').ended;
    expect(other).to.include({ code: 2 });
    expect(other.stderr).to.include('run-1 is unfinished').and.include('--fresh');
    const second = await start('docs', '--pace', '0', '--json').ended;
    expect(second.code, second.stderr).to.equal(0);
    expect(second.stdout).to.match(/^resuming run-1: \d+ of \d+ calls already done/);
    expect(summaryOf(second)).to.include({ run: 'run-1', repeated: 0, crashes: 1 });
    expect(summaryOf(second)['reused']).to.be.at.least(6);
    const third = await start('docs', '--pace', '0', '--json').ended;
    expect(summaryOf(third)).to.include({ run: 'run-2', reused: 0, reportSha256: summaryOf(second)['reportSha256'] });
    const shown = await start('docs', '--run', 'run-1', '--json').ended;
    expect(shown.stdout).to.include('run-1 is finished');
    expect(shown.code).to.equal(0);
  });

  it('is one team with one report in several processes, wherever large values are kept', async () => {
    const plain = await start('docs', '--pace', '0', '--dir', 'plain', '--json').ended;
    const crew = await start('docs', '--pace', '20', '--nodes', '2', '--store', 'sqlite:crew.db', '--artifacts', 'large', '--json').ended;
    expect(crew.code, crew.stderr + crew.stdout).to.equal(0);
    const { calls, reportSha256 } = summaryOf(plain);
    expect(summaryOf(crew)).to.include({ calls, reportSha256, repeated: 0, unwitnessed: 0, crashes: 0 });
    expect(new Set(crew.stdout.match(/^\d+(?= +(?:starting|resuming) run-1)/gm))).to.have.property('size', 2);
    expect([existsSync(join(cwd, 'crew.db')), existsSync(join(cwd, '.research-team/agents.db'))]).to.deep.equal([true, false]);
    expect(readdirSync(join(cwd, 'large')).length).to.be.greaterThan(1);
  });

  it('stops in good order on Ctrl-C and drops an unfinished run when told to', async () => {
    const first = start('docs', '--pace', '100');
    const log = join(cwd, '.research-team/calls.jsonl');
    while (!existsSync(log) || readCallLog(log).length < 6) await new Promise((resolve) => setTimeout(resolve, 5));
    first.child.kill('SIGINT');
    expect(await first.ended).to.include({ code: 130, stderr: 'stopped; the same command goes on from here\n' });
    const fresh = await start('docs', '--question', 'How does a worker keep entries?', '--fresh', '--pace', '0', '--json').ended;
    expect(fresh.code, fresh.stderr).to.equal(0);
    expect(summaryOf(fresh)).to.include({ run: 'run-2', crashes: 0, repeated: 0 });
    const after = await start('docs', '--question', 'How does a worker keep entries?', '--pace', '0', '--json').ended;
    expect(summaryOf(after)).to.include({ run: 'run-3' });
  });

  it('explains what is wrong with how it was called, and changes nothing', async () => {
    writeFileSync(join(cwd, 'file.txt'), 'x');
    mkdirSync(join(cwd, 'empty'));
    for (const [args, said] of [
      [['missing'], 'there is no folder "missing"'],
      [['file.txt'], 'is a file, not a folder'],
      [['empty'], 'nothing to read'],
      [['docs', '--researchers', 'many'], '--researchers is "many"'],
      [['docs', '--colour'], "Unknown option '--colour'"],
      [['docs', '--nodes', '0'], '--nodes is "0"'],
      [['docs', '--nodes', '2', '--fresh'], '--nodes and --fresh exclude each other'],
      [['docs', '--store', 'postgres://x'], 'there is no store for "postgres:"'],
      [['docs', '--artifacts', 's3://x'], 'there is no artifact store for "s3:"'],
      [['a', 'b'], 'one folder, please'],
    ] as const) {
      const { code, stderr } = await start(...args).ended;
      expect(code, stderr).to.equal(2);
      expect(stderr)
        .to.include(said)
        .and.to.match(/\nhint: {2}\S/);
    }
    const { code, stdout } = await start('--help').ended;
    expect(code).to.equal(0);
    expect(stdout).to.include('--chaos');
  });
});
