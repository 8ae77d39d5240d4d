import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, memory, supervisor } from 'statewarden';
import { failing } from '../bad-input/failing.js';

describe('an event under a supervisor', () => {
  it('that is sent again under its message id while it fails for the last time is one dead letter', async () => {
    let again: Promise<unknown> | undefined;
    const worker = setup({ types: { events: {} as { type: 'N' } | { type: 'POISON' }, context: {} as { taken: number } } }).createMachine({
      id: 'worker',
      context: { taken: 0 },
      on: {
        N: {
          actions: assign({
            taken: ({ context }) => {
              // Once: the turn is run again when the agent is brought back.
              again ??= failing('DEAD_LETTER', () => runtime.agent<'worker'>('a').send({ type: 'POISON' }, { messageId: 'p' }));
              return context.taken + 1;
            },
          }),
        },
        POISON: {
          actions: assign(() => {
            throw new Error('poison');
          }),
        },
      },
    });
    await using runtime = await createRuntime({
      store: memory(),
      agents: { worker: { machine: worker, version: 1 } },
      limits: { maxDeliveries: 1, uncommittedTurns: 1 },
    });
    const ref = await runtime.supervise(supervisor({ id: 'root', children: [{ id: 'a', kind: 'worker' }] }));
    const agent = runtime.agent<'worker'>('a');
    await ref.terminate('a');
    await agent.send({ type: 'N' });
    await agent.send({ type: 'POISON' }, { messageId: 'p' });
    await ref.restart('a');
    await agent.waitFor(({ context }) => context.taken === 1);
    await again;
    expect(await runtime.deadLetters.list()).to.have.length(1);
    expect((await runtime.store.counts()).mailbox).to.equal(0);
  });
});
