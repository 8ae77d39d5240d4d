import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { activity, createRuntime, memory, tell, type CheckpointPolicy, type RuntimeEvent, type Store } from 'statewarden';
import { ManualClock, settled } from './manual-clock.js';

type EventType = 'INC' | 'IN' | 'OUT' | 'TELL' | 'CALL' | 'END';

const machine = setup({
  types: { context: {} as { count: number }, events: {} as { type: EventType } },
  actors: { call: activity({ name: 'call', run: () => 1 }) },
}).createMachine({
  id: 'm',
  context: { count: 0 },
  initial: 'plain',
  on: { INC: { actions: assign({ count: ({ context }) => context.count + 1 }) }, TELL: { actions: tell('nobody', { type: 'X' }) } },
  states: {
    plain: { on: { IN: 'tagged', CALL: 'calling', END: 'end' } },
    tagged: { tags: 'checkpoint', on: { OUT: 'plain' } },
    calling: { invoke: { src: 'call', onDone: 'plain' } },
    end: { type: 'final' },
  },
});

/** After which turns a checkpoint was written, one event at a time. */
async function checkpointsAfter(events: readonly EventType[], checkpoints?: CheckpointPolicy, store: Store = memory()): Promise<number[]> {
  await using runtime = await createRuntime({
    store,
    agents: { m: { machine, version: 1, ...(checkpoints === undefined ? {} : { checkpoints }) } },
  });
  const at: number[] = [];
  runtime.events$.subscribe((event: RuntimeEvent) => void (event.type === 'checkpoint' && at.push(event.sequenceNumber)));
  const agent = await runtime.spawn('m', { id: 'a' });
  for (const type of events) await agent.send({ type });
  await settled();
  return at;
}

describe('a checkpoint', () => {
  it('is written with the first turn, and not for turns that nobody outside has seen', async () => {
    expect(await checkpointsAfter(['INC', 'INC', 'INC'])).to.deep.equal([1]);
  });

  it('is due when a state tagged `checkpoint` is entered or left', async () => {
    expect(await checkpointsAfter(['INC', 'IN', 'INC', 'OUT', 'INC'])).to.deep.equal([1, 3, 5]);
  });

  it('is due when an effect leaves, and when the agent ends', async () => {
    expect(await checkpointsAfter(['INC', 'TELL', 'INC', 'END'])).to.deep.equal([1, 3, 5]);
    expect((await checkpointsAfter(['INC', 'CALL'])).slice(0, 2)).to.deep.equal([1, 3]);
  });

  it('is written every turn under the policy `every-turn`', async () => {
    expect(await checkpointsAfter(['INC', 'INC', 'INC'], 'every-turn')).to.deep.equal([1, 2, 3, 4]);
  });

  it('is due after so many events, or so many bytes', async () => {
    const many = Array.from({ length: 10 }, () => 'INC' as const);
    expect(await checkpointsAfter(many, { everyEvents: 4 })).to.deep.equal([1, 5, 9]);
    const byBytes = await checkpointsAfter(many, { everyBytes: 1 }); // never less than the checkpoint's own size
    expect(byBytes.length).to.be.within(2, 8);
  });

  it('is due after so much time, looked at when a turn is taken', async () => {
    const clock = new ManualClock();
    await using runtime = await createRuntime({
      store: memory(),
      agents: { m: { machine, version: 1, checkpoints: { everyMs: 1_000 } } },
      clock,
    });
    const at: number[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'checkpoint' && at.push(event.sequenceNumber)));
    const agent = await runtime.spawn('m', { id: 'a' });
    for (let n = 0; n < 4; n += 1) {
      await clock.advance(600);
      await agent.send({ type: 'INC' });
    }
    expect(at).to.deep.equal([1, 3, 5]);
  });

  it('may be set for all kinds at once, and a kind’s own policy goes before', async () => {
    await using runtime = await createRuntime({
      store: memory(),
      checkpoints: 'every-turn',
      agents: { m: { machine, version: 1 }, own: { machine, version: 1, checkpoints: {} } },
    });
    const at: string[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'checkpoint' && at.push(`${event.agentId} ${String(event.sequenceNumber)}`)));
    await (await runtime.spawn('m', { id: 'a' })).send({ type: 'INC' });
    await (await runtime.spawn('own', { id: 'b' })).send({ type: 'INC' });
    expect(at).to.deep.equal(['a 1', 'a 2', 'b 1']);
  });

  it('and the journal after it bring back the same state, whatever the policy', async () => {
    const events: readonly EventType[] = ['INC', 'IN', 'INC', 'OUT', 'INC', 'INC', 'TELL', 'INC'];
    for (const policy of [undefined, 'every-turn', { everyEvents: 3 }] as const) {
      const store = memory();
      await checkpointsAfter(events, policy, store);
      await using runtime = await createRuntime({ store, agents: { m: { machine, version: 1 } } });
      const snapshot = await runtime.agent<'m'>('a').snapshot();
      expect([snapshot.value, snapshot.context.count]).to.deep.equal(['plain', 5]);
    }
  });
});
