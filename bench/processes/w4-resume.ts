/**
 * Opens the store of a process that was killed and waits until every agent's activity runs again. The clock starts at the first
 * line after the imports; how long Node and the imports took before that is told beside it.
 */

import { join } from 'node:path';
import { waiter } from '../machines.js';
import { createRuntime, sqlite } from '../statewarden.js';
import { answer, parameters } from './parameters.js';
import type { Parameters } from './w4-begin.js';

export interface Resumed {
  /** From the first line after the imports until the last activity was run again. */
  readonly resumedMs: number;
  /** Until `createRuntime` resolved. */
  readonly openedMs: number;
  /** From the start of the process to the first line. */
  readonly importMs: number;
}

const started = performance.now();
const { folder, agents } = parameters<Parameters>();
let left = agents;
let all: () => void = () => undefined;
const running = new Promise<void>((resolve) => (all = resolve));
const machine = waiter(() => {
  left -= 1;
  if (left === 0) all();
});
const runtime = await createRuntime({
  store: sqlite(join(folder, 'agents.db')),
  agents: { waiter: { machine, version: 1 } },
  limits: { residentAgents: agents },
});
const openedMs = performance.now() - started;
await running;
const resumedMs = performance.now() - started;
const snapshot = await runtime.agent('a-0').snapshot();
if (snapshot.value !== 'waiting') throw new Error(`an agent came back in state ${snapshot.value}`);
answer({ resumedMs, openedMs, importMs: started } satisfies Resumed);
// Its activities never end: closing in good order would wait for them.
process.stdout.write('', () => process.exit(0));
