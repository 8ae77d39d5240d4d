/**
 * `npm run bench:takeover`: two processes on one store with the default lease; one is killed or told to stop, again and again, and a witness outside measures when each of its agents is run by the other, and whether any is ever run by both.
 * Prints a table and writes bench/takeover-results.json. Ends with 1 when a limit is missed.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FirestoreEmulator, newProject } from '../test/cloud/firestore-emulator.js';
import { SpannerEmulator } from '../test/cloud-stores/spanner-emulator.js';
import { startLaborer, type Place } from '../test/cluster/laborer.js';
import { Witness } from '../test/cluster/witness.js';
import { machineFacts, versions } from './machine-facts.js';
import { Progress } from './progress.js';
import { percentile, round } from './statistics.js';
import { Workspace } from './workspace.js';

const stores = ['sqlite', 'firestore', 'spanner'] as const;
type StoreName = (typeof stores)[number];
const usage = `npm run bench:takeover -- [--only sqlite,firestore,spanner] [--agents 200] [--rounds 3] [--json]

  --only    some of the stores; each cloud store is Google's emulator
  --agents  how many, on both processes together; by default 200, and on Spanner 60, because its emulator takes one transaction at a time
  --rounds  how often a process is killed, and how often one is told to stop, on each store
  --json    prints the results as one JSON object instead of the table
`;

/** After a `kill -9`, p99; and after SIGTERM, p99. */
const limits = { killedMs: 5_000, stoppedMs: 1_000 };
const workMs = 20;
const restMs = 500;
const fleets: Readonly<Record<StoreName, number>> = { sqlite: 200, firestore: 200, spanner: 60 };
const patienceMs = 60_000;

interface Spread {
  readonly agents: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Result {
  readonly killed: Spread;
  readonly stopped: Spread;
  /** Of a signal to stop, until the process has ended. */
  readonly closedMs: number;
  readonly pieces: number;
  readonly faults: readonly string[];
  readonly met: boolean;
}

const flags = readFlags();
const repository = resolve(import.meta.dirname, '../..');
const workspace = new Workspace(repository);
const progress = new Progress();
const children = new Set<ChildProcess>();
const startedAt = new Date();

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + patienceMs; !holds();) {
    if (performance.now() > end) throw new Error(`not within ${String(patienceMs / 1_000)} s: ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

function spreadOf(times: readonly number[]): Spread {
  return { agents: times.length, p50: round(percentile(times, 0.5)), p99: round(percentile(times, 0.99)), max: round(Math.max(...times)) };
}

/** One round on a store that is new, because emulators have no indexes and are the slower the more there is: two nodes make half of the agents each, and one of them goes. */
async function takeOver(place: Place, how: 'killed' | 'stopped', seen: Seen): Promise<void> {
  const fleet = flags.agents ?? fleets[place.store];
  const witness = await Witness.start();
  const start = (name: string, agents: readonly string[]): Promise<ChildProcess> =>
    startLaborer({ place, name, witness: witness.port, agents, workMs, restMs }, (child) => {
      children.add(child);
      child.once('exit', () => children.delete(child));
    });
  try {
    // Half of them each: a store that is kept busy by one alone leaves hardly any at rest to be handed over.
    const half = (name: string): string[] => Array.from({ length: fleet / 2 }, (_, index) => `${name}/${String(index)}`);
    const [one] = await Promise.all([start('one', half('one')), start('other', half('other'))]);
    await until('both have their share', () => ['one', 'other'].every((name) => witness.of(name).length >= fleet / 3));
    await new Promise((wake) => setTimeout(wake, 1_000));
    const mine = witness.of('one');
    const exit = once(one, 'exit');
    const at = witness.now();
    one.kill(how === 'killed' ? 'SIGKILL' : 'SIGTERM');
    if (how === 'killed') witness.died('one');
    else void exit.then(() => seen.closed.push(witness.now() - at));
    const elsewhere = (): readonly number[] => witness.elsewhere(mine, 'one', at);
    await until(`all of the ${String(mine.length)} agents are run elsewhere`, () => elsewhere().length === mine.length);
    seen[how].push(...elsewhere().map((time) => time - at));
    await exit;
    seen.pieces += [...witness.pieces.values()].reduce((sum, all) => sum + all.length, 0);
    seen.faults.push(...witness.faults());
  } finally {
    await Promise.all([...children].map((child) => (child.kill('SIGKILL'), once(child, 'exit'))));
    witness.stop();
  }
}

interface Seen {
  readonly killed: number[];
  readonly stopped: number[];
  readonly closed: number[];
  readonly faults: string[];
  pieces: number;
}

async function measure(place: (nth: number) => Place | Promise<Place>): Promise<Result> {
  const seen: Seen = { killed: [], stopped: [], closed: [], faults: [], pieces: 0 };
  for (let nth = 0; nth < 2 * flags.rounds; nth += 1) await takeOver(await place(nth), nth % 2 === 0 ? 'killed' : 'stopped', seen);
  const [killed, stopped] = [spreadOf(seen.killed), spreadOf(seen.stopped)];
  const met = killed.p99 <= limits.killedMs && stopped.p99 <= limits.stoppedMs && seen.faults.length === 0;
  return { killed, stopped, closedMs: round(Math.max(...seen.closed)), pieces: seen.pieces, faults: seen.faults, met };
}

async function on(store: StoreName): Promise<Result> {
  if (store === 'sqlite')
    return workspace.within((folder) => measure((nth) => ({ store, path: join(folder, `agents-${String(nth)}.db`) })));
  if (store === 'firestore') {
    const emulator = await FirestoreEmulator.start();
    try {
      return await measure(() => ({ store, project: newProject(), emulator: emulator.host }));
    } finally {
      await emulator.stop();
    }
  }
  const emulator = await SpannerEmulator.start();
  try {
    return await measure(async () => {
      const { project, instance, database } = await emulator.database();
      return { store, project, instance, database, port: emulator.port };
    });
  } finally {
    await emulator.stop();
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of children) child.kill('SIGKILL');
    workspace.remove();
    process.exit(130);
  });
}

const results: Partial<Record<StoreName, Result>> = {};
const failures: Partial<Record<StoreName, string>> = {};
try {
  for (const store of flags.only) {
    try {
      results[store] = await progress.during(store, () => on(store));
    } catch (error) {
      failures[store] = error instanceof Error ? error.message : String(error);
    }
  }
} finally {
  workspace.remove();
}

const report = {
  measuredAt: startedAt.toISOString(),
  complete: flags.only.length === stores.length && Object.keys(failures).length === 0,
  settings: { agents: flags.agents ?? fleets, rounds: flags.rounds, workMs, restMs, leaseMs: 'default', limits },
  machine: machineFacts(repository),
  loadAverage: loadavg().map((load) => round(load)),
  versions: versions(repository, join(repository, 'bench')),
  ...results,
  ...(Object.keys(failures).length === 0 ? {} : { failures }),
};
const file = join(repository, 'bench', 'takeover-results.json');
writeFileSync(`${file}.tmp`, `${JSON.stringify(report, undefined, 2)}\n`);
renameSync(`${file}.tmp`, file);
if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
else print();
process.exit(Object.keys(failures).length === 0 && Object.values(results).every(({ met }) => met) ? 0 : 1);

function print(): void {
  const out = (cells: readonly string[]): void =>
    void process.stdout.write(`${cells.map((cell, index) => (index === 0 ? cell.padEnd(10) : cell.padStart(12))).join('')}\n`);
  process.stdout.write(`\nfrom the signal until an agent is run by the other process, in ms, with the default lease\n\n`);
  out(['', 'after', 'agents', 'p50', 'p99', 'max', 'limit (p99)', 'run by both', '']);
  for (const [store, { killed, stopped, faults }] of Object.entries(results)) {
    const row = (how: string, { agents, p50, p99, max }: Spread, limit: number): void => {
      const cells = [agents, p50, p99, max].map((figure) => String(Math.round(figure)));
      out([store, how, ...cells, String(limit), String(faults.length), p99 <= limit && faults.length === 0 ? 'met' : 'NOT MET']);
    };
    row('kill -9', killed, limits.killedMs);
    row('SIGTERM', stopped, limits.stoppedMs);
    for (const fault of faults.slice(0, 3)) process.stdout.write(`  ${fault}\n`);
  }
  for (const [store, reason] of Object.entries(failures)) process.stdout.write(`\n${store} FAILED: ${reason}\n`);
  process.stdout.write(`\nin ${progress.elapsed}; written to bench/takeover-results.json\n`);
}

function readFlags(): { only: readonly StoreName[]; agents: number | undefined; rounds: number; json: boolean } {
  const options = {
    only: { type: 'string', default: stores.join(',') },
    agents: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const only = values.only.split(',').map((name) => {
      const store = stores.find((known) => known === name.trim());
      if (store === undefined) throw new Error(`there is no store ${name}`);
      return store;
    });
    const [agents, rounds] = [values.agents === undefined ? undefined : Number(values.agents), Number(values.rounds)];
    if (!((agents ?? 2) >= 2 && rounds >= 1)) throw new Error('--agents is at least 2, --rounds at least 1');
    return { only, agents, rounds, json: values.json };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}
