/** Operations that wait for a breaker: durably, in order of priority, fairly, and at a person's word. */

import { expect } from 'chai';
import { setup } from 'xstate';
import { activity, createRuntime, type Runtime } from 'statewarden';
import { allOf, breakerRegistry, bulkhead, consecutiveBreaker, retryBudget } from 'statewarden/breakers';
import { api, caller, takeDown, world, type Kinds, type World } from './outage.js';

const spawn = (runtime: Runtime<Kinds>, ids: readonly string[], from = 1): Promise<unknown> =>
  Promise.all(ids.map((id, index) => runtime.spawn('caller', { id, input: from + index })));

const states = (runtime: Runtime<Kinds>, ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => (await runtime.store.lookup([id]))[0]?.status));

describe('an activity whose breaker is open', () => {
  it('is parked, durably, without an attempt, and goes when the breaker lets it', async () => {
    const place = world();
    const { clock, service } = place;
    await using runtime = await place.open();
    await takeDown(runtime, place);
    expect(runtime.breakers.get('api').state).to.equal('open');
    await spawn(runtime, ['a', 'b', 'c']);
    await clock.advance(100);
    const parked = await runtime.breakers.parked();
    expect(
      parked.map(({ agentId, activity: name, breaker, failedAttempts }) => ({ agentId, name, breaker, failedAttempts })),
    ).to.deep.equal([
      { agentId: 'first', name: 'work', breaker: 'api', failedAttempts: 2 },
      ...['a', 'b', 'c'].map((agentId) => ({ agentId, name: 'work', breaker: 'api', failedAttempts: 0 })),
    ]);
    expect(parked.map(({ wakesAt = 0 }) => wakesAt > clock.now() && wakesAt <= clock.now() + 5_500)).to.deep.equal([
      true,
      true,
      true,
      true,
    ]);
    expect(service.calls).to.have.length(2);
    service.up = true;
    await clock.advance(20_000);
    expect(await states(runtime, ['first', 'a', 'b', 'c'])).to.deep.equal(['done', 'done', 'done', 'done']);
    expect(service.served).to.deep.equal([0, 1, 2, 3]);
    expect(await runtime.breakers.parked()).to.deep.equal([]);
    expect(place.events.filter((event) => event.type === 'activity' && event.phase === 'parked')).to.have.length(4);
  });

  it('is found again by the next life, which asks the breaker and not the clock', async () => {
    const place = world();
    const { clock, service } = place;
    {
      await using runtime = await place.open();
      await takeDown(runtime, place);
      await spawn(runtime, ['a', 'b']);
      await clock.advance(100);
    }
    service.up = true;
    await using runtime = await place.open();
    await clock.advance(1);
    expect(runtime.breakers.get('api').state).to.equal('open');
    expect(await runtime.breakers.parked()).to.have.length(3);
    expect(service.calls).to.have.length(2);
    await clock.advance(20_000);
    expect(await states(runtime, ['first', 'a', 'b'])).to.deep.equal(['done', 'done', 'done']);
    expect(new Set(service.calls.map(({ key }) => key)).size).to.equal(3);
  });

  it('waits no more once it goes, in whatever life, and without its breaker goes at once', async () => {
    const place = world();
    const { clock, service } = place;
    {
      await using runtime = await place.open();
      await takeDown(runtime, place);
      await spawn(runtime, ['a']);
      await clock.advance(100);
    }
    service.up = true;
    service.tookMs = 1_000;
    await clock.advance(10_000);
    {
      await using runtime = await place.open();
      await clock.advance(10);
      expect(service.calls).to.have.length(3);
      expect((await runtime.breakers.parked()).map(({ agentId }) => agentId)).to.deep.equal(['a']);
      const closing = runtime.close({ graceMs: 0 });
      await clock.advance(1);
      await closing;
    }
    await using runtime = await place.open({}, { breakers: [] });
    await clock.advance(10);
    expect(service.calls).to.have.length(5);
    expect(await runtime.breakers.parked()).to.deep.equal([]);
    await clock.advance(1_000);
    expect(await states(runtime, ['first', 'a'])).to.deep.equal(['done', 'done']);
  });

  it('with whenOpen: fail, fails at once instead', async () => {
    const place = world();
    await using runtime = await place.open({ whenOpen: 'fail', retry: { attempts: 3, initialMs: 10, jitter: 'none' } });
    await takeDown(runtime, place);
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await place.clock.advance(10);
    expect(await agent.result()).to.equal('BREAKER_OPEN');
    expect(place.service.calls).to.have.length(2);
  });

  it('goes in order of priority, and among equals each agent in turn', async () => {
    const place = world();
    const { clock, service } = place;
    const priority = (n: number) => (n >= 300 ? ('low' as const) : n >= 200 ? ('high' as const) : ('normal' as const));
    const work = activity({
      name: 'work',
      run: (n: number, context) => service.call(n, context),
      retry: { initialMs: 10, jitter: 'none' },
      breaker: api(),
      priority,
    });
    // One agent with four calls of each sort beside agents with one.
    const greedy = setup({ actors: { work } }).createMachine({
      type: 'parallel',
      states: Object.fromEntries(
        [101, 102, 103, 104, 301].map((n) => [
          `n${String(n)}`,
          { initial: 'on', states: { on: { invoke: { id: `n${String(n)}`, src: 'work' as const, input: n, onDone: 'off' } }, off: {} } },
        ]),
      ),
    });
    await using runtime = await createRuntime({
      clock,
      store: place.store,
      agents: { caller: { machine: caller(work), version: 1 }, greedy: { machine: greedy, version: 1 } },
    });
    service.up = false;
    await runtime.spawn('caller', { id: 'first', input: 0 });
    await clock.advance(50);
    await runtime.spawn('greedy', { id: 'greedy' });
    await clock.advance(10);
    for (const [id, input] of [
      ['x', 1],
      ['y', 2],
      ['z', 200],
    ] as const)
      await runtime.spawn('caller', { id, input });
    await clock.advance(10);
    expect(await runtime.breakers.parked()).to.have.length(9);
    service.up = true;
    service.tookMs = 20;
    await clock.advance(60_000);
    expect(service.served).to.deep.equal([200, 0, 101, 1, 2, 102, 103, 104, 301]);
  });

  it('is cancelled by leaving the state', async () => {
    const place = world();
    await using runtime = await place.open();
    await takeDown(runtime, place);
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await place.clock.advance(10);
    await agent.send({ type: 'LEAVE' });
    await place.clock.advance(10);
    expect((await runtime.breakers.parked()).map(({ agentId }) => agentId)).to.deep.equal(['first']);
    place.service.up = true;
    await place.clock.advance(20_000);
    expect(place.service.served).to.deep.equal([0]);
  });

  it('is let go, or ended, at a person’s word', async () => {
    const place = world();
    const { clock, service } = place;
    await using runtime = await place.open();
    await takeDown(runtime, place);
    await spawn(runtime, ['a', 'b', 'c']);
    await clock.advance(10);
    service.up = true;
    const [one] = await runtime.breakers.parked({ agentId: 'b' });
    expect(await runtime.breakers.releaseParked(one?.operationId ?? '')).to.deep.equal({ told: 1, full: 0 });
    await clock.advance(10);
    expect(service.served).to.deep.equal([2]);
    expect(await runtime.breakers.cancelParked({ agentId: 'c' })).to.deep.equal({ told: 1, full: 0 });
    await clock.advance(10);
    expect(await runtime.agent<'caller'>('c').result()).to.equal('CANCELLED');
    expect(await runtime.breakers.releaseParked({ breaker: 'api' })).to.deep.equal({ told: 2, full: 0 });
    await clock.advance(10);
    expect(service.served).to.deep.equal([2, 0, 1]);
    expect(runtime.breakers.get('api').state).to.equal('open');
    expect(await runtime.breakers.cancelParked({ agentId: 'nobody' })).to.deep.equal({ told: 0, full: 0 });
  });

  it('takes a word that was given while nobody was up', async () => {
    const place = world();
    {
      await using runtime = await place.open();
      await takeDown(runtime, place);
      await spawn(runtime, ['a', 'b']);
      await place.clock.advance(10);
    }
    const observer = await place.store.open({ now: () => place.clock.now() });
    for (const { agentId, operation } of await observer.parked({ limit: 10 })) {
      if (agentId === 'first') continue;
      const event = { type: 'statewarden.answer', operation: operation.id, parked: agentId === 'a' ? 'release' : 'cancel' };
      const message = { to: agentId, messageId: undefined, event: JSON.stringify(event), from: undefined, replyTo: undefined };
      await observer.post([{ ...message, acceptedAt: 0 }], 10);
    }
    await observer.close();
    place.service.up = true;
    await using runtime = await place.open();
    await place.clock.advance(10);
    expect(place.service.served).to.deep.equal([1]);
    expect(await runtime.agent<'caller'>('b').result()).to.equal('CANCELLED');
    expect(runtime.breakers.get('api').state).to.equal('open');
  });

  it('takes nobody’s place while it waits, and waits for a place with its leave in a person’s hand', async () => {
    const place = world();
    const { clock, service } = place;
    await using runtime = await place.open({ concurrency: 1 });
    await takeDown(runtime, place);
    await spawn(runtime, ['a', 'b', 'c']);
    await clock.advance(10);
    service.up = true;
    service.tookMs = 100;
    await runtime.breakers.releaseParked({ breaker: 'api' });
    await clock.advance(1_000);
    expect(service.served).to.have.length(4);
    expect(service.calls.filter(({ ok }) => ok).map(({ at }, index, all) => at - (all[index - 1]?.at ?? at))).to.deep.equal([
      0, 100, 100, 100,
    ]);
  });

  it('keeps its own key: of two under one key the other takes its result', async () => {
    const place = world();
    await using runtime = await place.open({ key: () => 'same' });
    await takeDown(runtime, place);
    await Promise.all(['a', 'b'].map((id) => runtime.spawn('caller', { id, input: 0 })));
    await place.clock.advance(10);
    expect(await runtime.breakers.parked()).to.have.length(1);
    place.service.up = true;
    await place.clock.advance(20_000);
    expect(place.service.served).to.deep.equal([0]);
    expect(place.service.calls.every(({ key }) => key === 'same')).to.equal(true);
    expect(await Promise.all(['first', 'a', 'b'].map((id) => runtime.agent<'caller'>(id).result()))).to.deep.equal([0, 0, 0]);
  });

  it('shows what its functions get wrong as a failure of its own', async () => {
    for (const wrong of [
      { priority: () => 'urgent' as never },
      {
        priority: () => {
          throw new Error('no idea');
        },
      },
      { breaker: breakerRegistry(consecutiveBreaker({ name: 'llm' })), breakerKey: () => 'a\0b' },
    ]) {
      const place = world();
      await using runtime = await place.open(wrong);
      const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
      await place.clock.advance(10);
      expect(await agent.result()).to.be.oneOf(['BAD_INPUT', 'failed']);
    }
  });
});

describe('keys, stages and guards that are no breakers', () => {
  it('guard each key of a registry alone', async () => {
    const place = world();
    const { clock, service } = place;
    const breaker = breakerRegistry(consecutiveBreaker({ name: 'llm', failures: 2 }));
    await using runtime = await place.open({ breaker, breakerKey: (n) => (n % 2 === 0 ? 'even' : 'odd') });
    await takeDown(runtime, place);
    service.up = true;
    await spawn(runtime, ['a', 'b']);
    await clock.advance(10);
    expect(service.served).to.deep.equal([1]);
    expect((await runtime.breakers.parked({ breaker: 'llm/even' })).map(({ agentId }) => agentId)).to.deep.equal(['first', 'b']);
    expect(runtime.breakers.all().map(({ name, state }) => `${name} ${state}`)).to.have.members([
      'llm closed',
      'llm/even open',
      'llm/odd closed',
    ]);
  });

  it('guard what a state with the stage’s tag invokes, and nothing beside it', async () => {
    const place: World = world();
    const { clock, service } = place;
    const work = activity({ name: 'work', run: (n: number, context) => service.call(n, context) });
    const machine = setup({ actors: { work } }).createMachine({
      type: 'parallel',
      states: {
        left: {
          tags: 'research',
          initial: 'on',
          states: { on: { invoke: { id: 'l', src: 'work', input: 1, onDone: 'off' } }, off: {} },
        },
        right: { initial: 'on', states: { on: { invoke: { id: 'r', src: 'work', input: 2, onDone: 'off' } }, off: {} } },
      },
    });
    const research = consecutiveBreaker({ name: 'research', level: 'stage' });
    await using runtime = await createRuntime({
      clock,
      store: place.store,
      breakers: [research],
      agents: { both: { machine, version: 1 } },
    });
    await runtime.breakers.isolate('research');
    await runtime.spawn('both', { id: 'a' });
    await clock.advance(10);
    expect(service.served).to.deep.equal([2]);
    expect(await runtime.breakers.parked()).to.have.length(1);
    expect((await runtime.breakers.parked())[0]).to.include({ breaker: 'research', wakesAt: undefined });
    await runtime.breakers.release('research');
    await clock.advance(10);
    expect(service.served).to.deep.equal([2, 1]);
  });

  it('close a stage to all while its services are open', async () => {
    const place = world();
    const { clock, service } = place;
    const stage = consecutiveBreaker({ name: 'research', level: 'stage' });
    const within = (name: string) => consecutiveBreaker({ name, level: 'service', failures: 2, within: stage });
    const work = activity({
      name: 'work',
      run: (n: number, context) => service.call(n, context),
      retry: { initialMs: 10, jitter: 'none' },
      breaker: within('search'),
    });
    const plain = activity({ name: 'plain', run: (n: number, context) => service.call(n, context) });
    await using runtime = await createRuntime({
      clock,
      store: place.store,
      agents: { caller: { machine: caller(work), version: 1 }, other: { machine: caller(plain, ['research']), version: 1 } },
    });
    service.up = false;
    await runtime.spawn('caller', { id: 'first', input: 0 });
    await clock.advance(50);
    service.up = true;
    await runtime.spawn('other', { id: 'other', input: 1 });
    await clock.advance(10);
    expect(service.served).to.deep.equal([]);
    expect((await runtime.breakers.parked()).map(({ breaker }) => breaker)).to.deep.equal(['research', 'research']);
    await clock.advance(20_000);
    expect(service.served).to.have.members([0, 1]);
  });

  it('wait for a place of a bulkhead, and for what a retry budget gives', async () => {
    const place = world();
    const { clock, service } = place;
    const guard = allOf(bulkhead({ name: 'two', concurrency: 2 }), retryBudget({ name: 'retries', minimumPerSecond: 1, clock }), api());
    await using runtime = await place.open({ breaker: guard });
    service.tookMs = 100;
    await spawn(runtime, ['a', 'b', 'c', 'd', 'e']);
    await clock.advance(50);
    expect(service.calls).to.have.length(2);
    expect((await runtime.breakers.parked()).map(({ breaker }) => breaker)).to.deep.equal(['two', 'two', 'two']);
    await clock.advance(1_000);
    expect(service.served).to.have.members([1, 2, 3, 4, 5]);
    expect(service.calls[2]?.at).to.equal(clock.startedAt + 100);
  });
});
