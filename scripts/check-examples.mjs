#!/usr/bin/env node
/**
 * Runs the examples as a user does, in a folder of their own, and reads their last line: work that was completed before a crash must not have
 * been done again. Needs what `npm start` builds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function researchTeam(...args) {
  const dir = mkdtempSync(join(tmpdir(), 'statewarden-example-'));
  try {
    const command = ['start', '--silent', '--', '--dir', dir, '--json', '--pace', '0', ...args];
    const { status, stdout, stderr } = spawnSync('npm', command, {
      cwd: root,
      encoding: 'utf8',
      timeout: 240_000,
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

const calm = researchTeam();
expect('research-team finishes and repeats no completed call', calm.repeated === 0 && calm.calls > 0, calm);
const chaos = researchTeam('--chaos');
expect(`research-team finishes after ${chaos.crashes} crashes`, chaos.crashes > 0, chaos);
expect('… repeats no completed call', chaos.repeated === 0, chaos);
expect('… and writes the same report', /^[0-9a-f]{64}$/.test(chaos.reportSha256) && chaos.reportSha256 === calm.reportSha256, {
  calm,
  chaos,
});
