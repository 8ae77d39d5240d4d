/**
 * What Firestore's refusals mean to the caller: for each gRPC status the typed error with what to do about it. Told apart by the status, never by the message, but for what the login throws, which has none. Of a write whose answer did not come nobody knows whether it was
 * done: that is a `StoreUnavailableError` too, and its caller reads back.
 */

import { errorMessage, StatewardenError, StoreOpenError, StorePoisonedError, StoreUnavailableError } from '../../core/errors.js';

/** https://grpc.io/docs/guides/status-codes/ */
const status = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** A document is not as a write expected it. Nothing was written. Met inside this folder only. */
export class PreconditionFailed extends Error {}

/** Others held the same documents. Nothing was written. Met inside this folder only. */
export class Contended extends Error {}

export function isRace(error: unknown): boolean {
  return error instanceof PreconditionFailed || error instanceof Contended;
}

export type CallKind = 'read' | 'commit';

const login = 'Log in: gcloud auth application-default login, or name a key file in GOOGLE_APPLICATION_CREDENTIALS.';

const terminalHints: Readonly<Record<number, string>> = {
  [status.notFound]:
    'There is no such project, or no Firestore database in it: look at `project` and `database`, or make one with gcloud firestore databases create.',
  [status.permissionDenied]: 'Give the caller roles/datastore.user in this project, and look whether the Firestore API is enabled there.',
  [status.unauthenticated]: login,
  [status.failedPrecondition]: 'The database is not in Native mode, or lacks an index: deploy firestore.indexes.json of this package.',
  [status.unimplemented]: 'What answers is not the whole of Firestore: look at the address and at FIRESTORE_EMULATOR_HOST.',
  [status.invalidArgument]: 'Look at `project`, `database` and `prefix`.',
};

const passingHints: Readonly<Record<number, string>> = {
  [status.resourceExhausted]:
    'The quota of the project is used up, or Firestore asks for less: look at the quotas of the Firestore API. It is tried again.',
  [status.deadlineExceeded]: 'No answer came in time. Whether it was written is read back.',
  [status.unavailable]: 'Firestore cannot be reached: look at the network, and at FIRESTORE_EMULATOR_HOST. It is tried again.',
  [status.aborted]: 'Others write the same documents. It is tried again.',
};

export function codeOf(error: unknown): number | undefined {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/** What a failed call of an open store means. */
export function callFault(store: string, kind: CallKind, thrown: unknown): Error {
  if (thrown instanceof StatewardenError) return thrown;
  const code = codeOf(thrown);
  if (kind === 'commit') {
    if (code === status.failedPrecondition || code === status.alreadyExists || code === status.notFound) {
      return new PreconditionFailed(errorMessage(thrown), { cause: thrown });
    }
  }
  if (code === status.aborted) return new Contended(errorMessage(thrown), { cause: thrown });
  const message = `${store} cannot be ${kind === 'commit' ? 'written' : 'read'}: ${errorMessage(thrown)}`;
  const terminal = isLogin(thrown) ? login : terminalHints[code ?? -1];
  if (terminal !== undefined) return new StorePoisonedError(message, { cause: thrown, hint: terminal });
  return new StoreUnavailableError(message, {
    cause: thrown,
    hint: passingHints[code ?? -1] ?? 'It is tried again; what was written is read back.',
  });
}

/** The same while it is opened. */
export function openFault(store: string, thrown: unknown): unknown {
  const fault = callFault(store, 'read', thrown);
  if (!(fault instanceof StorePoisonedError)) return fault;
  return new StoreOpenError(fault.message, { hint: fault.hint, cause: fault.cause });
}

/** The auth library throws before there is any status. */
function isLogin(thrown: unknown): boolean {
  return /could not load the default credentials|unable to detect a project id|invalid_grant|invalid_client/i.test(errorMessage(thrown));
}

/** The database under an open store is not the one that was opened. */
export function otherEpoch(store: string, found: string | undefined): StorePoisonedError {
  return new StorePoisonedError(
    `${store} is not the store any more that was opened: ${found === undefined ? 'it was wiped' : 'it was wiped and begun anew'}`,
    {
      hint: 'An emulator keeps nothing over a restart; a database was deleted or restored. Nothing further is written. Bring the data back, or start again to begin with an empty store.',
    },
  );
}
