/** The breakers of a runtime: declared, ordered about, remembered, and what they write. */

import { expect } from 'chai';
import { setup } from 'xstate';
import { activity, createRuntime, memory, type Runtime, type RuntimeEvent, type RuntimeOptions, type Store } from 'statewarden';
import { adaptiveBreaker, breakerRegistry, consecutiveBreaker, type Breaker, type BreakerState } from 'statewarden/breakers';
import { SimulatedClock, faultyStore } from 'statewarden/testing';

type Pattern = NonNullable<RuntimeOptions['breakers']>[number];
const api = (): Breaker => consecutiveBreaker({ name: 'api', level: 'service', failures: 2 });

interface Life {
  readonly store?: Store;
  readonly clock?: SimulatedClock;
  readonly name?: string;
  readonly breakers?: readonly Pattern[];
}

let lives = 0;
const start = ({ store = memory(), clock = new SimulatedClock(), name, breakers = [api()] }: Life): Promise<Runtime> =>
  createRuntime({
    store,
    clock,
    agents: {},
    breakers,
    random: { next: () => 0.5, id: () => `node-${String((lives += 1))}` },
    ...(name === undefined ? {} : { node: { name } }),
  });

const down = (): Promise<never> => Promise.reject(new Error('down'));
const well = (): Promise<number> => Promise.resolve(1);

async function fail(breaker: Breaker, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await breaker.execute(down).catch(() => undefined);
}

/** What a store was asked to write of notes. */
function spied(store: Store): { readonly store: Store; readonly publications: (readonly string[])[] } {
  const publications: (readonly string[])[] = [];
  const open: Store['open'] = async (options) => {
    const opened = await store.open(options);
    return new Proxy(opened, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (name === 'publish') publications.push((args[0] as { topic: string }[]).map(({ topic }) => topic));
          if (name === 'retract') publications.push((args[0] as { topic: string }[]).map(({ topic }) => `-${topic}`));
          return member.apply(target, args) as unknown;
        };
      },
    });
  };
  return { store: { ...store, open }, publications };
}

/** The topics and authors of what a store holds. */
async function notesIn(store: Store): Promise<string[]> {
  const observer = await store.open({ now: () => 0 });
  const notes = await observer.notes('breaker');
  await observer.close();
  return notes.map(({ topic, author }) => `${topic} ${author}`);
}

/** What is told of changes from now on. */
function told(runtime: Runtime): string[] {
  const changes: string[] = [];
  runtime.events$.subscribe((event: RuntimeEvent) => {
    if (event.type === 'breaker') changes.push(`${event.breaker} ${event.from} ${event.to} ${event.reason}`);
  });
  return changes;
}

describe('the breakers of a runtime', () => {
  it('are those of its options, of its activities however deep, and what they stand within', async () => {
    const stage = consecutiveBreaker({ name: 'research', level: 'stage' });
    const search = activity({
      name: 'search',
      run: () => 1,
      breaker: consecutiveBreaker({ name: 'search-api', level: 'service', within: stage }),
    });
    const inline = activity({ name: 'inline', run: () => 1, breaker: breakerRegistry(api()), breakerKey: () => 'k' });
    const inner = setup({ actors: { search } }).createMachine({ invoke: { src: 'search', input: undefined } });
    const outer = setup({ actors: { inner } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: inline, input: undefined } } },
    });
    const breakers = [consecutiveBreaker({ name: 'other' })];
    await using runtime = await createRuntime({ store: memory(), agents: { outer: { machine: outer, version: 1 } }, breakers });
    expect(runtime.breakers.all().map(({ name, level }) => `${name} ${level}`)).to.have.members([
      'other call',
      'search-api service',
      'research stage',
      'api service',
    ]);
    expect(runtime.breakers.get('search-api').within?.name).to.equal('research');
  });

  it('are each of one name, or nothing is opened', async () => {
    for (const breakers of [
      [api(), api()],
      [api(), consecutiveBreaker({ name: 'api', level: 'stage' })],
      [breakerRegistry(consecutiveBreaker({ name: 'llm' })), consecutiveBreaker({ name: 'llm/gpt' })],
      [consecutiveBreaker({ name: 'llm/gpt' }), breakerRegistry(consecutiveBreaker({ name: 'llm' }))],
      ['api' as never],
      'api' as never,
    ]) {
      const error = await start({ breakers, store: { ...memory(), open: () => Promise.reject(new Error('opened')) } }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.include({ code: 'BAD_INPUT' });
    }
  });

  it('say which names there are to one who asks for another', async () => {
    await using runtime = await start({ breakers: [api(), consecutiveBreaker({ name: 'search' })] });
    expect(() => runtime.breakers.get('apj'))
      .to.throw('there is no breaker "apj"')
      .with.property('hint', 'Did you mean "api"?');
    expect(() => runtime.breakers.get('payment-service'))
      .to.throw()
      .with.property('hint')
      .that.matches(/^There are "api", "search": name it/);
    expect(await runtime.breakers.isolate('nobody').catch((error: unknown) => error)).to.include({ code: 'UNKNOWN_BREAKER' });
    expect(await runtime.breakers.releaseParked({}).catch((error: unknown) => error)).to.include({ code: 'BAD_INPUT' });
  });

  it('tell of a change when it is durable, and at once to who listens to themselves', async () => {
    const clock = new SimulatedClock();
    const store = faultyStore(memory());
    await using runtime = await start({ store, clock });
    const seen = told(runtime);
    const now: string[] = [];
    runtime.breakers.changes$.subscribe(({ to }) => now.push(to));
    await clock.advance(10);
    let durable = (): void => undefined;
    store.plan('publish', { fault: 'delay', until: new Promise<void>((resolve) => (durable = resolve)) });
    await fail(runtime.breakers.get('api'), 2);
    await clock.advance(1);
    expect(now).to.deep.equal(['open']);
    expect(seen).to.deep.equal([]);
    durable();
    await clock.advance(1);
    expect(seen).to.deep.equal(['api closed open consecutive-failures']);
  });
});

describe('what a runtime remembers of its breakers', () => {
  const stateAfter = async (life: Life & { readonly clock: SimulatedClock }, ms: number): Promise<BreakerState> => {
    await life.clock.advance(ms);
    await using runtime = await start(life);
    return runtime.breakers.get('api').state;
  };

  it('is that one was open: still open before its time, ramping after it, and closed only after the ramp', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    {
      await using runtime = await start({ store, clock });
      await fail(runtime.breakers.get('api'), 2);
    }
    expect(await stateAfter({ store, clock }, 1_000)).to.equal('open');
    expect(await stateAfter({ store, clock }, 5_000)).to.equal('ramping');
    expect(await stateAfter({ store, clock }, 86_400_000)).to.equal('ramping');
    await using runtime = await start({ store, clock });
    for (let second = 0; second < 20; second += 1) {
      await runtime.breakers
        .get('api')
        .execute(well)
        .catch(() => undefined);
      await clock.advance(1_000);
    }
    expect(runtime.breakers.get('api').state).to.equal('closed');
    await runtime.close();
    expect(await stateAfter({ store, clock }, 0)).to.equal('closed');
  });

  it('is its own word before that of others, when it has a name', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    await using one = await start({ store, clock, name: 'one' });
    await using other = await start({ store, clock, name: 'other' });
    await fail(one.breakers.get('api'), 2);
    await clock.advance(1_000);
    await fail(other.breakers.get('api'), 1);
    await one.close();
    await clock.advance(1);
    await other.close();
    await using again = await start({ store, clock, name: 'one' });
    expect(again.breakers.get('api').state).to.equal('open');
    await using third = await start({ store, clock, name: 'third' });
    expect(third.breakers.get('api').state, 'the newest').to.be.oneOf(['open', 'closed']);
    expect(new Set((await notesIn(store)).filter((note) => note.startsWith('breaker/')))).to.deep.equal(
      new Set(['breaker/api one', 'breaker/api other', ...(await notesIn(store)).filter((note) => note.endsWith('third'))]),
    );
  });

  it('is what is normal, learned over a week', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    const learning = (): Breaker => adaptiveBreaker({ name: 'api', level: 'service', timeZone: 'UTC' });
    {
      await using runtime = await start({ store, clock, breakers: [learning()] });
      const breaker = runtime.breakers.get('api');
      for (let minute = 0; minute < 45; minute += 1) {
        for (let call = 0; call < 40; call += 1) await breaker.execute(call % 10 === 0 ? down : well).catch(() => undefined);
        await clock.advance(60_000);
      }
      expect(breaker.figures().expected).to.be.within(0.05, 0.15);
    }
    await using runtime = await start({ store, clock, breakers: [learning()] });
    expect(runtime.breakers.get('api').figures().expected).to.be.within(0.05, 0.15);
  });

  it('is what keys of a registry have learned together, and which of them were in trouble', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    const llm = () => breakerRegistry(adaptiveBreaker({ name: 'llm', timeZone: 'UTC' }));
    {
      await using runtime = await start({ store, clock, breakers: [llm()] });
      await runtime.breakers.isolate('llm/gpt');
      await runtime.breakers.isolate('llm/claude');
      await runtime.breakers.release('llm/claude');
      await clock.advance(100);
    }
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker/'))).to.have.length(3);
    await using runtime = await start({ store, clock, breakers: [llm()] });
    await runtime.breakers.release('llm/gemini');
    expect(runtime.breakers.all().map(({ name, state }) => `${name} ${state}`)).to.have.members(['llm closed', 'llm/gemini closed']);
    await runtime.breakers.release('llm/gpt');
    expect(runtime.breakers.get('llm/gpt').state).to.equal('ramping');
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker/llm/gemini'))).to.deep.equal([]);
  });

  it('passes over notes that cannot be read, and says so', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    const observer = await store.open({ now: () => 0 });
    const note = (topic: string, data: string, at: number) => ({ topic, author: `x${String(at)}`, data, at });
    await observer.publish([
      note('breaker/api', '{"saved":{"format":7}}', 3),
      note('breaker/api', 'not JSON', 2),
      note('breaker-memory/learns', '{"memory":{"baseline":{"slots":"AAAA"}}}', 1),
      note('breaker-order/api', '{"order":"explode","at":1}', 1),
      note('breaker-counts', '[]', 1),
    ]);
    await observer.close();
    const runtime = await start({ store, clock, breakers: [api(), adaptiveBreaker({ name: 'learns' })] });
    const unreadable: string[] = [];
    runtime.events$.subscribe((event) => event.type === 'breaker-memory' && unreadable.push(event.breaker));
    expect(runtime.breakers.all().map(({ state }) => state)).to.deep.equal(['closed', 'closed']);
    await clock.advance(3_000);
    expect(unreadable).to.deep.equal(['api', 'api', 'learns']);
    await runtime.close();
  });

  it('of nodes that are gone for good is taken over and away', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    for (let life = 0; life < 5; life += 1) {
      await using runtime = await start({ store, clock });
      await fail(runtime.breakers.get('api'), 1);
      await clock.advance(20_000);
    }
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker/api'))).to.have.length(1);
  });
});

describe('what breakers write', () => {
  it('is nothing while nobody calls', async () => {
    const clock = new SimulatedClock();
    const { store, publications } = spied(memory());
    const runtime = await start({ store, clock });
    await clock.advance(10);
    expect(publications).to.deep.equal([['breaker/api']]);
    publications.length = 0;
    await clock.advance(600_000);
    expect(publications).to.deep.equal([]);
    await runtime.close();
    expect(publications).to.deep.equal([]);
  });

  it('is one publication for all that changes at once, and figures every ten seconds', async () => {
    const clock = new SimulatedClock();
    const { store, publications } = spied(memory());
    const names = Array.from({ length: 20 }, (_, index) => `b${String(index)}`);
    await using runtime = await start({ store, clock, breakers: names.map((name) => consecutiveBreaker({ name, failures: 1 })) });
    await clock.advance(10);
    publications.length = 0;
    await Promise.all(names.map((name) => fail(runtime.breakers.get(name), 1)));
    await clock.advance(1);
    expect(publications.map((one) => one.length)).to.deep.equal([20]);
    await runtime.breakers.release('b0');
    await clock.advance(10_000);
    publications.length = 0;
    for (let second = 0; second < 60; second += 1) {
      await runtime.breakers
        .get('b0')
        .execute(well)
        .catch(() => undefined);
      await clock.advance(1_000);
    }
    // Figures six times, and that it has closed; what a consecutive breaker has learned is nothing.
    expect(publications.flat().every((topic) => topic === 'breaker/b0')).to.equal(true);
    expect(publications.length).to.be.within(6, 8);
  });

  it('is bounded: two hundred notes at a time', async () => {
    const clock = new SimulatedClock();
    const { store, publications } = spied(memory());
    const breakers = Array.from({ length: 450 }, (_, index) => consecutiveBreaker({ name: `b${String(index)}` }));
    await using runtime = await start({ store, clock, breakers });
    expect(runtime.breakers.all()).to.have.length(450);
    await clock.advance(10);
    expect(publications.map((one) => one.length)).to.deep.equal([200]);
    await clock.advance(3_000);
    expect(publications.map((one) => one.length)).to.deep.equal([200, 200, 50]);
  });

  it('waits for a store that is away, and says then how things stand', async () => {
    const clock = new SimulatedClock();
    let away = true;
    const place = memory();
    const open: Store['open'] = async (options) => {
      const opened = await place.open(options);
      return new Proxy(opened, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== 'function') return member;
          if (away && (name === 'publish' || name === 'retract')) return () => Promise.reject(new Error('away'));
          return member.bind(target) as unknown;
        },
      });
    };
    await using runtime = await start({ store: { ...place, open }, clock });
    const seen = told(runtime);
    const breaker = runtime.breakers.get('api');
    await fail(breaker, 2);
    breaker.release();
    breaker.isolate();
    await clock.advance(5_000);
    expect(seen).to.deep.equal([]);
    expect(breaker.state).to.equal('isolated');
    away = false;
    await clock.advance(1_000);
    expect(seen.map((change) => change.split(' ')[2])).to.deep.equal(['open', 'ramping', 'isolated']);
    expect(await notesIn(place)).to.have.length(1);
  });
});

describe('an order to a breaker', () => {
  it('is followed here at once, by other nodes in a second, and by those that start later', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    await using one = await start({ store, clock });
    await using other = await start({ store, clock });
    await one.breakers.isolate('api');
    expect(one.breakers.get('api').state).to.equal('isolated');
    await clock.advance(1_100);
    expect(other.breakers.get('api').state).to.equal('isolated');
    await using later = await start({ store, clock });
    expect(later.breakers.get('api').state).to.equal('isolated');
    await other.breakers.release('api');
    await clock.advance(1_100);
    for (const runtime of [one, other, later]) expect(runtime.breakers.get('api').state).to.equal('ramping');
    await using last = await start({ store, clock });
    expect(last.breakers.get('api').state).to.not.equal('isolated');
  });

  it('is followed once: who lets go by itself stays so', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    {
      await using runtime = await start({ store, clock, name: 'one' });
      await runtime.breakers.isolate('api');
      runtime.breakers.get('api').release();
      await clock.advance(5_000);
      expect(runtime.breakers.get('api').state).to.equal('ramping');
    }
    await using runtime = await start({ store, clock, name: 'one' });
    expect(runtime.breakers.get('api').state).to.equal('ramping');
  });

  it('to release does not touch what has opened since', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    {
      await using runtime = await start({ store, clock });
      await runtime.breakers.release('api');
      await clock.advance(1_000);
      await fail(runtime.breakers.get('api'), 2);
    }
    await using runtime = await start({ store, clock });
    expect(runtime.breakers.get('api').state).to.equal('open');
  });

  it('that somebody has left while nobody was up is found by the next life', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    {
      await using runtime = await start({ store, clock });
      await runtime.breakers.isolate('api');
    }
    await clock.advance(1_000);
    const observer = await store.open({ now: () => clock.now() });
    const order = { order: 'release', at: clock.now() };
    await observer.publish([{ topic: 'breaker-order/api', author: 'operator', data: JSON.stringify(order), at: order.at }]);
    await observer.close();
    await using runtime = await start({ store, clock });
    expect(runtime.breakers.get('api').state).to.equal('ramping');
  });
});

describe('nodes on one store', () => {
  const shared = (): Breaker => adaptiveBreaker({ name: 'api', level: 'service' });
  const fleet = async (size: number) => {
    const [store, clock] = [memory(), new SimulatedClock()];
    const { store: spy, publications } = spied(store);
    const nodes = await Promise.all(Array.from({ length: size }, () => start({ store: spy, clock, breakers: [shared()] })));
    await clock.advance(4_000);
    const call = async (index: number, how: () => Promise<unknown>): Promise<void> => {
      await nodes[index]?.breakers
        .get('api')
        .execute(how)
        .catch(() => undefined);
    };
    return {
      clock,
      call,
      publications,
      states: () => nodes.map((node) => node.breakers.get('api').state),
      close: () => Promise.all(nodes.map((node) => node.close())),
    };
  };

  it('that are small open together in an outage that none of them would see alone', async () => {
    const { clock, call, states, publications, close } = await fleet(8);
    for (let second = 0; second < 30; second += 1) {
      for (let node = 0; node < 8; node += 1) await call(node, well);
      await clock.advance(1_000);
    }
    expect(states()).to.deep.equal(Array(8).fill('closed'));
    const before = publications.length;
    let seconds = 0;
    for (; seconds < 15 && !states().every((state) => state === 'open'); seconds += 1) {
      for (let node = 0; node < 8; node += 1) await call(node, down);
      await clock.advance(1_000);
    }
    expect(states()).to.deep.equal(Array(8).fill('open'));
    // Of an hour of which nothing is known; one alone, with a call a second, would not see it at all.
    expect(seconds).to.be.at.most(10);
    // One a second of each node, besides changes and figures.
    expect(publications.length - before).to.be.at.most(8 * (seconds + 1 + 3));
    await close();
  });

  it('leave one that is sick to itself', async () => {
    const { clock, call, states, close } = await fleet(8);
    for (let second = 0; second < 60; second += 1) {
      for (let node = 0; node < 8; node += 1) await call(node, node === 0 && second > 20 ? down : well);
      await clock.advance(1_000);
    }
    expect(states().slice(1)).to.deep.equal(Array(7).fill('closed'));
    expect(states()[0]).to.not.equal('closed');
    await close();
  });

  it('that are alone write no counters, and leave none behind', async () => {
    const [store, clock] = [memory(), new SimulatedClock()];
    await using one = await start({ store, clock, breakers: [shared()] });
    for (let second = 0; second < 5; second += 1) {
      await one.breakers.get('api').execute(well);
      await clock.advance(1_000);
    }
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker-counts'))).to.deep.equal([]);
    const other = await start({ store, clock, breakers: [shared()] });
    for (let second = 0; second < 10; second += 1) {
      await one.breakers.get('api').execute(well);
      await clock.advance(1_000);
    }
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker-counts'))).to.have.length(1);
    await other.close();
    await one.close();
    expect((await notesIn(store)).filter((note) => note.startsWith('breaker-counts'))).to.deep.equal([]);
    expect(clock.armed).to.equal(0);
  });
});
