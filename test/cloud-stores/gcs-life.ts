/**
 * A process that keeps artifacts in the bucket that it is told of, to be killed. `put` puts all contents one after another and notes each pointer in `acknowledged.log` of its folder once it is told (`pid.log` says which process it is); `remove` removes all
 * artifacts whose time is not after the last argument.
 */

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArtifactStore } from 'statewarden/artifacts';
import { gcs } from 'statewarden/gcs';
import { contents } from '../persistence/artifact-life.js';

process.env['METADATA_SERVER_DETECTION'] ??= 'none';

export const gcsLifePath = fileURLToPath(import.meta.url);

/** The larger contents go in parts. */
export const openAs = (apiEndpoint: string, bucket: string): Promise<ArtifactStore> =>
  gcs({ bucket, project: 'p', apiEndpoint, resumableBytes: 262_144 }).open({ now: Date.now });

async function* inTwo(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, bytes.length / 2);
  yield bytes.subarray(bytes.length / 2);
}

/** Puts all contents, some as streams. */
export async function putAll(store: ArtifactStore, folder: string): Promise<void> {
  for (const [n, bytes] of contents.entries()) {
    const pointer = await store.put(n < 4 ? bytes : inTwo(bytes));
    appendFileSync(join(folder, 'acknowledged.log'), `${JSON.stringify(pointer)}\n`);
  }
}

if (process.argv[1] === gcsLifePath) {
  const [, , folder = '', url = '', bucket = '', deed = '', notAfter = ''] = process.argv;
  writeFileSync(join(folder, 'pid.log'), String(process.pid));
  const store = await openAs(url, bucket);
  if (deed === 'put') await putAll(store, folder);
  else {
    const { artifacts } = await store.list({ limit: 1_000 });
    await store.remove(
      artifacts.map(({ id }) => id),
      Number(notAfter),
    );
  }
}
