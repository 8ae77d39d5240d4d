/** A workflow is one trace, however its agents make, tell and ask each other, and wherever it goes on. */

import { expect } from 'chai';
import fc from 'fast-check';
import { createRuntime, memory, supervisor, type Store } from 'statewarden';
import { faultyStore } from 'statewarden/testing';
import { agents, failTimes, type Plan } from './machines.js';
import { Spans, until } from './spans.js';

const placeOf = (text: string | undefined): string[] => (text ?? '').split('-');

describe('traces', function () {
  this.timeout(60_000);
  let spans: Spans;

  beforeEach(() => {
    spans = new Spans();
    spans.register();
  });
  afterEach(() => spans.unregister());

  const open = (store: Store = memory()) => createRuntime({ store, agents, telemetry: spans.telemetry });

  it('begin with the agent that code makes, and hang from what is active', async () => {
    await using runtime = await open();
    await runtime.spawn('breaker', { id: 'b-1' });
    await spans.within('request', async () => void (await runtime.spawn('breaker', { id: 'b-2' })));
    const [alone, asked] = spans.named('spawn breaker');
    expect(alone?.parentSpanContext).to.equal(undefined);
    expect(asked?.attributes).to.include({ 'statewarden.agent.id': 'b-2', 'statewarden.agent.kind': 'breaker' });
    expect(spans.above(asked as never)).to.deep.equal(['spawn breaker', 'request']);
    const [record] = await runtime.store.lookup(['b-2']);
    expect(placeOf(record?.trace)).to.deep.equal(['00', asked?.spanContext().traceId, asked?.spanContext().spanId, '01']);
    const [, first] = spans.named('turn breaker xstate.init');
    expect(spans.above(first as never)).to.deep.equal(['turn breaker xstate.init', 'spawn breaker', 'request']);
  });

  it('say when there was an agent with the id', async () => {
    const store = memory();
    await using one = await open(store);
    await one.spawn('breaker', { id: 'b-1' });
    await one.store.release([(await one.store.lookup(['b-1']))[0]?.key as number]);
    await using other = await open(store);
    await other.spawn('breaker', { id: 'b-1' });
    const [made, found] = spans.named('spawn breaker');
    expect(made?.attributes['statewarden.spawn.existed']).to.equal(undefined);
    expect(found?.attributes['statewarden.spawn.existed']).to.equal(true);
    expect(spans.named('turn breaker xstate.init')).to.have.length(1);
  });

  it('have the turn of a send under what is active then, linked to the agent', async () => {
    await using runtime = await open();
    const agent = await runtime.spawn('breaker', { id: 'b-1' });
    await spans.within('request', async () => void (await agent.send({ type: 'UP' })));
    const turn = spans.one('turn breaker UP');
    expect(spans.above(turn)).to.deep.equal(['turn breaker UP', 'request']);
    expect(turn.links.map(({ context }) => context.spanId)).to.deep.equal([spans.one('spawn breaker').spanContext().spanId]);
    await agent.send({ type: 'UP' });
    expect(spans.above(spans.named('turn breaker UP')[1] as never)).to.deep.equal(['turn breaker UP', 'spawn breaker']);
    expect(spans.orphans()).to.deep.equal([]);
  });

  it('keep what was active when a send had to wait for its turn', async () => {
    const store = faultyStore(memory());
    await using runtime = await createRuntime({ store, agents, telemetry: spans.telemetry, limits: { uncommittedTurns: 1 } });
    const agent = await runtime.spawn('breaker', { id: 'b-1' });
    await Promise.all(['one', 'two', 'three'].map((name) => spans.within(name, async () => void (await agent.send({ type: 'UP' })))));
    const parents = spans.named('turn breaker UP').map((span) => spans.above(span)[1]);
    expect(parents).to.have.members(['one', 'two', 'three']);
  });

  it('go through a question between agents and its answer', async () => {
    await using runtime = await open();
    await runtime.spawn('planner', { id: 'planner-1' });
    const agent = await runtime.spawn('asker', { id: 'a-1', input: { to: 'planner-1' } });
    await spans.within('request', async () => {
      await agent.send({ type: 'GO' });
      await agent.waitFor((snapshot) => snapshot.matches('told'));
    });
    await until(
      () =>
        spans.named('turn asker activity ask').length + spans.all.filter(({ name }) => name.startsWith('turn asker activity')).length > 0,
      'the answer',
    );
    const answered = spans.all.find(({ name }) => name.startsWith('turn asker activity'));
    expect(spans.above(answered as never).slice(1)).to.deep.equal(['turn planner PLAN', 'turn asker GO', 'request']);
    const steps = await spans.within('count', () => agent.ask<number>({ type: 'HOW_MANY' }));
    expect(steps).to.equal(2);
    expect(spans.above(spans.one('turn asker HOW_MANY'))).to.deep.equal(['turn asker HOW_MANY', 'count']);
  });

  it('have each attempt of an activity under the turn that asked for it, and what it came to under the last', async () => {
    failTimes(2);
    await using runtime = await open();
    const agent = await runtime.spawn('trier', { id: 't-1' });
    await agent.send({ type: 'TRY' });
    await agent.result();
    const attempts = spans.named('activity flaky');
    expect(attempts.map(({ attributes }) => attributes['statewarden.attempt'])).to.deep.equal([1, 2, 3]);
    for (const attempt of attempts) expect(spans.above(attempt).slice(1)).to.deep.equal(['turn trier TRY', 'spawn trier']);
    expect(spans.failed()).to.deep.equal(['activity flaky', 'activity flaky']);
    expect(attempts[0]?.attributes['error.type']).to.equal('Error');
    await until(() => spans.named('turn trier activity flaky').length === 1, 'the outcome');
    const outcome = spans.one('turn trier activity flaky');
    expect(outcome.parentSpanContext?.spanId).to.equal(attempts[2]?.spanContext().spanId);
  });

  it('are one for any tree of agents, messages and calls', async () => {
    const plan = fc.letrec<{ plan: Omit<Plan, 'id'> }>((again) => ({
      plan: fc.record({
        calls: fc.boolean(),
        children: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant([]), fc.array(again('plan'), { maxLength: 3 })),
      }) as fc.Arbitrary<Omit<Plan, 'id'>>,
    })).plan;
    const numbered = (of: Omit<Plan, 'id'>, id: string): Plan => ({
      ...of,
      id,
      children: of.children.map((child, index) => numbered(child, `${id}.${String(index)}`)),
    });
    const sizeOf = ({ children }: Plan): number => 1 + children.reduce((sum, child) => sum + sizeOf(child), 0);
    await fc.assert(
      fc.asyncProperty(plan, async (drawn) => {
        await spans.unregister();
        spans = new Spans();
        spans.register();
        const tree = numbered(drawn, 'n');
        {
          await using runtime = await open();
          await spans.within('request', async () => {
            const root = await runtime.spawn('spreader', { id: 'n', input: { parent: undefined, id: 'n' } });
            await root.send({ type: 'GO', plan: tree });
            await root.result();
          });
        }
        const own = spans.all.filter(({ name }) => !name.startsWith('user '));
        expect(new Set(own.map((span) => span.spanContext().traceId)).size).to.equal(1);
        expect(spans.orphans()).to.deep.equal([]);
        expect(spans.roots()).to.deep.equal(['request']);
        expect(new Set(own.map(({ attributes }) => attributes['statewarden.agent.id']).filter((id) => id !== undefined)).size).to.equal(
          sizeOf(tree),
        );
      }),
      { numRuns: 25 },
    );
  });

  it('hold what the program itself traces in an activity', async () => {
    await using runtime = await open();
    const root = await runtime.spawn('spreader', { id: 'n', input: { parent: undefined, id: 'n' } });
    await root.send({ type: 'GO', plan: { id: 'n', calls: true, children: [] } });
    await root.result();
    expect(spans.above(spans.one('user n'))).to.deep.equal(['user n', 'activity work', 'turn spreader GO', 'spawn spreader']);
  });

  it('have a supervisor and its children where the supervisor was made', async () => {
    await using runtime = await open();
    const team = await spans.within('request', () =>
      runtime.supervise(supervisor({ id: 'team', children: [{ kind: 'breaker', id: 'b-1' }] })),
    );
    await spans.within('later', async () => void (await team.spawn('breaker', { id: 'b-2' })));
    const [first, second] = spans.named('spawn breaker');
    expect(spans.above(first as never).at(-1)).to.equal('request');
    expect(spans.above(second as never).at(-1)).to.equal('later');
  });

  it('tell of a turn that failed, and go on in it with the agent that comes back', async () => {
    await using runtime = await open();
    const team = await runtime.supervise(supervisor({ id: 'team', intensity: 10, periodMs: 1_000 }));
    const agent = await team.spawn('breaker', { id: 'b-1' });
    await spans.within('request', async () => {
      await agent.send({ type: 'BREAK' }).catch(() => undefined);
    });
    await until(() => spans.named('turn breaker BREAK').length === 3, 'three turns');
    for (const turn of spans.named('turn breaker BREAK')) {
      expect(spans.above(turn).at(-1)).to.equal('request');
      expect(turn.attributes['error.type']).to.equal('Error');
    }
    expect(spans.failed().filter((name) => name === 'turn breaker BREAK')).to.have.length(3);
    await agent.send({ type: 'UP' });
    expect(spans.one('turn breaker UP').status.code).to.equal(0);
    expect(spans.named('recover breaker').length).to.be.greaterThan(0);
    expect(spans.orphans()).to.deep.equal([]);
  });

  it('have nothing in them that the store does not have', async () => {
    const store = faultyStore(memory());
    await using runtime = await open(store);
    const agent = await runtime.spawn('breaker', { id: 'b-1' });
    let release = (): void => undefined;
    store.plan('commit', { fault: 'delay', until: new Promise<void>((resolve) => (release = resolve)) });
    const sent = agent.send({ type: 'UP' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(spans.named('turn breaker UP')).to.deep.equal([]);
    release();
    await sent;
    expect(spans.one('turn breaker UP').status.code).to.equal(0);
    const commit = spans.named('commit').at(-1);
    expect(spans.above(commit as never)).to.deep.equal(['commit', 'turn breaker UP', 'spawn breaker']);
    expect(commit?.links.map(({ context }) => context.spanId)).to.deep.equal([spans.one('turn breaker UP').spanContext().spanId]);
    expect(commit?.attributes).to.include({ 'statewarden.commit.agents': 1, 'statewarden.commit.turns': 1 });
  });

  it('tell of turns that were lost as failed', async () => {
    const store = faultyStore(memory());
    const runtime = await open(store);
    const agent = await runtime.spawn('breaker', { id: 'b-1' });
    store.plan('commit', { fault: 'poison' });
    const failed = await agent.send({ type: 'UP' }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failed).to.be.an('error');
    const turn = spans.one('turn breaker UP');
    expect(turn.attributes['statewarden.lost']).to.equal(true);
    expect(turn.attributes['error.type']).to.equal('STORE_POISONED');
    expect(spans.failed()).to.include.members(['turn breaker UP', 'commit']);
    await runtime.close();
  });

  it('go on after a restart, where the agent was, and with mail that another process has left', async () => {
    const store = memory();
    {
      await using runtime = await open(store);
      await spans.within('request', async () => void (await runtime.spawn('breaker', { id: 'b-1' })));
    }
    const observer = await store.open({ now: Date.now });
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const post = { to: 'b-1', messageId: 'm', event: '{"type":"UP"}', from: undefined, replyTo: undefined, acceptedAt: 1, trace };
    await observer.post([post], 10);
    await observer.close();
    await using runtime = await open(store);
    const agent = runtime.agent<'breaker'>('b-1');
    await agent.waitFor((snapshot) => snapshot.context.n === 1);
    const recovery = spans.one('recover breaker');
    expect(spans.above(recovery)).to.deep.equal(['recover breaker', 'spawn breaker', 'request']);
    expect(recovery.attributes).to.include({ 'statewarden.recovery.turns': 0, 'statewarden.recovery.from': 1 });
    const turn = spans.one('turn breaker UP');
    expect(turn.spanContext().traceId).to.equal('0af7651916cd43dd8448eb211c80319c');
    expect(turn.parentSpanContext?.spanId).to.equal('b7ad6b7169203331');
    expect(turn.links).to.have.length(1);
    await agent.send({ type: 'UP' });
    expect(spans.above(spans.named('turn breaker UP')[1] as never).at(-1)).to.equal('request');
  });

  it('are carried by a send to an agent of another node', async () => {
    const store = memory();
    await using one = await open(store);
    await using two = await createRuntime({ store, agents, telemetry: spans.telemetry, node: { spread: false } });
    await one.spawn('breaker', { id: 'b-1' });
    await spans.within('request', async () => void (await two.agent<'breaker'>('b-1').send({ type: 'UP' })));
    await until(() => spans.named('turn breaker UP').length === 1, 'the turn');
    expect(spans.above(spans.one('turn breaker UP'))).to.deep.equal(['turn breaker UP', 'request']);
  });

  it('follow the decision not to record', async () => {
    await using runtime = await open();
    const { context, trace, ROOT_CONTEXT } = await import('@opentelemetry/api');
    const silent = trace.setSpanContext(ROOT_CONTEXT, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0 });
    await context.with(silent, async () => void (await runtime.spawn('breaker', { id: 'b-1' })));
    await runtime.agent<'breaker'>('b-1').send({ type: 'UP' });
    expect(spans.all).to.deep.equal([]);
    const [record] = await runtime.store.lookup(['b-1']);
    expect(placeOf(record?.trace)[1]).to.equal('a'.repeat(32));
    expect(placeOf(record?.trace)[3]).to.equal('00');
  });

  it('leave no trace in records when nobody traces', async () => {
    await using runtime = await createRuntime({ store: memory(), agents });
    await spans.within('request', async () => {
      const root = await runtime.spawn('spreader', { id: 'n', input: { parent: undefined, id: 'n' } });
      await root.send({ type: 'GO', plan: { id: 'n', calls: true, children: [{ id: 'n.0', calls: false, children: [] }] } });
      await root.result();
    });
    const records = await runtime.store.lookup(['n', 'n.0']);
    expect(records.map((record) => record?.trace)).to.deep.equal([undefined, undefined]);
    expect(spans.all.map(({ name }) => name)).to.deep.equal(['user n', 'request']);
  });
});
