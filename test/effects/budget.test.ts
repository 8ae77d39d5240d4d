import { expect } from 'chai';
import { activity, BudgetExhaustedError, createRuntime, memory, spend } from 'statewarden';
import { SimulatedClock } from 'statewarden/testing';
import { createActor, waitFor } from 'xstate';
import { failing } from '../bad-input/failing.js';
import { go, open, spender } from './spender.js';

describe('a budget', () => {
  it('is spent by agents until it is exhausted, which is an error that the machine handles', async () => {
    await using runtime = await open();
    const first = await go(runtime, 'a', { budget: 'tokens', amount: 60 });
    expect(first.results).to.deep.equal([{ left: 40 }]);
    const { failures } = await go(runtime, 'b', { budget: 'tokens', amount: 41 });
    expect(failures[0]).to.deep.include({
      name: 'BudgetExhaustedError',
      code: 'BUDGET_EXHAUSTED',
      message: 'budget "tokens" is exhausted: 41 was asked for, 40 of 100 is left',
      disposition: 'terminal',
      budget: 'tokens',
      limit: 100,
      spent: 60,
      reserved: 0,
      requested: 41,
      retryAfterMs: undefined,
    });
    expect((await go(runtime, 'b', { budget: 'tokens', amount: 40 })).results).to.deep.equal([{ left: 0 }]);
    expect(await runtime.budget('tokens').status()).to.deep.equal({
      name: 'tokens',
      limit: 100,
      spent: 100,
      reserved: 0,
      credit: 0,
      left: 0,
      refused: 1,
      periodMs: undefined,
      resetsAt: undefined,
    });
  });

  it('gives its last unit to exactly one of many who want it at the same time', async () => {
    await using runtime = await open(undefined, { budgets: { tokens: { limit: 1 } } });
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => go(runtime, `a-${String(n)}`, { budget: 'tokens', amount: 1 })));
    expect(all.filter(({ results }) => results.length === 1)).to.have.length(1);
    expect(await runtime.budget('tokens').status()).to.include({ spent: 1, refused: 19 });
  });

  it('is added to, and its limit set, by code; that survives a restart with the same declaration and yields to another one', async () => {
    const store = memory();
    {
      await using runtime = await open(undefined, { store });
      const budget = runtime.budget('tokens');
      expect(await budget.spend(100)).to.deep.equal({ left: 0 });
      await budget.add(30);
      await budget.add(5, { key: 'invoice-1' });
      await budget.add(5, { key: 'invoice-1' });
      expect(await budget.status()).to.include({ limit: 100, spent: 100, credit: 35, left: 35 });
      await budget.setLimit(120);
      expect((await budget.status()).left).to.equal(55);
    }
    {
      await using runtime = await open(undefined, { store });
      expect(await runtime.budget('tokens').status()).to.include({ limit: 120, left: 55 });
    }
    {
      await using runtime = await open(undefined, { store, budgets: { tokens: { limit: 50, periodMs: 1_000 } } });
      expect(await runtime.budget('tokens').status()).to.include({ limit: 50, periodMs: 1_000, spent: 100, left: 0 });
    }
  });

  it('is spent by code once for each key; what was refused may be tried again with the same key', async () => {
    const store = memory();
    {
      await using runtime = await open(undefined, { store });
      const budget = runtime.budget('tokens');
      const twice = await Promise.all([budget.spend(30, { key: 'k' }), budget.spend(30, { key: 'k' })]);
      expect(twice).to.deep.equal([{ left: 70 }, { left: 70 }]);
      const refused = await failing<BudgetExhaustedError>('BUDGET_EXHAUSTED', () => budget.spend(71, { key: 'other' }));
      expect(refused).to.be.instanceOf(BudgetExhaustedError).and.to.include({ requested: 71, spent: 30, disposition: 'terminal' });
      await failing('BUDGET_EXHAUSTED', () => budget.spend(71, { key: 'other' }));
      await budget.add(1);
      expect(await budget.spend(71, { key: 'other' })).to.deep.equal({ left: 0 });
    }
    await using runtime = await open(undefined, { store });
    const budget = runtime.budget('tokens');
    expect(await budget.spend(30, { key: 'k' })).to.deep.equal({ left: 0 });
    expect(await budget.spend(71, { key: 'other' })).to.deep.equal({ left: 0 });
    expect(await budget.status()).to.include({ spent: 101, refused: 2 });
  });

  it('with a period has its limit again when that is over, and says when to try again', async () => {
    const clock = new SimulatedClock();
    await using runtime = await open(undefined, { clock, budgets: { tokens: { limit: 100, periodMs: 60_000 } } });
    const budget = runtime.budget('tokens');
    await clock.advance(5_000);
    await budget.spend(90);
    await clock.advance(59_000);
    const { failures } = await go(runtime, 'a', { budget: 'tokens', amount: 20 });
    expect(failures[0]).to.include({ disposition: 'retry', retryAfterMs: 1_000 });
    // More than there is in any period is no matter of waiting.
    const { failures: more } = await go(runtime, 'a', { budget: 'tokens', amount: 101 });
    expect(more[1]).to.include({ disposition: 'terminal', retryAfterMs: undefined });
    expect((await budget.status()).resetsAt).to.equal(clock.now() + 1_000);
    await clock.advance(1_000);
    expect(await budget.status()).to.include({ spent: 0, left: 100, resetsAt: undefined });
    expect((await go(runtime, 'a', { budget: 'tokens', amount: 20 })).results).to.deep.equal([{ left: 80 }]);
    expect((await budget.status()).resetsAt).to.equal(clock.now() + 60_000);
  });

  it('uses what was added only when the limit is used, also over the end of a period', async () => {
    const clock = new SimulatedClock();
    await using runtime = await open(undefined, { clock, budgets: { tokens: { limit: 100, periodMs: 1_000 } } });
    const budget = runtime.budget('tokens');
    await budget.add(50);
    await budget.spend(120);
    await clock.advance(1_000);
    expect(await budget.status()).to.include({ spent: 0, credit: 30, left: 130 });
  });

  it('that is not declared fails whoever spends of it, naming those that are, and nobody waits', async () => {
    const call = activity({ name: 'call', run: () => 1, budget: { name: 'money', amount: 1 } });
    for (const work of [spend(), call]) {
      await using runtime = await open(work);
      const { failures } = await go(runtime, 'a', { budget: 'money', amount: 1 });
      expect(failures[0]).to.include({ code: 'UNKNOWN_BUDGET', message: 'there is no budget "money"' });
      expect(failures[0]?.['hint']).to.match(/^Declared: "tokens"\. Declare it: createRuntime\(\{ budgets: \{ "money": /);
      expect((await runtime.store.counts()).deadLetters).to.equal(0);
    }
    await using none = await open(undefined, { budgets: {} });
    const error = await failing('UNKNOWN_BUDGET', () => none.budget('tokens'));
    expect(error.hint).to.match(/^None is declared\./);
  });

  it('refuses what is no amount, from machines and from code', async () => {
    await using runtime = await open();
    for (const input of [undefined, {}, { budget: '', amount: 1 }, { budget: 'tokens' }, { budget: 'tokens', amount: -1 }]) {
      const { failures } = await go(runtime, 'a', input);
      expect(failures.at(-1)).to.include({ code: 'BAD_INPUT' });
    }
    const budget = runtime.budget('tokens');
    for (const amount of [-1, NaN, Infinity, '3' as never, undefined as never]) {
      await failing('BAD_INPUT', () => budget.spend(amount));
      await failing('BAD_INPUT', () => budget.add(amount));
      await failing('BAD_INPUT', () => budget.setLimit(amount));
    }
    // Events are no way around it.
    const agent = runtime.agent('budgets/tokens');
    await failing('BAD_INPUT', () => agent.ask({ type: 'budget.spend', amount: 'many' } as never));
    await agent.send({ type: 'budget.add', amount: -5 } as never);
    await agent.send({ type: 'budget.nothing' } as never);
    await agent.send({ type: 'OTHER' } as never);
    expect(await budget.status()).to.include({ spent: 0, credit: 0, limit: 100, left: 100 });
  });

  it('that was stopped by hand fails its spenders, and the next start says so', async () => {
    const store = memory();
    {
      await using runtime = await open(undefined, { store });
      await runtime.agent('budgets/tokens').stop();
      const { failures } = await go(runtime, 'a', { budget: 'tokens', amount: 1 });
      expect(failures[0]).to.include({ code: 'DEAD_LETTER', message: 'budget "tokens" is gone (agent-ended)' });
    }
    await failing('AGENT_STOPPED', () => open(undefined, { store }));
  });

  it('is refused before the store is touched when it cannot be', async () => {
    let opened = 0;
    const inner = memory();
    const store = { ...inner, open: (...args: Parameters<typeof inner.open>) => ((opened += 1), inner.open(...args)) };
    for (const budgets of [
      [],
      'tokens',
      null,
      { '': { limit: 1 } },
      { 'a\nb': { limit: 1 } },
      { tokens: undefined },
      { tokens: {} },
      { tokens: { limit: 0 } },
      { tokens: { limit: -1 } },
      { tokens: { limit: Infinity } },
      { tokens: { limit: '5' } },
      { tokens: { limit: 5, periodMs: 0 } },
      { tokens: { limit: 5, periodMs: NaN } },
    ]) {
      await failing('BAD_INPUT', () => open(undefined, { store, budgets: budgets as never }));
    }
    expect(opened).to.equal(0);
  });

  it('is no other agent’s id', async () => {
    const store = memory();
    {
      await using runtime = await open(undefined, { store, budgets: {} });
      await runtime.spawn('spender', { id: 'budgets/tokens' });
    }
    await failing('KIND_CONFLICT', () => open(undefined, { store }));
  });

  it('may be held by another node: its agents’ questions go there through its mailbox', async () => {
    const store = memory();
    await using one = await open(undefined, { store });
    await using other = await open(undefined, { store });
    expect((await go(other, 'there', { budget: 'tokens', amount: 30 })).results).to.deep.equal([{ left: 70 }]);
    expect((await go(one, 'here', { budget: 'tokens', amount: 30 })).results).to.deep.equal([{ left: 40 }]);
    await other.budget('tokens').add(5);
    await go(one, 'here', { budget: 'tokens', amount: 0 });
    expect(await other.budget('tokens').status()).to.include({ spent: 60, left: 45 });
    await failing('AGENT_OWNED', () => other.budget('tokens').spend(1));
    // Its node goes; whoever wants something of it has it then.
    await one.close();
    expect((await go(other, 'there', { budget: 'tokens', amount: 1 })).results).to.deep.equal([{ left: 70 }, { left: 44 }]);
    expect(await other.budget('tokens').spend(1)).to.deep.equal({ left: 43 });
  });

  it('needs a runtime: spend() alone says so', async () => {
    const actor = createActor(spender()).start();
    actor.send({ type: 'GO', input: { budget: 'tokens', amount: 1 } });
    const { context } = await waitFor(actor, (snapshot) => snapshot.matches('idle') && snapshot.context.failures.length > 0);
    expect(context.failures[0]).to.include({ code: 'BAD_INPUT', message: 'spend() needs a runtime' });
  });

  it('is told apart by its name, typed from the options', async () => {
    const agents = { spender: { machine: spender(), version: 1 } };
    await using runtime = await createRuntime({ store: memory(), agents, budgets: { tokens: { limit: 5 }, cents: { limit: 7 } } });
    await runtime.budget('tokens').spend(5);
    expect((await runtime.budget('cents').status()).left).to.equal(7);
    // @ts-expect-error no such budget
    await failing('UNKNOWN_BUDGET', () => runtime.budget('pounds'));
  });
});
