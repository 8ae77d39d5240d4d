/** What the activities of a runtime's machines, however deep, declare before anything runs: their breakers, besides those of its options, and the profiles that must be there. */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { innerLogics } from '../actors/placed-actions.js';
import type { Registration } from '../actors/registration.js';
import { sortOf } from '../actors/seam.js';
import { BreakerBoard, type GuardPattern } from '../breakers/board.js';
import { activityOf, isActivity, type ResolvedActivity } from '../effects/activity.js';
import type { ResolvedOptions } from './options.js';

export interface Declarations {
  readonly breakers: readonly GuardPattern[];
}

/** @throws BadInputError when two breakers claim a name, or an activity names a profile that is not there */
export function declarations(options: ResolvedOptions, registrations: Iterable<Registration>): Declarations {
  const activities = activitiesOf(registrations);
  for (const activity of activities) options.profiles.of(activity);
  const named = activities.map(({ guarding }) => guarding?.breaker).filter((breaker) => breaker !== undefined);
  return { breakers: checked(options, new Set([...options.breakers, ...named])) };
}

function activitiesOf(registrations: Iterable<Registration>): readonly ResolvedActivity[] {
  const activities: ResolvedActivity[] = [];
  const seen = new Set<AnyActorLogic>();
  const visit = (logic: AnyActorLogic): void => {
    if (seen.has(logic)) return;
    seen.add(logic);
    if (isActivity(logic)) activities.push(activityOf(logic, ''));
    if (sortOf(logic) === 'machine') innerLogics(logic as unknown as AnyStateMachine).forEach(visit);
  };
  for (const { machine, previous } of registrations) {
    for (const each of [machine, ...previous.map((older) => older.machine)]) visit(each as unknown as AnyActorLogic);
  }
  return activities;
}

function checked({ clock, random }: ResolvedOptions, patterns: ReadonlySet<GuardPattern>): readonly GuardPattern[] {
  const nothing = (): void => undefined;
  const trial = new BreakerBoard({ clock, random }, { made: nothing, registered: nothing, changed: nothing });
  for (const pattern of patterns) trial.declare(pattern);
  return [...patterns];
}
