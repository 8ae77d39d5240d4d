/** What cases about agents as wholes work with: an agent that has everything, and reading it. */

import assert from 'node:assert/strict';
import type { AgentCommit, AgentKey, AgentStand, OpenedStore, WholeAgent } from '../../persistence/store.js';
import { applied, checkpoint, effect, operation, timer, type Scene } from './scene.js';

export const settled = { status: 'succeeded', outcome: '1', settledIn: 1, settledAt: 1_000 } as const;

/** Everything that an agent can have. */
export const everything: Partial<AgentCommit> = {
  timers: [timer('t2', 2_000, { policy: 'restart', target: 'child', delayMs: 0.5 }), timer('t1', 1_000)],
  operations: [
    operation('open', { parkedBy: 'model', nextRetryAt: 5 }),
    operation('result', { ...settled, artifact: 'result' }),
    operation('keyed', { ...settled, userKey: 'k', artifact: 'keyed' }),
  ],
  effects: [effect('1.0', { params: '{"n":1}', context: '{}' }), effect('1.1')],
  marks: [{ messageId: 'm1', sequenceNumber: 1 }],
  state: '"idle"',
  outcome: '7',
  suspect: '{"event":"x"}',
};

/** An agent of three turns with a checkpoint in between, at rest or with all that it can have. */
export async function make(scene: Scene, store: OpenedStore, id: string, more: Partial<AgentCommit> = {}): Promise<AgentKey> {
  const key = await scene.create(store, id, more);
  await applied(store, await scene.turn(store, id, { checkpoint: checkpoint(2), marks: [{ messageId: 'm2', sequenceNumber: 2 }] }));
  await applied(store, await scene.turn(store, id));
  return key;
}

export async function read(store: OpenedStore, key: AgentKey): Promise<WholeAgent> {
  const [whole] = await store.whole([key]);
  assert.ok(whole !== undefined);
  return sorted(whole);
}

export function sorted(whole: WholeAgent): WholeAgent {
  const byId = (one: { readonly id: string }, other: { readonly id: string }): number => (one.id < other.id ? -1 : 1);
  return {
    ...whole,
    timers: [...whole.timers].sort(byId),
    operations: [...whole.operations].sort(byId),
    effects: [...whole.effects].sort(byId),
    marks: [...whole.marks].sort((one, other) => (one.messageId < other.messageId ? -1 : 1)),
    artifacts: [...whole.artifacts].sort(),
  };
}

export function stand({ record: { key, fence, sequenceNumber } }: WholeAgent): AgentStand {
  return { key, fence, sequenceNumber };
}
