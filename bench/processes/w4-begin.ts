/** Makes agents that each have an activity in flight, says so, and waits to be killed. */

import { join } from 'node:path';
import { waiter } from '../machines.js';
import { createRuntime, sqlite } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly agents: number;
}

export interface Begun {
  readonly beganMs: number;
}

const { folder, agents } = parameters<Parameters>();
const started = performance.now();
let left = agents;
let all: () => void = () => undefined;
const inFlight = new Promise<void>((resolve) => (all = resolve));
const machine = waiter(() => {
  left -= 1;
  if (left === 0) all();
});
const runtime = await createRuntime({
  store: sqlite(join(folder, 'agents.db')),
  agents: { waiter: { machine, version: 1 } },
  limits: { residentAgents: agents },
});
const batch = 1_000;
for (let first = 0; first < agents; first += batch) {
  const count = Math.min(batch, agents - first);
  await Promise.all(Array.from({ length: count }, (_, index) => runtime.spawn('waiter', { id: `a-${String(first + index)}` })));
}
await inFlight;
answer({ beganMs: performance.now() - started } satisfies Begun);
setInterval(() => undefined, 60_000);
