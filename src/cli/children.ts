/** How children of a supervisor stand, in words, and which of many are worth a line: those that are in trouble first, and the others counted. */

import type { TreeNode } from '../supervisor/tree.js';
import type { Colour } from './output.js';

/** As its supervisor sees a child, and as the child's own record does. */
export type Standing = Pick<TreeNode, 'status' | 'agent'>;

export const statusColours: Readonly<Record<TreeNode['status'], Colour>> = {
  new: 'yellow',
  starting: 'yellow',
  running: 'cyan',
  stopping: 'yellow',
  waiting: 'yellow',
  terminated: 'dim',
  down: 'yellow',
  ended: 'dim',
};

/** Where the agent's own record says something else than its supervisor, both: `running (parked)`. */
export function standing({ status, agent }: Standing): string {
  const expected = status === 'running' ? ['active'] : ['active', 'suspended'];
  return agent === undefined || expected.includes(agent) ? status : `${status} (${agent})`;
}

/** At most `most` of them: first those that are not running, then those of the lowest `rank`, otherwise in their order. Few stay in their order. */
export function fold<T extends Standing>(
  children: readonly T[],
  most: number,
  rank: (child: T) => number,
): { readonly shown: readonly T[]; readonly left: readonly T[] } {
  if (children.length <= most) return { shown: children, left: [] };
  const ranked = children.map((child) => ({ child, rank: standing(child) === 'running' ? rank(child) : -1 }));
  const sorted = ranked.sort((one, other) => one.rank - other.rank).map(({ child }) => child);
  return { shown: sorted.slice(0, most), left: sorted.slice(most) };
}

/** What those come to that have no line of their own. */
export function tally(children: readonly Standing[]): string {
  const counts = new Map<string, number>();
  for (const child of children) counts.set(standing(child), (counts.get(standing(child)) ?? 0) + 1);
  const [[only] = ['']] = counts;
  const more = `… and ${String(children.length)} more`;
  if (counts.size === 1) return `${more}, ${children.length === 1 ? '' : 'all '}${only} (--all)`;
  return `${more} (--all): ${[...counts].map(([status, n]) => `${String(n)} ${status}`).join(', ')}`;
}
