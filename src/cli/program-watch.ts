/** Tells when a program's files change: those that Node runs, in some folders and below, not in `node_modules` and not in folders whose names begin with a dot. What the program itself writes (a database, a report) is none of them. */

import { readdirSync, watch, type FSWatcher } from 'node:fs';
import { extname, join } from 'node:path';

const watched = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'];
/** More are not watched: it is no folder of one program then. */
const mostFolders = 2_000;
/** A compiler writes many files for one change. */
const quietMs = 200;

export class ProgramWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed: (file: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(folders: readonly string[], changed: (file: string) => void) {
    this.#changed = changed;
    for (const folder of folders) this.#add(folder);
  }

  get folders(): number {
    return this.#watchers.size;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #add(folder: string): void {
    if (this.#watchers.has(folder) || this.#watchers.size >= mostFolders) return;
    try {
      const watcher = watch(folder, (_, name) => this.#take(folder, name));
      watcher.on('error', () => this.#remove(folder));
      this.#watchers.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.')) this.#add(join(folder, entry.name));
      }
    } catch {
      this.#remove(folder); // gone meanwhile
    }
  }

  #remove(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #take(folder: string, name: string | null): void {
    if (name === null || name.startsWith('.')) return;
    const path = join(folder, name);
    if (extname(name) === '' && name !== 'node_modules') this.#add(path); // perhaps a folder that is new
    if (!watched.includes(extname(name))) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#changed(path), quietMs);
  }
}
