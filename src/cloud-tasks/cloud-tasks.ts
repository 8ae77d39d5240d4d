/**
 * A dispatcher on Google Cloud Tasks: each wake-up call is a named task with a time, whose HTTP request brings the call back to `url`. A name that the queue has had is success: the call is there or was.
 */

import { BadInputError } from '../core/errors.js';
import { isQueueName, type Dispatcher, type WakeTask } from '../effects/dispatch.js';
import { Profiles, type RetryProfile } from '../effects/profiles.js';
import { connectCloudTasks, dispatchError, isThereAlready, type CallLimits, type CloudTasksApi, type Seconds } from './api.js';
import { queueRetries, type QueueReport } from './queue-retries.js';

export interface CloudTasksOptions {
  /** Id of the Google Cloud project. */
  readonly project: string;
  /** For example `europe-west1`. */
  readonly location: string;
  /** Where the queue calls: what serves it hands the request to `wakeHandler(runtime)`. */
  readonly url: string | URL;
  /** Ids of Cloud Tasks queues by the names that profiles give them. Default: the same. */
  readonly queues?: Readonly<Record<string, string>>;
  /** Then each call carries an OIDC token of this service account, which Cloud Run checks by itself. */
  readonly serviceAccountEmail?: string;
  /** Of the token. Default: `url`; Cloud Run wants the service's own URL, without a path. */
  readonly audience?: string;
  /** How long Cloud Tasks waits for an answer, in milliseconds, 15,000 to 1,800,000; more than `waitMs` of the handler. Default 600,000. */
  readonly dispatchDeadlineMs?: number;
  /** A wait that is shorter, in milliseconds, is left to the process. Default 5,000. */
  readonly minimumMs?: number;
  /** A client of your own, made with `new CloudTasksClient(…)`; it stays open. Default: one is made at the first call. */
  readonly client?: CloudTasksApi;
  /** Of the client that is made. Default: the package's own. */
  readonly apiEndpoint?: string;
}

export interface CloudTasksDispatcher extends Dispatcher {
  /**
   * Makes the queue that the profile names, or gives it other retry settings: `maxAttempts`, `minBackoff`, `maxBackoff`, `maxDoublings`, `maxRetryDuration`, matched to the profile. What the profile does not say is as in `standard`.
   * They are for calls that are not answered with 2xx; how often the activity is tried the profile alone says. `unmatched` of the report says what Cloud Tasks does otherwise.
   * @throws BadInputError, DispatchError, CapabilityMissingError
   */
  ensureQueue(profile: RetryProfile): Promise<QueueReport>;
  close(): Promise<void>;
}

const limits: CallLimits = { timeout: 10_000 };

/** @throws BadInputError */
export function cloudTasks(options: CloudTasksOptions): CloudTasksDispatcher {
  return new CloudTasks(checked(options));
}

class CloudTasks implements CloudTasksDispatcher {
  readonly minimumMs: number;
  readonly #options: CloudTasksOptions & { readonly url: URL };
  readonly #location: string;
  #api: Promise<CloudTasksApi> | undefined;

  constructor(options: CloudTasksOptions & { readonly url: URL }) {
    this.#options = options;
    this.minimumMs = options.minimumMs ?? 5_000;
    this.#location = `projects/${options.project}/locations/${options.location}`;
  }

  async dispatch(task: WakeTask): Promise<void> {
    const { url, serviceAccountEmail, audience, dispatchDeadlineMs = 600_000 } = this.#options;
    const parent = this.#queue(task.queue);
    const api = await this.#connected();
    const token =
      serviceAccountEmail === undefined
        ? {}
        : { oidcToken: audience === undefined ? { serviceAccountEmail } : { serviceAccountEmail, audience } };
    const httpRequest = {
      url: url.href,
      httpMethod: 'POST' as const,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(task)),
      ...token,
    };
    const name = `${parent}/tasks/${task.name}`;
    const request = { parent, task: { name, scheduleTime: split(task.at), dispatchDeadline: split(dispatchDeadlineMs), httpRequest } };
    try {
      await api.createTask(request, limits);
    } catch (cause) {
      if (!isThereAlready(cause)) throw dispatchError(`task ${task.name} was not put into ${parent}`, cause);
    }
  }

  async ensureQueue(profile: RetryProfile): Promise<QueueReport> {
    const { queue, ...resolved } = new Profiles({ queue: profile }).of({ name: 'ensureQueue', profile: 'queue', retry: {} });
    if (queue === undefined) {
      throw new BadInputError('ensureQueue: the profile names no queue', { hint: "Give it one: { attempts: 20, queue: 'nightly' }." });
    }
    const name = this.#queue(queue);
    const { retryConfig, unmatched } = queueRetries(resolved);
    const api = await this.#connected();
    let created = true;
    try {
      await api.createQueue({ parent: this.#location, queue: { name, retryConfig } }, limits).catch(async (cause: unknown) => {
        if (!isThereAlready(cause)) throw cause;
        created = false;
        await api.updateQueue({ queue: { name, retryConfig }, updateMask: { paths: ['retry_config'] } }, limits);
      });
    } catch (cause) {
      throw dispatchError(`${name} could not be ${created ? 'made' : 'changed'}`, cause);
    }
    return { name, created, retryConfig, unmatched };
  }

  async close(): Promise<void> {
    const api = this.#api;
    this.#api = undefined;
    if (this.#options.client === undefined) await (await api)?.close();
  }

  #queue(name: string): string {
    return `${this.#location}/queues/${this.#options.queues?.[name] ?? name}`;
  }

  #connected(): Promise<CloudTasksApi> {
    const { client, apiEndpoint } = this.#options;
    this.#api ??= client === undefined ? connectCloudTasks(apiEndpoint) : Promise.resolve(client);
    // What is missing now may be there the next time.
    this.#api.catch(() => (this.#api = undefined));
    return this.#api;
  }
}

function split(ms: number): Seconds {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: (ms - seconds * 1_000) * 1_000_000 };
}

function checked(options: CloudTasksOptions): CloudTasksOptions & { readonly url: URL } {
  const wrong = (option: keyof CloudTasksOptions, hint: string): BadInputError => {
    const value = (options as Partial<CloudTasksOptions> | undefined)?.[option];
    return new BadInputError(`cloudTasks: ${option} is ${JSON.stringify(value) ?? typeof value}`, { hint });
  };
  const {
    project,
    location,
    queues = {},
    serviceAccountEmail,
    audience,
    dispatchDeadlineMs = 600_000,
    minimumMs = 0,
    client,
  } = options ?? {};
  if (typeof project !== 'string' || !/^[A-Za-z0-9:.-]+$/.test(project)) throw wrong('project', "Give the project's id: 'my-project'.");
  if (typeof location !== 'string' || !/^[a-z0-9-]+$/.test(location))
    throw wrong('location', "Give a location of Cloud Tasks: 'europe-west1'.");
  const url = URL.canParse(String(options?.url)) ? new URL(options.url) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw wrong('url', "Give the whole URL: 'https://agents.example/wake'.");
  if (typeof queues !== 'object' || queues === null || !Object.values(queues).every(isQueueName)) {
    throw wrong('queues', "Give ids by the names that profiles use: { nightly: 'agents-nightly' }, of letters, digits and hyphens.");
  }
  for (const [option, value] of Object.entries({ serviceAccountEmail, audience })) {
    if (value === undefined || (typeof value === 'string' && value !== '')) continue;
    throw wrong(option as 'audience', 'Give text, or leave it out.');
  }
  if (audience !== undefined && serviceAccountEmail === undefined) throw wrong('audience', 'It goes with serviceAccountEmail.');
  if (!(dispatchDeadlineMs >= 15_000 && dispatchDeadlineMs <= 1_800_000)) {
    throw wrong('dispatchDeadlineMs', 'Give 15,000 to 1,800,000 milliseconds.');
  }
  if (!(minimumMs >= 0)) throw wrong('minimumMs', 'Give milliseconds, 0 or more.');
  if (client !== undefined && typeof client?.createTask !== 'function') throw wrong('client', 'Give a CloudTasksClient, or leave it out.');
  return { ...options, url };
}
