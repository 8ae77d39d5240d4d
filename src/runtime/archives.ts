/** Archived agents, as a node meets them. */

import { AgentArchivedError } from '../core/errors.js';
import type { AgentRecord } from '../persistence/store.js';

export function archivedError({ id }: AgentRecord): AgentArchivedError {
  return new AgentArchivedError(`agent "${id}" is archived`, {
    hint: 'Give createRuntime({ archive: { artifacts } }) the artifact store that it was archived to, or run `statewarden restore`.',
  });
}
