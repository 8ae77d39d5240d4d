/**
 * What encryption costs: the same work on two stores of one process, one of them encrypted, in turns, so that a change in the machine's mood meets both. One agent's events, each awaited until durable; many agents' at once; five-step
 * workflows.
 */

import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { counter, durableSteps, stepCount } from '../machines.js';
import { createRuntime, encrypted, keyFile, sqlite } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly rounds: number;
  readonly sends: number;
  readonly agents: number;
  readonly workflows: number;
}

/** Of each round. */
export interface Measured {
  /** Milliseconds for an event, median. */
  readonly sendMs: readonly number[];
  readonly eventsPerSecond: readonly number[];
  readonly workflowsPerSecond: readonly number[];
  /** Milliseconds of processor time, of all threads, for all of a round: what other processes do changes it little. */
  readonly processorMs: readonly number[];
  /** Of the database when it is closed. */
  readonly bytes: number;
}

export interface Figures {
  readonly plain: Measured;
  readonly encrypted: Measured;
}

const { folder, rounds, sends, agents, workflows } = parameters<Parameters>();
const keys = join(folder, 'bench.keys');
const key = { id: 'bench', kind: 'aes-256', key: randomBytes(32).toString('base64'), createdAt: '' };
writeFileSync(keys, JSON.stringify({ statewardenKeys: 1, current: 'bench', keys: [key] }), { mode: 0o600 });
const kinds = { counter: { machine: counter, version: 1 }, steps: { machine: durableSteps, version: 1 } };

async function contender(name: string, isEncrypted: boolean) {
  const path = join(folder, `${name}.db`);
  const store = isEncrypted ? encrypted(sqlite(path), { keys: keyFile(keys) }) : sqlite(path);
  const runtime = await createRuntime({ store, agents: kinds });
  const one = await runtime.spawn('counter', { id: 'one' });
  const many = await Promise.all(Array.from({ length: agents }, (_, n) => runtime.spawn('counter', { id: `many-${String(n)}` })));
  const measured = {
    sendMs: [] as number[],
    eventsPerSecond: [] as number[],
    workflowsPerSecond: [] as number[],
    processorMs: [] as number[],
  };
  let made = 0;
  const round = async (): Promise<void> => {
    const used = process.cpuUsage();
    const times: number[] = [];
    for (let n = 0; n < sends; n += 1) {
      const started = performance.now();
      await one.send({ type: 'ADD', amount: 1 });
      times.push(performance.now() - started);
    }
    measured.sendMs.push(times.sort((a, b) => a - b)[Math.floor(sends / 2)] ?? 0);
    let started = performance.now();
    await Promise.all(many.flatMap((agent) => Array.from({ length: 20 }, () => agent.send({ type: 'ADD', amount: 1 }))));
    measured.eventsPerSecond.push((agents * 20_000) / (performance.now() - started));
    started = performance.now();
    let left = workflows;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        made += 1;
        const agent = await runtime.spawn('steps', { id: `w-${String(made)}` });
        if ((await agent.result()) !== stepCount) throw new Error('a workflow ended wrongly');
      }
    };
    await Promise.all(Array.from({ length: 64 }, lane));
    measured.workflowsPerSecond.push((workflows * 1_000) / (performance.now() - started));
    const { user, system } = process.cpuUsage(used);
    measured.processorMs.push((user + system) / 1_000);
  };
  const end = async (): Promise<Measured> => {
    await runtime.close();
    return { ...measured, bytes: statSync(path).size };
  };
  return { measured, round, end };
}

const plain = await contender('plain', false);
const sealed = await contender('encrypted', true);
const contenders = [plain, sealed];
for (const { round } of contenders) await round(); // warm-up
for (const { measured } of contenders) for (const figures of Object.values(measured)) figures.length = 0;
for (let index = 0; index < rounds; index += 1) {
  for (let place = 0; place < contenders.length; place += 1) await contenders[(index + place) % contenders.length]?.round();
}
answer({ plain: await plain.end(), encrypted: await sealed.end() } satisfies Figures);
