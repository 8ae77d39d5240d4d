/**
 * Writes that stand or fall together, each with what it expects of its document: that it is there, that it is not, or that it is as it was read. Several writes of one document become one. Firestore itself looks whether all is as expected, at the moment
 * at which it writes.
 */

import type { Calls, ProtoWrite } from './calls.js';
import { bytesOf, cut, type Chunk } from './chunks.js';
import type { Collection } from './places.js';
import { encodeFields, type Fields, type Stamp } from './values.js';

/** What a document must be: absent, there, or last written at this time. */
export type Expected = 'absent' | 'there' | Stamp;

interface Write {
  fields: Record<string, Fields[string]> | undefined;
  /** All of `fields` and nothing else; undefined: these fields of those that there are. */
  whole: boolean;
  expected: Expected | undefined;
  /** Fields that get the server's time. */
  stamps: readonly string[];
}

/** Of one commit. Firestore takes 10 MiB; more writes than these are one agent's own, which no commit may part. */
const most = { writes: 450, bytes: 7_000_000 };

export class Batch {
  readonly #calls: Calls;
  readonly #writes = new Map<string, Write>();
  #bytes = 0;
  /** Documents with long texts, and their chunks' names, after the commit: see `Cache`. */
  readonly chunked = new Map<string, readonly string[]>();

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  get size(): number {
    return this.#writes.size;
  }

  get isFull(): boolean {
    return this.#writes.size >= most.writes || this.#bytes >= most.bytes;
  }

  /** Whether a write speaks of a document that was read, so that another database would refuse it. */
  get isAnchored(): boolean {
    return [...this.#writes.values()].some(({ expected }) => typeof expected === 'object');
  }

  /** The whole document, or with `merge` only these fields of it; `undefined` there takes a field away. */
  put(
    collection: Collection,
    name: string,
    fields: Fields,
    { expected, merge = false, stamps = [] }: { expected?: Expected; merge?: boolean; stamps?: readonly string[] } = {},
  ): void {
    const path = this.#calls.path(collection, name);
    const before = this.#writes.get(path);
    this.#bytes += bytesOf(fields) + 200;
    if (before?.fields === undefined || !merge) {
      this.#writes.set(path, { fields: { ...fields }, whole: !merge, expected: before === undefined ? expected : before.expected, stamps });
    } else {
      before.fields = { ...before.fields, ...fields };
      before.stamps = stamps;
    }
  }

  /** The store's root document. */
  putRoot(fields: Fields, expected: Expected): void {
    this.#writes.set(this.#calls.root, { fields: { ...fields }, whole: true, expected, stamps: [] });
  }

  remove(collection: Collection, name: string, expected?: Expected): void {
    const path = this.#calls.path(collection, name);
    const before = this.#writes.get(path);
    if (before?.expected === 'absent') this.#writes.delete(path);
    else
      this.#writes.set(path, { fields: undefined, whole: true, expected: before === undefined ? expected : before.expected, stamps: [] });
    this.#bytes += 100;
  }

  /** Changes nothing, and holds only if the document is so. */
  verify(collection: Collection, name: string, expected: Expected): void {
    const path = this.#calls.path(collection, name);
    if (!this.#writes.has(path)) this.#writes.set(path, { fields: {}, whole: false, expected, stamps: [] });
  }

  has(collection: Collection, name: string): boolean {
    return this.#writes.has(this.#calls.path(collection, name));
  }

  /**
   * Resolves to when each document was written, and the commit's time. `outdated`: names of chunks that a document written here has had until now.
   * @throws PreconditionFailed, Contended, StoreUnavailableError, StorePoisonedError
   */
  async send(
    outdated: (path: string) => readonly string[],
    transaction?: Uint8Array,
  ): Promise<{ readonly times: ReadonlyMap<string, Stamp>; readonly commitTime: Stamp }> {
    const paths = [...this.#writes.keys()];
    const staged: Chunk[] = [];
    const writes = paths.map((path) => this.#proto(path, this.#writes.get(path) as Write, staged));
    const beside = staged.map(({ name, text }) => this.#chunk(name, text));
    const together = this.#bytes <= most.bytes;
    if (!together) for (const write of beside) await this.#calls.commit([write]);
    const gone = paths.flatMap((path) =>
      (this.#writes.get(path) as Write).whole ? outdated(path).map((name) => ({ delete: this.#calls.path('chunks', name) })) : [],
    );
    const { updateTimes, commitTime } = await this.#calls.commit([...writes, ...(together ? beside : []), ...gone], transaction);
    const times = new Map<string, Stamp>();
    paths.forEach((path, index) => {
      const time = updateTimes[index];
      if (time !== undefined) times.set(path, time);
    });
    return { times, commitTime };
  }

  #proto(path: string, { fields, whole, expected, stamps }: Write, staged: Chunk[]): ProtoWrite {
    const currentDocument =
      expected === undefined
        ? {}
        : { currentDocument: typeof expected === 'object' ? { updateTime: expected } : { exists: expected === 'there' } };
    if (fields === undefined) return { delete: path, ...currentDocument };
    const { fields: fitting, chunks } = cut(fields, path.includes('/agents/'));
    staged.push(...chunks);
    if (chunks.length > 0)
      this.chunked.set(
        path,
        chunks.map(({ name }) => name),
      );
    return {
      update: { name: path, fields: encodeFields(fitting) },
      ...(whole ? {} : { updateMask: { fieldPaths: Object.keys(fields) } }),
      ...currentDocument,
      ...(stamps.length === 0 ? {} : { updateTransforms: stamps.map((fieldPath) => ({ fieldPath, setToServerValue: 'REQUEST_TIME' })) }),
    };
  }

  #chunk(name: string, text: string): ProtoWrite {
    return { update: { name: this.#calls.path('chunks', name), fields: encodeFields({ text }) } };
  }
}
