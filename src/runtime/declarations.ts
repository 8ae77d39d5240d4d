/** What the activities of a runtime's machines, however deep, declare before anything runs: their breakers, besides those of its options, and the profiles that must be there. */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { innerLogics } from '../actors/placed-actions.js';
import type { Registration } from '../actors/registration.js';
import { sortOf } from '../actors/seam.js';
import { BreakerBoard, type GuardPattern } from '../breakers/board.js';
import { activityOf, isActivity, type ResolvedActivity } from '../effects/activity.js';
import { BadInputError } from '../core/errors.js';
import type { Undoing } from '../effects/saga/undoing.js';
import type { ResolvedOptions } from './options.js';

export interface Declarations {
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly breakers: readonly GuardPattern[];
  /** Activities by name. */
  readonly activities: ReadonlyMap<string, ResolvedActivity>;
}

/** @throws BadInputError when two breakers claim a name, or an activity names a profile that is not there */
export function declarations(options: ResolvedOptions, registrations: ReadonlyMap<string, Registration>): Declarations {
  const activities = activitiesOf(registrations.values());
  const byName = new Map<string, ResolvedActivity>();
  for (const activity of activities) {
    options.profiles.of(activity);
    const { name, undoing } = activity;
    if (undoing?.compensate !== undefined) options.profiles.of(undoneAs(activity, undoing));
    const other = byName.get(name);
    if (other !== undefined && (other.undoing ?? undoing) !== undefined) {
      throw new BadInputError(`two activities are called "${name}", and one of them can be undone`, {
        hint: 'The ledger knows an activity by its name: name them differently, or use the same one in both machines.',
      });
    }
    byName.set(name, activity);
  }
  const named = activities.map(({ guarding }) => guarding?.breaker).filter((breaker) => breaker !== undefined);
  return { registrations, activities: byName, breakers: checked(options, new Set([...options.breakers, ...named])) };
}

function undoneAs({ name, profile, retry }: ResolvedActivity, undoing: Undoing): Pick<ResolvedActivity, 'name' | 'profile' | 'retry'> {
  return { name, profile: undoing.profile ?? profile, retry: undoing.retry ?? retry };
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
