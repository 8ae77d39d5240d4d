/**
 * Where answers go, as text that travels with a question. `agent:` an open operation of an agent. `mail:` an agent itself, which hears the answer as an event
 * with a tag. Anything else: code of one node.
 */

import { mailPrefix } from '../persistence/kept-by-sender.js';

/** Of an operation that waits for its answer. */
export function operationAddress(operation: string, agent: string): string {
  return `agent:${encodeURIComponent(operation)} ${encodeURIComponent(agent)}`;
}

export function mailAddress(tag: string, agent: string): string {
  return `${mailPrefix}${encodeURIComponent(tag)} ${encodeURIComponent(agent)}`;
}

export function isMail(address: string): boolean {
  return address.startsWith(mailPrefix);
}

export function isOfAgent(address: string): boolean {
  return isMail(address) || address.startsWith('agent:');
}

/** `name`: the operation, or the tag. `to`: the agent. */
export function readAddress(address: string): { readonly mail: boolean; readonly name: string; readonly to: string } {
  const begin = address.indexOf(':') + 1;
  const end = address.indexOf(' ');
  return { mail: isMail(address), name: decodeURIComponent(address.slice(begin, end)), to: decodeURIComponent(address.slice(end + 1)) };
}
