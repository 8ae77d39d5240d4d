/** The tags of the states that an actor stands in: of the state that invoked it and those around that one, up to the root of the agent. States of parallel regions beside it are not around it. */

import type { AnyActorRef, AnyMachineSnapshot, AnyStateNode } from 'xstate';

export function tagsAround(actor: AnyActorRef): readonly string[] {
  const tags = new Set<string>();
  for (let inner = actor; inner._parent !== undefined; inner = inner._parent) {
    const snapshot = inner._parent.getSnapshot() as (AnyMachineSnapshot & { readonly _nodes?: readonly AnyStateNode[] }) | undefined;
    if (snapshot?._nodes === undefined) continue;
    const { id } = inner;
    const owner = snapshot._nodes.find(({ invoke }) => invoke.some((one) => one.id === id));
    // Spawned by an action: it stands in the whole machine.
    if (owner === undefined) snapshot.tags.forEach((tag) => tags.add(tag));
    for (let node: AnyStateNode | undefined = owner; node !== undefined; node = node.parent) node.tags.forEach((tag) => tags.add(tag));
  }
  return [...tags];
}
