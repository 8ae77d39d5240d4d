/**
 * From what was typed to an agent: the id itself, else the only id that begins so. Otherwise the error names ids that come close. Commands that
 * change something take no shortened ids.
 */

import { UnknownAgentError } from '../core/errors.js';
import type { AgentRecord } from '../persistence/store.js';
import { nearIds } from '../runtime/near-ids.js';
import { printable } from './output.js';
import type { Session } from './session.js';

/** @throws UnknownAgentError with the ids that come close. */
export async function findAgent(session: Session, typed: string, match: 'exact' | 'prefix'): Promise<AgentRecord> {
  const { store, aside } = session;
  const [record] = await store.lookup([typed]);
  if (record !== undefined) return record;
  const { only, hint = 'List the ids with `statewarden ls`.' } = await nearIds(store, typed);
  const [found] = match === 'prefix' && only !== undefined ? await store.lookup([only]) : [];
  if (found !== undefined) {
    aside.write(`${printable(typed)} is ${printable(found.id)}\n`);
    return found;
  }
  throw new UnknownAgentError(`no agent has the id ${JSON.stringify(typed)}`, { hint });
}
