/**
 * What Spanner's refusals mean to the caller: for each status the typed error with what to do about it. Told apart by the status code; the text is looked at only where one status has several meanings.
 */

import { InvariantViolationError, StatewardenError, StoreOpenError, StorePoisonedError, StoreUnavailableError } from '../../core/errors.js';

/** https://grpc.io/docs/guides/status-codes/ */
export const status = {
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
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export function codeOf(error: unknown): number | undefined {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const isAborted = (error: unknown): boolean => codeOf(error) === status.aborted;

export function isSessionGone(error: unknown): boolean {
  return codeOf(error) === status.notFound && /session not found/i.test(messageOf(error));
}

/** The database itself, or what it is in. */
export function isDatabaseGone(error: unknown): boolean {
  return codeOf(error) === status.notFound && /(database|instance|session) not found/i.test(messageOf(error));
}

/** A row was expected and is not there, or the other way round: what `plan.ts` took for granted is not so. */
export function isUnexpectedRow(error: unknown): boolean {
  const code = codeOf(error);
  return (code === status.notFound && !isDatabaseGone(error)) || code === status.alreadyExists;
}

const credentials = 'Log in: gcloud auth application-default login, or give a service account with GOOGLE_APPLICATION_CREDENTIALS.';
const isCredentials = (message: string): boolean =>
  /could not load the default credentials|default credentials|invalid_grant|ENOENT.*json/i.test(message);

/** What went wrong when `name` was opened. */
export function openError(name: string, error: unknown): unknown {
  if (error instanceof StatewardenError) return error;
  const message = `${name} cannot be opened: ${messageOf(error)}`;
  const fail = (hint: string): StoreOpenError => new StoreOpenError(message, { cause: error, hint });
  switch (codeOf(error)) {
    case status.notFound:
      return fail(
        /instance not found/i.test(messageOf(error))
          ? 'Look at project and instance: gcloud spanner instances list.'
          : 'Look at the database: gcloud spanner databases list --instance INSTANCE. Make it with gcloud spanner databases create, then run statewarden migrate.',
      );
    case status.permissionDenied:
      return fail(
        'Give the caller roles/spanner.databaseUser on the database, and roles/spanner.databaseAdmin to migrate it; look at the project.',
      );
    case status.unauthenticated:
      return fail(credentials);
    case status.invalidArgument:
      return fail('Look at project, instance and database: their names have lower-case letters, digits and hyphens.');
    default:
      return isCredentials(messageOf(error)) ? fail(credentials) : callError(name, error);
  }
}

const retryHints: Readonly<Record<number, string>> = {
  [status.resourceExhausted]: 'A quota or the instance is used up: look at the instance’s load and give it more nodes. It is tried again.',
  [status.aborted]: 'Others write the same rows all the time. It is tried again.',
  [status.deadlineExceeded]: 'Spanner did not answer in time; whether anything was written is asked before it is tried again.',
  [status.unavailable]: 'Spanner cannot be reached; it is tried again.',
};

const terminalHints: Readonly<Record<number, string>> = {
  [status.permissionDenied]: 'The right to use the database was taken away: give the caller roles/spanner.databaseUser, then start again.',
  [status.unauthenticated]: credentials,
  [status.failedPrecondition]: 'Look at the cause: a table was changed by hand, or the database is being dropped.',
};

/** What went wrong in a call of a store that was opened. */
export function callError(name: string, error: unknown): StatewardenError {
  if (error instanceof StatewardenError) return error;
  if (isDatabaseGone(error)) return goneError(name, error);
  const message = `${name}: ${messageOf(error)}`;
  const code = codeOf(error);
  const terminal = code === undefined ? undefined : terminalHints[code];
  if (terminal !== undefined) return new StorePoisonedError(message, { cause: error, hint: terminal });
  if (code === undefined && isCredentials(messageOf(error))) return new StorePoisonedError(message, { cause: error, hint: credentials });
  if (code === status.invalidArgument && /too (many|large)|exceeds|limit/i.test(message)) {
    const why =
      'One agent wrote more at once than Spanner takes in a commit (100 MB, 80,000 columns): keep large values in an artifact store.';
    return new StorePoisonedError(message, { cause: error, hint: why });
  }
  if (code === status.invalidArgument || code === status.notFound || code === status.alreadyExists || code === status.outOfRange) {
    return new InvariantViolationError(message, { cause: error, hint: 'Please report it.' });
  }
  const hint = (code === undefined ? undefined : retryHints[code]) ?? 'What became of the call is not known; it is asked, and tried again.';
  return new StoreUnavailableError(message, { cause: error, hint });
}

/** The database is not the one that was opened. */
export function goneError(name: string, cause: unknown): StorePoisonedError {
  return new StorePoisonedError(
    `${name} is gone: it was dropped since it was opened, or made anew (an emulator keeps nothing when it is restarted)`,
    {
      cause,
      hint: 'Nothing was written to what may be there now. Restore the database from a backup, or begin anew: statewarden migrate, then start again.',
    },
  );
}
