/** What `gcs()` is told, checked before anything is asked of anybody. */

import { BadInputError } from '../../core/errors.js';
import { parseGcsUrl, placeOf, type GcsPlace } from './place.js';
import type { ClientOptions } from './sdk.js';

export interface GcsOptions {
  /** Its name. It must exist; best it is for artifacts alone. */
  readonly bucket: string;
  /** The path of a folder in it: `agents/results`. Default: none. */
  readonly prefix?: string;
  /** Id of the Google Cloud project. Default: that of the credentials. */
  readonly project?: string;
  /** Of the client. Default: the package's own. */
  readonly apiEndpoint?: string;
  /** What is larger is uploaded in parts, which a cut costs one of. So much of a stream is held in memory. Default 8,388,608: 8 MiB. */
  readonly resumableBytes?: number;
  /** A call that shows no sign of life for so long is given up and tried again. Default 60,000. */
  readonly timeoutMs?: number;
  /** Further options of the package's `Storage`: `keyFilename`, `credentials`, … */
  readonly clientOptions?: Readonly<Record<string, unknown>>;
}

export interface CheckedOptions {
  readonly place: GcsPlace;
  readonly client: ClientOptions;
  readonly resumableBytes: number;
  readonly timeoutMs: number;
}

/** @throws BadInputError */
export function checkedOptions(given: string | GcsOptions): CheckedOptions {
  if (typeof given !== 'string' && (typeof given !== 'object' || given === null)) {
    throw new BadInputError(`gcs() was given ${given === null ? 'null' : typeof given}`, {
      hint: "Say where: gcs({ bucket: 'my-artifacts' }), or gcs('gs://my-artifacts/agents').",
    });
  }
  const options = typeof given === 'string' ? parseGcsUrl(given) : given;
  const { bucket, prefix, project, apiEndpoint, resumableBytes = 8_388_608, timeoutMs = 60_000, clientOptions } = options as GcsOptions;
  for (const [name, value] of Object.entries({ resumableBytes, timeoutMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new BadInputError(`gcs: ${name} is ${String(value)}`, { hint: 'Give a whole number above 0, or leave it out.' });
  }
  return {
    place: placeOf(bucket, prefix),
    client: {
      ...clientOptions,
      ...(project === undefined ? {} : { projectId: project }),
      ...(apiEndpoint === undefined ? {} : { apiEndpoint }),
    },
    resumableBytes,
    timeoutMs,
  };
}
