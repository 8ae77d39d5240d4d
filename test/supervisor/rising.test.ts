/** Agents that are down or have ended, brought up or ended for good: what their records say afterwards, and what is left of them. */

import { expect } from 'chai';
import { fromCallback, fromPromise, setup } from 'xstate';
import { createRuntime, memory, supervisor, type Runtime, type Store } from 'statewarden';
import { declarations } from '#src/runtime/declarations.js';
import { registerKinds } from '#src/runtime/kinds.js';
import { Node } from '#src/runtime/node.js';
import { resolveOptions } from '#src/runtime/options.js';
import { agents, until } from './team.js';

describe('an agent that has ended', () => {
  it('is brought up once by two who ask for it at the same time', async () => {
    const options = resolveOptions({ store: memory(), agents });
    const store = await options.store.open({ lease: { name: 'n', ttlMs: 10_000 }, now: Date.now });
    const node = new Node(options, declarations(options, registerKinds(options)), store);
    await node.start();
    try {
      await node.make('worker', 'a', undefined, undefined);
      await node.resident('a')?.stop();
      await Promise.all([node.bringUp('a', undefined), node.bringUp('a', undefined)]);
      const [record] = await store.lookup(['a']);
      expect(record).to.include({ status: 'active', sequenceNumber: 3 });
      expect(node.resident('a')).to.include({ sequenceNumber: 3, gone: false });
    } finally {
      await node.close(0);
    }
  });
});

describe('an agent that is down', () => {
  it('is renewed also when a start that was out of date has brought it up as it was', async () => {
    const options = resolveOptions({ store: memory(), agents });
    const store = await options.store.open({ lease: { name: 'n', ttlMs: 10_000 }, now: Date.now });
    const node = new Node(options, declarations(options, registerKinds(options)), store);
    await node.start();
    const send = async (n: number): Promise<void> => {
      const event = { type: 'N', n };
      await node.resident('a')?.send(event, JSON.stringify(event), undefined, undefined);
    };
    const taken = (): unknown => (node.resident('a')?.snapshot() as { context?: { taken: unknown } } | undefined)?.context?.taken;
    try {
      await node.make('worker', 'a', undefined, 'team');
      await send(1);
      await node.resident('a')?.leave();
      await node.bringUp('a', undefined);
      expect(taken(), 'as it was').to.deep.equal([1]);
      await node.bringUp('a', undefined, 'anew');
      expect(taken()).to.deep.equal([]);
      await send(2);
      await Promise.all([node.bringUp('a', undefined, 'anew'), node.bringUp('a', undefined, 'anew')]);
      expect(taken(), 'once').to.deep.equal([2]);
      expect((await store.lookup(['a']))[0]).to.include({ status: 'active', sequenceNumber: 4 });
    } finally {
      await node.close(0);
    }
  });
});

describe('an agent that is ended for good while it is down', () => {
  /** What of it ran. */
  const ran: string[] = [];
  const machine = setup({
    types: { events: {} as { type: 'GO' } },
    actors: {
      call: fromPromise(() => {
        ran.push('call');
        return new Promise<void>(() => undefined);
      }),
      listen: fromCallback(() => void ran.push('listen')),
      part: setup({ actions: { knock: () => void ran.push('knock') } }).createMachine({ id: 'part' }),
    },
    actions: { ring: (_, { n }: { n: number }) => void ran.push(`ring ${String(n)}`) },
  }).createMachine({
    id: 'caller',
    initial: 'idle',
    states: {
      idle: { on: { GO: { target: 'calling', actions: { type: 'ring', params: { n: 1 } } } } },
      calling: { invoke: [{ src: 'call' }, { src: 'listen' }, { src: 'part', id: 'part' }] },
    },
  });
  const open = (store: Store): Promise<Runtime<{ caller: { machine: typeof machine; version: 1 } }>> =>
    createRuntime({ store, agents: { caller: { machine, version: 1 } } });
  const spec = supervisor({ id: 'team', children: [{ id: 'a', kind: 'caller', shutdownMs: 0 }] });

  it('leaves no open activity behind, and is not brought back for one', async () => {
    const store = memory();
    ran.length = 0;
    {
      await using runtime = await open(store);
      const team = await runtime.supervise(spec);
      await runtime.agent<'caller'>('a').send({ type: 'GO' });
      await until(() => ran.length === 3);
      await team.terminate('a');
      expect((await runtime.store.counts()).openOperations, 'waits for its restart').to.equal(1);
      await team.delete('a');
      const [record] = await runtime.store.lookup(['a']);
      expect(record).to.include({ status: 'stopped', busy: false });
      expect((await runtime.store.counts()).openOperations).to.equal(0);
      const [operation] = await runtime.store.operations(record?.key ?? 0);
      expect(operation).to.include({ status: 'unknown', settledIn: record?.sequenceNumber });
    }
    await using runtime = await open(store);
    expect(await runtime.store.runnable({ after: 0, limit: 10 })).to.have.length(1);
    expect(ran).to.have.members(['ring 1', 'listen', 'call']);
  });

  it('has its named actions run first that a crash had kept from it, and nothing else', async () => {
    const store = memory();
    ran.length = 0;
    {
      await using runtime = await open(store);
      const team = await runtime.supervise(spec);
      await runtime.agent<'caller'>('a').send({ type: 'GO' });
      await team.terminate('a');
      // As a crash leaves it between the commit and the action.
      const [record] = await runtime.store.lookup(['a']);
      const { key, id, fence, sequenceNumber } = record as NonNullable<typeof record>;
      const rest = { event: '{"type":"GO"}', context: undefined };
      const effects = [
        { id: '1', path: '', type: 'ring', params: '{"n":2}', ...rest },
        { id: '2', path: 'part', type: 'knock', params: undefined, ...rest },
      ];
      await runtime.store.commit([{ key, id, fence, expected: sequenceNumber, sequenceNumber, at: 0, busy: true, effects }]);
      ran.length = 0;
      await team.delete('a');
      await until(async () => (await runtime.store.counts()).unsettledEffects === 0);
      await until(async () => (await runtime.store.lookup(['a']))[0]?.busy === false);
      expect((await runtime.store.lookup(['a']))[0]).to.include({ status: 'stopped' });
      expect(ran).to.deep.equal(['ring 2', 'knock']);
      expect((await runtime.store.counts()).openOperations).to.equal(0);
    }
    await using runtime = await open(store);
    expect((await runtime.store.lookup(['a']))[0]).to.include({ status: 'stopped', busy: false });
    expect(ran).to.deep.equal(['ring 2', 'knock']);
  });

  it('stays ended when its machine has changed before its last actions were run', async () => {
    const store = memory();
    {
      await using runtime = await open(store);
      const agent = await runtime.spawn('caller', { id: 'a' });
      await agent.send({ type: 'GO' });
      await agent.stop();
      const [record] = await runtime.store.lookup(['a']);
      const { key, id, fence, sequenceNumber } = record as NonNullable<typeof record>;
      const effect = { id: '1', path: '', type: 'ring', params: '{"n":3}', event: '{"type":"GO"}', context: undefined };
      await runtime.store.commit([{ key, id, fence, expected: sequenceNumber, sequenceNumber, at: 0, busy: true, effects: [effect] }]);
    }
    const other = setup({}).createMachine({ id: 'caller', initial: 'elsewhere', states: { elsewhere: {} } });
    await using runtime = await createRuntime({ store, agents: { caller: { machine: other, version: 1 } } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await runtime.store.lookup(['a']))[0]).to.include({ status: 'stopped', busy: true });
  });
});
