/** The five-step workflow in plain XState with promises: in memory, nothing durable. */

import { createActor, toPromise } from 'xstate';
import { plainSteps, stepCount } from '../machines.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly workflows: number;
  readonly repetitions: number;
}

export interface Figures {
  readonly workflowsPerSecond: readonly number[];
}

const { workflows, repetitions } = parameters<Parameters>();

async function repetition(): Promise<number> {
  const started = performance.now();
  const values = await Promise.all(Array.from({ length: workflows }, () => toPromise(createActor(plainSteps).start())));
  const seconds = (performance.now() - started) / 1000;
  if (values.some((value) => value !== stepCount)) throw new Error('a workflow ended with something else');
  return workflows / seconds;
}

for (let warm = 0; warm < 2; warm += 1) await repetition();
const workflowsPerSecond: number[] = [];
for (let index = 0; index < repetitions; index += 1) workflowsPerSecond.push(await repetition());
answer({ workflowsPerSecond } satisfies Figures);
