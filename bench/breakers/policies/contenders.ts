/** All that is measured, in the order of the tables. */

import { cockatielPolicies } from './cockatiel.js';
import { none } from './none.js';
import { opossumPolicies } from './opossum.js';
import { oracle } from './oracle.js';
import type { Policy } from './policy.js';
import { statewarden } from './statewarden.js';

export const ours = 'statewarden';

/** Those of `contenders` by id, known without loading any library. */
export const contenderIds = [
  ours,
  'none',
  'opossum',
  'opossum-20',
  'cockatiel-sampling',
  'cockatiel-consecutive',
  'cockatiel-best',
  'bulkhead',
  'oracle',
] as const;

export async function contenders(): Promise<Policy[]> {
  const all = [statewarden, none, ...opossumPolicies(), ...(await cockatielPolicies()), oracle];
  return contenderIds.flatMap((id) => all.filter((policy) => policy.id === id));
}
