import { expect } from 'chai';
import { fromPromise, type AnyActorLogic } from 'xstate';
import { activity, createRuntime, memory, TerminalError, type ActivityContext, type RuntimeEvent } from 'statewarden';
import { caller } from './caller.js';
import { ManualClock, settled } from './manual-clock.js';

const open = (work: AnyActorLogic, more: Partial<Parameters<typeof createRuntime>[0]> = {}) =>
  createRuntime({ store: memory(), ...more, agents: { caller: { machine: caller(work), version: 1 } } });

describe('an activity', () => {
  it('waits between attempts as its policy says, and counts them', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const work = activity({
      name: 'work',
      run: (_: unknown, { attempt }) => {
        at.push(clock.now());
        if (attempt < 4) throw new Error('busy');
        return attempt;
      },
      retry: { initialMs: 100, factor: 2, maximumMs: 250, jitter: 'none' },
    });
    await using runtime = await open(work, { clock });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await clock.advance(1_000);
    expect(await agent.result()).to.equal(4);
    expect(at.map((time) => time - (at[0] ?? 0))).to.deep.equal([0, 100, 300, 550]);
  });

  it('draws each wait from the whole range with full jitter', async () => {
    const clock = new ManualClock();
    const draws = [0.5, 0.25, 0];
    const at: number[] = [];
    const work = activity({
      name: 'work',
      run: () => {
        at.push(clock.now());
        throw new Error('busy');
      },
      retry: { attempts: 4, initialMs: 100, factor: 10, maximumMs: 1_000 },
    });
    await using runtime = await open(work, { clock, random: { next: () => draws.shift() ?? 0, id: () => 'node' } });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await clock.advance(2_000);
    expect(await agent.result()).to.equal('busy');
    expect(at.map((time) => time - (at[0] ?? 0))).to.deep.equal([0, 50, 300, 300]);
  });

  it('is not tried again after a TerminalError', async () => {
    let calls = 0;
    const work = activity({
      name: 'work',
      run: () => {
        calls += 1;
        throw new TerminalError('the card is stolen');
      },
    });
    await using runtime = await open(work);
    expect(await (await runtime.spawn('caller', { id: 'a', input: 1 })).result()).to.equal('the card is stolen');
    expect(calls).to.equal(1);
  });

  it('has the same idempotency key at every attempt, also after a restart, and another one for another call', async () => {
    const store = memory();
    const keys: string[] = [];
    const release: ((value: number) => void)[] = [];
    const work = activity({
      name: 'work',
      run: (_: unknown, { idempotencyKey, attempt }) => {
        keys.push(idempotencyKey);
        if (attempt === 1) throw new Error('busy');
        return new Promise<number>((resolve) => release.push(resolve));
      },
      retry: { initialMs: 0 },
    });
    {
      await using runtime = await open(work, { store });
      await runtime.spawn('caller', { id: 'a', input: 1 });
      await runtime.spawn('caller', { id: 'b', input: 1 });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await runtime.close({ graceMs: 0 });
    }
    expect(keys).to.have.lengthOf(4);
    expect(new Set(keys).size).to.equal(2);
    await using again = await open(work, { store });
    await settled();
    expect(again.store.node).to.equal(2);
    expect(keys).to.have.lengthOf(6);
    expect(new Set(keys).size).to.equal(2);
    for (const resolve of release) resolve(1);
  });

  it('is given up after timeoutMs, its signal says why, and then it is tried again', async () => {
    const clock = new ManualClock();
    const reasons: unknown[] = [];
    const work = activity({
      name: 'work',
      run: (_: unknown, { signal, attempt }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        return attempt === 2 ? 'second' : new Promise<string>(() => undefined);
      },
      timeoutMs: 1_000,
      retry: { initialMs: 0 },
    });
    await using runtime = await open(work, { clock });
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await clock.advance(999);
    expect(reasons).to.deep.equal([]);
    await clock.advance(1);
    expect(await agent.result()).to.equal('second');
    expect(reasons).to.have.lengthOf(1);
    expect(reasons[0]).to.include({ code: 'TIMEOUT', message: 'activity "work" took longer than 1000 ms' });
  });

  it('is aborted when its state is left, recorded as unknown, and its late result is nobody’s', async () => {
    let signal: AbortSignal | undefined;
    let finish: (value: string) => void = () => undefined;
    const work = activity({
      name: 'work',
      run: (_: unknown, context: ActivityContext) => {
        signal = context.signal;
        return new Promise<string>((resolve) => (finish = resolve));
      },
    });
    await using runtime = await open(work);
    const phases: string[] = [];
    runtime.events$.subscribe((event) => void (event.type === 'activity' && phases.push(event.phase)));
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await agent.send({ type: 'LEAVE' });
    expect(signal?.aborted).to.equal(true);
    expect(signal?.reason).to.include({ code: 'CANCELLED' });
    finish('late');
    await settled();
    expect((await agent.snapshot()).value).to.equal('left');
    expect(phases).to.deep.equal(['started', 'unknown']);
    const [record] = await runtime.store.lookup(['a']);
    expect((await runtime.store.operations(record?.key ?? 0)).map(({ status }) => status)).to.deep.equal(['unknown']);
  });

  it('is aborted when its agent is stopped', async () => {
    let signal: AbortSignal | undefined;
    const work = activity({ name: 'work', run: (_: unknown, context) => ((signal = context.signal), new Promise<never>(() => undefined)) });
    await using runtime = await open(work);
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await agent.stop();
    expect(signal?.aborted).to.equal(true);
  });

  it('runs at most `concurrency` at once in a node, the others in order', async () => {
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = activity({
      name: 'work',
      run: async (input: number) => {
        running += 1;
        most = Math.max(most, running);
        order.push(input);
        await settled(3);
        running -= 1;
        return input;
      },
      concurrency: 3,
    });
    await using runtime = await open(work);
    const refs = [];
    for (let n = 0; n < 20; n += 1) refs.push(await runtime.spawn('caller', { id: `a-${String(n)}`, input: n }));
    expect(await Promise.all(refs.map((agent) => agent.result()))).to.deep.equal(Array.from({ length: 20 }, (_, n) => n));
    expect(most).to.equal(3);
    expect(order).to.deep.equal(Array.from({ length: 20 }, (_, n) => n));
  });

  it('gives its place to the next when it is cancelled while it waits or runs', async () => {
    const done: number[] = [];
    const work = activity({
      name: 'work',
      run: (input: number, { signal }) =>
        input < 2
          ? new Promise<number>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
          : (done.push(input), input),
      concurrency: 1,
    });
    await using runtime = await open(work);
    const [runs, waits, last] = [
      await runtime.spawn('caller', { id: 'runs', input: 0 }),
      await runtime.spawn('caller', { id: 'waits', input: 1 }),
      await runtime.spawn('caller', { id: 'last', input: 2 }),
    ];
    await waits.send({ type: 'LEAVE' });
    await runs.send({ type: 'LEAVE' });
    expect(await last.result()).to.equal(2);
    expect(done).to.deep.equal([2]);
  });

  it('reuses a result under the user’s own key, in any agent, also after a restart', async () => {
    const store = memory();
    let calls = 0;
    const work = activity({
      name: 'work',
      run: (input: { order: string }) => `${input.order} ${String((calls += 1))}`,
      key: ({ order }) => order,
    });
    const phases: string[] = [];
    const note = (event: RuntimeEvent): void => void (event.type === 'activity' && phases.push(`${event.agentId} ${event.phase}`));
    {
      await using runtime = await open(work, { store });
      runtime.events$.subscribe(note);
      expect(await (await runtime.spawn('caller', { id: 'a', input: { order: 'o-1' } })).result()).to.equal('o-1 1');
      expect(await (await runtime.spawn('caller', { id: 'b', input: { order: 'o-1' } })).result()).to.equal('o-1 1');
      expect(await (await runtime.spawn('caller', { id: 'c', input: { order: 'o-2' } })).result()).to.equal('o-2 2');
    }
    await using runtime = await open(work, { store });
    runtime.events$.subscribe(note);
    expect(await (await runtime.spawn('caller', { id: 'd', input: { order: 'o-1' } })).result()).to.equal('o-1 1');
    expect(calls).to.equal(2);
    expect(phases).to.deep.equal(['a started', 'a succeeded', 'b reused', 'c started', 'c succeeded', 'd reused']);
  });

  it('waits for another call under the same key instead of making a second one', async () => {
    let calls = 0;
    const work = activity({
      name: 'work',
      run: async () => {
        calls += 1;
        await settled();
        return calls;
      },
      key: () => 'the only one',
    });
    await using runtime = await open(work);
    const refs = await Promise.all(Array.from({ length: 10 }, (_, n) => runtime.spawn('caller', { id: `a-${String(n)}`, input: 1 })));
    expect(await Promise.all(refs.map((agent) => agent.result()))).to.deep.equal(Array.from({ length: 10 }, () => 1));
    expect(calls).to.equal(1);
  });

  it('does not reuse a failure', async () => {
    let calls = 0;
    const work = activity({
      name: 'work',
      run: () => {
        calls += 1;
        if (calls === 1) throw new TerminalError('no');
        return 'yes';
      },
      key: () => 'k',
    });
    await using runtime = await open(work);
    expect(await (await runtime.spawn('caller', { id: 'a', input: 1 })).result()).to.equal('no');
    expect(await (await runtime.spawn('caller', { id: 'b', input: 1 })).result()).to.equal('yes');
  });

  it('fails, without being run, when its key cannot be made or is no string', async () => {
    for (const [key, message] of [
      [
        () => {
          throw new RangeError('no key');
        },
        'no key',
      ],
      [() => 7, 'activity "work": its key is 7'],
      [() => '', 'activity "work": its key is ""'],
    ] as const) {
      let calls = 0;
      await using runtime = await open(activity({ name: 'work', run: () => (calls += 1), key: key as () => string }));
      expect(await (await runtime.spawn('caller', { id: 'a', input: 1 })).result()).to.equal(message);
      expect(calls).to.equal(0);
    }
  });
});

describe('a plain promise', () => {
  it('is tried once, and its rejection goes to onError', async () => {
    let calls = 0;
    await using runtime = await open(
      fromPromise(async () => {
        calls += 1;
        throw new Error('down');
      }),
    );
    expect(await (await runtime.spawn('caller', { id: 'a', input: 1 })).result()).to.equal('down');
    expect(calls).to.equal(1);
  });

  it('is given its signal, which is aborted when its state is left', async () => {
    let signal: AbortSignal | undefined;
    await using runtime = await open(
      fromPromise((argument) => {
        signal = argument.signal;
        return new Promise(() => undefined);
      }),
    );
    const agent = await runtime.spawn('caller', { id: 'a', input: 1 });
    await settled();
    await agent.send({ type: 'LEAVE' });
    expect(signal?.aborted).to.equal(true);
  });

  it('runs again after a restart when it had not ended', async () => {
    const store = memory();
    let calls = 0;
    const work = fromPromise(() => {
      calls += 1;
      return calls === 1 ? new Promise<number>(() => undefined) : Promise.resolve(calls);
    });
    {
      await using runtime = await open(work, { store });
      await runtime.spawn('caller', { id: 'a', input: 1 });
      await settled();
      await runtime.close({ graceMs: 0 });
    }
    await using runtime = await open(work, { store });
    expect(await runtime.agent<'caller'>('a').result()).to.equal(2);
  });
});
