import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, ephemeral, memory } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { failing } from '../bad-input/failing.js';
import { settled } from './manual-clock.js';

/** Counts how often each action ran; `hold` keeps the store from learning that they did. */
function machineWith(ran: Record<string, number>, fail: { on?: string } = {}) {
  const run = (name: string) => (): void => {
    ran[name] = (ran[name] ?? 0) + 1;
    if (fail.on === name) throw new Error(`${name} failed`);
  };
  return setup({
    types: { context: {} as { error?: string }, events: {} as { type: 'GO' } | { type: 'ANY' } },
    actions: {
      named: run('named'),
      passing: ephemeral(run('ephemeral')),
      withParams: (_, params: { n: number }) => run(`params ${String(params.n)}`)(),
    },
  }).createMachine({
    id: 'm',
    context: {},
    on: { GO: { actions: ['named', 'passing', run('inline'), { type: 'withParams', params: { n: 7 } }] }, ANY: {} },
  });
}
const kinds = (ran: Record<string, number>, fail?: { on?: string }) => ({ m: { machine: machineWith(ran, fail), version: 1 } });

describe('an action', () => {
  it('runs once its turn is durable, not before', async () => {
    const ran: Record<string, number> = {};
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents: kinds(ran) });
    const agent = await runtime.spawn('m', { id: 'a' });
    let open: () => void = () => undefined;
    store.plan('commit', { fault: 'delay', until: new Promise<void>((resolve) => (open = resolve)) });
    const sent = agent.send({ type: 'GO' });
    await settled();
    expect(ran).to.deep.equal({});
    open();
    await sent;
    expect(ran).to.deep.equal({ named: 1, ephemeral: 1, inline: 1, 'params 7': 1 });
    await settled();
    expect((await runtime.store.lookup(['a']))[0]?.busy).to.equal(false);
  });

  it('that is named runs again after a crash that came before it was settled, with its params; the others do not', async () => {
    const ran: Record<string, number> = {};
    const inner = memory();
    const store = faultyStore(inner);
    {
      await using runtime = await createRuntime({ store, agents: kinds(ran), node: { leaseMs: 100 } });
      const agent = await runtime.spawn('m', { id: 'a' });
      const before = store.calls('commit');
      // The turn is committed, the settling is not: as when the process dies in between.
      store.decide((method, call) => (method === 'commit' && call > before + 1 ? { fault: 'poison' } : undefined));
      await agent.send({ type: 'GO' });
      await settled();
    }
    expect(ran).to.deep.equal({ named: 1, ephemeral: 1, inline: 1, 'params 7': 1 });
    await using runtime = await createRuntime({ store: inner, agents: kinds(ran) });
    await settled();
    expect(ran).to.deep.equal({ named: 2, ephemeral: 1, inline: 1, 'params 7': 2 });
    await settled();
    expect((await runtime.store.counts()).unsettledEffects).to.equal(0);
  });

  it('that fails makes the agent end in error, unless the machine handles xstate.error.actor.NAME', async () => {
    const ran: Record<string, number> = {};
    await using runtime = await createRuntime({ store: memory(), agents: kinds(ran, { on: 'named' }) });
    const agent = await runtime.spawn('m', { id: 'a' });
    await agent.send({ type: 'GO' }); // the turn itself was accepted
    const error = await failing('AGENT_FAILED', () => agent.result());
    expect(error.cause).to.include({ message: 'named failed' });

    const handling = setup({
      types: { context: {} as { error: string }, events: {} as { type: 'GO' } },
      actions: {
        fragile: (() => Promise.reject(new Error('later'))) as () => void,
      },
    }).createMachine({
      context: { error: '' },
      initial: 'on',
      states: {
        on: {
          on: {
            GO: { actions: 'fragile' },
            'xstate.error.actor.fragile': {
              target: 'off',
              actions: assign({ error: ({ event }) => ((event as { error?: Error }).error as Error).message }),
            },
          } as never,
        },
        off: { type: 'final' },
      },
      output: ({ context }) => context.error,
    });
    await using second = await createRuntime({ store: memory(), agents: { m: { machine: handling, version: 1 } } });
    const handled = await second.spawn('m', { id: 'a' });
    await handled.send({ type: 'GO' });
    expect(await handled.result()).to.equal('later');
  });
});
