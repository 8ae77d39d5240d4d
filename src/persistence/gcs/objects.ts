/**
 * Objects of one bucket: looked at, written, copied and removed under conditions on their generation, listed and read. A generation is one content under one name: whoever writes the name anew gives it
 * another, so that a condition on it is what a lock would be elsewhere. Each call is tried again where a second time can do no harm, and finds by looking what a lost answer would have said.
 */

import { pipeline } from 'node:stream/promises';
import type { SilenceError } from './faults.js';
import { isGone, isRefused, isTransient, statusOf } from './faults.js';
import { attempts, pause, persistently, Watch } from './patience.js';
import type { BucketApi, Clients, FileApi, ObjectMetadata } from './sdk.js';

export interface ObjectInfo {
  readonly name: string;
  readonly bytes: number;
  /** crc32c, unsigned. */
  readonly checksum: number;
  readonly generation: string;
  /** When this generation was made, by the clock of Cloud Storage. */
  readonly at: number;
}

export interface ObjectHead {
  readonly bytes: number | undefined;
  readonly checksum: number | undefined;
}

/** What was to be written could not be read: `thrown` is its own error, whatever that looks like. */
export class SourceFailure {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    this.thrown = thrown;
  }
}

const contentType = 'application/octet-stream';
/** Cloud Storage takes parts of uploads in multiples of it. */
const partUnit = 262_144;
/** Of a download that has begun. The client says nothing when it is cut, it only has no more pieces: so this is what a cut costs. */
const stallMs = 10_000;
const largestPart = 8 * 1_048_576;

export class Objects {
  readonly #clients: Clients;
  readonly #timeoutMs: number;

  constructor(clients: Clients, timeoutMs: number) {
    this.#clients = clients;
    this.#timeoutMs = timeoutMs;
  }

  get #bucket(): BucketApi {
    return this.#clients.single;
  }

  #persistently<T>(work: (failures: number) => Promise<T>): Promise<T> {
    return persistently(this.#timeoutMs, work);
  }

  /** Undefined when there is none. */
  stat(name: string): Promise<ObjectInfo | undefined> {
    return this.#persistently(async () => {
      const [metadata] = await this.#bucket
        .file(name)
        .getMetadata()
        .catch((error: unknown) => {
          if (isGone(error)) return [undefined];
          throw error;
        });
      return metadata === undefined ? undefined : infoOf(name, metadata);
    });
  }

  /** In one request, under a name that nobody else has. */
  write(name: string, bytes: Uint8Array): Promise<ObjectInfo> {
    return this.#persistently(async () => {
      const file = this.#bucket.file(name);
      try {
        await file.save(bytes, { resumable: false, validation: false, contentType, preconditionOpts: { ifGenerationMatch: 0 } });
      } catch (error) {
        // An attempt before this one was carried out, and its answer lost.
        const found = isRefused(error) ? await this.stat(name) : undefined;
        if (found === undefined) throw error;
        return found;
      }
      return infoOf(name, file.metadata);
    });
  }

  /** In parts of at most `partBytes`, under a name that nobody else has. @throws SourceFailure with an error of `pieces` */
  async writeParts(name: string, pieces: AsyncIterable<Uint8Array>, partBytes: number): Promise<ObjectInfo> {
    const file = this.#clients.resuming.file(name);
    const chunkSize = Math.max(Math.floor(Math.min(partBytes, largestPart) / partUnit), 1) * partUnit;
    const target = file.createWriteStream({
      resumable: true,
      validation: false,
      contentType,
      chunkSize,
      preconditionOpts: { ifGenerationMatch: 0 },
    });
    // It runs while the upload has the word, not while the source has it.
    const watch = new Watch(this.#timeoutMs);
    watch.silence.catch((error: unknown) => target.destroy(error as SilenceError));
    for (const sign of ['progress', 'response']) target.on(sign, () => watch.heard());
    watch.start();
    let [ended, failure]: [boolean, SourceFailure | undefined] = [false, undefined];
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        watch.stop();
        for await (const piece of pieces) {
          watch.start();
          // The client keeps it until its part is through; who gave it may use it again.
          yield Buffer.from(piece);
          watch.stop();
        }
        ended = true;
      } catch (error) {
        failure = new SourceFailure(error);
        throw error;
      } finally {
        watch.start();
      }
    };
    try {
      await pipeline(source, target);
      return infoOf(name, file.metadata);
    } catch (error) {
      if (failure !== undefined) throw failure as SourceFailure;
      // The last answer may be what was lost.
      const found = ended ? await this.stat(name).catch(() => undefined) : undefined;
      if (found === undefined) throw error;
      return found;
    } finally {
      watch.stop();
    }
  }

  /**
   * Copies one generation to a name that has the generation `over` now, or nothing (0). Undefined: it does not, or what was to be copied is gone. Where an answer is lost it may be
   * undefined although it was carried out.
   */
  copy(from: ObjectInfo, to: string, over: string | 0): Promise<ObjectInfo | undefined> {
    return this.#persistently(async () => {
      const source = this.#bucket.file(from.name, { generation: from.generation });
      try {
        const [, answer] = await source.copy(this.#bucket.file(to), { preconditionOpts: { ifGenerationMatch: over } });
        return infoOf(to, (answer as { readonly resource?: ObjectMetadata }).resource ?? {});
      } catch (error) {
        if (isRefused(error) || isGone(error)) return undefined;
        throw error;
      }
    });
  }

  /** Whether this generation is gone by this call, as far as can be known: of two that do it at once and lose answers both may say so. */
  remove({ name, generation }: ObjectInfo): Promise<boolean> {
    return this.#persistently(async (failures) => {
      try {
        await this.#bucket.file(name, { generation }).delete({ ifGenerationMatch: generation });
        return true;
      } catch (error) {
        if (!isRefused(error) && !isGone(error)) throw error;
        // An attempt before this one may have removed it, and its answer been lost.
        return failures > 0 && (await this.stat(name)) === undefined;
      }
    });
  }

  /** By name, from `startOffset` on; `next` when there are more. */
  list(
    prefix: string,
    limit: number,
    { startOffset, pageToken }: { readonly startOffset?: string | undefined; readonly pageToken?: string | undefined } = {},
  ): Promise<{ readonly objects: readonly ObjectInfo[]; readonly next: string | undefined }> {
    return this.#persistently(async () => {
      const [found, next] = await this.#bucket.getFiles({
        prefix,
        maxResults: Math.min(limit, 1_000),
        autoPaginate: false,
        ...(startOffset === undefined ? {} : { startOffset }),
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      return { objects: found.map(({ name, metadata }) => infoOf(name, metadata)), next: next?.pageToken };
    });
  }

  /** All of it, from the first byte on; after a cut from where it was. `judge` sees what is said of the object before its first byte, and may throw. */
  async *read(name: string, judge: (head: ObjectHead) => void): AsyncGenerator<Uint8Array> {
    const file = this.#bucket.file(name);
    let [at, failures] = [0, 0];
    for (;;) {
      try {
        let bytes: number | undefined;
        const judged = (head: ObjectHead): void => {
          bytes = head.bytes;
          judge(head);
        };
        for await (const piece of this.#download(file, at, judged)) {
          at += piece.length;
          failures = 0;
          yield piece;
        }
        if (bytes === undefined || at >= bytes) return;
        // It ended early, and nobody said so.
        throw new Error(`the download ended after ${String(at)} of ${String(bytes)} bytes`);
      } catch (error) {
        failures += 1;
        if (!isTransient(error) || failures >= attempts) throw error;
        await pause(failures);
      }
    }
  }

  async *#download(file: FileApi, start: number, judge: (head: ObjectHead) => void): AsyncGenerator<Uint8Array> {
    const stream = file.createReadStream({ validation: false, decompress: false, ...(start === 0 ? {} : { start }) });
    stream.once('response', (response: { statusCode?: number; headers: Record<string, string | undefined> }) => {
      if ((response.statusCode ?? 0) >= 300) return;
      try {
        judge(headOf(response.headers));
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    const watch = new Watch(this.#timeoutMs);
    let begun = false;
    const pieces = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        watch.start(begun ? Math.min(this.#timeoutMs, stallMs) : this.#timeoutMs);
        const step = await Promise.race([pieces.next(), watch.silence]);
        watch.stop();
        if (step.done === true) return;
        begun = true;
        yield step.value as Uint8Array;
      }
    } finally {
      watch.stop();
      stream.on('error', () => undefined).destroy();
    }
  }
}

/** A range that begins behind the end: somebody has made the object shorter meanwhile. */
export function isBehindEnd(error: unknown): boolean {
  return statusOf(error) === 416;
}

function infoOf(name: string, { size, crc32c, generation, timeCreated }: ObjectMetadata): ObjectInfo {
  return {
    name,
    bytes: Number(size),
    checksum: checksumOf(crc32c) ?? NaN,
    generation: String(generation),
    at: Date.parse(timeCreated ?? ''),
  };
}

function headOf(headers: Record<string, string | undefined>): ObjectHead {
  const [, crc32c] = /(?:^|[,\s])crc32c=([A-Za-z0-9+/=]+)/.exec(headers['x-goog-hash'] ?? '') ?? [];
  const bytes = headers['x-goog-stored-content-length'];
  return { bytes: bytes === undefined ? undefined : Number(bytes), checksum: checksumOf(crc32c) };
}

/** As Cloud Storage writes it: four bytes, the highest first, in base64. */
function checksumOf(crc32c: string | undefined): number | undefined {
  const bytes = Buffer.from(crc32c ?? '', 'base64');
  return bytes.length === 4 ? bytes.readUInt32BE() : undefined;
}
