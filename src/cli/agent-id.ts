/**
 * From what was typed to an agent: the id itself, else the only id that begins so. Otherwise the error names ids that come close. Commands that
 * change something take no shortened ids.
 */

import { UnknownAgentError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { AgentRecord } from '../persistence/store.js';
import { printable } from './output.js';
import type { Session } from './session.js';

/** How many ids are compared with a mistyped one. */
const compared = 5_000;
const named = 3;

/** @throws UnknownAgentError with the ids that come close. */
export async function findAgent(session: Session, typed: string, match: 'exact' | 'prefix'): Promise<AgentRecord> {
  const { store, aside } = session;
  const [record] = await store.lookup([typed]);
  if (record !== undefined) return record;
  const beginning = typed === '' ? [] : await store.list({ prefix: typed, limit: named + 1 });
  const [only] = beginning;
  if (match === 'prefix' && only !== undefined && beginning.length === 1) {
    aside.write(`${printable(typed)} is ${printable(only.id)}\n`);
    return only;
  }
  const close =
    beginning.length > 0
      ? beginning.map(({ id }) => id)
      : nearest(
          typed,
          (await store.list({ limit: compared })).map(({ id }) => id),
        );
  const list = close
    .slice(0, named)
    .map((id) => JSON.stringify(id))
    .join(', ');
  throw new UnknownAgentError(`no agent has the id ${JSON.stringify(typed)}`, {
    hint: close.length === 0 ? 'List the ids with `statewarden ls`.' : `Did you mean ${list}${close.length > named ? ', …' : ''}?`,
  });
}
