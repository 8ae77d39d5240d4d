import { expect } from 'chai';
import { setTimeout } from 'node:timers/promises';
import { setup } from 'xstate';
import { activity, createRuntime, memory, supervisor } from 'statewarden';

function worker(beats: boolean) {
  const work = activity({
    name: beats ? 'loud' : 'quiet',
    onUnknown: 'retry',
    run: async (_: unknown, { heartbeat }) => {
      for (let step = 0; step < 12; step += 1) {
        await setTimeout(50);
        if (beats) heartbeat();
      }
    },
  });
  const machine = setup({ actors: { work } }).createMachine({
    initial: 'working',
    states: { working: { invoke: { src: 'work', onDone: 'done' } }, done: { type: 'final' } },
  });
  return { machine, version: 1 };
}

describe('an activity’s heartbeat', () => {
  it('keeps an agent with heartbeatMs from being restarted, for as long as it is heard', async () => {
    await using runtime = await createRuntime({ store: memory(), agents: { loud: worker(true), quiet: worker(false) } });
    const children = ['loud', 'quiet'].map((kind) => ({ id: kind, kind, heartbeatMs: 250 }));
    const team = await runtime.supervise(supervisor({ id: 'team', intensity: Infinity, children }));
    await runtime.agent<'loud'>('loud').result();
    const [loud, quiet] = await team.which();
    expect(loud).to.include({ restarts: 0, failure: undefined });
    expect(quiet?.restarts).to.be.at.least(1);
    expect(quiet?.failure?.reason).to.equal('heartbeat');
    await team.shutdown();
  });

  it('is not asked of an agent that has nothing to do, also when somebody watches it', async () => {
    const machine = setup({}).createMachine({ initial: 'idle', states: { idle: {} } });
    await using runtime = await createRuntime({ store: memory(), agents: { waiter: { machine, version: 1 } } });
    const children = [{ id: 'waiter', kind: 'waiter', heartbeatMs: 50 }];
    const team = await runtime.supervise(supervisor({ id: 'team', intensity: Infinity, children }));
    const watching = runtime.agent<'waiter'>('waiter').snapshots$.subscribe();
    await setTimeout(300);
    expect((await team.which())[0]).to.include({ restarts: 0, failure: undefined });
    watching.unsubscribe();
    await team.shutdown();
  });
});
