/** The budget's mind against a ledger that keeps every fact and adds them up anew each time: nothing is lost, doubled, or granted beyond what there is. */

import { expect } from 'chai';
import fc from 'fast-check';
import { newBudget, numbersOf, retryAfterMs, spendBudget, type BudgetEvent, type BudgetState } from '#src/effects/budget/reducer.js';
import { runs } from '../properties/runs.js';

type Step =
  { readonly do: 'wait'; readonly ms: number } | { readonly do: 'restore' } | { readonly do: 'take'; readonly event: BudgetEvent };

const amount = fc.integer({ min: 0, max: 60 });
const key = fc.constantFrom('a:work:1', 'a:work:2', 'b:work:1', '__proto__');
const event: fc.Arbitrary<BudgetEvent> = fc.oneof(
  fc.record({ type: fc.constant('budget.spend' as const), amount }),
  fc.record({ type: fc.constant('budget.permit' as const), key, amount }),
  fc.record({ type: fc.constant('budget.settle' as const), key, amount: fc.option(amount, { nil: undefined }) }),
  fc.record({ type: fc.constant('budget.add' as const), amount: fc.integer({ min: 0, max: 20 }) }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: event.map((event): Step => ({ do: 'take', event })) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 700 }).map((ms): Step => ({ do: 'wait', ms })) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'restore' }) },
);

/** Facts only; what counts is worked out from all of them. */
class Ledger {
  readonly spendings: { readonly at: number; readonly amount: number }[] = [];
  readonly holds = new Map<string, number>();
  /** When each period began. */
  readonly periods: number[] = [];
  readonly limit: number;
  readonly periodMs: number | undefined;
  added = 0;
  refused = 0;

  constructor(limit: number, periodMs: number | undefined) {
    this.limit = limit;
    this.periodMs = periodMs;
  }

  /** Something counts from now on. */
  touch(at: number): void {
    const last = this.periods.at(-1);
    if (last === undefined || (this.periodMs !== undefined && at >= last + this.periodMs)) this.periods.push(at);
  }

  #spentIn(index: number): number {
    const from = this.periods[index] ?? Infinity;
    const until = this.periods[index + 1] ?? Infinity;
    return this.spendings.filter(({ at }) => at >= from && at < until).reduce((sum, one) => sum + one.amount, 0);
  }

  at(now: number): { spent: number; reserved: number; left: number } {
    const current = this.periods.length - 1;
    const over = this.periodMs !== undefined && now >= (this.periods[current] ?? now) + this.periodMs;
    let credit = this.added;
    // As far as it was there: a call may have cost more than anybody had.
    for (let index = 0; index < this.periods.length; index += 1) {
      if (index < current || over) credit -= Math.min(credit - this.#addedAfter(index), Math.max(0, this.#spentIn(index) - this.limit));
    }
    const spent = over || current < 0 ? 0 : this.#spentIn(current);
    const reserved = [...this.holds.values()].reduce((sum, held) => sum + held, 0);
    return { spent, reserved, left: Math.max(0, this.limit + credit - spent - reserved) };
  }

  readonly additions: { readonly at: number; readonly amount: number }[] = [];

  /** What was added only after a period was over did not help in it. */
  #addedAfter(index: number): number {
    const end = (this.periods[index] ?? 0) + (this.periodMs ?? Infinity);
    return this.additions.filter(({ at }) => at >= end).reduce((sum, one) => sum + one.amount, 0);
  }
}

function follow(limit: number, periodMs: number | undefined, steps: readonly Step[]): void {
  let now = 1_000;
  let state: BudgetState = newBudget({ limit, periodMs });
  const ledger = new Ledger(limit, periodMs);
  for (const [index, one] of steps.entries()) {
    const what = `step ${String(index)}, ${JSON.stringify(one)}`;
    if (one.do === 'wait') now += one.ms;
    else if (one.do === 'restore') state = JSON.parse(JSON.stringify(state)) as BudgetState;
    else {
      const { event } = one;
      const { left } = ledger.at(now);
      const { state: after, answer } = spendBudget(state, event, now);
      state = after;
      const held = 'key' in event ? ledger.holds.get(event.key) : undefined;
      const refused = (event.type === 'budget.spend' || (event.type === 'budget.permit' && held === undefined)) && event.amount > left;
      expect(answer.outcome, what).to.equal(refused ? 'refused' : 'granted');
      if (refused) ledger.refused += 1;
      else if (event.type === 'budget.add') {
        ledger.added += event.amount;
        ledger.additions.push({ at: now, amount: event.amount });
      } else if (event.type === 'budget.permit') {
        if (held === undefined) {
          ledger.touch(now);
          ledger.holds.set(event.key, event.amount);
        }
      } else {
        const spent =
          event.type === 'budget.spend' ? event.amount : held === undefined ? 0 : ((event as { amount?: number }).amount ?? held);
        if ('key' in event) ledger.holds.delete(event.key);
        if (spent > 0) {
          ledger.touch(now);
          ledger.spendings.push({ at: now, amount: spent });
        }
        // More than there is only where a call cost more than its permit.
        if (event.type === 'budget.spend' && event.amount > 0) {
          const { spent: total, reserved, credit } = numbersOf(state, now);
          expect(total + reserved, what).to.be.at.most(limit + credit);
        }
      }
    }
    const { spent, reserved, left, refused } = numbersOf(state, now);
    expect({ spent, reserved, left, refused }, what).to.deep.equal({ ...ledger.at(now), refused: ledger.refused });
  }
}

describe('a budget’s mind', () => {
  it('agrees with a ledger of all facts, in any order, with repeats', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.array(step, { maxLength: 60 }), (limit, steps) => follow(limit, undefined, steps)),
      runs(300),
    );
  });

  it('agrees with it over periods too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 1_500 }), fc.array(step, { maxLength: 60 }), follow),
      runs(500),
    );
  });

  it('counts each permit once, however often it is asked for and settled', () => {
    const permit = { type: 'budget.permit', key: 'k', amount: 60 } as const;
    const settle = { type: 'budget.settle', key: 'k', amount: 50 } as const;
    let state = newBudget({ limit: 100 });
    for (const event of [permit, permit, { ...permit, amount: 90 }]) {
      const { state: after, answer } = spendBudget(state, event, 0);
      expect(answer).to.deep.equal({ outcome: 'granted', left: 40 });
      state = after;
    }
    for (const event of [settle, settle, { ...settle, amount: 1 }]) ({ state } = spendBudget(state, event, 0));
    expect(numbersOf(state, 0)).to.include({ spent: 50, reserved: 0 });
  });

  it('lets what open permits hold count into the next period', () => {
    let { state } = spendBudget(newBudget({ limit: 100, periodMs: 10 }), { type: 'budget.permit', key: 'k', amount: 60 }, 0);
    ({ state } = spendBudget(state, { type: 'budget.spend', amount: 30 }, 5));
    expect(numbersOf(state, 10)).to.include({ spent: 0, reserved: 60, left: 40, resetsAt: undefined });
    ({ state } = spendBudget(state, { type: 'budget.settle', key: 'k', amount: 70 }, 15));
    expect(numbersOf(state, 15)).to.include({ spent: 70, reserved: 0, left: 30, resetsAt: 25 });
  });

  it('does not wait longer than a period when the clock was set back', () => {
    const { state } = spendBudget(newBudget({ limit: 10, periodMs: 1_000 }), { type: 'budget.spend', amount: 10 }, 1_000_000);
    expect(numbersOf(state, 5_000)).to.include({ spent: 10, resetsAt: 6_000 });
    const refused = spendBudget(state, { type: 'budget.spend', amount: 1 }, 5_000);
    expect(spendBudget(refused.state, { type: 'budget.spend', amount: 1 }, 6_000).answer.outcome).to.equal('granted');
  });

  it('says how long to wait only where waiting helps', () => {
    const budget = (limit: number, periodMs?: number): BudgetState => newBudget({ limit, periodMs });
    const wait = (state: BudgetState, requested: number, now: number): number | undefined =>
      retryAfterMs(numbersOf(state, now), requested, now);
    const spent = (state: BudgetState, amount: number, at: number): BudgetState =>
      spendBudget(state, { type: 'budget.spend', amount }, at).state;
    expect(wait(spent(budget(10), 10, 0), 1, 5)).to.equal(undefined);
    expect(wait(spent(budget(10, 100), 10, 0), 1, 5)).to.equal(95);
    expect(wait(spent(budget(10, 100), 10, 0), 11, 5)).to.equal(undefined);
    const added = spendBudget(budget(10, 100), { type: 'budget.add', amount: 5 }, 0).state;
    expect(wait(spent(added, 12, 0), 13, 5)).to.equal(95); // 3 of what was added are left then
    expect(wait(spent(added, 12, 0), 14, 5)).to.equal(undefined);
  });

  it('changes nothing for an event that says no amount', () => {
    const { state } = spendBudget(newBudget({ limit: 100 }), { type: 'budget.spend', amount: 10 }, 0);
    for (const bad of [-1, NaN, Infinity, '5', null, undefined, {}]) {
      for (const event of [
        { type: 'budget.spend', amount: bad },
        { type: 'budget.permit', key: 'k', amount: bad },
        { type: 'budget.permit', key: bad, amount: bad },
        { type: 'budget.add', amount: bad },
        { type: 'budget.limit', limit: bad },
        { type: 'budget.declare', limit: bad },
        ...(bad === undefined ? [] : [{ type: 'budget.settle', key: 'k', amount: bad }]),
      ]) {
        const after = spendBudget(state, event as never, 0);
        expect(after.answer.outcome, JSON.stringify(event)).to.equal('invalid');
        expect(after.state).to.equal(state);
      }
    }
  });
});
