/** Many agents, many durable events; all sends in flight at once, or one to each agent and then wait for all. */

import { join } from 'node:path';
import { counter } from '../machines.js';
import { createRuntime, sqlite, type RuntimeEvent } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly agents: number;
  readonly events: number;
  readonly repetitions: number;
}

export interface Figures {
  /** Events per second, one for each repetition. */
  readonly atOnce: readonly number[];
  readonly rounds: readonly number[];
  /** Of a repetition of its own, with somebody listening. */
  readonly bytesPerEvent: number;
  readonly groups: number;
  readonly turnsPerGroup: number;
}

const { folder, agents, events, repetitions } = parameters<Parameters>();
const runtime = await createRuntime({
  store: sqlite(join(folder, 'agents.db')),
  agents: { counter: { machine: counter, version: 1 } },
  limits: { residentAgents: 1_000_000 },
});

const references = await Promise.all(
  Array.from({ length: agents }, (_, index) => runtime.spawn('counter', { id: `agent/${String(index)}` })),
);
let sentToEach = 0;

/** The same agents throughout: making them is not what is measured. */
async function repetition(inRounds: boolean): Promise<number> {
  const started = performance.now();
  if (inRounds) {
    for (let round = 0; round < events; round += 1) await Promise.all(references.map((agent) => agent.send({ type: 'ADD', amount: 1 })));
  } else await sendAll();
  const seconds = (performance.now() - started) / 1000;
  sentToEach += events;
  for (const agent of [references[0], references.at(-1)]) {
    const snapshot = await agent?.snapshot();
    if (snapshot?.context.count !== sentToEach) {
      throw new Error(`an agent counted ${String(snapshot?.context.count)} of ${String(sentToEach)} events`);
    }
  }
  return (agents * events) / seconds;
}

async function sendAll(): Promise<void> {
  const sent: Promise<unknown>[] = [];
  for (let round = 0; round < events; round += 1) for (const agent of references) sent.push(agent.send({ type: 'ADD', amount: 1 }));
  await Promise.all(sent);
}

for (let warm = 0; warm < 6; warm += 1) {
  await repetition(false);
  await repetition(true);
}
const atOnce: number[] = [];
const rounds: number[] = [];
for (let index = 0; index < repetitions; index += 1) {
  atOnce.push(await repetition(false));
  rounds.push(await repetition(true));
}

let bytes = 0;
let turns = 0;
let groups = 0;
const listening = runtime.events$.subscribe((event: RuntimeEvent) => {
  if (event.type !== 'commit') return;
  groups += 1;
  turns += event.turns;
  bytes += event.bytes;
});
await sendAll();
listening.unsubscribe();
await runtime.close();
answer({ atOnce, rounds, bytesPerEvent: bytes / turns, groups, turnsPerGroup: turns / groups } satisfies Figures);
