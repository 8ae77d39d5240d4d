/** What the activities of a runtime's machines, however deep, declare before anything runs: their breakers, besides those of its options, and the profiles that must be there. */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { innerLogics } from '../actors/placed-actions.js';
import type { Registration } from '../actors/registration.js';
import { sortOf } from '../actors/seam.js';
import { BreakerBoard, type GuardPattern } from '../breakers/board.js';
import { activityOf, isActivity } from '../effects/activity.js';
import type { ResolvedOptions } from './options.js';

/** @throws BadInputError when two of them claim a name, or an activity names a profile that is not there */
export function declaredBreakers(options: ResolvedOptions, registrations: Iterable<Registration>): readonly GuardPattern[] {
  const patterns = new Set(options.breakers);
  const seen = new Set<AnyActorLogic>();
  const visit = (logic: AnyActorLogic): void => {
    if (seen.has(logic)) return;
    seen.add(logic);
    const activity = isActivity(logic) ? activityOf(logic, '') : undefined;
    if (activity !== undefined) options.profiles.of(activity);
    const breaker = activity?.guarding?.breaker;
    if (breaker !== undefined) patterns.add(breaker);
    if (sortOf(logic) === 'machine') innerLogics(logic as unknown as AnyStateMachine).forEach(visit);
  };
  for (const { machine, previous } of registrations) {
    for (const each of [machine, ...previous.map((older) => older.machine)]) visit(each as unknown as AnyActorLogic);
  }
  const { clock, random } = options;
  const nothing = (): void => undefined;
  const trial = new BreakerBoard({ clock, random }, { made: nothing, registered: nothing, changed: nothing });
  for (const pattern of patterns) trial.declare(pattern);
  return [...patterns];
}
