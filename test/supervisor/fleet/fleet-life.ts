/**
 * The process that is killed: a fleet at work on one SQLite file, with jobs that are done, one that fails its member, one that is poison, a budget, and a member that goes. Run
 * again on the same folder it goes on where it was, until every job has ended.
 */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assign, setup } from 'xstate';
import { activity, askedBy, createRuntime, fleet, reply, StatewardenError, supervisor, TerminalError } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';

export const fleetLifePath = fileURLToPath(import.meta.url);
export const jobs = Array.from({ length: 8 }, (_, n) => `j${String(n)}`);
export const poison = 'j3';
export const broken = 'j5';
/** What every job spends. */
export const amount = 3;

type Work = { type: 'WORK'; job: string } | { type: 'POISON'; job: string };

const machineOf = (folder: string) =>
  setup({
    types: { context: {} as { job: string; asker: string | undefined }, events: {} as Work },
    actors: {
      call: activity({
        name: 'call',
        onUnknown: 'retry',
        key: (job: string) => job,
        run: (job: string) => {
          if (job === broken) throw new TerminalError('broken');
          appendFileSync(join(folder, 'calls.log'), `${job}\n`);
          return job;
        },
      }),
    },
  }).createMachine({
    id: 'member',
    context: { job: '', asker: undefined },
    initial: 'idle',
    states: {
      idle: {
        on: {
          WORK: { target: 'working', actions: assign({ job: ({ event }) => event.job, asker: ({ event }) => askedBy(event) }) },
          POISON: {
            actions: assign(() => {
              throw new Error('poison');
            }),
          },
        },
      },
      working: {
        invoke: {
          src: 'call',
          input: ({ context }) => context.job,
          onDone: { target: 'idle', actions: reply(({ context }) => context.job, { to: ({ context }) => context.asker }) },
        },
      },
    },
  });

/** One life of the fleet, to its end. */
export async function liveHere(folder: string): Promise<void> {
  const late = Date.now() + 15_000;
  const agents = { member: { machine: machineOf(folder), version: 1 } } as const;
  const budgets = { calls: { limit: 1_000 } };
  await using runtime = await createRuntime({ store: sqlite(join(folder, 'agents.db')), agents, budgets, node: { leaseMs: 30_000 } });
  const members = runtime.fleet<'member', string>('crew');
  const spec = { kind: 'member', size: 3, attempts: 2, budget: { name: 'calls', amount } } as const;
  await runtime.supervise(supervisor({ id: 'team', children: [fleet('crew', spec)] }));
  await Promise.all(jobs.map((job) => members.submit({ type: job === poison ? 'POISON' : 'WORK', job }, { id: job })));
  await members.resize(2);
  for (;;) {
    const { done, failed, up } = await members.status();
    if (done + failed === jobs.length && up === 2) break;
    if (Date.now() > late) throw new Error(`it does not converge: ${JSON.stringify(await members.status())}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await members.drain();
}

const [, script, folder = ''] = process.argv;
if (script === fleetLifePath) {
  await liveHere(folder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof StatewardenError ? `${error.code}: ${error.message}` : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  });
}
