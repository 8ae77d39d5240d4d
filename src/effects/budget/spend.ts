/**
 * Spending as actor logic: a question to the budget that is asked in the spender's own commit and answered in the budget's. The output says what is left; a budget that has
 * too little left fails the actor with `BudgetExhaustedError`, for `onError`.
 */

import { fromPromise, type AnyActorLogic, type PromiseActorLogic } from 'xstate';
import { BadInputError } from '../../core/errors.js';
import { isAmount } from './reducer.js';

export interface Spending<TBudget extends string = string> {
  /** Name of the budget. */
  readonly budget: TBudget;
  /** From 0. Amounts are added as doubles: whole numbers (calls, tokens, cents, millionths of a dollar) stay exact. */
  readonly amount: number;
}

export interface Spent {
  readonly left: number;
}

const spendings = new WeakSet<AnyActorLogic>();

/** `setup({ actors: { spend: spend() } })`, `invoke: { src: 'spend', input: { budget: 'tokens', amount: 300 }, onDone, onError }`. */
export function spend<TBudget extends string = string>(): PromiseActorLogic<Spent, Spending<TBudget>> {
  const logic = fromPromise<Spent, Spending<TBudget>>(() =>
    Promise.reject(new BadInputError('spend() needs a runtime', { hint: 'Spawn the machine with createRuntime(…).spawn(…).' })),
  );
  spendings.add(logic);
  return logic;
}

export function isSpending(logic: AnyActorLogic): boolean {
  return spendings.has(logic);
}

/** @throws BadInputError */
export function checkSpending(input: unknown): Spending {
  const { budget, amount } = (input ?? {}) as Partial<Spending>;
  if (typeof budget !== 'string' || budget === '') {
    throw new BadInputError(`spend() was given ${JSON.stringify(budget) ?? 'nothing'} as the budget`, {
      hint: "Give its input as { budget: 'tokens', amount: 300 }.",
    });
  }
  checkAmount(amount, `spend() from budget "${budget}"`);
  return { budget, amount };
}

/** @throws BadInputError */
export function checkAmount(amount: unknown, where: string): asserts amount is number {
  if (isAmount(amount)) return;
  throw new BadInputError(
    `${where}: the amount is ${typeof amount === 'number' ? String(amount) : (JSON.stringify(amount) ?? String(amount))}`,
    {
      hint: 'Give a finite number from 0.',
    },
  );
}
