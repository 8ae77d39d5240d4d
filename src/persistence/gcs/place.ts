/** Where in Cloud Storage artifacts are: a bucket and a prefix in it, as options or as `gs://BUCKET/PREFIX`, checked before anything is asked of anybody. */

import { BadInputError } from '../../core/errors.js';

export interface GcsPlace {
  readonly bucket: string;
  /** Empty, or ends in a slash. */
  readonly prefix: string;
}

/** https://cloud.google.com/storage/docs/buckets#naming */
const bucketPattern = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
const staging = 'statewarden-staging';
/** A name has 1,024 bytes at most, and ours add a folder and 64 digits. */
const longestPrefix = 900;

/** @throws BadInputError */
export function placeOf(bucket: unknown, prefix: unknown = ''): GcsPlace {
  if (typeof bucket !== 'string' || !bucketPattern.test(bucket)) {
    throw new BadInputError(`${JSON.stringify(bucket) ?? typeof bucket} is not the name of a bucket`, {
      hint: "Give its name alone: gcs({ bucket: 'my-artifacts' }), or gcs('gs://my-artifacts/agents').",
    });
  }
  const wrong = (why: string): BadInputError =>
    new BadInputError(`the prefix ${JSON.stringify(prefix) ?? typeof prefix} ${why}`, {
      hint: "Give the path of a folder in the bucket, without a leading slash: 'agents/results'.",
    });
  if (typeof prefix !== 'string') throw wrong('is not a text');
  const path = prefix.replace(/\/$/, '');
  if (path === '' && prefix === '') return { bucket, prefix: '' };
  if (/[\p{Cc}\p{Surrogate}#[\]*?]/u.test(path)) throw wrong('has a character in it that tools for Cloud Storage take for something else');
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) throw wrong('has an empty part, "." or ".." in it');
  if (path.split('/').includes(staging)) throw wrong('is in a folder whose objects are removed when they are old');
  if (Buffer.byteLength(path) > longestPrefix) throw wrong(`is longer than ${String(longestPrefix)} bytes`);
  return { bucket, prefix: `${path}/` };
}

/** @throws BadInputError */
export function parseGcsUrl(url: string): GcsPlace {
  const [, bucket, prefix] = /^gs:\/\/([^/]*)\/?(.*)$/s.exec(url) ?? [];
  if (bucket !== undefined) return placeOf(bucket, prefix);
  throw new BadInputError(`${JSON.stringify(url)} is not a place in Cloud Storage`, { hint: 'Write gs://BUCKET or gs://BUCKET/PREFIX.' });
}

/** `gs://BUCKET/PREFIX`. */
export function nameOf({ bucket, prefix }: GcsPlace): string {
  return prefix === '' ? `gs://${bucket}` : `gs://${bucket}/${prefix.slice(0, -1)}`;
}

export function contentFolder({ prefix }: GcsPlace): string {
  return `${prefix}content/`;
}

/** A rule of the bucket empties it by its name alone: nobody else has a folder that is called so. */
export function stagingFolder({ prefix }: GcsPlace): string {
  return `${prefix}${staging}/`;
}
