/**
 * Which artifact store a command works with: `--artifacts`, else STATEWARDEN_ARTIFACTS, else `artifacts` in `statewarden.config.json` of the working folder. Reading makes no folder; archiving does.
 *
 * What belongs to an encrypted store is encrypted with its keys, and is another one without them: what it has goes by other names there, and nothing would seem to point to it.
 */

import { CapabilityMissingError, StoreNotEncryptedError } from '../core/errors.js';
import type { ArtifactStore } from '../persistence/artifacts/artifact-store.js';
import type { EncryptedStore } from '../persistence/encryption/encrypted-store.js';
import { artifactsAt } from '../persistence/urls/artifacts-url.js';
import { asUsage, configured } from './store-url.js';

/** `sealed`: the store, where it is encrypted. Undefined: none was named. @throws as `openArtifacts` */
export async function namedArtifacts(
  option: string | undefined,
  now: () => number,
  sealed: EncryptedStore | undefined,
): Promise<ArtifactStore | undefined> {
  const variable = process.env['STATEWARDEN_ARTIFACTS'];
  const url = option ?? (variable === '' ? undefined : variable) ?? configured(process.cwd(), 'artifacts');
  return url === undefined ? undefined : openArtifacts(url, now, sealed);
}

/** @throws UsageError for what is no artifact store in this version, CapabilityMissingError, StoreOpenError, DecryptionError */
export async function openArtifacts(url: string, now: () => number, sealed: EncryptedStore | undefined): Promise<ArtifactStore> {
  const source = await artifactsAt(url).catch((error: unknown) => Promise.reject(asUsage(error) as Error));
  if (sealed === undefined) return source.open({ now });
  const { encryptedArtifacts } = await import('../persistence/encryption/encrypted-artifacts.js');
  try {
    return await encryptedArtifacts(source, { store: sealed }).open({ now });
  } catch (error) {
    // A runtime may keep plain artifacts beside an encrypted store, and has to where they cannot be encrypted.
    if (error instanceof StoreNotEncryptedError || error instanceof CapabilityMissingError) return source.open({ now });
    throw error;
  }
}

/** Opened when it is first asked for, and closed if it was. */
export class ArtifactsOnDemand {
  readonly #open: () => Promise<ArtifactStore | undefined>;
  #opened: Promise<ArtifactStore | undefined> | undefined;

  constructor(open: () => Promise<ArtifactStore | undefined>) {
    this.#open = open;
  }

  readonly get = (): Promise<ArtifactStore | undefined> => (this.#opened ??= this.#open());

  async close(): Promise<void> {
    await this.#opened?.then(
      (one) => one?.close(),
      () => undefined, // told by whoever asked for it
    );
  }
}
