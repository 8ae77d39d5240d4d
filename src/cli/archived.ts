/** An agent as commands show it, wherever it is; one that is archived where nobody knows is told of. */

import type { AgentKey } from '../persistence/store.js';
import * as seen from '../runtime/seen-agent.js';
import { printable } from './output.js';
import type { Session } from './session.js';

function placeOf({ store, artifacts, aside }: Session): seen.SeeingPlace {
  const unseen: seen.SeeingPlace['unseen'] = ({ id }) =>
    void aside.write(`agent ${printable(id)} is archived: say where with --artifacts to see the rest of it\n`);
  return { store, artifacts, unseen };
}

/** Undefined for an unknown id. @throws ArtifactMissingError, CorruptRecordError */
export function seeAgent(session: Session, id: string): Promise<seen.SeenAgent | undefined> {
  return seen.seeAgent(placeOf(session), id);
}

/** @throws as `seeAgent` */
export function seeJournal(session: Session, key: AgentKey): Promise<seen.SeenJournal> {
  return seen.seeJournal(placeOf(session), key);
}
