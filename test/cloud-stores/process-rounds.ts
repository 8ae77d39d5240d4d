/** A process that runs agents on Spanner: each does one piece of work after the other, and every piece is noted in a file that no restart takes back. It says `ready` when its agents are at work, and goes on until it is killed. */

import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setup } from 'xstate';
import { activity, createRuntime } from 'statewarden';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { clientOf } from './spanner-emulator.js';

export const roundsPath = fileURLToPath(import.meta.url);

export interface RoundsTask {
  readonly options: Omit<SpannerOptions, 'client'>;
  readonly port: number;
  readonly log: string;
  readonly agents: readonly string[];
  readonly leaseMs: number;
}

export interface Round {
  readonly agent: string;
  readonly operation: string;
  readonly pid: number;
  readonly at: number;
}

if (process.argv[1] === roundsPath) {
  const { options, port, log, agents, leaseMs } = JSON.parse(process.argv[2] ?? '') as RoundsTask;
  const work = activity({
    name: 'work',
    onUnknown: 'retry',
    run: (agent: string, { operationId }) => {
      appendFileSync(log, `${JSON.stringify({ agent, operation: operationId, pid: process.pid, at: Date.now() } satisfies Round)}\n`);
    },
  });
  const rounds = setup({ types: { context: {} as { id: string }, input: {} as { id: string } }, actors: { work } }).createMachine({
    id: 'rounds',
    context: ({ input }) => ({ id: input.id }),
    initial: 'working',
    states: {
      working: { invoke: { src: 'work', input: ({ context }) => context.id, onDone: 'resting' } },
      resting: { after: { 100: 'working' } },
    },
  });
  const runtime = await createRuntime({
    store: spanner({ ...options, client: clientOf(port) }),
    agents: { rounds: { machine: rounds, version: 1 } },
    // Agents go to the other process only when this one is gone.
    node: { leaseMs, spread: false },
  });
  await Promise.all(agents.map((id) => runtime.spawn('rounds', { id, input: { id } })));
  process.send?.('ready');
  process.on('message', () => void runtime.close().then(() => process.exit()));
  process.on('disconnect', () => process.exit());
}
