/** The five-step workflow under Statewarden: one agent per workflow, one activity per step; from the first spawn to the last result. */

import { join } from 'node:path';
import { durableSteps, stepCount } from '../machines.js';
import { createRuntime, sqlite } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly workflows: number;
  readonly tuningWorkflows: number;
  readonly repetitions: number;
  readonly concurrencies: readonly number[];
}

export interface Figures {
  readonly workflowsPerSecond: readonly number[];
  readonly concurrency: number;
  readonly tried: readonly { readonly concurrency: number; readonly perSecond: number }[];
}

const { folder, workflows, tuningWorkflows, repetitions, concurrencies } = parameters<Parameters>();
const runtime = await createRuntime({ store: sqlite(join(folder, 'agents.db')), agents: { steps: { machine: durableSteps, version: 1 } } });

let made = 0;

async function measure(count: number, concurrency: number): Promise<number> {
  let left = count;
  const started = performance.now();
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      made += 1;
      const agent = await runtime.spawn('steps', { id: `w-${String(made)}` });
      const value = await agent.result();
      if (value !== stepCount) throw new Error(`a workflow ended with ${String(value)}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
  return count / ((performance.now() - started) / 1000);
}

await measure(tuningWorkflows, concurrencies[0] ?? 1); // warm-up
// Twice each: the first is slower for being the first.
const tried: { concurrency: number; perSecond: number }[] = [];
for (const concurrency of [...concurrencies, ...concurrencies]) {
  tried.push({ concurrency, perSecond: await measure(tuningWorkflows, concurrency) });
}
const { concurrency } = tried.reduce((best, one) => (one.perSecond > best.perSecond ? one : best));
const workflowsPerSecond: number[] = [];
for (let index = 0; index < repetitions; index += 1) workflowsPerSecond.push(await measure(workflows, concurrency));
await runtime.close();
answer({ workflowsPerSecond, concurrency, tried } satisfies Figures);
