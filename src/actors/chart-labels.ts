/** What people read of guards and actions: their names, and of XState's own what they do. */

import { wordingOf } from './actions.js';

interface Built {
  readonly type?: unknown;
  readonly params?: unknown;
  readonly name?: string;
  readonly event?: unknown;
  readonly to?: unknown;
  readonly src?: unknown;
  readonly sendId?: unknown;
  readonly delay?: unknown;
  readonly check?: { readonly name: string };
  readonly guards?: readonly unknown[];
  readonly stateValue?: unknown;
}

/** `isRich`, `and(isRich, not(isOld))`, `stateIn(#order.open)`, `inline`. */
export function labelOfGuard(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  const { type, check, guards, stateValue, name } = guard as Built;
  if (typeof type === 'string') return type;
  if (check !== undefined) {
    const operator = check.name.replace(/^check/, '').toLowerCase();
    if (guards !== undefined) return `${operator}(${guards.map(labelOfGuard).join(', ')})`;
    return `stateIn(${typeof stateValue === 'string' ? stateValue : JSON.stringify(stateValue)})`;
  }
  return nameOf(name);
}

/** `notify`, `assign`, `raise(TIMEOUT)`, `sendTo(bank, PAY)`, `tell(orders/7, PAID)`, `inline`. */
export function labelOfAction(action: unknown): string {
  if (typeof action === 'string') return action;
  const ours = wordingOf(action as object);
  if (ours !== undefined) {
    const parts = [...(ours.to === undefined ? [] : [wordOf(ours.to)]), ...(ours.event === undefined ? [] : [eventType(ours.event)])];
    return parts.length === 0 ? ours.name : `${ours.name}(${parts.join(', ')})`;
  }
  const { type, name, event, to, src, sendId } = action as Built;
  if (typeof type !== 'string') return nameOf(name);
  if (!type.startsWith('xstate.')) return type;
  const word = type.slice('xstate.'.length);
  const parts = [
    ...(word === 'sendTo' ? [wordOf(to)] : []),
    ...(['raise', 'sendTo', 'emit'].includes(word) ? [eventType(event)] : []),
    ...(word === 'spawnChild' ? [wordOf(src)] : []),
    ...(word === 'cancel' && typeof sendId === 'string' ? [sendId] : []),
  ];
  return parts.length === 0 ? word : `${word}(${parts.join(', ')})`;
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '…';
}

function eventType(event: unknown): string {
  const type = typeof event === 'function' ? undefined : (event as { readonly type?: unknown } | undefined)?.type;
  return typeof type === 'string' ? type : '…';
}

/** Members of an object literal are named after their key, which says nothing. */
function nameOf(name: string | undefined): string {
  return name === undefined || ['', 'guard', 'actions', 'entry', 'exit', 'anonymous'].includes(name) ? 'inline' : name;
}
