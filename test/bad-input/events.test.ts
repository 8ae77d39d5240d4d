import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, memory, reply, tell, type AgentRef, type NotSerializableError } from 'statewarden';
import { failing } from './failing.js';

const counter = setup({
  types: {
    context: {} as { count: number; kept?: unknown },
    events: {} as { type: 'INC' } | { type: 'KEEP'; value: unknown } | { type: 'END' },
  },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  initial: 'on',
  states: {
    on: {
      on: {
        INC: { actions: assign({ count: ({ context }) => context.count + 1 }) },
        KEEP: { actions: assign({ kept: ({ event }) => event.value }) },
        END: 'off',
      },
    },
    off: { type: 'final' },
  },
});
const agents = { counter: { machine: counter, version: 1 } };

describe('an event that cannot be taken', () => {
  const shapes: readonly (readonly [string, unknown, RegExp])[] = [
    ['a string', 'INC', /must be an object, not string/],
    ['null', null, /not null/],
    ['undefined', undefined, /not undefined/],
    ['an array', [{ type: 'INC' }], /not an array/],
    ['a number', 7, /not number/],
    ['a function', () => ({ type: 'INC' }), /not function/],
    ['an object without a type', { kind: 'INC' }, /needs a string type, not undefined/],
    ['an object with an empty type', { type: '' }, /needs a string type, not ""/],
    ['an object whose type is a number', { type: 3 }, /needs a string type, not 3/],
    ['a type that is XState’s own', { type: 'xstate.done.state.x' }, /"xstate\.done\.state\.x" is reserved/],
    ['a type that is Statewarden’s own', { type: 'statewarden.answer' }, /reserved/],
    ['the wildcard', { type: '*' }, /reserved/],
  ];
  for (const [name, event, message] of shapes) {
    it(`is refused when it is ${name}, and the agent does not notice`, async () => {
      await using runtime = await createRuntime({ store: memory(), agents });
      const agent = (await runtime.spawn('counter', { id: 'c' })) as unknown as AgentRef;
      const error = await failing('BAD_EVENT', () => agent.send(event as never));
      expect(error.message).to.match(message);
      await failing('BAD_EVENT', () => agent.ask(event as never));
      expect((await agent.send({ type: 'INC' })).sequenceNumber).to.equal(2);
    });
  }

  it('is refused when it holds what cannot be saved, saying where', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const error = await failing<NotSerializableError>('NOT_SERIALIZABLE', () =>
      agent.send({ type: 'KEEP', value: { deep: [1, { call: () => 1 }] } }),
    );
    expect(error.path).to.equal('event.value.deep[1].call');
    expect(error.message).to.include('event.value.deep[1].call');
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect((await failing<NotSerializableError>('NOT_SERIALIZABLE', () => agent.send({ type: 'KEEP', value: circle }))).path).to.equal(
      'event.value.self',
    );
    expect((await agent.snapshot()).context).to.deep.equal({ count: 0 });
  });

  it('is refused when it is over the size limit, saying how large it is', async () => {
    await using runtime = await createRuntime({ store: memory(), agents, limits: { eventBytes: 100 } });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const error = await failing('EVENT_TOO_LARGE', () => agent.send({ type: 'KEEP', value: 'x'.repeat(100) }));
    expect(error.message).to.match(/takes 1\d\d bytes, more than 100/);
    await failing('EVENT_TOO_LARGE', () => agent.send({ type: 'KEEP', value: 'é'.repeat(40) })); // few characters, more bytes
    await agent.send({ type: 'KEEP', value: 'x'.repeat(40) });
    expect((await agent.snapshot()).context.kept).to.equal('x'.repeat(40));
  });

  it('has a limit of one MiB when none is given', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await failing('EVENT_TOO_LARGE', () => agent.send({ type: 'KEEP', value: 'x'.repeat(1_048_576) }));
    await agent.send({ type: 'KEEP', value: 'x'.repeat(1_000_000) });
  });

  it('fails the machine that tells it to another agent, as XState does with an action that throws', async () => {
    const teller = setup({ types: { events: {} as { type: 'GO' } } }).createMachine({
      id: 'teller',
      on: { GO: { actions: tell('c', { type: 'xstate.stop' }) } },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { ...agents, teller: { machine: teller, version: 1 } } });
    const agent = await runtime.spawn('teller', { id: 't' });
    await agent.send({ type: 'GO' });
    const error = await failing('AGENT_FAILED', () => agent.result());
    expect(error.cause).to.include({ name: 'BadEventError' });
  });
});

describe('an event for an agent that cannot take it', () => {
  it('is kept as a dead letter when the agent has finished, and the sender is told', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.send({ type: 'END' });
    await agent.result();
    const error = await failing('DEAD_LETTER', () => agent.send({ type: 'INC' }));
    expect(error.message).to.include('"c" has ended');
    const letters = await runtime.store.deadLetters({ after: 0, limit: 10 });
    expect(letters.map(({ to, event, reason }) => [to, event, reason])).to.deep.equal([['c', '{"type":"INC"}', 'agent-ended']]);
  });

  it('is kept as a dead letter when the agent was stopped', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    await agent.stop();
    await failing('DEAD_LETTER', () => agent.send({ type: 'INC' }));
    await failing('DEAD_LETTER', () => agent.ask({ type: 'INC' }));
    expect(await runtime.store.deadLetters({ after: 0, limit: 10 })).to.have.lengthOf(2);
  });

  it('is refused when there is no such agent, and nothing is kept', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = runtime.agent('nobody');
    for (const call of [
      () => agent.send({ type: 'INC' } as never),
      () => agent.ask({ type: 'INC' } as never),
      () => agent.snapshot(),
      () => agent.result(),
      () => agent.stop(),
      () => agent.waitFor(() => true),
      () => new Promise((_, reject) => agent.snapshots$.subscribe({ error: reject })),
      () => new Promise((_, reject) => agent.emitted$.subscribe({ error: reject })),
    ]) {
      const error = await failing('UNKNOWN_AGENT', call);
      expect(error.message).to.include('"nobody"');
    }
    expect(await runtime.store.deadLetters({ after: 0, limit: 10 })).to.deep.equal([]);
  });

  it('becomes a dead letter when another agent tells it to one that does not exist', async () => {
    const teller = setup({ types: { events: {} as { type: 'GO' } } }).createMachine({
      on: { GO: { actions: tell('nobody', { type: 'HELLO' }) } },
    });
    await using runtime = await createRuntime({ store: memory(), agents: { teller: { machine: teller, version: 1 } } });
    const agent = await runtime.spawn('teller', { id: 't' });
    await agent.send({ type: 'GO' });
    const [letter] = await runtime.store.deadLetters({ after: 0, limit: 10 });
    expect(letter).to.include({ to: 'nobody', from: 't', reason: 'no-such-agent', event: '{"type":"HELLO"}' });
  });

  it('times out an ask that nobody answers', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const error = await failing('TIMEOUT', () => agent.ask({ type: 'INC' }, { timeoutMs: 5 }));
    expect(error.message).to.equal('agent "c" did not answer within 5 ms');
    expect((await agent.snapshot()).context.count).to.equal(1); // it was taken all the same
  });

  it('rejects an ask at once when the agent ends without an answer', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    const agent = await runtime.spawn('counter', { id: 'c' });
    const error = await failing('AGENT_STOPPED', () => agent.ask({ type: 'END' }));
    expect(error.message).to.equal('agent "c" ended (done) without an answer');
  });

  it('is refused when the reply cannot be saved: the machine that gave it fails', async () => {
    const machine = setup({ types: { events: {} as { type: 'ASK' } } }).createMachine({ on: { ASK: { actions: reply(() => () => 1) } } });
    await using runtime = await createRuntime({ store: memory(), agents: { bad: { machine, version: 1 } } });
    const agent = await runtime.spawn('bad', { id: 'b' });
    const error = await failing('AGENT_FAILED', () => agent.ask({ type: 'ASK' }));
    expect(error.cause).to.include({ name: 'NotSerializableError' });
    await failing('AGENT_FAILED', () => agent.result());
  });
});
