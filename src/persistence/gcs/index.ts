/** Artifacts in Google Cloud Storage. The package `@google-cloud/storage` is an optional peer, loaded when a store is opened. */

export { gcs } from './gcs.js';
export { applyLifecycle, planLifecycle, type LifecyclePlan, type LifecycleRule } from './lifecycle.js';
export type { GcsOptions } from './options.js';
