/** What the failures of Cloud Storage mean: which may go another time, and the typed error with what to do about it. Told apart by HTTP status and the reason that comes with it. */

import { StatewardenError, StoreOpenError, StoreUnavailableError } from '../../core/errors.js';

type Kind = 'credentials' | 'denied' | 'billing' | 'missing' | 'quota' | 'precondition' | 'refused' | 'unavailable' | 'network';

/** So long there was no sign of life. */
export class SilenceError extends Error {
  constructor(ms: number) {
    super(`no answer within ${String(ms)} ms`);
    this.name = 'SilenceError';
  }
}

interface Told {
  readonly code?: unknown;
  readonly status?: unknown;
  readonly response?: { readonly status?: unknown };
  readonly errors?: readonly {
    readonly reason?: unknown;
    readonly error?: { readonly errors?: readonly { readonly reason?: unknown }[] };
  }[];
  readonly message?: unknown;
}

/** The HTTP status of an answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  const { code, status, response } = (error ?? {}) as Told;
  for (const value of [code, status, response?.status]) {
    const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && number >= 100 && number < 600) return number;
  }
  return undefined;
}

/** Of a call for one object: it is not there. What says that the bucket is not there is a fault. */
export function isGone(error: unknown): boolean {
  return statusOf(error) === 404 && !/bucket does not exist/i.test(messageOf(error));
}

/** A condition on the generation did not hold. */
export function isRefused(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** Whether the same call may go in a moment. */
export function isTransient(error: unknown): boolean {
  return !(error instanceof StatewardenError) && ['quota', 'unavailable', 'network'].includes(kindOf(error));
}

function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as Told;
  // Some answers are whole documents.
  return (typeof message === 'string' ? message : String(error)).trim().replace(/\s+/g, ' ').slice(0, 300);
}

function reasonsOf(error: unknown): string {
  const { errors } = (error ?? {}) as Told;
  if (!Array.isArray(errors)) return '';
  return (errors as NonNullable<Told['errors']>)
    .flatMap((one) => [one?.reason, ...(one?.error?.errors ?? []).map(({ reason }) => reason)])
    .filter((reason) => typeof reason === 'string')
    .join(' ');
}

/** What the client says that finds no key, or has one that is not taken. */
const credentialsPattern =
  /default credentials|invalid_grant|invalid_rapt|unauthorized_client|private key|PEM routines|DECODER routines|refresh access token|key ?file|authorized_user|Login Required|client_email|The file at .* (does not exist|is not)/i;

function kindOf(error: unknown): Kind {
  const status = statusOf(error);
  const message = messageOf(error);
  if (status === 401 || ((status === undefined || status === 400) && credentialsPattern.test(message))) return 'credentials';
  if (status === 403) {
    const reasons = reasonsOf(error);
    if (/rateLimitExceeded|quotaExceeded/i.test(`${reasons} ${message}`)) return 'quota';
    return /accountDisabled|billing/i.test(`${reasons} ${message}`) ? 'billing' : 'denied';
  }
  if (status === 404) return 'missing';
  if (status === 412) return 'precondition';
  if (status === 429) return 'quota';
  if (status === undefined) return 'network';
  return status === 408 || status >= 500 ? 'unavailable' : 'refused';
}

/** What is called: objects, or the bucket itself. */
type Subject = 'objects' | 'bucket';

function hintOf(kind: Kind, bucket: string, subject: Subject = 'objects'): string {
  const role = subject === 'objects' ? 'roles/storage.objectUser' : 'roles/storage.admin';
  switch (kind) {
    case 'credentials':
      return 'Log in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account; on Google Cloud give the service one.';
    case 'denied':
      return `Give the caller ${role} on the bucket: gcloud storage buckets add-iam-policy-binding gs://${bucket} --member=… --role=${role}.`;
    case 'billing':
      return 'The project that pays for the bucket has no billing account, or it is closed: look at it in the console.';
    case 'missing':
      return `Make the bucket first: gcloud storage buckets create gs://${bucket}, or correct its name.`;
    case 'quota':
      return 'Cloud Storage asks for fewer calls, or a quota is used up: it is tried again; look at IAM & Admin, Quotas, and put less at once.';
    case 'precondition':
      return 'Somebody else writes the same objects: it is tried again.';
    case 'refused':
      return 'Cloud Storage takes the call for a wrong one: look at the message, the bucket’s retention policy and its organisation’s policies.';
    case 'unavailable':
      return 'Cloud Storage is busy or down: it is tried again; see status.cloud.google.com.';
    case 'network':
      return 'Cloud Storage cannot be reached: look at the network and at apiEndpoint; it is tried again.';
  }
}

/** For what failed and left nothing behind that is known. */
export function unavailable(error: unknown, name: string, bucket: string, verb: 'read' | 'written'): unknown {
  if (error instanceof StatewardenError) return error;
  return new StoreUnavailableError(`${name} cannot be ${verb}: ${messageOf(error)}`, { cause: error, hint: hintOf(kindOf(error), bucket) });
}

/** What opening it meets: what only a person can mend is no case for another try. */
export function unopened(error: unknown, name: string, bucket: string, subject: Subject = 'objects'): unknown {
  if (error instanceof StatewardenError) return error;
  const details = { cause: error, hint: hintOf(kindOf(error), bucket, subject) };
  if (isTransient(error)) return new StoreUnavailableError(`${name} cannot be opened: ${messageOf(error)}`, details);
  return new StoreOpenError(`${name} cannot be opened: ${messageOf(error)}`, details);
}
