/**
 * The calls to Spanner that are used. The package `@google-cloud/spanner` is loaded here and nowhere else, when a store is opened. What is taken of it is its generated client: it does what it is told, one
 * call on the wire for one call here, so that nothing is sent again whose outcome is unknown.
 */

import { CapabilityMissingError } from '../../core/errors.js';

/** `google.protobuf.Value`: numbers of 64 bits are text. */
export interface WireValue {
  nullValue?: 'NULL_VALUE' | 0;
  boolValue?: boolean;
  numberValue?: number;
  stringValue?: string;
  listValue?: { values: WireValue[] };
}

export interface WireType {
  readonly code: string;
  readonly arrayElementType?: WireType | null;
  readonly structType?: { readonly fields: readonly { readonly name: string; readonly type: WireType }[] } | null;
}

export interface WireWrite {
  readonly table: string;
  readonly columns: readonly string[];
  readonly values: readonly { readonly values: readonly WireValue[] }[];
}

export interface WireMutation {
  readonly insert?: WireWrite;
  readonly update?: WireWrite;
  readonly insertOrUpdate?: WireWrite;
  readonly delete?: {
    readonly table: string;
    readonly keySet: {
      readonly keys?: readonly { readonly values: readonly WireValue[] }[];
      readonly ranges?: readonly { readonly startClosed: { values: WireValue[] }; readonly endClosed: { values: WireValue[] } }[];
    };
  };
}

/** As far as it is looked at. */
export interface PartialResultSet {
  readonly metadata?: {
    readonly rowType?: { readonly fields: readonly { readonly name: string; readonly type: WireType }[] };
    readonly transaction?: { readonly id?: Uint8Array; readonly readTimestamp?: unknown };
  };
  readonly values: readonly WireValue[];
  readonly chunkedValue?: boolean;
}

/** Milliseconds; `retry: null`: the call is made once. */
export interface CallLimits {
  readonly timeout: number;
  readonly retry: null;
  /** The same for streams. */
  readonly retryRequestOptions?: { readonly retries: 0; readonly noResponseRetries: 0 };
}

interface ResultStream extends AsyncIterable<PartialResultSet> {
  cancel?(): void;
}

/** Of a `v1.SpannerClient`. */
export interface SpannerCalls {
  batchCreateSessions(request: object, limits: CallLimits): Promise<readonly [{ readonly session: readonly { readonly name: string }[] }]>;
  deleteSession(request: { readonly name: string }, limits: CallLimits): Promise<unknown>;
  executeStreamingSql(request: object, limits: CallLimits): ResultStream;
  commit(request: object, limits: CallLimits): Promise<unknown>;
  rollback(request: object, limits: CallLimits): Promise<unknown>;
  close(): Promise<void>;
}

/** Of a `v1.DatabaseAdminClient`. */
export interface AdminCalls {
  updateDatabaseDdl(
    request: { readonly database: string; readonly statements: readonly string[] },
    limits?: { readonly timeout: number },
  ): Promise<readonly [{ promise(): Promise<unknown> }]>;
  close(): Promise<void>;
}

interface Package {
  readonly Spanner: new (options: object) => {
    readonly options: { readonly sslCreds?: unknown };
    readonly auth: { getClient(): Promise<unknown> };
  };
  readonly v1: {
    readonly SpannerClient: new (options: object) => SpannerCalls;
    readonly DatabaseAdminClient: new (options: object) => AdminCalls;
  };
}

export type LoadSpanner = () => Promise<unknown>;

export interface SpannerApi {
  readonly calls: SpannerCalls;
  /** For the schema only. */
  admin(): AdminCalls;
}

/** `client`: options of the package's own client. An emulator is found as by every client, by SPANNER_EMULATOR_HOST. Rejects when there are no credentials. @throws CapabilityMissingError */
export async function connectSpanner(
  project: string,
  client: object,
  load: LoadSpanner = () => import('@google-cloud/spanner'),
): Promise<SpannerApi> {
  const { Spanner, v1 } = (await load().catch((cause: unknown) => {
    throw new CapabilityMissingError('spanner() needs the package "@google-cloud/spanner"', {
      hint: 'Run npm install @google-cloud/spanner, beside statewarden (version 8 runs on Node 18 and later, 9 on 22 and later).',
      cause,
    });
  })) as Package;
  const { options, auth } = new Spanner({ projectId: project, disableBuiltInMetrics: true, ...client });
  // Before the generated client looks for them: where it finds none, it fails where nobody can hear it.
  if (options.sslCreds === undefined) await auth.getClient();
  const shared = { ...options, auth };
  return { calls: new v1.SpannerClient(shared), admin: () => new v1.DatabaseAdminClient(shared) };
}
