/**
 * A process that keeps artifacts in the folder it is given, to be killed, held up or kept from writing. It does one deed, and writes the error that came of it to its standard error output: `put` puts all contents one after
 * another and notes each pointer in `acknowledged.log` once it is told; `remove` removes all artifacts whose time is not after the last argument (`begun.log`, then how many in `removed.log`);
 * `lock` opens, makes the folder read-only and puts; `open` only opens.
 */

import { appendFileSync, chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StatewardenError } from 'statewarden';
import { files, type ArtifactContent, type ArtifactPointer } from 'statewarden/artifacts';

export const artifactLifePath = fileURLToPath(import.meta.url);

/** The first two and the last are one content; some are streams. */
export const contents: readonly Buffer[] = [
  Buffer.from('once'),
  Buffer.from('once'),
  Buffer.alloc(0),
  Buffer.alloc(600_000, 'many pieces'),
  Buffer.from('as a stream'),
  Buffer.alloc(300_000, 'stream '),
  Buffer.from('once'),
];

export const directoryIn = (folder: string): string => join(folder, 'artifacts');

export function acknowledgedIn(folder: string): ArtifactPointer[] {
  const path = join(folder, 'acknowledged.log');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as ArtifactPointer);
}

async function* inTwo(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, bytes.length / 2);
  yield bytes.subarray(bytes.length / 2);
}

/** Puts all contents, and notes each pointer once it is told. An error has `again`: what came of one more put after it. */
export async function putAll(folder: string): Promise<void> {
  const store = await files(directoryIn(folder)).open({ now: Date.now });
  try {
    for (const [n, bytes] of contents.entries()) {
      const content: ArtifactContent = n < 4 ? bytes : inTwo(bytes);
      appendFileSync(join(folder, 'acknowledged.log'), `${JSON.stringify(await store.put(content))}\n`);
    }
  } catch (error) {
    const again = await store.put('once').then(
      () => 'kept',
      (next: unknown) => (next as StatewardenError).code,
    );
    throw Object.assign(error as Error, { again });
  }
}

const deeds: Readonly<Record<string, (folder: string, argument: string) => Promise<void>>> = {
  put: putAll,
  remove: async (folder, notAfter) => {
    const store = await files(directoryIn(folder)).open({ now: Date.now });
    const { artifacts } = await store.list({ limit: 1_000 });
    const ids = artifacts.map(({ id }) => id);
    appendFileSync(join(folder, 'begun.log'), 'remove\n');
    const removed = await store.remove(ids, Number(notAfter));
    appendFileSync(join(folder, 'removed.log'), `${String(removed.filter(Boolean).length)}\n`);
  },
  lock: async (folder) => {
    const store = await files(directoryIn(folder)).open({ now: Date.now });
    await store.put('before');
    chmodSync(join(directoryIn(folder), 'staging'), 0o500);
    try {
      await store.put('after');
    } finally {
      chmodSync(join(directoryIn(folder), 'staging'), 0o700);
    }
  },
  open: async (folder) => {
    await files(directoryIn(folder)).open({ now: Date.now });
  },
};

if (process.argv[1] === artifactLifePath) {
  const [, , folder = '', deed = '', argument = ''] = process.argv;
  try {
    await deeds[deed]?.(folder, argument);
  } catch (error) {
    if (!(error instanceof StatewardenError)) throw error;
    const { code, message, hint, again } = error as StatewardenError & { readonly again?: string };
    process.stderr.write(JSON.stringify({ code, message, hint, again }));
  }
}
