/**
 * The folders that artifacts are in, made when they are first needed, and their syncs. Invariant: once `ready` has resolved, the folder and its own entry in the folder around
 * it are on the disk, so that syncing it is enough for what is in it. After a failed sync nothing more is said to be on the disk.
 *
 * A folder cannot be synced on Windows: there the journal of NTFS keeps the order, and the last moment before a power cut may be lost.
 */

import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StorePoisonedError } from '../../core/errors.js';
import { isDiskFull, notOurs, poisoned, systemCode } from './file-faults.js';

export class Folders {
  readonly root: string;
  readonly #ready = new Map<string, Promise<string>>();
  #poison: StorePoisonedError | undefined;

  constructor(root: string) {
    this.root = root;
  }

  /** Once a sync has failed, every put is refused. @throws StorePoisonedError */
  checkSound(): void {
    if (this.#poison !== undefined) throw this.#poison;
  }

  /** Makes a folder of the root, or the root itself (`''`); resolves to its path. */
  ready(name: string): Promise<string> {
    let ready = this.#ready.get(name);
    if (ready === undefined) {
      ready = this.#make(name);
      this.#ready.set(name, ready);
      ready.catch(() => this.#ready.delete(name));
    }
    return ready;
  }

  /** Somebody removed them: they are made again. */
  forget(): void {
    this.#ready.clear();
  }

  /** Whether it is there. A link is none. @throws StoreOpenError when something else is in its place. */
  async has(name: string): Promise<boolean> {
    const path = join(this.root, name);
    const found = await lstat(path).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found?.isDirectory() === false) throw notOurs(path);
    return found !== undefined;
  }

  async #make(name: string): Promise<string> {
    const path = name === '' ? this.root : join(await this.ready(''), name);
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      // The root may be a link, that is its owner's choice.
      if (name !== '') await this.has(name);
    }
    // Also when it was there: who made it may not have come to this yet.
    await this.sync(dirname(path));
    return path;
  }

  /** Makes what happened to the names in a folder durable. @throws StorePoisonedError */
  async sync(path: string): Promise<void> {
    if (process.platform === 'win32') return;
    const folder = await open(path, 'r');
    try {
      await this.#synced(() => folder.sync(), false);
    } finally {
      await folder.close();
    }
  }

  /** @throws StorePoisonedError, or the system's error when the disk is full. */
  syncFile(file: FileHandle): Promise<void> {
    return this.#synced(() => file.sync(), true);
  }

  async #synced(sync: () => Promise<void>, ownFile: boolean): Promise<void> {
    this.checkSound();
    try {
      await sync();
    } catch (error) {
      const code = systemCode(error);
      // Some file systems have no such call for folders.
      if (!ownFile && (code === 'EINVAL' || code === 'ENOTSUP')) return;
      if (ownFile && isDiskFull(error)) throw error;
      throw (this.#poison ??= poisoned(error, this.root));
    }
  }
}
