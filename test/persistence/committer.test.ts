/** When groups are sealed: alone at once, while one is written only for a store that gathers, and in order. */

import { expect } from 'chai';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '#src/core/clock.js';
import { Committer } from '#src/persistence/committer.js';
import type { AgentCommit, CommitOutcome, OpenedStore } from '#src/persistence/store.js';

const applied: CommitOutcome = { outcome: 'applied', messages: [], spawned: [] };

/** A committer on a store that answers when it is told to. */
function scene(gathers: boolean) {
  const answers: (() => void)[] = [];
  const sizes: number[] = [];
  const settled: number[] = [];
  const commit = (commits: readonly AgentCommit[]): Promise<readonly CommitOutcome[]> => {
    sizes.push(commits.length);
    return new Promise((resolve) => answers.push(() => resolve(commits.map(() => applied))));
  };
  const committer = new Committer({
    store: { gathers, commit } as unknown as OpenedStore,
    clock: systemClock,
    emit: () => undefined,
    observed: () => false,
    poisoned: (error) => expect.fail(error.message),
  });
  const enlist = (count: number, from = 0): void => {
    for (let index = from; index < from + count; index += 1) {
      committer.turning();
      committer.enlist({
        seal: () => ({
          commit: { key: index } as AgentCommit,
          turns: 1,
          bytes: 0,
          settled: () => void settled.push(index),
          failed: (error) => expect.fail(error.message),
        }),
      });
    }
  };
  return { answers, sizes, settled, enlist, committer };
}

describe('the committer', () => {
  it('has the next group ready for a store that gathers, when enough wait and nothing else is to be done', async () => {
    const { answers, sizes, settled, enlist, committer } = scene(true);
    enlist(1);
    await setImmediate();
    enlist(63, 1);
    await setImmediate();
    expect(sizes, 'too few').to.deep.equal([1]);
    enlist(37, 64);
    expect(sizes, 'something is to be done').to.deep.equal([1]);
    await setImmediate();
    expect(sizes).to.deep.equal([1, 100]);
    enlist(100, 101);
    await setImmediate();
    expect(sizes, 'two are under way').to.deep.equal([1, 100]);
    answers[1]?.();
    await setImmediate();
    expect(settled, 'each waits for the one before').to.deep.equal([]);
    answers[0]?.();
    await setImmediate();
    expect(sizes).to.deep.equal([1, 100, 100]);
    answers[2]?.();
    await committer.quiesce();
    expect(settled).to.deep.equal(Array.from({ length: 201 }, (_, index) => index));
  });

  it('leaves what waits for the next group to a store that does not gather', async () => {
    const { answers, sizes, enlist, committer } = scene(false);
    enlist(1);
    await setImmediate();
    enlist(200, 1);
    await setImmediate();
    expect(sizes).to.deep.equal([1]);
    answers[0]?.();
    await setImmediate();
    expect(sizes).to.deep.equal([1, 200]);
    answers[1]?.();
    await setImmediate();
    enlist(200);
    await setImmediate();
    expect(sizes, 'half of them would cost a round trip of its own').to.deep.equal([1, 200, 200]);
    answers[2]?.();
    await committer.quiesce();
  });

  it('parts in two agents that would go round all in one group', async () => {
    const { answers, sizes, enlist, committer } = scene(true);
    enlist(200);
    await setImmediate();
    answers[0]?.();
    await setImmediate();
    expect(sizes).to.deep.equal([200]);
    // Each has something to write again; the hundredth is about to.
    enlist(200);
    expect(sizes, 'while the second half takes its turns').to.deep.equal([200, 99]);
    await setImmediate();
    expect(sizes).to.deep.equal([200, 99, 101]);
    answers[1]?.();
    answers[2]?.();
    await committer.quiesce();
  });
});
