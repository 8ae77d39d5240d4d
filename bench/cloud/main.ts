/**
 * `npm run bench:cloud`: what a durable event costs in calls to Firestore and Spanner, counted at the wire before Google's emulators, which it starts and ends itself. Prints a table and writes bench/cloud-results.json; a store whose emulator is not on this machine is told as skipped. Ends with 1 when a limit is not reached, or nothing could be measured.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { endChildren } from '../child.js';
import { machineFacts, ownVersions } from '../machine-facts.js';
import { Progress } from '../progress.js';
import { table } from '../table.js';
import { readFlags } from './flags.js';
import { limits, measureStore, type Measured, type Sizes } from './measurement.js';
import { notesOf, rowsOf } from './report.js';
import type { CloudStore } from './servers.js';

const repository = resolve(import.meta.dirname, '../../..');
const startedAt = new Date();
const flags = readFlags();
const progress = new Progress();

// Before a server is started. Whatever runs ends with this process.
process.once('exit', endChildren);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    process.stderr.write('interrupted: nothing was written\n');
    process.exit(code);
  });
}

const sizes: Sizes = flags.quick
  ? { agents: 200, warmMs: 1_500, idleMs: 2_000, loneMs: 1_000, loadMs: 3_000, rawMs: 800 }
  : { agents: 200, warmMs: 4_000, idleMs: 3_000, loneMs: 3_000, loadMs: 10_000, rawMs: 2_500 };
const measured = new Map<CloudStore, Measured[]>();
const skipped: Record<string, string> = {};
const failures: Record<string, string> = {};

for (const store of flags.stores) {
  if (typeof store.found === 'string') {
    skipped[store.id] = store.found;
    continue;
  }
  try {
    await measureAll(store);
  } catch (error) {
    failures[store.id] = error instanceof Error ? error.message : String(error);
  }
}

async function measureAll(store: CloudStore): Promise<void> {
  const server = await progress.during(`${store.title}: starting its emulator`, () => store.start());
  try {
    for (const latencyMs of flags.latenciesMs) {
      const stage = `${store.title}, ${String(latencyMs)} ms added to each call`;
      const figures = await progress.during(stage, () => measureStore(store, server, latencyMs, sizes));
      measured.set(store, [...(measured.get(store) ?? []), figures]);
    }
  } finally {
    await server.stop();
  }
}

const all = [...measured.values()].flat();
const isReached = all.every(({ met }) => met.roundTripsPerGroup && met.eventsPerGroup);
const results = {
  measuredAt: startedAt.toISOString(),
  complete: flags.whole && measured.size === flags.stores.length && Object.keys(failures).length === 0,
  settings: { ...sizes, quick: flags.quick, latenciesMs: flags.latenciesMs, limits, server: 'emulator on the same machine' },
  machine: machineFacts(repository),
  versions: {
    ...ownVersions(repository, ['xstate', '@google-cloud/firestore', '@google-cloud/spanner', '@grpc/grpc-js']),
    ...Object.fromEntries([...measured.keys()].map(({ id, found }) => [`${id} emulator`, typeof found === 'string' ? '' : found.version])),
  },
  ...Object.fromEntries([...measured].map(([{ id }, figures]) => [id, figures])),
  ...(Object.keys(skipped).length === 0 ? {} : { skipped }),
  ...(Object.keys(failures).length === 0 ? {} : { failures }),
};
if (all.length > 0) {
  const file = join(repository, 'bench', 'cloud-results.json');
  writeFileSync(`${file}.tmp`, `${JSON.stringify(results, undefined, 2)}\n`);
  renameSync(`${file}.tmp`, file);
}
if (flags.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else print();
process.exit(all.length > 0 && isReached && Object.keys(failures).length === 0 ? 0 : 1);

function print(): void {
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  const { machine } = results;
  const rows = [...measured].flatMap(([{ title }, figures]) => figures.flatMap((one) => rowsOf(title, sizes.agents, one)));
  out(`\n${String(machine['cpu'])}, ${String(machine['cores'])} cores, Node ${process.versions.node}; emulators on the same machine`);
  if (flags.quick) out('A quick run: the figures are only indicative.');
  if (rows.length > 0) out(`\n${table(rows)}`);
  for (const [{ title }, figures] of measured) out(`\n${figures.flatMap((one) => notesOf(title, one)).join('\n')}`);
  for (const [id, reason] of Object.entries(skipped)) out(`\n${id} skipped: ${reason}`);
  for (const [id, reason] of Object.entries(failures)) out(`\n${id} FAILED: ${reason}`);
  const judged = rows.filter(({ met }) => met !== undefined);
  out(
    all.length === 0
      ? '\nNothing was measured; nothing was written.'
      : `\n${String(judged.filter(({ met }) => met).length)} of ${String(judged.length)} limits reached, in ${progress.elapsed}; written to bench/cloud-results.json`,
  );
}
