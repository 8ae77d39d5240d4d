/**
 * A folder for the run's databases and logs, on the disk that holds the repository (a temporary folder may be in memory, where
 * a durable write costs nothing). Removed at the end, also when the run is interrupted.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export class Workspace {
  readonly path: string;
  #folders = 0;

  constructor(repository: string) {
    const parent = join(repository, '.build');
    mkdirSync(parent, { recursive: true });
    this.path = mkdtempSync(join(parent, 'bench-data-'));
  }

  /** A new empty folder. */
  folder(): string {
    this.#folders += 1;
    const path = join(this.path, String(this.#folders));
    mkdirSync(path);
    return path;
  }

  /** Runs with a new folder that is gone afterwards. */
  async within<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = this.folder();
    try {
      return await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
