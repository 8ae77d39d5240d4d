import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { readJournal } from '../../../examples/incident-fleet/journal.js';

const script = fileURLToPath(new URL('../../../examples/incident-fleet/main.js', import.meta.url));

describe('npm run incident-fleet', function () {
  this.timeout(60_000);
  let cwd: string;
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'fleet-'));
    const service = { name: 'api', tier: 1, needs: [], runbook: ['restart it', 'look again'] };
    const faults = [
      { who: 'responder', service: 'api', fault: 'poison', times: 'until-fixed', message: 'no such branch' },
      { who: 'worker', service: 'db', fault: 'crash', times: 'until-fixed', message: 'no such command' },
    ];
    const outage = { name: 'a test', log: 'a.log', pages: 1, services: [service, { ...service, name: 'db' }], faults };
    writeFileSync(join(cwd, 'a.json'), JSON.stringify(outage));
    const lines = ['api', 'db'].flatMap((name) => [0, 1, 2].map((second) => `2026-01-01T00:00:0${second}Z ${name} ERROR out of memory`));
    writeFileSync(join(cwd, 'a.log'), lines.sort().join('\n'));
  });
  afterEach(() => {
    rmSync(cwd, { recursive: true, force: true });
  });

  function start(...args: string[]) {
    const { INCIDENT_FLEET_CHILD: _child, ...env } = process.env;
    const child = spawn(process.execPath, [script, '--outage', 'a.json', ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, stdout, stderr })),
    );
    return { child, ended };
  }
  const summaryOf = ({ stdout }: { stdout: string }): Record<string, unknown> =>
    JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
  const journal = () => readJournal(join(cwd, '.incident-fleet', 'journal.jsonl'));

  it('closes every incident, redrives what was a dead letter, and has nothing to do when it is called again', async () => {
    const first = await start('--pace', '0', '--json').ended;
    expect(first.code, first.stderr).to.equal(0);
    const expected = { incidents: 2, closed: 2, deadLetters: 2, redriven: 2, left: 0, repeated: 0, crashes: 0, actions: 5 };
    expect(summaryOf(first)).to.include(expected);
    expect(first.stdout)
      .to.match(/1 +MITIGATE +assign +no such branch/)
      .and.match(/1 +REMEDY +activity +no such command/);
    const board = readFileSync(join(cwd, '.incident-fleet', 'board.json'), 'utf8');
    const again = await start('--pace', '0', '--json').ended;
    expect(again.stdout).to.include('is over: nothing to do');
    expect(summaryOf(again)).to.include(expected);
    expect(readFileSync(join(cwd, '.incident-fleet', 'board.json'), 'utf8')).to.equal(board);
  });

  it('stops with Ctrl-C, refuses to work where somebody does or for another outage, and goes on after a kill', async () => {
    const first = start('--pace', '300');
    while (!journal().some(({ type }) => type === 'start')) await sleep(20);
    expect(await start().ended)
      .to.include({ code: 2 })
      .with.property('stderr')
      .that.includes('is at work in this folder');
    expect(await start('--fresh').ended).to.include({ code: 2 });
    first.child.kill('SIGINT');
    expect(await first.ended)
      .to.include({ code: 130 })
      .with.property('stderr')
      .that.includes('stopped');
    const text = readFileSync(join(cwd, 'a.json'), 'utf8');
    writeFileSync(join(cwd, 'a.json'), text.replace('a test', 'another'));
    expect(await start().ended)
      .to.include({ code: 2 })
      .with.property('stderr')
      .that.includes('holds another outage');
    writeFileSync(join(cwd, 'a.json'), text);
    const second = start('--pace', '100');
    while (!journal().some(({ type, pid }) => type === 'start' && pid === second.child.pid)) await sleep(20);
    second.child.kill('SIGKILL');
    await second.ended;
    const third = await start('--pace', '0', '--json').ended;
    expect(third.stdout).to.match(/resuming: \d+ calls already done/);
    expect(summaryOf(third)).to.include({
      incidents: 2,
      closed: 2,
      deadLetters: 2,
      redriven: 2,
      left: 0,
      repeated: 0,
      crashes: 1,
      actions: 5,
    });
  });

  it('says what is wrong with how it was called, and changes nothing', async () => {
    for (const [args, message] of [
      [['--pace', 'fast'], '--pace is "fast"'],
      [['--kills=-1'], '--kills is "-1"'],
      [['--dir', ''], 'the name of the folder is empty'],
      [['--outage', 'none.json'], 'cannot read the outage script'],
      [['--nonsense'], "Unknown option '--nonsense'"],
    ] as const) {
      const { code, stderr } = await start(...args).ended;
      expect([code, stderr.includes(message)], stderr).to.deep.equal([2, true]);
    }
    expect(existsSync(join(cwd, '.incident-fleet'))).to.equal(false);
  });
});
