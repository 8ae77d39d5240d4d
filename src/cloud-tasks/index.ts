/** The entry `statewarden/cloud-tasks`: wake-up calls for retries through Google Cloud Tasks. Needs the package `@google-cloud/tasks`. */

export { cloudTasks, type CloudTasksDispatcher, type CloudTasksOptions } from './cloud-tasks.js';
export type { CloudTasksApi, CallLimits } from './api.js';
export type { QueueReport, QueueRetryConfig } from './queue-retries.js';
