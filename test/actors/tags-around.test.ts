/** What `tagsAround` relies on: a machine's snapshot has its active state nodes, and each knows its invocations, its tags and its parent. */

import { expect } from 'chai';
import { createActor, fromPromise, setup, type AnyActorRef } from 'xstate';
import { tagsAround } from '#src/actors/tags-around.js';

const wait = fromPromise(() => new Promise<void>(() => undefined));
const inner = setup({ actors: { wait } }).createMachine({
  initial: 'deep',
  states: { deep: { tags: 'deep', invoke: { src: 'wait', id: 'deepest' } } },
});
const outer = setup({ actors: { wait, inner } }).createMachine({
  tags: 'root',
  type: 'parallel',
  states: {
    left: { tags: 'left', initial: 'on', states: { on: { tags: ['on', 'one'], invoke: { src: 'wait', id: 'call' } } } },
    right: { tags: 'right', invoke: { src: 'inner', id: 'inner' } },
  },
});

function childOf(actor: AnyActorRef, id: string): AnyActorRef {
  const { children } = actor.getSnapshot() as { children: Record<string, AnyActorRef> };
  return children[id]!;
}

describe('the tags around an actor', () => {
  const root = createActor(outer).start() as unknown as AnyActorRef;
  after(() => (root as AnyActorRef & { stop(): void }).stop());

  it('are those of the state that invoked it and of those around it, not of regions beside it', () => {
    expect([...tagsAround(childOf(root, 'call'))].sort()).to.deep.equal(['left', 'on', 'one', 'root']);
  });

  it('are those of every machine on the way up', () => {
    expect([...tagsAround(childOf(childOf(root, 'inner'), 'deepest'))].sort()).to.deep.equal(['deep', 'right', 'root']);
  });

  it('are none for the root itself', () => {
    expect(tagsAround(root)).to.deep.equal([]);
  });
});
