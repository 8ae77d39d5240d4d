/**
 * A store in Google Cloud Firestore: durable agents on as many machines as there are. Everything lies below one root document, `statewarden/PREFIX`, in collections that a person can look through. Firestore itself checks fence and sequence number with every write.
 */

import { BadInputError } from '../../core/errors.js';
import type { Store } from '../store.js';
import { Calls } from './calls.js';
import { connect } from './client.js';
import { openFault } from './faults.js';
import { FirestoreStore } from './opened.js';

export interface FirestoreOptions {
  /** Id of the Google Cloud project. */
  readonly project: string;
  /** Id of the database. Default `(default)`. */
  readonly database?: string;
  /** Sets several stores in one database apart. Letters, digits, `.`, `_` and `-`. Default `default`. */
  readonly prefix?: string;
  /** HTTP/1.1 instead of gRPC for everything but the listener. Default false. */
  readonly preferRest?: boolean;
  /** `host:port` of an emulator. Default: FIRESTORE_EMULATOR_HOST, else the real Firestore. */
  readonly emulator?: string;
  /** Path of a service account's key file. Default: Application Default Credentials. */
  readonly keyFilename?: string;
  /** A service account's. */
  readonly credentials?: { readonly client_email: string; readonly private_key: string };
  /** How long one request may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /**
   * What says whether a node's lease has run out. `server` (the default): Firestore's own time, so that wrong clocks harm nothing. `clock`: the runtime's clock, for tests that move it.
   */
  readonly leaseTime?: 'server' | 'clock';
  /** Opening fails where there is no store yet, for tools that only look. Default false. */
  readonly mustExist?: boolean;
  /** Told of every request to Firestore by the name of its method, before it is sent. */
  readonly onCall?: (method: string) => void;
}

/** @throws BadInputError */
export function firestore(options: FirestoreOptions): Store {
  const { project, database, prefix, preferRest, emulator, timeoutMs, leaseTime, mustExist, onCall, settings } = checked(options);
  const name = `firestore://${project}${database === '(default)' && prefix === 'default' ? '' : `/${database}`}${prefix === 'default' ? '' : `/${prefix}`}`;
  return {
    name,
    capabilities: { durable: true, shared: true, remote: true },
    open: async ({ lease, now }) => {
      const at = emulator ?? process.env['FIRESTORE_EMULATOR_HOST'];
      const connection = await connect({ project, database, preferRest, emulator: at === '' ? undefined : at, settings }).catch(
        (error: unknown) => {
          throw openFault(name, error);
        },
      );
      const calls = new Calls({ name, connection, project, database, prefix, timeoutMs, onCall });
      const opened = new FirestoreStore({ calls, connection, lease, now, leaseTime, mustExist });
      await opened.open();
      return opened;
    },
  };
}

function checked(options: FirestoreOptions): Required<Omit<FirestoreOptions, 'emulator' | 'onCall' | 'keyFilename' | 'credentials'>> &
  Pick<FirestoreOptions, 'emulator'> & {
    readonly onCall: FirestoreOptions['onCall'];
    readonly settings: Readonly<Record<string, unknown>>;
  } {
  const wrong = (option: keyof FirestoreOptions, hint: string): BadInputError => {
    const value = (options as Partial<FirestoreOptions> | undefined)?.[option];
    return new BadInputError(`firestore: ${option} is ${JSON.stringify(value) ?? typeof value}`, { hint });
  };
  const {
    project,
    database = '(default)',
    prefix = 'default',
    preferRest = false,
    emulator,
    keyFilename,
    credentials,
    timeoutMs = 10_000,
    leaseTime = 'server',
    mustExist = false,
    onCall,
  } = (options ?? {}) as FirestoreOptions;
  if (typeof project !== 'string' || !/^[A-Za-z0-9:.-]+$/.test(project)) throw wrong('project', "Give the project's id: 'my-project'.");
  if (typeof database !== 'string' || !/^(\(default\)|[a-z0-9-]+)$/.test(database)) {
    throw wrong('database', "Give the database's id, for example 'agents', or leave it out for '(default)'.");
  }
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(prefix) || /^__.*__$/.test(prefix)) {
    throw wrong('prefix', "Give letters, digits, '.', '_' and '-', for example 'staging'.");
  }
  if (emulator !== undefined && typeof emulator !== 'string') throw wrong('emulator', "Give host and port: '127.0.0.1:8080'.");
  if (!(timeoutMs > 0)) throw wrong('timeoutMs', 'Give milliseconds, more than 0.');
  if (leaseTime !== 'server' && leaseTime !== 'clock') throw wrong('leaseTime', "Say 'server' or 'clock'.");
  const settings = { ...(keyFilename === undefined ? {} : { keyFilename }), ...(credentials === undefined ? {} : { credentials }) };
  return {
    project,
    database,
    prefix,
    preferRest,
    timeoutMs,
    leaseTime,
    mustExist,
    onCall,
    settings,
    ...(emulator === undefined ? {} : { emulator }),
  };
}
