/**
 * The process that is killed: workers on one SQLite file that spend of budgets in every way, and code that spends and adds under keys. Run again on the same folder it goes on where it
 * was, until every worker is done and nothing is under way.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from 'xstate';
import { activity, createRuntime, spend, StatewardenError, TerminalError } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const budgetLifePath = fileURLToPath(import.meta.url);
export const workers = ['w-1', 'w-2', 'w-3', 'w-4'] as const;
/** For the last unit but one and the last they all race. */
export const seats = 2;
/** What a call that is cancelled costs if it was begun; whatever else is spent is less in all. */
export const slowCost = 100_000;

/** What each activity costs by what is in the ledger. */
export const costs: Readonly<Record<string, (outcome: unknown) => number>> = {
  spend: () => 10,
  call: (outcome) => (outcome as { tokens: number }).tokens,
  hopeless: () => 0,
};

const call = activity({
  name: 'call',
  onUnknown: 'retry',
  run: (n: number, { attempt }) => {
    if (attempt === 1 && n === 1) throw new Error('busy');
    return { tokens: 20 + n };
  },
  retry: { initialMs: 5, jitter: 'none' },
  budget: { name: 'tokens', amount: 50, actual: ({ tokens }) => tokens },
});
const hopeless = activity({
  name: 'hopeless',
  onUnknown: 'retry',
  run: (): number => {
    throw new TerminalError('no');
  },
  budget: { name: 'tokens', amount: 50 },
});
const slow = activity({
  name: 'slow',
  onUnknown: 'retry',
  run: () => new Promise<number>(() => undefined),
  budget: { name: 'tokens', amount: slowCost },
});

const machine = setup({
  types: { context: {} as { n: number }, input: {} as number },
  actors: { spend: spend(), seat: spend(), call, hopeless, slow },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ n: input }),
  initial: 'spending',
  states: {
    spending: { invoke: { src: 'spend', input: { budget: 'tokens', amount: 10 }, onDone: 'calling' } },
    calling: { invoke: { src: 'call', input: ({ context }) => context.n, onDone: 'failing' } },
    failing: { invoke: { src: 'hopeless', onError: 'waiting' } },
    waiting: { invoke: { src: 'slow' }, after: { 20: 'sitting' } },
    sitting: { invoke: { src: 'seat', input: { budget: 'seats', amount: 1 }, onDone: 'done', onError: 'standing' } },
    standing: { type: 'final' },
    done: { type: 'final' },
  },
});

/** One life, to its end. */
export async function liveHere(folder: string): Promise<void> {
  const late = Date.now() + 10_000;
  await using runtime = await createRuntime({
    store: sqlite(join(folder, 'agents.db')),
    agents: { worker: { machine, version: 1 } },
    budgets: { tokens: { limit: 10_000_000 }, seats: { limit: seats } },
    node: { leaseMs: 30_000 },
  });
  const tokens = runtime.budget('tokens');
  await Promise.all(workers.map((id, index) => runtime.spawn('worker', { id, input: index + 1 })));
  await Promise.all([tokens.spend(7, { key: 'opening' }), tokens.add(5, { key: 'gift' })]);
  await Promise.all(workers.map((id) => runtime.agent(id).result()));
  for (;;) {
    const [{ mailbox }, { reserved }] = [await runtime.store.counts(), await tokens.status()];
    if (mailbox === 0 && reserved === 0) return;
    if (Date.now() > late) throw new Error(`it does not converge: ${JSON.stringify({ mailbox, reserved })}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const [, script, folder = ''] = process.argv;
if (script === budgetLifePath) {
  await liveHere(folder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}
