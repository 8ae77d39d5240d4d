/** Named actions as they are committed: each with the context that it is to be run with again after a crash. */

import type { AnyActorRef } from 'xstate';
import { encode } from '../core/codec.js';
import type { EffectRecord } from '../persistence/store.js';
import type { PendingEffect } from './draft.js';
import { actorAt, asData } from './place.js';

/** `checkpointed`: a checkpoint goes with them, which has the context of an actor that has it still. */
export function effectRecords(
  root: AnyActorRef,
  effects: readonly PendingEffect[] | undefined,
  checkpointed: boolean,
): EffectRecord[] | undefined {
  return effects?.map(({ record, context }) => {
    const isKept = checkpointed && (actorAt(root, record.path)?.getSnapshot() as { context?: unknown } | undefined)?.context === context;
    return { ...record, context: isKept ? undefined : encode(asData(context, root), 'context') };
  });
}
