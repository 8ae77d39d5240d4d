/**
 * The files that artifacts are kept in, found and removed. A removal must not take what a put has just made new, and file systems cannot compare and remove at once.
 * So it sets the file aside under another name first, where no put reaches it, looks at its time then, and puts it back when it is new. Who finds no
 * artifact in its place looks for it there: after a crash in the middle it is not lost either. A put makes the time new and then sees that the file is in its place.
 */

import { link, lstat, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../../core/failpoint.js';
import { systemRandom } from '../../core/random.js';
import type { ArtifactEntry } from './artifact-store.js';
import { isArtifactId } from './content.js';
import { systemCode } from './file-faults.js';
import type { Folders } from './folders.js';

const asideSuffix = '.removing';

export interface FileStat {
  readonly bytes: number;
  /** When it was written or made new. */
  readonly at: number;
}

export class Shelf {
  readonly #folders: Folders;

  constructor(folders: Folders) {
    this.#folders = folders;
  }

  #folderOf(id: string): string {
    return join(this.#folders.root, id.slice(0, 2));
  }

  /** Its place. */
  pathOf(id: string): string {
    return join(this.#folderOf(id), id);
  }

  /** The files of each artifact of a folder: the one in its place, and those that removals have set aside. */
  async namesById(folder: string): Promise<Map<string, string[]>> {
    const byId = new Map<string, string[]>();
    if (!(await this.#folders.has(folder))) return byId;
    for (const name of await namesIn(join(this.#folders.root, folder))) {
      const id = name.slice(0, 64);
      if (!isArtifactId(id) || !id.startsWith(folder) || (name !== id && !name.endsWith(asideSuffix))) continue;
      const names = byId.get(id);
      if (names === undefined) byId.set(id, [name]);
      else names.push(name);
    }
    return byId;
  }

  /** Where removals have set it aside. */
  async aside(id: string): Promise<string[]> {
    const names = (await this.namesById(id.slice(0, 2))).get(id) ?? [];
    return names.filter((name) => name !== id).map((name) => join(this.#folderOf(id), name));
  }

  /** By the newest of its files. */
  async entry(id: string, names: readonly string[]): Promise<ArtifactEntry | undefined> {
    const stats = await Promise.all(names.map((name) => statOf(join(this.#folderOf(id), name))));
    const found = stats.filter((stat) => stat !== undefined);
    if (found.length === 0) return undefined;
    return { id, ...found.reduce((newest, stat) => (stat.at > newest.at ? stat : newest)) };
  }

  /** Removes those of its files that are not new. Whether it is gone by that. */
  async remove(id: string, names: readonly string[], notAfter: number): Promise<boolean> {
    let [removed, kept] = [false, false];
    for (const name of names) {
      const path = join(this.#folderOf(id), name);
      const found = await statOf(path);
      if (found === undefined) continue;
      if (found.at > notAfter && name === id) {
        kept = true;
        continue;
      }
      failpoint('artifact:remove');
      const aside = name === id ? `${path}.${systemRandom.id()}${asideSuffix}` : path;
      if (aside !== path && !(await unlessGone(rename(path, aside)))) continue;
      failpoint('artifact:set-aside');
      if (await this.#settle(aside, id, notAfter)) removed = true;
      else kept = true;
    }
    return removed && !kept;
  }

  /** Ends the removal of a file that was set aside: by its time, which no put can change any more. */
  async #settle(aside: string, id: string, notAfter: number): Promise<boolean> {
    const found = await statOf(aside);
    if (found === undefined) return false;
    if (found.at <= notAfter) return unlessGone(unlink(aside));
    try {
      await link(aside, this.pathOf(id));
    } catch (error) {
      // It was put anew meanwhile (EEXIST), or another removal has ended this one. Where there are no hard links it stays aside, and is found there.
      if (!['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return false;
    }
    await unlessGone(unlink(aside));
    return false;
  }
}

/** Length and time of a file; undefined when there is none. A link is none. */
export async function statOf(path: string): Promise<FileStat | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() ? { bytes: found.size, at: Math.round(found.mtimeMs) } : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** False when there was no such file. */
async function unlessGone(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
