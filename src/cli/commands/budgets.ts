/**
 * `statewarden budgets [ls]`: how the budgets of a store stand, as they have committed last. `statewarden budgets add NAME AMOUNT`: raises what is left, by an event in the budget's
 * mailbox; whichever node runs it takes that, now or when it next starts.
 */

import { readCheckpoint } from '../../actors/restore.js';
import { UnknownBudgetError } from '../../core/errors.js';
import { budgetId, budgetKind, budgetName, type BudgetContext } from '../../effects/budget/machine.js';
import { isAmount, numbersOf, type BudgetNumbers } from '../../effects/budget/reducer.js';
import type { AgentRecord } from '../../persistence/store.js';
import { nearest } from '../../core/nearest.js';
import { away, count } from '../output.js';
import type { ExitCode, Session } from '../session.js';
import { UsageError } from '../usage-error.js';
import { send } from './send.js';

const page = 500;

interface Shown extends BudgetNumbers {
  readonly name: string;
  /** Events in its mailbox. */
  readonly waiting: number;
}

export async function budgets({ store, output, now }: Session): Promise<ExitCode> {
  const at = now();
  const shown: Shown[] = [];
  for (const { id } of await allBudgets({ store })) {
    const loaded = await store.inspect(id);
    if (loaded?.checkpoint === undefined) continue; // being made
    const { name, state } = readCheckpoint(id, loaded.checkpoint).snapshot.context as unknown as BudgetContext;
    shown.push({ name, ...numbersOf(state, at), waiting: loaded.mailbox.length });
  }
  if (output.json) {
    const documents = shown.map(({ periodMs, resetsAt, ...rest }) => ({ ...rest, periodMs: periodMs ?? null, resetsAt: resetsAt ?? null }));
    output.document({ budgets: documents });
    return 0;
  }
  if (shown.length === 0) {
    output.line('no budgets');
    return 0;
  }
  output.table(shown, [
    { title: 'NAME', text: ({ name }) => name },
    { title: 'LIMIT', text: ({ limit, credit }) => `${String(limit)}${credit > 0 ? ` + ${String(credit)}` : ''}`, align: 'right' },
    { title: 'SPENT', text: ({ spent }) => String(spent), align: 'right' },
    { title: 'RESERVED', text: ({ reserved }) => String(reserved), align: 'right' },
    { title: 'LEFT', text: ({ left }) => String(left), colour: ({ left }) => (left > 0 ? undefined : 'red'), align: 'right' },
    { title: 'REFUSED', text: ({ refused }) => String(refused), align: 'right' },
    {
      title: 'RESETS',
      text: ({ periodMs, resetsAt }) => (resetsAt === undefined ? (periodMs === undefined ? 'by hand' : '') : away(resetsAt, at)),
    },
  ]);
  const waiting = shown.reduce((sum, one) => sum + one.waiting, 0);
  if (waiting > 0) output.line(output.paint('dim', `${count(waiting, 'event')} not taken yet`));
  return 0;
}

/** @throws UsageError, UnknownBudgetError, MailboxFullError */
export async function addToBudget(session: Session, name: string, amountText: string, key: string | undefined): Promise<ExitCode> {
  const amount = amountText.trim() === '' ? NaN : Number(amountText);
  if (!isAmount(amount))
    throw new UsageError(`the amount is "${amountText}"`, 'Give a number from 0: statewarden budgets add tokens 1000.');
  const names = (await allBudgets(session)).map(({ id }) => budgetName(id) ?? id);
  if (!names.includes(name)) {
    const [close] = nearest(name, names);
    const known =
      names.length === 0 ? 'This store has none: declare it with createRuntime({ budgets }).' : 'List them with `statewarden budgets`.';
    throw new UnknownBudgetError(`there is no budget ${JSON.stringify(name)}`, {
      hint: close === undefined ? known : `Did you mean "${close}"?`,
    });
  }
  const event = JSON.stringify({ type: 'budget.add', amount });
  return send(session, budgetId(name), event, key === undefined ? undefined : `add ${key}`);
}

/** `[ls] [STORE]` or `add NAME AMOUNT [STORE]`. @throws UsageError */
export function budgetWords(words: readonly string[]): { name?: string; amount?: string; place: string | undefined } {
  const [action, ...rest] = words;
  if (action === 'add') {
    const [name, amount, place, stray] = rest;
    if (stray !== undefined) throw new UsageError(`"${stray}" is one word too many`, 'Write statewarden budgets add NAME AMOUNT [STORE].');
    if (name === undefined || amount === undefined) {
      throw new UsageError(
        `add ${name === undefined ? 'to which budget' : 'how much'}?`,
        'Write statewarden budgets add NAME AMOUNT [STORE].',
      );
    }
    return { name, amount, place };
  }
  const [place, stray] = action === 'ls' ? rest : words;
  if (stray !== undefined) {
    throw new UsageError(
      `"${stray}" is one word too many`,
      'Write statewarden budgets [STORE], or statewarden budgets add NAME AMOUNT [STORE].',
    );
  }
  return { place };
}

async function allBudgets({ store }: Pick<Session, 'store'>): Promise<AgentRecord[]> {
  const all: AgentRecord[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const found: readonly AgentRecord[] = await store.list({ kind: budgetKind, limit: page, after });
    all.push(...found);
    after = found.length < page ? undefined : found.at(-1)?.id;
  }
  return all;
}
