/**
 * A measuring process: a runtime with default settings on a store in the cloud. First nothing but time goes by, then one agent gets one event after the other, then many agents do, each its next one when the last was acknowledged. What it hands back is of its own side; calls are counted at the wire.
 */

import { counter } from '../machines.js';
import { answer, parameters } from '../processes/parameters.js';
import { createRuntime, type RuntimeEvent } from '../statewarden.js';
import { percentile, round } from '../statistics.js';
import { storeAt, type Place } from './places.js';

export interface LoadParameters {
  readonly place: Place;
  readonly agents: number;
  readonly warmMs: number;
  readonly idleMs: number;
  readonly loneMs: number;
  readonly loadMs: number;
}

/** From when until when, in milliseconds of `process.hrtime`, which all processes of a machine have in common. Nothing was under way at either end. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

export interface Stage {
  readonly span: Span;
  readonly acknowledged: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Turns in each group that the runtime sealed, in order. */
  readonly groups: readonly number[];
  readonly bytesPerEvent: number;
  /** By the driver's own count. */
  readonly calls: Readonly<Record<string, number>>;
}

export interface LoadFigures {
  readonly idle: Span;
  readonly lone: Stage;
  readonly load: Stage;
}

/** What a stage leaves behind, such as a turn's last word to the store, is over by then. */
const quietMs = 300;

const { place, agents, warmMs, idleMs, loneMs, loadMs } = parameters<LoadParameters>();
const calls = new Map<string, number>();
const store = await storeAt(place, (method) => calls.set(method, (calls.get(method) ?? 0) + 1));
const runtime = await createRuntime({ store, agents: { counter: { machine: counter, version: 1 } } });
const ids = Array.from({ length: agents }, (_, index) => `agent/${String(index)}`);
const references = await Promise.all(ids.map((id) => runtime.spawn('counter', { id })));
const sent = references.map(() => 0);

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function stage(many: number, ms: number): Promise<Stage> {
  await wait(quietMs);
  const groups: number[] = [];
  let bytes = 0;
  const listening = runtime.events$.subscribe((event: RuntimeEvent) => {
    if (event.type !== 'commit') return;
    groups.push(event.turns);
    bytes += event.bytes;
  });
  calls.clear();
  const latencies: number[] = [];
  const from = now();
  await Promise.all(
    references.slice(0, many).map(async (agent, index) => {
      while (now() - from < ms) {
        const began = now();
        await agent.send({ type: 'ADD', amount: 1 });
        latencies.push(now() - began);
        sent[index]! += 1;
      }
    }),
  );
  const until = now();
  listening.unsubscribe();
  return {
    span: { from, until },
    acknowledged: latencies.length,
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    groups,
    bytesPerEvent: Math.round(bytes / latencies.length),
    calls: Object.fromEntries(calls),
  };
}

await stage(agents, warmMs);
await wait(quietMs);
const idleFrom = now();
await wait(idleMs);
const idle = { from: idleFrom, until: now() };
const lone = await stage(1, loneMs);
const load = await stage(agents, loadMs);
await wait(quietMs);
await runtime.close();
await verify();
answer({ idle, lone, load } satisfies LoadFigures);

/** What was acknowledged is in the store: an agent's birth, and each of its events. */
async function verify(): Promise<void> {
  const observer = await store.open({ now: Date.now });
  const records = await observer.lookup(ids);
  await observer.close();
  for (const [index, record] of records.entries()) {
    if (record?.sequenceNumber === sent[index]! + 1) continue;
    throw new Error(`${ids[index]!} was sent ${String(sent[index])} events and stands at ${String(record?.sequenceNumber)} in the store`);
  }
}
