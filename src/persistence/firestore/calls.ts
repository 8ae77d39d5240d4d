/**
 * Calls to one store's part of a Firestore database: documents by name, queries, sums, and commits whose writes stand or fall together. Each call is one request on the wire and is counted as such; none is tried again here. Long texts are put together
 * again as they are read.
 */

import type { Connection } from './client.js';
import { callFault, type CallKind } from './faults.js';
import type { Collection } from './places.js';
import { assemble } from './chunks.js';
import { decodeFields, encodeValue, type ProtoFields, type ProtoValue, type Stamp, type Value } from './values.js';

/** A document as it was read. */
export interface Doc {
  /** Within its collection. */
  readonly name: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly updateTime: Stamp;
  /** Names of the documents that have its long texts. */
  readonly chunks: readonly string[];
}

type Operator = 'EQUAL' | 'LESS_THAN' | 'GREATER_THAN' | 'GREATER_THAN_OR_EQUAL' | 'IN' | 'ARRAY_CONTAINS_ANY';

export interface Query {
  readonly collection: Collection;
  /** A range of names, the end not in it. */
  readonly names?: { readonly from: string; readonly to: string; readonly after?: string };
  readonly where?: readonly (readonly [field: string, operator: Operator, value: NonNullable<Value> | readonly number[]])[];
  readonly order?: readonly (readonly [field: string, direction: 'ASCENDING' | 'DESCENDING'])[];
  readonly limit?: number;
  /** Only these fields. */
  readonly select?: readonly string[];
  /** Long texts stay where they are. */
  readonly raw?: boolean;
  /** As it was at this time. */
  readonly readTime?: Stamp;
  /** Within this transaction; `begin`: in one that begins with it. */
  readonly transaction?: Uint8Array | 'begin';
}

export interface Found {
  readonly docs: readonly Doc[];
  readonly readTime: Stamp;
  readonly transaction: Uint8Array | undefined;
}

/** One write of a commit, as the protocol has it. */
export type ProtoWrite = Readonly<Record<string, unknown>>;

interface ReadAnswer {
  readonly found?: { readonly name: string; readonly fields: ProtoFields; readonly updateTime: Stamp } | null;
  readonly document?: ReadAnswer['found'];
  readonly missing?: string;
  readonly readTime?: Stamp | null;
  readonly transaction?: Uint8Array;
  readonly result?: { readonly aggregateFields?: ProtoFields } | null | string;
}

export interface CallsOptions {
  readonly name: string;
  readonly connection: Connection;
  readonly project: string;
  readonly database: string;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly onCall: ((method: string) => void) | undefined;
}

/** Documents that are asked for together. */
const together = 300;
/** Firestore takes so many values in one `in`. */
export const mostInOne = 30;

export class Calls {
  /** For people: the store's name. */
  readonly name: string;
  /** Of the store's root document. */
  readonly root: string;
  readonly #connection: Connection;
  readonly #database: string;
  readonly #options: { readonly timeout: number; readonly retry: null; readonly otherArgs: object };
  readonly #onCall: ((method: string) => void) | undefined;

  constructor({ name, connection, project, database, prefix, timeoutMs, onCall }: CallsOptions) {
    this.name = name;
    this.#connection = connection;
    this.#database = `projects/${project}/databases/${database}`;
    this.root = `${this.#database}/documents/statewarden/${prefix}`;
    const headers = { ...connection.headers, 'google-cloud-resource-prefix': this.#database };
    this.#options = { timeout: timeoutMs, retry: null, otherArgs: { headers } };
    this.#onCall = onCall;
  }

  path(collection: Collection, name: string): string {
    return `${this.root}/${collection}/${name}`;
  }

  /** Documents by path, in their order. */
  async get(
    paths: readonly string[],
    options: { readonly select?: readonly string[]; readonly readTime?: Stamp } = {},
  ): Promise<{ readonly docs: readonly (Doc | undefined)[]; readonly readTime: Stamp | undefined }> {
    const parts: string[][] = [];
    const wanted = [...new Set(paths)];
    for (let index = 0; index < wanted.length; index += together) parts.push(wanted.slice(index, index + together));
    const found = new Map<string, Doc>();
    let readTime: Stamp | undefined;
    await Promise.all(
      parts.map(async (documents) => {
        const request = {
          database: this.#database,
          documents,
          ...(options.select === undefined ? {} : { mask: { fieldPaths: options.select } }),
          ...(options.readTime === undefined ? {} : { readTime: options.readTime }),
        };
        for (const answer of await this.#stream('batchGetDocuments', request)) {
          if (answer.found) found.set(answer.found.name, readDoc(answer.found));
          readTime = answer.readTime ?? readTime;
        }
      }),
    );
    const whole = await this.#whole(
      paths.map((path) => found.get(path)),
      readTime,
    );
    return { docs: whole, readTime };
  }

  async query(query: Query): Promise<Found> {
    const { readTime, transaction } = query;
    const consistency =
      transaction === 'begin'
        ? { newTransaction: { readWrite: {} } }
        : transaction !== undefined
          ? { transaction }
          : readTime === undefined
            ? {}
            : { readTime };
    const answers = await this.#stream('runQuery', { parent: this.root, structuredQuery: this.#structured(query), ...consistency });
    const docs = answers.flatMap(({ document }) => (document ? [readDoc(document)] : []));
    const readAt = answers.findLast((answer) => answer.readTime)?.readTime ?? { seconds: 0, nanos: 0 };
    return {
      docs: query.raw === true ? docs : ((await this.#whole(docs, readAt)) as Doc[]),
      readTime: readAt,
      transaction: answers.find((answer) => (answer.transaction?.length ?? 0) > 0)?.transaction,
    };
  }

  /** How many there are, and the sum of a field. */
  async total(query: Query, sum?: string): Promise<{ readonly count: number; readonly sum: number }> {
    const aggregations = [
      { alias: 'count', count: {} },
      ...(sum === undefined ? [] : [{ alias: 'sum', sum: { field: { fieldPath: sum } } }]),
    ];
    const structuredAggregationQuery = { structuredQuery: this.#structured(query), aggregations };
    const [answer] = await this.#stream('runAggregationQuery', { parent: this.root, structuredAggregationQuery });
    const result = typeof answer?.result === 'object' ? answer.result : undefined;
    const fields = decodeFields(result?.aggregateFields ?? {});
    return { count: Number(fields['count'] ?? 0), sum: Number(fields['sum'] ?? 0) };
  }

  /** All or none. @throws PreconditionFailed, Contended, StoreUnavailableError, StorePoisonedError */
  async commit(
    writes: readonly ProtoWrite[],
    transaction?: Uint8Array,
  ): Promise<{ readonly updateTimes: readonly (Stamp | undefined)[]; readonly commitTime: Stamp }> {
    const request = { database: this.#database, writes, ...(transaction === undefined ? {} : { transaction }) };
    this.#onCall?.('commit');
    try {
      const [answer] = (await this.#connection.raw.commit(request, this.#options)) as unknown as readonly [
        { readonly writeResults: readonly { readonly updateTime: Stamp | null }[]; readonly commitTime: Stamp },
      ];
      return { updateTimes: answer.writeResults.map(({ updateTime }) => updateTime ?? undefined), commitTime: answer.commitTime };
    } catch (error) {
      throw callFault(this.name, 'commit', error);
    }
  }

  /** Lets go of what a transaction holds. Best effort: it lets go by itself after a while. */
  async rollback(transaction: Uint8Array): Promise<void> {
    this.#onCall?.('rollback');
    await this.#connection.raw.rollback({ database: this.#database, transaction }, this.#options).catch(() => undefined);
  }

  #structured({ collection, names, where = [], order = [], limit, select }: Query): object {
    const filter = (fieldPath: string, op: string, value: ProtoValue): object => ({ fieldFilter: { field: { fieldPath }, op, value } });
    const reference = (name: string): ProtoValue => ({ referenceValue: this.path(collection, name) });
    const filters = where.map(([field, operator, value]) =>
      filter(
        field,
        operator,
        Array.isArray(value)
          ? { arrayValue: { values: (value as readonly (string | number)[]).map(encodeValue) } }
          : encodeValue(value as NonNullable<Value>),
      ),
    );
    if (names !== undefined) {
      filters.push(filter('__name__', 'LESS_THAN', reference(names.to)));
      const from = names.after ?? names.from;
      filters.push(filter('__name__', names.after === undefined ? 'GREATER_THAN_OR_EQUAL' : 'GREATER_THAN', reference(from)));
    }
    return {
      from: [{ collectionId: collection }],
      ...(filters.length === 0 ? {} : { where: filters.length === 1 ? filters[0] : { compositeFilter: { op: 'AND', filters } } }),
      ...(order.length === 0 ? {} : { orderBy: order.map(([fieldPath, direction]) => ({ field: { fieldPath }, direction })) }),
      ...(limit === undefined || limit === Infinity ? {} : { limit: { value: limit } }),
      ...(select === undefined ? {} : { select: { fields: select.map((fieldPath) => ({ fieldPath })) } }),
    };
  }

  #stream(method: 'batchGetDocuments' | 'runQuery' | 'runAggregationQuery', request: object): Promise<ReadAnswer[]> {
    this.#onCall?.(method);
    return new Promise<ReadAnswer[]>((resolve, reject) => {
      const answers: ReadAnswer[] = [];
      const stream = this.#connection.raw[method](request, this.#options);
      stream.on('data', (answer: ReadAnswer) => answers.push(answer));
      stream.on('end', () => resolve(answers));
      stream.on('error', reject);
    }).catch((error: unknown) => {
      throw callFault(this.name, 'read' satisfies CallKind, error);
    });
  }

  async #whole(docs: readonly (Doc | undefined)[], readTime: Stamp | undefined): Promise<readonly (Doc | undefined)[]> {
    if (docs.every((doc) => doc === undefined || doc.chunks.length === 0)) return docs;
    const names = [...new Set(docs.flatMap((doc) => doc?.chunks ?? []))];
    // As they were when the document was read: it may have been written anew since.
    const { docs: chunks } = await this.get(
      names.map((name) => this.path('chunks', name)),
      readTime === undefined ? {} : { readTime },
    );
    const texts = new Map(chunks.flatMap((chunk) => (chunk === undefined ? [] : [[chunk.name, chunk.fields['text'] as string]])));
    return docs.map((doc) => doc && assemble(doc, texts));
  }
}

function readDoc({ name, fields, updateTime }: NonNullable<ReadAnswer['found']>): Doc {
  const decoded = decodeFields(fields ?? {});
  const chunks = Object.values(decoded).flatMap((value) => chunkNames(value));
  return { name: name.slice(name.lastIndexOf('/') + 1), fields: decoded, updateTime, chunks };
}

function chunkNames(value: Value): string[] {
  if (typeof value !== 'object' || !('base' in value)) return [];
  return Array.from({ length: value.chunks }, (_, index) => `${value.base}-${String(index)}`);
}
