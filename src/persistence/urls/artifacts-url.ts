/** Which artifact store a URL means: `files:FOLDER` or a plain path, or `gs://BUCKET[/PREFIX]`. */

import { resolve } from 'node:path';
import { BadInputError } from '../../core/errors.js';
import type { ArtifactStoreSource } from '../artifacts/artifact-store.js';

const schemes = 'Write files:./agents-archive (or the path of a folder alone), or gs://BUCKET/PREFIX.';

/** The artifact store that a URL means, not yet opened. `folder`: what a relative path starts from; default: the working folder. @throws BadInputError */
export async function artifactsAt(url: string, { folder = '.' }: { readonly folder?: string } = {}): Promise<ArtifactStoreSource> {
  if (typeof url !== 'string') throw new BadInputError(`the artifact store is ${typeof url}, not a URL`, { hint: schemes });
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  if (scheme === 'gs') return (await import('../gcs/index.js')).gcs(url);
  if (scheme !== undefined && scheme !== 'files') {
    throw new BadInputError(`there is no artifact store for "${scheme}:" in this version`, { hint: schemes });
  }
  const path = scheme === undefined ? url : rest.replace(/^\/\//, '');
  if (path === '') throw new BadInputError('the artifact store has no path', { hint: schemes });
  return (await import('../artifacts/files.js')).files(resolve(folder, path));
}
