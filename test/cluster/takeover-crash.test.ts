/** Processes on one SQLite file: what becomes of agents when a process is killed, stands still, or has a wrong clock. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pairsTakeOver } from './pair.js';

describe('A pair of processes on SQLite', function () {
  this.timeout(200_000);
  const folders: string[] = [];
  after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  pairsTakeOver(() => {
    const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
    folders.push(folder);
    return Promise.resolve({ store: 'sqlite', path: join(folder, 'agents.db') });
  });
});
