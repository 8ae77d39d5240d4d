/**
 * Runs scenarios through every way of coming back: a store in memory or a file, closed in good order, cut off by a failed store, or left
 * behind by a process that was killed with SIGKILL; with a checkpoint at every turn, and with as few as the rules allow.
 */

import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRuntime, memory, RuntimeClosedError, type CheckpointPolicy, type Runtime, type Store } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { faultyStore } from 'statewarden/testing';
import { World, type Scenario } from './world.js';

/** When the first life of every scenario begins. */
export const epoch = 1_700_000_000_000;

const few: CheckpointPolicy = { everyEvents: 1_000_000, everyBytes: 2 ** 40, everyMs: 2 ** 40 };

export function open(store: Store, scenario: Scenario, world: World, checkpoints: CheckpointPolicy = few): Promise<Runtime> {
  return createRuntime({
    store,
    agents: scenario.agents(world),
    clock: world.clock,
    checkpoints,
    node: { leaseMs: 3_000 },
  }) as Promise<Runtime>;
}

interface Way {
  readonly name: string;
  readonly checkpoints: CheckpointPolicy;
  readonly store: (folder: string) => Store;
  readonly crash: boolean;
}

const ways: readonly Way[] = [
  { name: 'closed and opened again, in memory', checkpoints: few, store: () => memory(), crash: false },
  { name: 'closed and opened again, in a file', checkpoints: few, store: (folder) => sqlite(join(folder, 'agents.db')), crash: false },
  { name: 'cut off and opened again', checkpoints: few, store: () => memory(), crash: true },
  { name: 'cut off and opened again, with a checkpoint at every turn', checkpoints: 'every-turn', store: () => memory(), crash: true },
];

/** The same on a store of any other kind, which `made` makes anew for each: closed in good order, and cut off. Its leases go by the clock that it is opened with. */
export function recoversOn(made: () => Store | Promise<Store>, scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    for (const crash of [false, true]) {
      it(`${scenario.name} (${crash ? 'cut off' : 'closed'} and opened again)`, () =>
        inFolder(async (folder) => {
          const store = await made();
          await twoLives(scenario, { name: '', checkpoints: few, store: () => store, crash }, folder);
        }));
    }
  }
}

/** Describes all ways for all scenarios of `scenarios/NAME.ts`. */
export function recovers(file: string, scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    for (const way of ways) it(`${scenario.name} (${way.name})`, () => inFolder((folder) => twoLives(scenario, way, folder)));
  }
  describe('after a kill -9', () => {
    let folder: string;
    let ended: readonly number[];
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
      ended = await killedIn(file, folder);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));
    for (const [index, scenario] of scenarios.entries()) {
      it(scenario.name, async () => {
        const store = faultyStore(sqlite(join(folder, `${String(index)}.db`)));
        const world = new World(join(folder, `${String(index)}.log`), store, 2, (ended[index] as number) + (scenario.downMs ?? 1_000));
        await using runtime = await open(store, scenario, world);
        await scenario.after(runtime, world);
        await runtime.close({ graceMs: 0 });
      });
    }
  });
}

async function twoLives(scenario: Scenario, way: Way, folder: string): Promise<void> {
  const log = join(folder, 'outside.log');
  writeFileSync(log, '');
  const store = faultyStore(way.store(folder));
  const first = new World(log, store, 1, epoch);
  {
    const runtime = await open(store, scenario, first, way.checkpoints);
    await scenario.before(runtime, first);
    if (way.crash) store.decide(() => ({ fault: 'poison' }));
    await runtime.close({ graceMs: 0 });
    store.decide(undefined);
  }
  const second = new World(log, store, 2, first.clock.now() + (scenario.downMs ?? 1_000));
  const runtime = await open(store, scenario, second, way.checkpoints);
  try {
    await scenario.after(runtime, second);
    await assertPast(runtime, second);
  } finally {
    await runtime.close({ graceMs: 0 });
  }
}

/** The past of each agent, run again from its journal, comes to what its checkpoint has, and nothing outside hears of it. */
async function assertPast(runtime: Runtime, world: World): Promise<void> {
  const before = world.happened().length;
  const agents = await runtime.store.list({ limit: 1_000 }).catch((error: unknown) => {
    if (error instanceof RuntimeClosedError) return []; // by its scenario
    throw error;
  });
  for (const { id, sequenceNumber } of agents) {
    const { turns, exact } = await runtime.agent(id).history();
    expect(turns.length, `turns of ${id}`).to.be.at.least(sequenceNumber);
    expect(exact, `the past of ${id}`).to.not.equal(false);
  }
  expect(world.happened().length, 'what was done outside').to.equal(before);
}

/** Has the first lives of all scenarios in a process that is then killed. Resolves to the times at which they ended. */
async function killedIn(file: string, folder: string): Promise<readonly number[]> {
  const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [file, folder], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    return await new Promise<readonly number[]>((resolve, reject) => {
      child.once('message', (times) => resolve(times as readonly number[]));
      child.once('exit', (code) => reject(new Error(`the process ended by itself, with ${String(code)}`)));
    });
  } finally {
    await killed(child);
  }
}

function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
