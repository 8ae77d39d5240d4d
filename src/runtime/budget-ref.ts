/**
 * A budget as code sees it, and the making of those that are declared. What is asked or told goes to the budget's agent; how it stands is read from what it has committed, wherever it is.
 */

import { readCheckpoint } from '../actors/restore.js';
import { AgentStoppedError, UnknownAgentError } from '../core/errors.js';
import { budgetId, budgetKind, type BudgetContext } from '../effects/budget/machine.js';
import {
  newBudget,
  numbersOf,
  type BudgetDefinition,
  type BudgetEvent,
  type BudgetNumbers,
  type BudgetState,
} from '../effects/budget/reducer.js';
import { checkAmount, type Spent } from '../effects/budget/spend.js';
import { assertBudget } from '../effects/permits.js';
import type { AgentRecord } from '../persistence/store.js';
import { assertKind } from './kinds.js';
import type { Node } from './node.js';
import type { ResolvedOptions } from './options.js';
import { Reference } from './reference.js';

/** How a budget stands: `left` is what may be spent now, `reserved` what permits of activities under way hold. */
export interface BudgetStatus extends BudgetNumbers {
  readonly name: string;
}

export interface BudgetRef {
  readonly name: string;
  status(): Promise<BudgetStatus>;
  /** Raises what is left. Resolves once that is durable; with a `key` once for ever, however often it is called. @throws BadInputError */
  add(amount: number, options?: { readonly key?: string }): Promise<void>;
  /**
   * Spends, and resolves once that is durable; with a `key` once for ever, however often it is called. What was refused may be tried again with the same key.
   * @throws BudgetExhaustedError, BadInputError, AgentOwnedError where another node holds the budget, TimeoutError
   */
  spend(amount: number, options?: { readonly key?: string }): Promise<Spent>;
  /** Until it is declared with another limit than the one it is declared with now. @throws BadInputError */
  setLimit(limit: number): Promise<void>;
}

export class Budget implements BudgetRef {
  readonly name: string;
  readonly #node: Node;
  readonly #options: ResolvedOptions;
  readonly #agent: Reference;

  /** @throws UnknownBudgetError */
  constructor(node: Node, options: ResolvedOptions, name: string) {
    assertBudget(name, new Set(Object.keys(options.budgets)));
    this.#node = node;
    this.#options = options;
    this.name = name;
    this.#agent = new Reference(node, options, budgetId(name));
  }

  async status(): Promise<BudgetStatus> {
    this.#node.assertOpen();
    return { name: this.name, ...numbersOf(await stateOf(this.#node, this.name), this.#options.clock.now()) };
  }

  async add(amount: number, { key }: { readonly key?: string } = {}): Promise<void> {
    checkAmount(amount, `add() to budget "${this.name}"`);
    await this.#tell({ type: 'budget.add', amount }, key === undefined ? undefined : `add ${key}`);
  }

  async spend(amount: number, { key }: { readonly key?: string } = {}): Promise<Spent> {
    checkAmount(amount, `spend() from budget "${this.name}"`);
    const event: BudgetEvent = { type: 'budget.spend', amount };
    const repeated = async (): Promise<Spent> => ({ left: (await this.status()).left });
    return this.#agent.ask<Spent>(event, { repeated, ...(key === undefined ? {} : { messageId: `spend ${key}` }) });
  }

  async setLimit(limit: number): Promise<void> {
    checkAmount(limit, `setLimit() of budget "${this.name}"`);
    await this.#tell({ type: 'budget.limit', limit }, undefined);
  }

  async #tell(event: BudgetEvent, messageId: string | undefined): Promise<void> {
    await this.#agent.send(event, messageId === undefined ? {} : { messageId });
  }
}

/** As committed last. */
async function stateOf(node: Node, name: string): Promise<BudgetState> {
  const id = budgetId(name);
  const agent = node.resident(id);
  if (agent !== undefined && agent.committedSequenceNumber > 0 && agent.status === 'active') {
    return ((agent.committed ?? agent.snapshot()).context as BudgetContext).state;
  }
  const checkpoint = (await node.store.inspect(id))?.checkpoint;
  if (checkpoint === undefined) {
    throw new UnknownAgentError(`budget "${name}" has no record`, { hint: 'Its store was emptied: start the runtime again.' });
  }
  return (readCheckpoint(id, checkpoint).snapshot.context as unknown as BudgetContext).state;
}

/** Makes the declared ones that there are not yet, and tells those that are declared otherwise than before. @throws KindConflictError, AgentStoppedError */
export async function openBudgets(node: Node, options: ResolvedOptions): Promise<void> {
  const declared = Object.entries(options.budgets);
  const known = declared.length === 0 ? [] : await node.store.lookup(declared.map(([name]) => budgetId(name)));
  await Promise.all(declared.map(([name, definition], index) => open(node, options, name, definition, known[index])));
}

async function open(
  node: Node,
  options: ResolvedOptions,
  name: string,
  definition: BudgetDefinition,
  known: AgentRecord | undefined,
): Promise<void> {
  const id = budgetId(name);
  const { limit, periodMs } = definition;
  const record = known ?? (await node.make(budgetKind, id, { name, limit, periodMs }, undefined));
  if (record === undefined) return;
  assertKind(id, budgetKind, record.kind);
  if (record.status === 'stopped' || record.status === 'done' || record.status === 'error') {
    throw new AgentStoppedError(`budget "${name}" has ended: its agent "${id}" was stopped`, {
      hint: 'What was stopped stays so. Declare the budget under another name.',
    });
  }
  const { declared } = record.sequenceNumber === 0 ? newBudget(definition) : await stateOf(node, name);
  if (declared.limit === limit && declared.periodMs === periodMs) return;
  const event: BudgetEvent = { type: 'budget.declare', limit, periodMs };
  await new Reference(node, options, id).send(event);
}
