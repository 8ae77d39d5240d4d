/**
 * The process that is killed: agents on one SQLite file whose calls go to a service that is down at first, so that the breaker opens and all wait for it. Run again on the same folder it goes on where it was, until every agent is
 * done. Its time runs fast, so that outages and ramps last no longer than a test may.
 *
 * What it leaves beside the store: `calls.log`, each call that the service was asked for, with its key; `told.log`, each state of the breaker that was told of as durable; `begun.log`, the state in which each life found it.
 */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from 'xstate';
import { activity, createRuntime, StatewardenError, type Clock } from 'statewarden';
import { consecutiveBreaker } from 'statewarden/breakers';
import { sqlite } from 'statewarden/sqlite';

export const parkingLifePath = fileURLToPath(import.meta.url);
export const callers = ['c-1', 'c-2', 'c-3', 'c-4', 'c-5', 'c-6'] as const;
/** So many calls fail before the service is well. */
const outage = 7;
const speed = 40;

/** Epoch milliseconds that pass faster, the same for every life. */
const fast: Clock = {
  now: () => Date.now() * speed - 1_700_000_000_000 * (speed - 1),
  elapsed: () => performance.now() * speed,
  setTimeout: (callback, ms) => setTimeout(callback, ms / speed),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

const lines = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []);

/** One life, to its end. */
export async function liveHere(folder: string): Promise<void> {
  const file = (name: string): string => join(folder, name);
  const late = Date.now() + 15_000;
  const call = activity({
    name: 'call',
    onUnknown: 'retry',
    run: (n: number, { idempotencyKey }) => {
      appendFileSync(file('calls.log'), `${String(n)} ${idempotencyKey}\n`);
      if (lines(file('calls.log')).length <= outage) throw new Error('down');
      return n;
    },
    retry: { attempts: 50, initialMs: 10, maximumMs: 10, jitter: 'none' },
    breaker: consecutiveBreaker({ name: 'api', failures: 2, open: { initialMs: 2_000, maximumMs: 4_000 } }),
  });
  const machine = setup({ types: { context: {} as { n: number }, input: {} as number }, actors: { call } }).createMachine({
    context: ({ input }) => ({ n: input }),
    initial: 'calling',
    states: { calling: { invoke: { src: 'call', input: ({ context }) => context.n, onDone: 'done' } }, done: { type: 'final' } },
  });
  await using runtime = await createRuntime({
    store: sqlite(file('agents.db')),
    agents: { caller: { machine, version: 1 } },
    clock: fast,
    node: { leaseMs: 30_000 * speed },
  });
  const { state } = runtime.breakers.get('api');
  appendFileSync(file('begun.log'), `${String(fast.now())} ${state}\n`);
  runtime.events$.subscribe((event) => {
    if (event.type === 'breaker') appendFileSync(file('told.log'), `${String(event.at + event.retryAfterMs)} ${event.to}\n`);
  });
  await Promise.all(callers.map((id, index) => runtime.spawn('caller', { id, input: index + 1 })));
  await Promise.all(callers.map((id) => runtime.agent(id).result()));
  if (Date.now() > late) throw new Error('it does not converge');
}

const [, script, folder = ''] = process.argv;
if (script === parkingLifePath) {
  await liveHere(folder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}
