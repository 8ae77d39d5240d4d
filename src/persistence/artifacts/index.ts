/** Places to keep artifacts: large values, apart from the records that point to them. */

export type {
  ArtifactContent,
  ArtifactEntry,
  ArtifactPage,
  ArtifactPointer,
  ArtifactStore,
  ArtifactStoreSource,
} from './artifact-store.js';
export { files } from './files.js';
export { memoryArtifacts } from './memory.js';
export { sweepArtifacts, type SweepOptions, type SweepReport } from './sweep.js';
