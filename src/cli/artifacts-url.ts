/**
 * Which artifact store a command works with: `--artifacts`, else STATEWARDEN_ARTIFACTS, else `artifacts` in `statewarden.config.json` of the working folder. A plain path means a folder of files. Reading makes no folder; archiving
 * does.
 */

import { resolve } from 'node:path';
import type { ArtifactStoreSource } from '../persistence/artifacts/artifact-store.js';
import { files } from '../persistence/artifacts/files.js';
import { configured } from './store-url.js';
import { UsageError } from './usage-error.js';

/** Undefined: none was named. @throws UsageError */
export function findArtifacts(option: string | undefined, env: NodeJS.ProcessEnv, folder: string): ArtifactStoreSource | undefined {
  const variable = env['STATEWARDEN_ARTIFACTS'];
  const url = option ?? (variable === '' ? undefined : variable) ?? configured(folder, 'artifacts');
  return url === undefined ? undefined : parseArtifactsUrl(url, folder);
}

/** @throws UsageError for a scheme that this version has no artifact store for. */
export function parseArtifactsUrl(url: string, folder: string): ArtifactStoreSource {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):(.*)$/is.exec(url) ?? [];
  const path = scheme === undefined ? url : rest.replace(/^\/\//, '');
  const hint = 'Give the path of a folder: --artifacts files:./agents-archive.';
  if (scheme !== undefined && scheme !== 'files') throw new UsageError(`there is no artifact store for "${scheme}:" in this version`, hint);
  if (path === '') throw new UsageError('the artifact store has no path', hint);
  return files(resolve(folder, path));
}
