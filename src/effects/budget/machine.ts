/**
 * A budget as an agent: its context is what it knows, each event goes to its mind (`reducer.ts`), and its answer leaves with the commit. So what is spent is durable by the means
 * that every agent has, and nothing of it can be lost or counted twice. It has a checkpoint in each of its commits: no turn of it is ever run again.
 */

import { enqueueActions, setup, type EventObject } from 'xstate';
import { replyType, type ReplyParams } from '../../actors/actions.js';
import { BadInputError, BudgetExhaustedError } from '../../core/errors.js';
import {
  newBudget,
  retryAfterMs,
  spendBudget,
  type BudgetAnswer,
  type BudgetDefinition,
  type BudgetEvent,
  type BudgetState,
} from './reducer.js';

/** Budgets are agents of this kind. */
export const budgetKind = 'statewarden.budget';

const prefix = 'budgets/';

/** Id of the agent that is a budget. */
export function budgetId(name: string): string {
  return `${prefix}${name}`;
}

/** Name of the budget that an agent is, by its id. */
export function budgetName(id: string): string | undefined {
  return id.startsWith(prefix) ? id.slice(prefix.length) : undefined;
}

export interface BudgetContext {
  readonly name: string;
  readonly state: BudgetState;
}

/** `now`: epoch milliseconds, of the node that runs it. */
export function budgetMachine(now: () => number) {
  return setup({
    types: { context: {} as BudgetContext, input: {} as BudgetDefinition & { readonly name: string }, events: {} as BudgetEvent },
  }).createMachine({
    id: 'budget',
    context: ({ input }) => ({ name: input.name, state: newBudget(input) }),
    initial: 'open',
    states: { open: {} },
    on: {
      'budget.*': {
        actions: enqueueActions(({ context, event, enqueue }) => {
          const at = now();
          const decided = spendBudget(context.state, event, at) as ReturnType<typeof spendBudget> | undefined;
          if (decided === undefined) return; // no event of ours
          enqueue.assign({ state: decided.state });
          const { answer } = decided;
          const params: ReplyParams =
            answer.outcome === 'granted'
              ? { value: { left: answer.left }, to: undefined }
              : { value: undefined, to: undefined, error: refusal(context.name, event, answer, at) };
          (enqueue as unknown as (action: EventObject & { params: ReplyParams }) => void)({ type: replyType, params });
        }),
      },
    },
  });
}

/** What whoever asked is told. */
function refusal(name: string, { type }: BudgetEvent, answer: Exclude<BudgetAnswer, { outcome: 'granted' }>, now: number): Error {
  if (answer.outcome === 'invalid') {
    return new BadInputError(`budget "${name}", ${type}: ${answer.what}`, { hint: 'Amounts are finite numbers from 0.' });
  }
  const { requested, status } = answer;
  const { limit, spent, reserved, credit, left } = status;
  const after = retryAfterMs(status, requested, now);
  const permits = requested <= limit + credit - spent;
  const call = `runtime.budget(${JSON.stringify(name)}).add(…)`;
  return new BudgetExhaustedError(
    `budget "${name}" is exhausted: ${String(requested)} was asked for, ${String(left)} of ${String(limit)} is left`,
    {
      budget: name,
      limit,
      spent,
      reserved,
      requested,
      retryAfterMs: after,
      disposition: after !== undefined || permits ? 'retry' : 'terminal',
      hint:
        after !== undefined
          ? `Try again in ${String(after)} ms, when its period begins anew, or add to it: ${call}.`
          : permits
            ? `Activities under way hold ${String(reserved)}: try again when they are done, or add to it: ${call}.`
            : `Add to it: ${call}, or statewarden budgets add.`,
    },
  );
}
