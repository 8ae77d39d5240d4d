/** Runs the built command as a user's shell does, and keeps what it said. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const main = join(process.cwd(), 'dist', 'cli', 'main.js');

export function statewarden(
  args: readonly string[],
  where: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<Ran> {
  const { STATEWARDEN_STORE: _, ...env } = process.env;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--no-warnings', main, ...args],
      { cwd: where.cwd, env: { ...env, ...where.env } },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

export function parsed(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
