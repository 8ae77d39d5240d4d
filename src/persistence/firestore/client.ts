/**
 * The client of Firestore. The package `@google-cloud/firestore` is loaded here and nowhere else, when a store is opened. Calls go through its generated client without retries of its own: an attempt whose answer was lost must not be made
 * again unseen, since its preconditions would then speak against it. Only the listener is the package's own, which has no raw counterpart.
 */

import { createRequire } from 'node:module';
import { BadInputError, CapabilityMissingError } from '../../core/errors.js';

/** What is passed on to the package's clients: `credentials`, `keyFilename` and whatever else it knows. */
export interface ClientSettings {
  readonly project: string;
  readonly database: string;
  /** HTTP/1.1 for all but the listener. */
  readonly preferRest: boolean;
  /** `host:port` of an emulator; undefined: the real one. */
  readonly emulator: string | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

interface Stream {
  on(event: 'data', listener: (value: never) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** Of the package's `v1.FirestoreClient`. */
export interface RawClient {
  commit(request: object, options: object): Promise<readonly [never, ...unknown[]]>;
  rollback(request: object, options: object): Promise<unknown>;
  batchGetDocuments(request: object, options: object): Stream;
  runQuery(request: object, options: object): Stream;
  runAggregationQuery(request: object, options: object): Stream;
  initialize(): Promise<unknown>;
  close(): Promise<void>;
}

/** What is used of the package's `Firestore`. */
export interface ListeningClient {
  collection(path: string): ListeningQuery;
  terminate(): Promise<void>;
}

export interface ListeningQuery {
  where(field: string, operator: 'in', values: readonly unknown[]): ListeningQuery;
  onSnapshot(
    next: (snapshot: {
      docChanges(): readonly { readonly type: string; readonly doc: { data(): Readonly<Record<string, unknown>> } }[];
    }) => void,
    failed: (error: unknown) => void,
  ): () => void;
}

interface Package {
  readonly Firestore: new (settings: object) => ListeningClient;
  readonly v1: { readonly FirestoreClient: new (options: object) => RawClient };
}

type Load = () => Promise<unknown>;

export interface Connection {
  readonly raw: RawClient;
  /** Made when it is first asked for. */
  listening(): ListeningClient;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws CapabilityMissingError, BadInputError; what the package throws where nobody is logged in */
export async function connect(
  { project, database, preferRest, emulator, settings }: ClientSettings,
  load: Load = () => import('@google-cloud/firestore'),
): Promise<Connection> {
  const loaded = (await load().catch((cause: unknown) => {
    throw new CapabilityMissingError('firestore() needs the package "@google-cloud/firestore"', {
      hint: 'Run npm install @google-cloud/firestore, beside statewarden (version 8 runs on Node 18 and later, 9 on 22 and later).',
      cause,
    });
  })) as Package & { readonly default?: Package };
  const sdk = loaded.v1 === undefined && loaded.default !== undefined ? loaded.default : loaded;
  const local = emulator === undefined ? undefined : address(emulator);
  const fallback = preferRest ? { fallback: true } : {};
  const raw = new sdk.v1.FirestoreClient(
    local === undefined
      ? { ...settings, projectId: project, ...fallback }
      : {
          projectId: project,
          servicePath: local.host,
          port: local.port,
          ...plainText(),
          ...fallback,
          ...(preferRest ? { protocol: 'http', auth: nobody } : {}),
        },
  );
  // Here, for a call would let what this throws go by unheard.
  await raw.initialize();
  return {
    raw,
    listening: () =>
      new sdk.Firestore({
        ...settings,
        projectId: project,
        databaseId: database,
        preferRest,
        ...(local === undefined ? {} : { host: `${local.host}:${String(local.port)}`, ssl: false }),
      }),
    // An emulator takes whoever says so for its owner.
    headers: local === undefined ? {} : { Authorization: 'Bearer owner' },
  };
}

/** An emulator asks nobody to log in; what is to say who it is says nothing. */
const nobody = { getRequestHeaders: async () => new Headers(), fetch: (...call: Parameters<typeof fetch>) => fetch(...call) };

/** Credentials for a connection without TLS, from the gRPC library that the package itself uses. */
function plainText(): object {
  const besidePackage = createRequire(import.meta.resolve('@google-cloud/firestore'));
  const { grpc } = besidePackage('google-gax') as { readonly grpc: { readonly credentials: { createInsecure(): object } } };
  return { sslCreds: grpc.credentials.createInsecure() };
}

function address(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(?:http:\/\/)?(\[[0-9a-f:]+\]|[^:/]+):(\d+)\/?$/i.exec(text) ?? [];
  if (host === undefined) {
    throw new BadInputError(`firestore: the emulator is at ${JSON.stringify(text)}`, {
      hint: 'Give host and port, for example 127.0.0.1:8080, as `emulator` or in FIRESTORE_EMULATOR_HOST.',
    });
  }
  return { host, port: Number(port) };
}
