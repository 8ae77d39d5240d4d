/** A supervisor's work: one agent brought back, siblings of one that crashes all the time, and a large group started and restarted. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createActor } from 'xstate';
import { fragile } from '../machines.js';
import { createRuntime, sqlite, supervisor } from '../statewarden.js';
import { answer, parameters } from './parameters.js';

export interface Parameters {
  readonly folder: string;
  readonly restarts: number;
  readonly siblings: number;
  readonly rounds: number;
  readonly groups: readonly number[];
}

export interface Figures {
  /** Microseconds. */
  readonly xstateStart: readonly number[];
  readonly recovery: readonly number[];
  /** From the failure to the agent being up again, durably: milliseconds. */
  readonly wholeRestart: readonly number[];
  /** Events per second of the siblings, in turns. */
  readonly quiet: readonly number[];
  readonly beside: readonly number[];
  /** So many of either in a turn. */
  readonly each: number;
  readonly crashes: number;
  /** Milliseconds, for each of `groups`. */
  readonly start: readonly number[];
  readonly oneForAll: readonly number[];
}

const { folder, restarts, siblings, rounds, groups } = parameters<Parameters>();
const each = 4;
const agents = { fragile: { machine: fragile, version: 1 } } as const;
let opened = 0;
const open = (maxDeliveries: number) => {
  opened += 1;
  const place = join(folder, String(opened));
  mkdirSync(place);
  return createRuntime({ store: sqlite(join(place, 'agents.db')), agents, limits: { residentAgents: 1_000_000, maxDeliveries } });
};
const worker = (id: string) => ({ id, kind: 'fragile' as const });

async function restart(): Promise<Pick<Figures, 'xstateStart' | 'recovery' | 'wholeRestart'>> {
  const runtime = await open(1);
  await runtime.supervise(supervisor({ id: 'team', children: [worker('a')] }));
  const agent = runtime.agent<'fragile'>('a');
  const recovery: number[] = [];
  const wholeRestart: number[] = [];
  const xstateStart: number[] = [];
  const snapshot = createActor(fragile).start().getPersistedSnapshot();
  let failedAt = 0;
  let back: () => void = () => undefined;
  runtime.events$.subscribe((event) => {
    if (event.type === 'failed') failedAt = performance.now();
    else if (event.type === 'recovery') recovery.push(event.durationMs * 1_000);
    else if (event.type === 'restarted') {
      wholeRestart.push(performance.now() - failedAt);
      back();
    }
  });
  for (let index = 0; index < restarts; index += 1) {
    const up = new Promise<void>((resolve) => (back = resolve));
    await agent.send({ type: 'FAIL' }).catch(() => undefined);
    await up;
    // In turns, in the same process and as cold.
    const started = performance.now();
    createActor(fragile, { snapshot }).start();
    xstateStart.push((performance.now() - started) * 1_000);
  }
  await runtime.close();
  return { xstateStart, recovery, wholeRestart };
}

async function beside(): Promise<Pick<Figures, 'quiet' | 'beside' | 'each' | 'crashes'>> {
  const runtime = await open(3);
  const ids = Array.from({ length: siblings }, (_, index) => `s${String(index)}`);
  // At its limit: a hundred restarts in ten seconds, one every hundred milliseconds.
  const team = await runtime.supervise(
    supervisor({
      id: 'team',
      intensity: 100,
      periodMs: 10_000,
      delay: { initialMs: 105, maximumMs: 105, jitter: 'none' },
      children: ids.map(worker),
    }),
  );
  const references = ids.map((id) => runtime.agent<'fragile'>(id));
  const round = async (): Promise<number> => {
    const started = performance.now();
    for (let time = 0; time < 10; time += 1) {
      await Promise.all(references.map((agent) => agent.send({ type: 'ADD', amount: 1 })));
    }
    return (siblings * 10) / ((performance.now() - started) / 1_000);
  };
  for (let warm = 0; warm < 10; warm += 1) await round();
  const quiet: number[] = [];
  const looping: number[] = [];
  const before = await restartsOf(team, 'loop');
  const loop = await team.spawn('fragile', { id: 'loop' });
  await loop.send({ type: 'LOOP' });
  for (let index = 0; index < rounds; index += 1) {
    await team.terminate('loop');
    for (let time = 0; time < each; time += 1) quiet.push(await round());
    await team.restart('loop');
    for (let time = 0; time < each; time += 1) looping.push(await round());
  }
  const crashes = (await restartsOf(team, 'loop')) - before;
  await runtime.close({ graceMs: 0 });
  return { quiet, beside: looping, each, crashes };
}

async function restartsOf(team: { which(): Promise<readonly { id: string; restarts: number }[]> }, id: string): Promise<number> {
  return (await team.which()).find((child) => child.id === id)?.restarts ?? 0;
}

async function group(size: number): Promise<{ start: number; oneForAll: number }> {
  const runtime = await open(1);
  const children = Array.from({ length: size }, (_, index) => worker(`c${String(index)}`));
  let started = performance.now();
  const team = await runtime.supervise(supervisor({ id: 'team', strategy: 'one-for-all', intensity: 10, children }));
  const start = performance.now() - started;
  started = performance.now();
  let again = 0;
  const all = new Promise<void>((resolve) => {
    runtime.events$.subscribe((event) => {
      if (event.type !== 'restarted') return;
      again += 1;
      if (again === size) resolve();
    });
  });
  await runtime
    .agent<'fragile'>(`c${String(size >> 1)}`)
    .send({ type: 'FAIL' })
    .catch(() => undefined);
  await all;
  const oneForAll = performance.now() - started;
  if ((await team.count()).active !== size) throw new Error('not all children are up');
  await runtime.close();
  return { start, oneForAll };
}

const one = await restart();
const many = await beside();
const start: number[] = [];
const oneForAll: number[] = [];
for (const size of groups) {
  const figures = await group(size);
  start.push(figures.start);
  oneForAll.push(figures.oneForAll);
}
answer({ ...one, ...many, start, oneForAll } satisfies Figures);
