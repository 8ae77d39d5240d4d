/** `statewarden/moving`: all agents of a store into another one. */

export { cancelCopy, copyStore, type CopyOptions, type CopyReport } from './copy-store.js';
export type { ArtifactStores } from './objects.js';
