#!/usr/bin/env node
/**
 * Runs the examples as a user does, in a folder of their own, and reads their last line: work that was completed before a crash must not have
 * been done again, and what a crash does to an example must not be seen in what it leaves. Needs what `npm start` builds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const paced = ['--pace', '0'];

function run(script, ...args) {
  const dir = mkdtempSync(join(tmpdir(), 'statewarden-example-'));
  try {
    const command = ['run', '--silent', script, '--', '--dir', dir, '--json', ...args];
    const { status, stdout, stderr } = spawnSync('npm', command, {
      cwd: root,
      encoding: 'utf8',
      timeout: 600_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (status !== 0) throw new Error(`npm ${command.join(' ')} ended with ${status}\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`);
    return JSON.parse(last);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function expect(what, holds, result) {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(result)}`);
  console.log(`ok  ${what}`);
}

const isDigest = (text) => /^[0-9a-f]{64}$/.test(text);

{
  const calm = run('start', ...paced);
  expect('research-team finishes and repeats no completed call', calm.repeated === 0 && calm.calls > 0, calm);
  const chaos = run('start', ...paced, '--chaos');
  expect(`research-team finishes after ${chaos.crashes} crashes`, chaos.crashes > 0, chaos);
  expect('… repeats no completed call', chaos.repeated === 0, chaos);
  expect('… and writes the same report', isDigest(chaos.reportSha256) && chaos.reportSha256 === calm.reportSha256, { calm, chaos });
}

{
  const calm = run('incident-fleet', ...paced);
  const chaos = run('incident-fleet', ...paced, '--chaos');
  for (const [how, result] of [
    ['undisturbed', calm],
    [`after ${chaos.crashes} crashes`, chaos],
  ]) {
    const { incidents, closed, deadLetters, redriven, left, restarts, repeated } = result;
    expect(`incident-fleet ${how}: all ${incidents} incidents are closed`, incidents > 0 && closed === incidents, result);
    const scripted = deadLetters === calm.deadLetters && deadLetters > 0;
    expect(
      `… ${deadLetters} were dead letters, were redriven, and none is left`,
      scripted && redriven === deadLetters && left === 0,
      result,
    );
    expect(`… ${restarts} restarts of agents, and no completed call is repeated`, restarts > 0 && repeated === 0, result);
  }
  expect('… and the board is the same', chaos.crashes > 0 && isDigest(calm.boardSha256) && chaos.boardSha256 === calm.boardSha256, {
    calm,
    chaos,
  });
}

{
  // Each place where the office touches the store or the network, for the ways that take every turn there is; `npm run loan-saga -- --everywhere` goes all of them.
  for (const way of [[], ['--fail', 'disburse'], ['--fail', 'recall']]) {
    const name = way[1] ?? 'granted';
    const calm = run('loan-saga', ...way);
    expect(
      `loan-saga (${name}): the books balance`,
      calm.faults.length === 0 && calm.decision === (way.length === 0 ? 'granted' : 'refused'),
      calm,
    );
  }
  for (const fail of ['none', 'disburse', 'recall']) {
    const { crashes, doubled, unbalanced, surfaced, ...rest } = run('loan-saga', '--everywhere', '--fail', fail);
    expect(`… after each of ${crashes} crashes, nothing is doubled (${fail})`, crashes > 50 && doubled === 0 && unbalanced === 0, {
      unbalanced,
      ...rest,
    });
    if (fail !== 'disburse')
      expect(`… and in ${surfaced} runs a person was asked what nobody could know`, surfaced > 0, { surfaced, ...rest });
  }
}

{
  const { faults, traces, roots, spans, lines, killed, report } = run('observability');
  const whole = faults.length === 0 && killed && traces === 1 && roots.length === 1 && report.length === 3 && lines > 0;
  expect(`observability: one trace of ${spans[1]} spans before kill -9 and ${spans[2]} after`, whole && spans[1] > 0 && spans[2] > 0, {
    faults,
    traces,
    roots,
    spans,
  });
}
