import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { activity, ask, createRuntime, memory, supervisor, type Runtime, type RuntimeOptions, type Store } from 'statewarden';
import { caller } from '../runtime/caller.js';
import { ManualClock, settled } from '../runtime/manual-clock.js';

const silent = setup({}).createMachine({ id: 'silent' });

function open(
  store: Store,
  clock: ManualClock,
  work: Parameters<typeof caller>[0],
  options: Partial<RuntimeOptions> = {},
): Promise<Runtime> {
  const agents = { caller: { machine: caller(work), version: 1 }, silent: { machine: silent, version: 1 } };
  return createRuntime({ store, clock, agents: agents as never, ...options });
}

const question = { to: 'mute', event: { type: 'WELL' }, timeoutMs: 60_000 };
const never = activity({ name: 'never', run: () => new Promise(() => undefined) });

describe('an operation that only waits', () => {
  for (const [how, options] of [
    ['in memory', {}],
    ['when its agent has left memory', { limits: { residentAgents: 1 } }],
  ] as const) {
    it(`is a question whose time is up, ${how}`, async () => {
      const clock = new ManualClock();
      await using runtime = await open(memory(), clock, ask(), options);
      await runtime.spawn('silent', { id: 'mute' });
      await runtime.spawn('caller', { id: 'a', input: question } as never);
      await settled();
      await runtime.spawn('silent', { id: 'other' });
      await runtime.agent('other').send({ type: 'ANY' } as never);
      await settled();
      await clock.advance(59_999);
      expect((await runtime.store.lookup(['a']))[0]?.status).to.equal('active');
      await clock.advance(1);
      await settled();
      expect(await runtime.agent('a').result()).to.equal('agent "mute" did not answer within 60000 ms');
    });

    it(`is a retry that is due, ${how}`, async () => {
      const clock = new ManualClock();
      const attempts: number[] = [];
      const work = activity({
        name: 'work',
        retry: { attempts: 3, initialMs: 60_000, maximumMs: 60_000, jitter: 'none' },
        run: (_: unknown, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error('busy');
          return 'done';
        },
      });
      await using runtime = await open(memory(), clock, work, options);
      const left = new Set<string>();
      runtime.events$.subscribe((event) => void (event.type === 'passivated' && left.add(event.agentId)));
      await runtime.spawn('caller', { id: 'a', input: 1 } as never);
      await settled();
      expect((await runtime.store.lookup(['a']))[0]?.busy).to.equal(false);
      for (const id of ['x', 'y', 'z']) {
        await runtime.spawn('silent', { id });
        await runtime.agent(id).send({ type: 'ANY' } as never);
      }
      await settled();
      expect(left.has('a')).to.equal(how !== 'in memory');
      await clock.advance(59_999);
      expect(attempts).to.deep.equal([1]);
      await clock.advance(1);
      await settled();
      expect(attempts).to.deep.equal([1, 2]);
      await clock.advance(60_000);
      await settled();
      expect(await runtime.agent('a').result()).to.equal('done');
      expect(attempts).to.deep.equal([1, 2, 3]);
    });
  }

  it('is a question whose time is up after a restart, and one that was answered waits for nothing any more', async () => {
    const store = memory();
    const clock = new ManualClock();
    {
      await using runtime = await open(store, clock, ask());
      await runtime.spawn('silent', { id: 'mute' });
      await runtime.spawn('caller', { id: 'a', input: question } as never);
      await runtime.spawn('caller', { id: 'b', input: question } as never);
      await settled();
      expect((await runtime.store.counts()).timers).to.equal(2);
      await runtime.agent('b').send({ type: 'LEAVE' } as never);
      expect((await runtime.store.counts()).timers).to.equal(1);
    }
    await using runtime = await open(store, clock, ask());
    await clock.advance(60_000);
    await settled();
    expect(await runtime.agent('a').result()).to.equal('agent "mute" did not answer within 60000 ms');
    expect((await runtime.store.counts()).timers).to.equal(0);
  });

  it('does not begin when its state was left meanwhile', async () => {
    const clock = new ManualClock();
    let calls = 0;
    const work = activity({
      name: 'work',
      retry: { initialMs: 1_000, jitter: 'none' },
      run: () => {
        calls += 1;
        throw new Error('busy');
      },
    });
    await using runtime = await open(memory(), clock, work);
    await runtime.spawn('caller', { id: 'a', input: 1 } as never);
    await settled();
    await runtime.agent('a').send({ type: 'LEAVE' } as never);
    await clock.advance(60_000);
    expect(calls).to.equal(1);
    expect((await runtime.store.counts()).timers).to.equal(0);
  });

  it('keeps nobody from closing', async () => {
    const runtime = await open(memory(), new ManualClock(), never);
    await runtime.spawn('caller', { id: 'a', input: 1 } as never);
    await runtime.close({ graceMs: 0 });
  });
});

describe('an outcome that its machine could not take', () => {
  /** A supervised agent that trips over what it is given so often, and then does not. */
  const tripping = (fails: boolean) => {
    const world = { calls: 0, trips: 2 };
    const work = activity({
      name: 'pay',
      onUnknown: 'hold',
      retry: { attempts: 1 },
      run: () => {
        world.calls += 1;
        if (fails && world.calls < 3) throw Object.assign(new Error('refused'), { status: 422 });
        return 'receipt';
      },
    });
    const machine = setup({ actors: { work }, types: { context: {} as { receipt?: string } } }).createMachine({
      context: {},
      initial: 'paying',
      states: {
        paying: {
          invoke: {
            src: 'work',
            onDone: {
              target: 'paid',
              actions: assign({
                receipt: ({ event }) => {
                  world.trips -= 1;
                  if (!fails && world.trips >= 0) throw new Error('a bug in the machine');
                  return event.output as string;
                },
              }),
            },
          },
        },
        paid: {},
      },
    });
    return { world, machine };
  };

  it('is taken again when the agent is back, and the call is not made again', async () => {
    const { world, machine } = tripping(false);
    await using runtime = await createRuntime({ store: memory(), agents: { payer: { machine, version: 1 } } });
    const team = supervisor({ id: 'team', intensity: 5, children: [{ id: 'team/p', kind: 'payer' }] });
    await runtime.supervise(team);
    const { context } = await runtime.agent<'payer'>('team/p').waitFor((snapshot) => snapshot.value === 'paid', { timeoutMs: 10_000 });
    expect(context).to.deep.equal({ receipt: 'receipt' });
    expect(world).to.deep.equal({ calls: 1, trips: -1 });
    expect(await runtime.holds.list()).to.deep.equal([]);
    const [record] = await runtime.store.lookup(['team/p']);
    expect((await runtime.store.operations(record?.key ?? 0)).map(({ status }) => status)).to.deep.equal(['succeeded']);
  });

  it('stays done in the ledger when its agent is given up', async () => {
    const { world, machine } = tripping(false);
    world.trips = 1_000;
    const store = memory();
    await using runtime = await createRuntime({ store, agents: { payer: { machine, version: 1 } } });
    const child = { id: 'team/p', kind: 'payer', restart: 'temporary' as const };
    await runtime.supervise(supervisor({ id: 'team', children: [child] }));
    await runtime
      .agent('team/p')
      .result()
      .catch(() => undefined);
    await settled();
    const [record] = await runtime.store.lookup(['team/p']);
    const ledger = await runtime.store.operations(record?.key ?? 0);
    expect(ledger.map(({ status, outcome }) => [status, outcome])).to.deep.equal([['succeeded', '"receipt"']]);
    expect(record?.status).to.equal('error');
    expect(ledger[0]?.settledIn).to.be.greaterThan(0);
    expect(world.calls).to.equal(1);
  });

  it('is a failure that is known: the call is made again when the agent is back', async () => {
    const { world, machine } = tripping(true);
    await using runtime = await createRuntime({ store: memory(), agents: { payer: { machine, version: 1 } } });
    await runtime.supervise(supervisor({ id: 'team', intensity: 5, children: [{ id: 'team/p', kind: 'payer' }] }));
    await runtime.agent<'payer'>('team/p').waitFor((snapshot) => snapshot.value === 'paid', { timeoutMs: 10_000 });
    expect(world.calls).to.equal(3);
  });
});
