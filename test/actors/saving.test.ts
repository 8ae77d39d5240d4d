/** What an agent's actors keep must be savable at the turn that changed it: an event that is acknowledged never stands in the way of a checkpoint. */

import { expect } from 'chai';
import { createRuntime, memory } from 'statewarden';
import { assign, createActor, createMachine, fromCallback, fromTransition, sendTo, setup, spawnChild, type AnyActorRef } from 'xstate';
import { failing } from '../bad-input/failing.js';
import type { NotSerializableError } from 'statewarden';

class Socket {
  readonly fd = 3;
}

const counter = setup({ types: { context: {} as { n: number; socket?: unknown } } }).createMachine({
  context: { n: 0 },
  on: {
    INC: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    OPEN: { actions: assign({ socket: () => new Socket() }) },
  },
});
const tally = fromTransition((state: object, { type }: { type: string }) => (type === 'OPEN' ? { socket: new Socket() } : state), {});
const caller = fromCallback(() => undefined);

/** Many ways lead through it, and none to an end. */
function chain(length: number): object {
  const links: { n: number; before?: object; after?: object }[] = Array.from({ length }, (_, n) => ({ n }));
  links.forEach((link, n) => Object.assign(link, { before: links[n - 1], after: links[n + 1] }));
  return links[0] as object;
}

const machine = setup({
  types: { context: {} as { other?: unknown } },
  actors: { counter, tally, caller },
  actions: { note: () => undefined },
}).createMachine({
  context: {},
  initial: 'here',
  states: { here: {}, kept: { tags: 'checkpoint' } },
  invoke: [
    { src: 'counter', id: 'a counter' },
    { src: 'tally', id: 'tally' },
  ],
  on: {
    INC: { actions: sendTo('a counter', { type: 'INC' }) },
    OPEN: { actions: sendTo('a counter', { type: 'OPEN' }) },
    OPEN_TALLY: { actions: sendTo('tally', { type: 'OPEN' }) },
    CALL: { actions: spawnChild('caller', { id: 'caller', input: { socket: new Socket() } as never }) },
    STRANGER: { actions: assign({ other: () => createActor(createMachine({})) }) },
    MAP: { actions: assign({ other: ({ self }) => new Map([['self', self]]) }) },
    SELF: { actions: assign({ other: ({ self }) => [{ self }] }) },
    CHAIN: { actions: assign({ other: () => chain(50) }) },
    CHAIN_KEPT: { target: '.kept', actions: assign({ other: ({ self }) => [self, chain(50)] }) },
    KNOT_KEPT: {
      target: '.kept',
      actions: assign(() => {
        const knot: { other?: unknown } = {};
        return Object.assign(knot, { other: knot });
      }),
    },
    NOTE: { actions: { type: 'note', params: () => ({ chain: chain(50) }) } },
    CYCLE: {
      actions: assign({
        other: () => {
          const ring: { ring?: unknown } = {};
          return (ring.ring = ring);
        },
      }),
    },
  },
});

describe('what cannot be saved is refused at its turn, and the agent goes on:', () => {
  for (const [type, path] of [
    ['OPEN', 'children["a counter"].snapshot.context.socket'],
    ['OPEN_TALLY', 'children.tally.snapshot.context.socket'],
    ['CALL', 'children.caller.snapshot.context.input.socket'],
    ['STRANGER', 'context.other'],
    ['MAP', 'context.other.get(self)'],
    ['CYCLE', 'context.other.ring'],
    ['CHAIN', 'context.other.after.before'],
    ['CHAIN_KEPT', 'context.other[1].after.before'],
    ['KNOT_KEPT', 'context.other.other'],
  ] as const) {
    it(path, async () => {
      await using runtime = await createRuntime({ store: memory(), agents: { it: { machine, version: 1 } } });
      const agent = await runtime.spawn('it', { id: 'i' });
      await agent.send({ type: 'INC' });
      const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.send({ type }));
      expect(error.path).to.equal(path);
      await agent.send({ type: 'INC' });
      const { children } = await agent.snapshot();
      expect((children as Record<string, AnyActorRef>)['a counter']?.getSnapshot()).to.deep.include({ context: { n: 2 } });
    });
  }

  it('params of an action that go in circles end the agent, and nothing else', async () => {
    await using runtime = await createRuntime({ store: memory(), agents: { it: { machine, version: 1 } } });
    const agent = await runtime.spawn('it', { id: 'i' });
    await agent.send({ type: 'NOTE' });
    const error = await agent.result().catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).to.match(/params of action "note"\.chain\.after\.before refers back/);
  });

  it('but references to its own actors are kept', async () => {
    const store = memory();
    const agents = { it: { machine, version: 1 } };
    {
      await using runtime = await createRuntime({ store, agents });
      await (await runtime.spawn('it', { id: 'i' })).send({ type: 'SELF' });
    }
    await using runtime = await createRuntime({ store, agents });
    const { context } = await runtime.agent<'it'>('i').snapshot();
    expect((context.other as { self: AnyActorRef }[])[0]?.self.id).to.equal('i');
  });
});
