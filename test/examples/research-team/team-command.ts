/** The command of the example, as a user starts it, in a folder of its own with documents to read. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../examples/research-team/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A new folder with `docs` in it. */
export function folderOfDocs(): string {
  const cwd = mkdtempSync(join(tmpdir(), 'team-'));
  mkdirSync(join(cwd, 'docs'));
  const subjects = ['cache', 'queue', 'worker', 'timer', 'ledger', 'journal'];
  for (const [index, subject] of subjects.entries()) {
    const next = subjects[(index + 1) % subjects.length];
    const lines = [`# The ${subject}`, ''];
    for (const verb of ['keeps', 'loses', 'copies', 'orders', 'counts'])
      lines.push(`Every ${subject} ${verb} its entries while the ${next} of process ${verb.length} waits for the disk.`, '');
    writeFileSync(join(cwd, 'docs', `${subject}.md`), lines.join('\n'));
  }
  return cwd;
}

export function startTeam(cwd: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const {
    RESEARCH_TEAM_CHILD: _child,
    STATEWARDEN_LLM: _model,
    STATEWARDEN_STORE: _store,
    STATEWARDEN_ARTIFACTS: _artifacts,
    ...env
  } = process.env;
  const child = spawn(process.execPath, [script, ...args], { cwd, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended };
}

export function summaryOf({ stdout }: Ended): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
}
