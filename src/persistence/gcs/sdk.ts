/**
 * What is used of the package `@google-cloud/storage`, which is loaded here and nowhere else. Its clients try again by themselves only where a part of a stream is uploaded, which nobody else could
 * repeat: for all else the waits, and what a second attempt may meet, are ours.
 */

import type { Readable, Writable } from 'node:stream';
import { CapabilityMissingError } from '../../core/errors.js';
import { attempts } from './patience.js';
import { isTransient } from './faults.js';

/** Of an object, as the JSON API gives it. */
export interface ObjectMetadata {
  readonly name?: string;
  readonly size?: string | number;
  readonly crc32c?: string;
  readonly generation?: string | number;
  readonly timeCreated?: string;
}

interface Condition {
  readonly ifGenerationMatch: number | string;
}

export interface UploadOptions {
  readonly resumable: boolean;
  readonly validation: false;
  readonly contentType: string;
  readonly chunkSize?: number;
  readonly preconditionOpts: Condition;
}

export interface FileApi {
  readonly name: string;
  readonly metadata: ObjectMetadata;
  getMetadata(): Promise<[ObjectMetadata, ...unknown[]]>;
  save(bytes: Uint8Array, options: UploadOptions): Promise<void>;
  createWriteStream(options: UploadOptions): Writable;
  createReadStream(options: { readonly validation: false; readonly decompress: false; readonly start?: number }): Readable;
  copy(to: FileApi, options: { preconditionOpts: Condition }): Promise<unknown[]>;
  delete(options: Condition): Promise<unknown>;
}

export interface ListQuery {
  readonly prefix: string;
  readonly startOffset?: string;
  readonly maxResults: number;
  readonly pageToken?: string;
  readonly autoPaginate: false;
}

/** Of a bucket, as the JSON API gives it. */
export interface BucketMetadata {
  readonly metageneration?: string | number;
  readonly lifecycle?: { readonly rule?: readonly unknown[] } | null;
  readonly versioning?: { readonly enabled?: boolean };
  readonly softDeletePolicy?: { readonly retentionDurationSeconds?: string | number };
}

export interface BucketApi {
  file(name: string, options?: { readonly generation: string }): FileApi;
  getFiles(query: ListQuery): Promise<[FileApi[], { readonly pageToken?: string } | null, ...unknown[]]>;
  getMetadata(): Promise<[BucketMetadata, ...unknown[]]>;
  setMetadata(metadata: BucketMetadata, options: { readonly ifMetagenerationMatch: number | string }): Promise<unknown>;
}

interface StorageApi {
  bucket(name: string): BucketApi;
}

interface RetryOptions {
  readonly autoRetry: boolean;
  readonly maxRetries?: number;
  readonly retryableErrorFn?: (error: unknown) => boolean;
}

export interface ClientOptions {
  readonly projectId?: string;
  readonly apiEndpoint?: string;
  readonly [option: string]: unknown;
}

type Load = () => Promise<{ Storage: new (options: ClientOptions & { readonly retryOptions: RetryOptions }) => StorageApi }>;

export interface Clients {
  /** Tries nothing again. */
  readonly single: BucketApi;
  /** Goes on with an upload where it was cut. */
  readonly resuming: BucketApi;
}

const importSdk: Load = async () => (await import('@google-cloud/storage')) as unknown as Awaited<ReturnType<Load>>;

/** @throws CapabilityMissingError */
export async function connectStorage(bucket: string, options: ClientOptions, load: Load = importSdk): Promise<Clients> {
  const { Storage } = await load().catch((cause: unknown) => {
    throw new CapabilityMissingError('gcs() needs the package "@google-cloud/storage"', {
      hint: 'Run npm install @google-cloud/storage, beside statewarden (version 7 runs on Node 14 and later, 8 on 22 and later).',
      cause,
    });
  });
  const bucketOf = (retryOptions: RetryOptions): BucketApi => new Storage({ ...options, retryOptions }).bucket(bucket);
  return {
    single: bucketOf({ autoRetry: false }),
    resuming: bucketOf({ autoRetry: true, maxRetries: attempts - 1, retryableErrorFn: isTransient }),
  };
}
