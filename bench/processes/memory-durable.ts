/**
 * Heap of idle agents, each after one event: all of them resident, or all but a few passivated. The first batch is made before
 * the first look, so that code, shapes and the residents that are always there do not count.
 */

import { join } from 'node:path';
import { counter } from '../machines.js';
import { createRuntime, sqlite } from '../statewarden.js';
import { heapBytes } from './heap-bytes.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly agents: number;
  readonly residentAgents: number;
}

export interface Figures {
  readonly bytesEach: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly seconds: number;
}

const { folder, agents, residentAgents } = parameters<Parameters>();
const runtime = await createRuntime({
  store: sqlite(join(folder, 'agents.db')),
  agents: { counter: { machine: counter, version: 1 } },
  limits: { residentAgents },
});
const batch = 500;
let made = 0;

async function make(count: number): Promise<void> {
  for (let left = count; left > 0; left -= batch) {
    const spawned = Array.from({ length: Math.min(batch, left) }, async () => {
      made += 1;
      const agent = await runtime.spawn('counter', { id: `agent-${String(made)}` });
      await agent.send({ type: 'ADD', amount: 1 });
    });
    await Promise.all(spawned);
  }
}

await make(2 * batch);
const before = await heapBytes();
const started = performance.now();
await make(agents);
const seconds = (performance.now() - started) / 1000;
const after = await heapBytes();
const { context } = await runtime.agent('agent-1').snapshot();
if (context.count !== 1) throw new Error('an agent lost its event');
await runtime.close();
answer({ bytesEach: (after - before) / agents, heapBytes: after, rssBytes: process.memoryUsage.rss(), seconds } satisfies Figures);
