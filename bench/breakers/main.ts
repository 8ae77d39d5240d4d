/**
 * `npm run bench:breakers`: plays the scenarios with every policy, each pair in a process of its own, prints a table for each, draws
 * a picture of ours in each, and writes bench/breakers/results.json when the run was a whole one.
 */

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endChildren, measure } from '../child.js';
import { installPeers } from '../peers.js';
import { Progress } from '../progress.js';
import { Workspace } from '../workspace.js';
import { abreast } from './abreast.js';
import { readFlags } from './flags.js';
import { measureMicro, microTable, type Micro } from './micro.js';
import { picture } from './picture.js';
import { contenders, ours } from './policies/contenders.js';
import { peerVersion, repository } from './policies/peers.js';
import type { Answer, Parameters } from './process.js';
import { type Outcome, scenarioTable, spell } from './report.js';
import { keptPage, keptTables, readResults } from './results.js';
import { scenarios } from './scenarios/all.js';
import type { Figures, Scenario } from './scenarios/scenario.js';
import type { Series } from './series.js';

const sources = join(repository, 'bench', 'breakers');
const perJobTimeoutMs = 1_800_000;
const startedAt = new Date();

const flags = readFlags();
const progress = new Progress();
await installPeers(join(repository, 'bench'), progress);
const policies = await contenders();
if (flags.tables) {
  process.stdout.write(`${keptTables(policies)}\n`);
  process.exit(0);
}
const chosen = flags.policies === undefined ? policies : policies.filter(({ id }) => flags.policies?.includes(id));
const workspace = new Workspace(repository);
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
    endChildren();
  });
}

const played = scenarios.filter(({ id }) => flags.only?.includes(id) ?? true);
const results = new Map<Scenario, Map<string, Answer>>();
const failures: string[] = [];
let micro: Micro | undefined;
try {
  const learned = await learn();
  const jobs = played.flatMap((scenario) =>
    chosen
      .filter(({ id }) => scenario.policies?.includes(id) ?? true)
      .map(({ id, title }) => async () => {
        if (interrupted) return;
        const parameters: Parameters = {
          scenario: scenario.id,
          policy: id,
          seeds: flags.seedsOf(scenario),
          series: id === flags.picture,
          ...(learned.get(id) === undefined ? {} : { learned: learned.get(id)! }),
        };
        await child(`${scenario.title}: ${title}`, parameters).then(
          (answer) => results.set(scenario, (results.get(scenario) ?? new Map<string, Answer>()).set(id, answer)),
          (error: unknown) => failures.push(`${scenario.id} with ${id}: ${error instanceof Error ? error.message : String(error)}`),
        );
      }),
  );
  await abreast(jobs, flags.abreast);
  if (flags.micro && !interrupted) micro = await measureMicro(progress, flags.quick);
} catch (error) {
  failures.push(error instanceof Error ? error.message : String(error));
} finally {
  workspace.remove();
}
if (interrupted) {
  process.stderr.write('interrupted: nothing was written\n');
  process.exit(130);
}

const measuredAt = startedAt.toISOString();
const report = {
  versions: { node: process.versions.node, opossum: peerVersion('opossum') ?? null, cockatiel: peerVersion('cockatiel') ?? null },
  scenarios: Object.fromEntries(
    played.map((scenario) => [
      scenario.id,
      {
        measuredAt,
        seeds: flags.seedsOf(scenario),
        policies: Object.fromEntries([...outcomeOf(scenario)].map(([id, { figures }]) => [id, byColumn(scenario, figures)])),
      },
    ]),
  ),
  ...(micro === undefined ? {} : { micro: { measuredAt, ...micro } }),
};
/** With the seeds of the report and no failure: what was measured takes the place of what was before. */
const kept = flags.whole && failures.length === 0;
draw();
if (kept) keep();
if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
else print();
process.exitCode = failures.length === 0 ? 0 : 1;

/** Of each scenario the policies that were played; the others stay. */
function keep(): void {
  const before = readResults();
  const kept = Object.entries(report.scenarios).map(([id, scenario]) => {
    const policies = { ...before?.scenarios[id]?.policies, ...scenario.policies };
    return [id, { ...scenario, policies }] as const;
  });
  const after = { ...before, ...report, scenarios: { ...before?.scenarios, ...Object.fromEntries(kept) } };
  const file = join(sources, 'results.json');
  writeFileSync(`${file}.tmp`, `${JSON.stringify(after, undefined, 2)}\n`);
  renameSync(`${file}.tmp`, file);
  writeFileSync(join(sources, 'TABLES.md'), keptPage(policies));
}

/** One learning week per seed, for the policies that learn: files by seed. */
async function learn(): Promise<Map<string, Record<number, string>>> {
  const seeds = [...new Set(played.flatMap((scenario) => flags.seedsOf(scenario)))];
  const learned = new Map<string, Record<number, string>>();
  const jobs: (() => Promise<void>)[] = [];
  for (const { id, title, learns } of chosen) {
    if (learns !== true) continue;
    const files = Object.fromEntries(seeds.map((seed) => [seed, join(workspace.path, `${id}-${String(seed)}.json`)]));
    learned.set(id, files);
    for (const seed of seeds) {
      const parameters: Parameters = { scenario: '', policy: id, seeds: [seed], learnInto: files };
      jobs.push(async () => void (interrupted || (await child(`learning week ${String(seed)}: ${title}`, parameters))));
    }
  }
  await abreast(jobs, flags.abreast);
  return learned;
}

function child(stage: string, parameters: Parameters): Promise<Answer> {
  const run = (): Promise<Answer> =>
    measure<Answer>({ script: join(import.meta.dirname, 'process.js'), parameters, timeoutMs: perJobTimeoutMs });
  return progress.during(stage, run);
}

/** In the order of the contenders. */
function outcomeOf(scenario: Scenario): Outcome {
  const answers = results.get(scenario);
  return new Map(
    policies.flatMap(({ id, title }) => {
      const answer = answers?.get(id);
      return answer === undefined ? [] : [[id, { title, figures: answer.figures }] as const];
    }),
  );
}

function byColumn(scenario: Scenario, figures: readonly Figures[]): Record<string, (number | null)[]> {
  const rounded = (figure: number | undefined): number | null => (figure === undefined ? null : Number(figure.toPrecision(6)));
  return Object.fromEntries(scenario.columns.map(({ name }) => [name, figures.map((each) => rounded(each[name]))]));
}

function draw(): void {
  const drawn: [Scenario, Series][] = [];
  for (const [scenario, answers] of results) {
    const series = answers.get(flags.picture)?.series;
    if (series !== undefined) drawn.push([scenario, series]);
  }
  if (drawn.length === 0) return;
  // Those of a whole run are kept; others are looked at.
  const folder = kept && flags.picture === ours ? join(sources, 'pictures') : join(repository, '.build', 'pictures');
  mkdirSync(folder, { recursive: true });
  const title = policies.find(({ id }) => id === flags.picture)?.title ?? flags.picture;
  for (const [scenario, series] of drawn) {
    writeFileSync(join(folder, `${scenario.id}.svg`), picture(scenario, title, flags.seedsOf(scenario)[0] ?? 0, series));
  }
}

function print(): void {
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  for (const scenario of played) {
    out(`\n${scenario.title}\n${scenario.about}\nSeeds ${spell(flags.seedsOf(scenario))}: median (least–most).\n`);
    out(scenarioTable(scenario, outcomeOf(scenario)));
  }
  if (micro !== undefined) out(`\nWhat a breaker costs\n${microTable(micro)}`);
  for (const failure of failures) out(`\nFAILED: ${failure}`);
  out(
    `\nIn ${progress.elapsed}; ${kept ? 'written to bench/breakers/results.json' : 'not the seeds of the report, or not all policies: results.json was left as it is'}`,
  );
}
