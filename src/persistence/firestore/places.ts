/**
 * Where documents lie. All collections of a store stand below one root document, `statewarden/PREFIX`, so that several stores share a database. An agent's documents begin with its own name, which begins
 * with a hash of its key: neighbours in time are no neighbours in the database, and all of an agent's are one range of names, found without any index.
 */

import { createHash } from 'node:crypto';
import { checksum } from '../../core/checksum.js';
import type { AgentKey } from '../store.js';

export type Collection =
  | 'agents'
  | 'names'
  | 'journal'
  | 'checkpoints'
  | 'mailbox'
  | 'marks'
  | 'timers'
  | 'ledger'
  | 'effects'
  | 'archives'
  | 'deadLetters'
  | 'nodes'
  | 'guards'
  | 'notes'
  | 'machines'
  | 'chunks';

/** Of digits alone, in order of number. */
export function padded(number: number): string {
  return String(number).padStart(16, '0');
}

/** Name of an agent's document, and what the names of all its others begin with. */
export function agentName(key: AgentKey): string {
  return `${spread(String(key))}-${String(key)}`;
}

/** Name of the document that keeps an id for one agent. */
export function idName(id: string): string {
  return `${spread(id)}-${readable(id)}`;
}

/** Of one of an agent's documents; `part` is any text. */
export function partName(agent: AgentKey, part: string): string {
  return `${agentName(agent)}-${readable(part)}`;
}

/** Of one of an agent's documents that are in order of a number. */
export function numberName(agent: AgentKey, number: number): string {
  return `${agentName(agent)}-${padded(number)}`;
}

/** The range of names of an agent's documents: `-` is followed by `.` in ASCII. */
export function rangeOf(agent: AgentKey): { readonly from: string; readonly to: string } {
  const name = agentName(agent);
  return { from: `${name}-`, to: `${name}.` };
}

/** Of what is known by several texts. */
export function textsName(...texts: readonly string[]): string {
  return digest(JSON.stringify(texts));
}

/** Where an operation stands among those of all agents, as text: in order of agent key and id, by code points. */
export function operationPlace(agent: AgentKey, id: string): string {
  return `${padded(agent)} ${id}`;
}

/** Two texts as one that sorts by the first, then by the second. What begins so may be of a longer first one: look again. */
export function joined(first: string, second: string): string {
  return `${first}\u0001${second}`;
}

/** The end of all that `joined` makes of this first text. */
export function joinedEnd(first: string): string {
  return `${first}\u0002`;
}

function spread(text: string): string {
  return checksum(text).toString(16).padStart(8, '0').slice(0, 4);
}

/** As it is where a document's name can be so and a person can read it. */
function readable(text: string): string {
  if (/^[A-Za-z0-9_.@ -]{1,200}$/.test(text)) return text;
  return `~${digest(text)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 32);
}
