/** The peers are dependencies of the bench folder alone, and installed when a run first needs them. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from './progress.js';

/** A failure to install them is told here, and again where they are measured. */
export async function installPeers(bench: string, progress: Progress): Promise<void> {
  if (installed(bench)) return;
  await progress
    .during('installing the peers into bench/node_modules (one compiles: about a minute)', async () => {
      const npm = spawn('npm', ['ci', '--prefix', bench, '--no-audit', '--no-fund', '--loglevel=error'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      npm.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1_000)));
      const code = await new Promise((done) => npm.on('close', done).on('error', done));
      if (code !== 0) throw new Error(said.trim());
    })
    .catch((error: unknown) => process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`));
}

/** All that the folder depends on is there: npm writes its list when it has finished, and half an installation has none. */
function installed(bench: string): boolean {
  if (!existsSync(join(bench, 'node_modules', '.package-lock.json'))) return false;
  const { dependencies } = JSON.parse(readFileSync(join(bench, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  return Object.keys(dependencies).every((name) => existsSync(join(bench, 'node_modules', name)));
}
