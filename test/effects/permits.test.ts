import { expect } from 'chai';
import sinon from 'sinon';
import { activity, createRuntime, memory, supervisor, TerminalError, type ActivityDefinition } from 'statewarden';
import { settled, SimulatedClock } from 'statewarden/testing';
import { createActor, setup, waitFor } from 'xstate';
import { failing } from '../bad-input/failing.js';
import { Lives } from '../properties/lives.js';
import { go, open, spender, type Opened } from './spender.js';

interface Answer {
  readonly tokens: number;
}

const call = (run: (n: number) => unknown, more: Partial<ActivityDefinition<number, Answer>> = {}) =>
  activity<number, Answer>({
    onUnknown: 'retry',
    name: 'call',
    run: (input) => run(input) as Answer,
    retry: { initialMs: 0 },
    budget: { name: 'tokens', amount: (input) => input, actual: ({ tokens }) => tokens },
    ...more,
  });

const status = (runtime: Opened) => runtime.budget('tokens').status();

describe('an activity with a budget', () => {
  it('holds an amount while it runs and spends what it came to, less or more', async () => {
    let during: unknown;
    const work = call(async (n) => {
      during = (await status(runtime)).reserved;
      return { tokens: n === 50 ? 20 : 70 };
    });
    await using runtime = await open(work);
    expect((await go(runtime, 'a', 50)).results).to.deep.equal([{ tokens: 20 }]);
    expect(during).to.equal(50);
    await settled();
    expect(await status(runtime)).to.include({ spent: 20, reserved: 0, left: 80 });
    await go(runtime, 'a', 60);
    await settled();
    expect(await status(runtime)).to.include({ spent: 90, reserved: 0, left: 10 });
  });

  it('spends the whole amount without `actual`, or when that fails or is no amount', async () => {
    for (const actual of [undefined, () => NaN, () => -1, () => Promise.reject(new Error('late')) as never, () => [].at(0)!['tokens']]) {
      const work = call(() => ({ tokens: 1 }), { budget: { name: 'tokens', amount: 40, ...(actual === undefined ? {} : { actual }) } });
      await using runtime = await open(work);
      expect((await go(runtime, 'a', 1)).results).to.have.length(1);
      await settled();
      expect(await status(runtime)).to.include({ spent: 40, reserved: 0 });
    }
  });

  it('is not run when too little is left: onError gets the refusal, and it is not tried again', async () => {
    const run = sinon.stub().returns({ tokens: 1 });
    await using runtime = await open(call(run));
    const { failures } = await go(runtime, 'a', 101);
    expect(failures[0]).to.include({ code: 'BUDGET_EXHAUSTED', requested: 101, limit: 100, disposition: 'terminal' });
    sinon.assert.notCalled(run);
    expect(await status(runtime)).to.include({ spent: 0, reserved: 0, refused: 1 });
    await runtime.budget('tokens').add(1);
    expect((await go(runtime, 'a', 101)).results).to.have.length(1);
  });

  it('says that trying again can help while others hold what it wants', async () => {
    let end: (answer: Answer) => void = () => undefined;
    await using runtime = await open(call((n) => (n === 60 ? new Promise<Answer>((resolve) => (end = resolve)) : { tokens: n })));
    const first = go(runtime, 'a', 60);
    await settled(40);
    const { failures } = await go(runtime, 'b', 50);
    expect(failures[0]).to.include({ code: 'BUDGET_EXHAUSTED', reserved: 60, disposition: 'retry' });
    end({ tokens: 10 });
    await first;
    expect((await go(runtime, 'b', 50)).results).to.have.length(1);
  });

  it('has one permit for all its attempts, and gives it back when it fails', async () => {
    const run = sinon.stub().throws(new Error('busy'));
    await using runtime = await open(call(run));
    const { failures } = await go(runtime, 'a', 50);
    expect(failures[0]?.message).to.equal('busy');
    sinon.assert.callCount(run, 5);
    await settled();
    expect(await status(runtime)).to.include({ spent: 0, reserved: 0, refused: 0 });
  });

  it('counts whole when it timed out, because the call may have been made', async () => {
    const clock = new SimulatedClock();
    const work = call(() => new Promise(() => undefined), { timeoutMs: 100, retry: { attempts: 1 } });
    await using runtime = await open(work, { clock });
    const done = go(runtime, 'a', 50);
    await settled(40);
    await clock.advance(100);
    expect((await done).failures[0]).to.include({ code: 'TIMEOUT' });
    await settled();
    expect(await status(runtime)).to.include({ spent: 50, reserved: 0 });
  });

  it('counts whole when it is cancelled while it runs, and not at all before', async () => {
    const run = sinon.stub().returns(new Promise(() => undefined));
    await using runtime = await open(call(run, { concurrency: 1 }));
    for (const id of ['runs', 'waits', 'early']) await runtime.spawn('spender', { id });
    const runs = runtime.agent<'spender'>('runs');
    const waits = runtime.agent<'spender'>('waits');
    const early = runtime.agent<'spender'>('early');
    await runs.send({ type: 'GO', input: 30 });
    await settled(40);
    await waits.send({ type: 'GO', input: 20 }); // granted, in line behind the other
    await settled(40);
    expect(await status(runtime)).to.include({ reserved: 50 });
    await Promise.all([early.send({ type: 'GO', input: 10 }), early.send({ type: 'LEAVE' })]);
    await waits.send({ type: 'LEAVE' });
    await settled(40);
    expect(await status(runtime)).to.include({ reserved: 30, spent: 0 });
    await runs.send({ type: 'LEAVE' });
    await settled(40);
    expect(await status(runtime)).to.include({ reserved: 0, spent: 30 });
    sinon.assert.calledOnce(run);
  });

  it('is settled when its agent is stopped, and when its agent ends in error in the same turn', async () => {
    const work = call(() => new Promise(() => undefined));
    await using runtime = await open(work);
    const agent = await runtime.spawn('spender', { id: 'a' });
    await agent.send({ type: 'GO', input: 30 });
    await settled(40);
    await agent.stop();
    await settled(40);
    expect(await status(runtime)).to.include({ reserved: 0, spent: 30 });
    const dying = await runtime.spawn('spender', { id: 'b' });
    await dying.send({ type: 'GO', input: 30 });
    await settled(40);
    await dying.send({ type: 'BREAK' });
    await settled(40);
    expect((await runtime.store.lookup(['b']))[0]?.status).to.equal('error');
    expect(await status(runtime)).to.include({ reserved: 0, spent: 60 });
  });

  it('spends nothing for the reused result of another call under its key', async () => {
    await using runtime = await open(call(() => ({ tokens: 30 }), { key: () => 'k' }));
    await go(runtime, 'a', 40);
    await go(runtime, 'b', 40);
    await settled();
    expect(await status(runtime)).to.include({ reserved: 0, spent: 30 });
  });

  for (const ending of ['closed', 'cut', 'killed'] as const) {
    it(`asks again in the next life (${ending}) and is counted once`, async () => {
      let end: ((answer: Answer) => void) | undefined;
      const run = sinon.spy(() => new Promise<Answer>((resolve) => (end = resolve)));
      const agents = { spender: { machine: spender(call(run)), version: 1 } };
      await using lives = new Lives(memory(), { agents, budgets: { tokens: { limit: 100 } } });
      await lives.start();
      const agent = await lives.through(lives.runtime.spawn('spender', { id: 'a' }));
      await lives.through(agent.send({ type: 'GO', input: 60 }));
      await lives.clock.advance(10);
      sinon.assert.calledOnce(run);
      for (let life = 2; life <= 3; life += 1) {
        await lives.restart(ending);
        await lives.clock.advance(10);
        sinon.assert.callCount(run, life);
        expect(await lives.runtime.budget('tokens').status()).to.include({ reserved: 60, spent: 0 });
      }
      end?.({ tokens: 45 });
      await lives.clock.advance(10);
      expect((await lives.through(lives.runtime.agent<'spender'>('a').snapshot())).context.results).to.deep.equal([{ tokens: 45 }]);
      expect(await lives.runtime.budget('tokens').status()).to.include({ reserved: 0, spent: 45, refused: 0 });
    });
  }

  it('counts whole when it is cancelled in a life in which it has not run again', async () => {
    const clock = new SimulatedClock();
    const store = memory();
    const run = sinon.stub().rejects(new Error('busy'));
    const work = call(run, { retry: { initialMs: 10_000, maximumMs: 10_000, jitter: 'none' } });
    {
      await using runtime = await open(work, { store, clock });
      await (await runtime.spawn('spender', { id: 'a' })).send({ type: 'GO', input: 30 });
      await clock.advance(10);
    }
    await using runtime = await open(work, { store, clock });
    await runtime.agent<'spender'>('a').send({ type: 'LEAVE' });
    await clock.advance(10);
    sinon.assert.calledOnce(run);
    expect(await status(runtime)).to.include({ reserved: 0, spent: 30 });
  });

  it('keeps its permit while its supervised agent is brought back, and is settled when that is given up', async () => {
    let failures = 2;
    const work = activity({
      onUnknown: 'retry',
      name: 'work',
      run: () => ((failures -= 1) < 0 ? 7 : Promise.reject(new TerminalError('no'))),
      budget: { name: 'tokens', amount: 10, actual: (n: number) => n },
    });
    const worker = setup({ actors: { work } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'work', onDone: 'off' } }, off: {} },
    });
    const agents = { worker: { machine: worker, version: 1 } };
    await using runtime = await createRuntime({ store: memory(), agents, budgets: { tokens: { limit: 100 } } });
    const team = await runtime.supervise(supervisor({ id: 'team', intensity: 5, children: [{ id: 'team/w', kind: 'worker' }] }));
    await runtime.agent<'worker'>('team/w').waitFor((snapshot) => snapshot.matches('off'), { timeoutMs: 5_000 });
    await settled(40);
    expect(await runtime.budget('tokens').status()).to.include({ spent: 7, reserved: 0, refused: 0 });
    failures = Infinity;
    await team.spawn('worker', { id: 'team/x', restart: 'temporary' });
    for (let tries = 0; (await runtime.store.lookup(['team/x']))[0]?.status !== 'error'; tries += 1) {
      expect(tries).to.be.below(500);
      await settled(2);
    }
    await settled(40);
    // It failed and nobody says whether the last call was made: the whole amount.
    expect(await runtime.budget('tokens').status()).to.include({ spent: 17, reserved: 0 });
  });

  it('is an ordinary promise without a runtime', async () => {
    const actor = createActor(spender(call((n) => ({ tokens: n })))).start();
    actor.send({ type: 'GO', input: 5_000 });
    const { context } = await waitFor(actor, (snapshot) => snapshot.matches('idle') && snapshot.context.results.length > 0);
    expect(context.results).to.deep.equal([{ tokens: 5_000 }]);
  });

  it('fails before anything is asked when its amount cannot be told', async () => {
    for (const amount of [() => NaN, () => 'many' as never, () => -1]) {
      await using runtime = await open(call(() => ({ tokens: 1 }), { budget: { name: 'tokens', amount } }));
      expect((await go(runtime, 'a', 1)).failures[0]).to.include({ code: 'BAD_INPUT' });
    }
    const broken = () => {
      throw new RangeError('no idea');
    };
    await using runtime = await open(call(() => ({ tokens: 1 }), { budget: { name: 'tokens', amount: broken } }));
    expect((await go(runtime, 'a', 1)).failures[0]).to.include({ message: 'no idea' });
    expect(await status(runtime)).to.include({ spent: 0, reserved: 0, refused: 0 });
  });

  it('is refused when it is made with a budget that cannot be', async () => {
    for (const budget of [
      null,
      'tokens',
      {},
      { name: '' },
      { name: 'tokens' },
      { name: 'tokens', amount: -1 },
      { name: 'tokens', amount: '1' },
    ]) {
      await failing('BAD_INPUT', () => activity({ name: 'n', run: () => 1, budget: budget as never }));
    }
    const error = await failing('BAD_INPUT', () =>
      activity({ name: 'n', run: () => 1, budget: { name: 't', amount: 1, actual: 3 as never } }),
    );
    expect(error.message).to.equal('activity "n": budget.actual is 3');
  });
});
