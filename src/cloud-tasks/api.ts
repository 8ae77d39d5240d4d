/**
 * The calls to Cloud Tasks that are used, and what their failures mean. The package `@google-cloud/tasks` is loaded here and nowhere else; its `CloudTasksClient` is such an api.
 */

import { CapabilityMissingError } from '../core/errors.js';
import { DispatchError } from '../effects/dispatch.js';
import type { QueueRetryConfig } from './queue-retries.js';

/** `google.protobuf.Duration` and `Timestamp`. */
export interface Seconds {
  readonly seconds: number;
  readonly nanos: number;
}

export interface CallLimits {
  /** Milliseconds. */
  readonly timeout: number;
}

interface TaskRequest {
  /** The queue's whole name. */
  readonly parent: string;
  readonly task: {
    readonly name: string;
    readonly scheduleTime: Seconds;
    readonly dispatchDeadline: Seconds;
    readonly httpRequest: {
      readonly url: string;
      readonly httpMethod: 'POST';
      readonly headers: Record<string, string>;
      readonly body: Uint8Array;
      readonly oidcToken?: { readonly serviceAccountEmail: string; readonly audience?: string };
    };
  };
}

interface Queue {
  readonly name: string;
  readonly retryConfig: QueueRetryConfig;
}

/** Of a `CloudTasksClient`. */
export interface CloudTasksApi {
  createTask(request: TaskRequest, limits: CallLimits): Promise<unknown>;
  createQueue(request: { readonly parent: string; readonly queue: Queue }, limits: CallLimits): Promise<unknown>;
  updateQueue(request: { readonly queue: Queue; readonly updateMask: { readonly paths: string[] } }, limits: CallLimits): Promise<unknown>;
  close(): Promise<void>;
}

type Load = () => Promise<{ CloudTasksClient: new (options: { apiEndpoint?: string }) => CloudTasksApi }>;

/** @throws CapabilityMissingError */
export async function connectCloudTasks(
  apiEndpoint: string | undefined,
  load: Load = () => import('@google-cloud/tasks'),
): Promise<CloudTasksApi> {
  const { CloudTasksClient } = await load().catch((cause: unknown) => {
    throw new CapabilityMissingError('cloudTasks() needs the package "@google-cloud/tasks"', {
      hint: 'Run npm install @google-cloud/tasks, beside statewarden (version 6 runs on Node 18 and later, 7 on 22 and later).',
      cause,
    });
  });
  return new CloudTasksClient(apiEndpoint === undefined ? {} : { apiEndpoint });
}

/** https://grpc.io/docs/guides/status-codes/ */
const alreadyExists = 6;
const terminal: Readonly<Record<number, string>> = {
  3: 'Look at project, location, url and the queue’s name; nothing may be due more than 30 days ahead.',
  5: 'Make the queue with ensureQueue(…), in this project and location; a new one takes a minute.',
  7: 'Give the caller roles/cloudtasks.enqueuer, and roles/iam.serviceAccountUser on serviceAccountEmail; for ensureQueue(…) roles/cloudtasks.queueAdmin.',
  9: 'The queue was deleted, or cannot take tasks: a name is free again after some days.',
  11: 'Look at project, location, url and the queue’s name.',
  12: 'What answers is not the whole of Cloud Tasks.',
  15: 'Look at the state of Cloud Tasks.',
  16: 'Log in: gcloud auth application-default login, or a service account.',
};

export function isThereAlready(error: unknown): boolean {
  return codeOf(error) === alreadyExists;
}

/** `what` could not be done. What is no refusal may go another time. */
export function dispatchError(what: string, cause: unknown): DispatchError {
  const code = codeOf(cause);
  const hint = code === undefined ? undefined : terminal[code];
  return new DispatchError(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    hint: hint ?? 'Cloud Tasks cannot be reached or is busy. The durable timer fires all the same while a process is up.',
    disposition: hint === undefined ? 'retry' : 'terminal',
    cause,
  });
}

function codeOf(error: unknown): number | undefined {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown };
  return typeof code === 'number' ? code : undefined;
}
