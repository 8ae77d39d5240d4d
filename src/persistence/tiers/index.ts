/** `statewarden/tiers`: agents into an artifact store and back, and out for good. What a runtime does by itself with `archive`, for tools and by hand. */

export {
  archiveAgents,
  restoreAgents,
  type ArchiveAgentsOptions,
  type ArchiveReport,
  type RestoreReport,
  type TierOptions,
} from './archive-agents.js';
export type { WhyNot } from './archiver.js';
export type { AgentChoice } from './choice.js';
export { prune, type PruneOptions, type PruneReport } from './prune.js';
