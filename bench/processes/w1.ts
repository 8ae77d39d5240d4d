/**
 * One agent, one event after another, each awaited until durable; in turns with a raw append + fdatasync of a record of the same
 * size on the same disk, so that a change in the disk's mood meets both.
 */

import { join } from 'node:path';
import { counter } from '../machines.js';
import { RawLog } from '../raw-log.js';
import { createRuntime, sqlite, type RuntimeEvent } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly rounds: number;
  readonly perRound: number;
}

export interface Figures {
  /** Milliseconds each. */
  readonly durable: readonly number[];
  readonly appended: readonly number[];
  readonly overwritten: readonly number[];
  readonly recordBytes: number;
}

const { folder, rounds, perRound } = parameters<Parameters>();
const runtime = await createRuntime({ store: sqlite(join(folder, 'agents.db')), agents: { counter: { machine: counter, version: 1 } } });
const agent = await runtime.spawn('counter', { id: 'one' });

let recordBytes = 0;
const listening = runtime.events$.subscribe((event: RuntimeEvent) => {
  if (event.type === 'commit' && event.turns === 1) recordBytes = event.bytes;
});
for (let index = 0; index < 10; index += 1) await agent.send({ type: 'ADD', amount: 1 });
listening.unsubscribe();
for (let index = 0; index < 3 * perRound; index += 1) await agent.send({ type: 'ADD', amount: 1 });

const record = Buffer.alloc(recordBytes, 'r');
const growing = new RawLog(join(folder, 'raw.log'));
const reused = new RawLog(join(folder, 'raw-reused.log'), Math.max(1 << 20, 4 * rounds * perRound * recordBytes));
for (let index = 0; index < perRound; index += 1) growing.append(record);

const durable: number[] = [];
const appended: number[] = [];
const overwritten: number[] = [];

async function sends(): Promise<void> {
  for (let index = 0; index < perRound; index += 1) {
    const started = performance.now();
    await agent.send({ type: 'ADD', amount: 1 });
    durable.push(performance.now() - started);
  }
}

async function appends(log: RawLog, times: number[]): Promise<void> {
  for (let index = 0; index < perRound; index += 1) {
    const started = performance.now();
    log.append(record);
    times.push(performance.now() - started);
  }
}

const contenders = [sends, () => appends(growing, appended), () => appends(reused, overwritten)];
for (let index = 0; index < rounds; index += 1) {
  for (let place = 0; place < contenders.length; place += 1) await contenders[(index + place) % contenders.length]?.();
}

const { context } = await agent.snapshot();
const expected = 10 + 3 * perRound + rounds * perRound;
if (context.count !== expected) throw new Error(`the agent counted ${String(context.count)} of ${String(expected)} events`);
await runtime.close();
growing.close();
reused.close();
answer({ durable, appended, overwritten, recordBytes } satisfies Figures);
