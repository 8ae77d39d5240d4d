/**
 * `npm run bench`: measures the workloads of the architecture, each in fresh processes beside its limit and its peers, prints a table
 * and writes bench/results.json. Everything is measured in this one run; a peer that could not run is told as such.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endChildren } from './child.js';
import { machineFacts, versions } from './machine-facts.js';
import { installPeers } from './peers.js';
import { Progress } from './progress.js';
import { table } from './table.js';
import { Context, type Figure, type Outcome, type Workload } from './workload.js';
import { bytes } from './workloads/bytes.js';
import { encryption } from './workloads/encryption.js';
import { ledger } from './workloads/ledger.js';
import { memory } from './workloads/memory.js';
import { supervision } from './workloads/supervision.js';
import { w1 } from './workloads/w1.js';
import { w2 } from './workloads/w2.js';
import { w3 } from './workloads/w3.js';
import { w4 } from './workloads/w4.js';
import { Workspace } from './workspace.js';

const workloads: readonly Workload[] = [w1, w2, w3, w4, supervision, bytes, memory, ledger, encryption];
const usage = `npm run bench -- [--only w1,w3] [--quick] [--no-peers] [--json]

  --only       some of: ${workloads.map(({ id }) => id).join(', ')}
  --quick      fewer repetitions and smaller sizes: under a minute, figures only indicative
  --no-peers   without LangGraph.js and Restate (nothing is installed)
  --json       prints the results as one JSON object instead of the table
`;

const repository = resolve(import.meta.dirname, '../..');
const sources = join(repository, 'bench');
const startedAt = new Date();

const flags = readFlags();
const chosen = flags.only === undefined ? workloads : workloads.filter(({ id }) => flags.only?.includes(id));
const progress = new Progress();
if (flags.peers && chosen.includes(w3)) await installPeers(sources, progress);

const workspace = new Workspace(repository);
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
    endChildren();
  });
}

const context = new Context({ workspace, progress, quick: flags.quick, peers: flags.peers, compiled: import.meta.dirname, sources });
const outcomes: Record<string, Outcome> = {};
const failures: Record<string, string> = {};
const machine = machineFacts(workspace.path);
try {
  for (const workload of chosen) {
    if (interrupted) break;
    try {
      outcomes[workload.id] = await workload.run(context);
    } catch (error) {
      failures[workload.id] = error instanceof Error ? error.message : String(error);
    }
  }
} finally {
  workspace.remove();
}
if (interrupted) {
  process.stderr.write('interrupted: nothing was written\n');
  process.exit(130);
}

const complete = chosen.length === workloads.length && flags.peers && !flags.quick && Object.keys(failures).length === 0;
const results: Record<string, Figure> = {
  measuredAt: startedAt.toISOString(),
  complete,
  settings: { quick: flags.quick, peers: flags.peers, workloads: chosen.map(({ id }) => id), synchronous: 'FULL' },
  machine,
  versions: versions(repository, sources),
  ...Object.fromEntries(Object.entries(outcomes).map(([id, { figures }]) => [id, figures])),
  ...(Object.keys(failures).length === 0 ? {} : { failures }),
};
const file = join(sources, 'results.json');
writeFileSync(`${file}.tmp`, `${JSON.stringify(results, undefined, 2)}\n`);
renameSync(`${file}.tmp`, file);

if (flags.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else print();
process.exitCode = Object.keys(failures).length === 0 ? 0 : 1;

function print(): void {
  const rows = Object.values(outcomes).flatMap((outcome) => outcome.rows);
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  out('');
  out(
    `${String(machine['cpu'])}, ${String(machine['cores'])} cores, ${String(machine['fileSystem'])}, Node ${process.versions.node}; medians; durable means synchronous=FULL`,
  );
  if (flags.quick) out('A quick run: sizes and repetitions are small, the figures only indicative.');
  out('');
  if (rows.length > 0) out(table(rows));
  const notes = Object.values(outcomes).flatMap((outcome) => outcome.notes ?? []);
  if (notes.length > 0) out(`\n${notes.join('\n')}`);
  for (const [id, reason] of Object.entries(failures)) out(`\n${id} FAILED: ${reason}`);
  const judged = rows.filter((row) => row.met !== undefined);
  out(
    `\n${String(judged.filter((row) => row.met).length)} of ${String(judged.length)} goals met, in ${progress.elapsed}; written to bench/results.json`,
  );
}

function readFlags(): { only: readonly string[] | undefined; quick: boolean; peers: boolean; json: boolean } {
  const known = {
    only: { type: 'string' },
    quick: { type: 'boolean' },
    'no-peers': { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({ options: known });
    if (values.help === true) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const only = values.only?.split(',').map((id) => id.trim().toLowerCase());
    const wrong = only?.filter((id) => !workloads.some((workload) => workload.id === id)) ?? [];
    if (wrong.length > 0) throw new Error(`there is no workload ${wrong.join(', ')}`);
    return { only, quick: values.quick === true, peers: values['no-peers'] !== true, json: values.json === true };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}
