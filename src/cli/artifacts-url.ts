/**
 * Which artifact store a command works with: `--artifacts`, else STATEWARDEN_ARTIFACTS, else `artifacts` in `statewarden.config.json` of the working folder. Reading makes no folder; archiving does.
 */

import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import { artifactsAt } from '../persistence/urls/artifacts-url.js';
import { asUsage, configured } from './store-url.js';

/** Undefined: none was named. @throws as `openArtifacts` */
export async function namedArtifacts(option: string | undefined, now: () => number): Promise<ArtifactStore | undefined> {
  const variable = process.env['STATEWARDEN_ARTIFACTS'];
  const url = option ?? (variable === '' ? undefined : variable) ?? configured(process.cwd(), 'artifacts');
  return url === undefined ? undefined : openArtifacts(url, now);
}

/** @throws UsageError for what is no artifact store in this version, CapabilityMissingError, StoreOpenError */
export async function openArtifacts(url: string, now: () => number): Promise<ArtifactStore> {
  const source = await artifactsAt(url).catch((error: unknown) => Promise.reject(asUsage(error) as Error));
  return source.open({ now });
}
