/**
 * What a turn has changed in a context must be something that can be saved, or the turn is not acknowledged. Looks only at members that are not
 * the ones they were: a large context costs no more than what changed in it. What is changed in place is met by the next checkpoint.
 */

import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import { assertSavable, isSimple } from '../core/codec.js';
import { asData } from './place.js';

/** `changes`: of its children's contexts, by path. @throws NotSerializableError */
export function assertTurnSavable(
  root: AnyActorRef,
  before: AnyMachineSnapshot | undefined,
  after: AnyMachineSnapshot,
  changes: Iterable<readonly [string, { readonly before: object; readonly after: object }]>,
): void {
  if (before !== undefined && after.context !== before.context)
    assertChangesSavable(root, before.context as object, after.context as object, 'context');
  for (const [path, change] of changes) assertChangesSavable(root, change.before, change.after, contextAt(path));
}

/** `what` names the context in the error. */
function assertChangesSavable(root: AnyActorRef, before: object, after: object, what: string): void {
  for (const key in after) {
    const value = (after as Record<string, unknown>)[key];
    if (value === (before as Record<string, unknown>)[key]) continue;
    if (isSimple(value)) continue;
    try {
      assertSavable({ [key]: value }, what);
    } catch (error) {
      const data = asData(value, root);
      if (data === value) throw error;
      assertSavable({ [key]: data }, what); // references to actors can be kept
    }
  }
}

/** Where a child's context is in a checkpoint. */
function contextAt(path: string): string {
  const members = path.split('/').map(decodeURIComponent);
  const steps = members.map((id) => (/^[A-Za-z_$][\w$]*$/.test(id) ? `children.${id}` : `children[${JSON.stringify(id)}]`));
  return `${steps.join('.snapshot.')}.snapshot.context`;
}
