/**
 * Permits of activities: before the first attempt its budget is asked to hold an amount, and the outcome's own commit says what was spent. The question goes with the intent; after a
 * restart an operation that is still open asks again. Its id is the key, so the budget holds the amount once, however often it is asked.
 *
 * Invariant: of one operation each question leaves before its settlement, so no permit stays open behind one.
 */

import type { Agent } from '../actors/agent.js';
import type { Asked, Operation, OperationOutcome } from '../actors/operation.js';
import { encode } from '../core/codec.js';
import { NotSerializableError, ResultTooLargeError, TimeoutError, UnknownBudgetError } from '../core/errors.js';
import { failpoint } from '../core/failpoint.js';
import type { MessageRecord } from '../persistence/store.js';
import type { ResolvedActivity } from './activity.js';
import { activityOf, isActivity } from './activity.js';
import { budgetId } from './budget/machine.js';
import type { BudgetEvent } from './budget/reducer.js';
import { checkAmount, checkSpending } from './budget/spend.js';

/** Who waits for one. */
interface Waiting {
  readonly agent: Agent;
  readonly operation: Operation;
  readonly activity: ResolvedActivity;
}

interface Permit {
  /** Asked for in an earlier life too: it may have been granted, and the call begun. */
  readonly resumed: boolean;
  /** Begins the first attempt; undefined once that is done. */
  begin: (() => void) | undefined;
  /** An attempt has begun: the call may have been made. */
  begun: boolean;
  /** Another operation's result was taken: no call was made. */
  reused: boolean;
}

export class Permits {
  /** Names of those that are declared. */
  readonly #budgets: ReadonlySet<string>;
  readonly #permits = new WeakMap<Operation, Permit>();

  constructor(budgets: ReadonlySet<string>) {
    this.#budgets = budgets;
  }

  /** What a `spend()` asks its budget. @throws BadInputError, UnknownBudgetError */
  spending(input: unknown): Asked {
    const { budget, amount } = checkSpending(input);
    assertBudget(budget, this.#budgets);
    const event: BudgetEvent = { type: 'budget.spend', amount };
    return { to: budgetId(budget), event, messageId: undefined };
  }

  /** What an activity asks its budget; undefined for one that has none. @throws BadInputError, UnknownBudgetError, what `amount` throws */
  permit(activity: ResolvedActivity, input: unknown, operationId: string): Asked | undefined {
    if (activity.budget !== undefined) assertBudget(activity.budget.name, this.#budgets);
    return permitOf(activity, input, operationId);
  }

  /**
   * Calls back once it is granted, if ever. False: it needs none. After a restart it is asked for again: nobody knows how far the first question came.
   * @throws what `amount` throws
   */
  wait({ agent, operation, activity }: Waiting, resumed: boolean, begin: () => void): boolean {
    if (activity.budget === undefined) return false;
    const { attempts, id } = operation.record;
    this.#permits.set(operation, { resumed, begin, begun: attempts > 0, reused: false });
    const again = resumed ? permitOf(activity, operation.input, id) : undefined;
    if (again !== undefined) agent.collector.ask(id, again);
    return true;
  }

  /** An attempt begins. */
  begun(operation: Operation): void {
    const permit = this.#permits.get(operation);
    if (permit !== undefined) permit.begun = true;
  }

  reused(operation: Operation): void {
    const permit = this.#permits.get(operation);
    if (permit !== undefined) permit.reused = true;
  }

  /** The budget's answer. False when it ends the operation: it was refused, or was no answer of a budget. */
  answered(operation: Operation, granted: boolean): boolean {
    const permit = this.#permits.get(operation);
    if (permit === undefined) return false;
    const { begin } = permit;
    // To a question that was asked twice: the first answer counts.
    if (begin === undefined) return true;
    if (!granted) return false;
    failpoint('permit:granted');
    permit.begin = undefined;
    begin();
    return true;
  }

  /** What the budget is told of an operation that has ended; `outcome` undefined: it was cancelled. */
  settlement(operation: Operation, outcome: OperationOutcome | undefined): Asked | undefined {
    const budget = isActivity(operation.logic) ? activityOf(operation.logic, '').budget : undefined;
    if (budget === undefined) return undefined;
    const permit = this.#permits.get(operation);
    // Refused at once: it holds nothing.
    if (outcome?.ok === false && permit?.resumed === false && permit.begin !== undefined) return undefined;
    failpoint('permit:settle');
    const event: BudgetEvent = { type: 'budget.settle', key: operation.record.id, amount: spentBy(permit, budget, outcome) };
    return { to: budgetId(budget.name), event, messageId: undefined };
  }
}

function permitOf({ name, budget }: ResolvedActivity, input: unknown, operationId: string): Asked | undefined {
  if (budget === undefined) return undefined;
  const amount: unknown = typeof budget.amount === 'function' ? budget.amount(input) : budget.amount;
  checkAmount(amount, `activity "${name}", its permit from budget "${budget.name}"`);
  const event: BudgetEvent = { type: 'budget.permit', key: operationId, amount };
  return { to: budgetId(budget.name), event, messageId: undefined };
}

/** Tells a budget that an operation's agent is no more: all that its permit holds is spent. */
export function cancellation(agentId: string, budget: string, operationId: string, at: number): MessageRecord {
  const event: BudgetEvent = { type: 'budget.settle', key: operationId };
  return { to: budgetId(budget), messageId: undefined, event: encode(event, 'event'), from: agentId, replyTo: undefined, acceptedAt: at };
}

/** Undefined: all that the permit holds, because nobody knows better. */
function spentBy(
  permit: Permit | undefined,
  { actual }: NonNullable<ResolvedActivity['budget']>,
  outcome: OperationOutcome | undefined,
): number | undefined {
  const mayHaveCalled = permit !== undefined && (permit.begun || permit.resumed) && !permit.reused;
  if (!mayHaveCalled) return 0;
  if (outcome === undefined) return undefined;
  // Who gave up waiting does not know what the call came to.
  if (!outcome.ok) return outcome.error instanceof TimeoutError || isUnkept(outcome) ? undefined : 0;
  if (actual === undefined) return undefined;
  try {
    const amount: unknown = actual(outcome.value);
    checkAmount(amount, 'actual');
    return amount;
  } catch {
    // The call was made and its result is worth more than the account: it is charged as was estimated.
    return undefined;
  }
}

/** It was carried out, and its result could not be kept. */
function isUnkept({ error, unknown }: Extract<OperationOutcome, { ok: false }>): boolean {
  return unknown === true && (error instanceof NotSerializableError || error instanceof ResultTooLargeError);
}

/** @throws UnknownBudgetError */
export function assertBudget(name: string, budgets: ReadonlySet<string>): void {
  if (budgets.has(name)) return;
  const known = [...budgets].map((budget) => JSON.stringify(budget)).join(', ');
  throw new UnknownBudgetError(`there is no budget ${JSON.stringify(name)}`, {
    hint: `${known === '' ? 'None is declared' : `Declared: ${known}`}. Declare it: createRuntime({ budgets: { ${JSON.stringify(name)}: { limit: 1_000 } } }).`,
  });
}
