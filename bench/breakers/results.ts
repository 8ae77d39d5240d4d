/** What was kept of runs with the seeds of the report: bench/breakers/results.json. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { microTable, type Micro } from './micro.js';
import { repository } from './policies/peers.js';
import type { Policy } from './policies/policy.js';
import { scenarioTable, spell, type Outcome } from './report.js';
import { scenarios } from './scenarios/all.js';

export interface Results {
  readonly scenarios: Readonly<
    Record<
      string,
      {
        readonly measuredAt: string;
        readonly seeds: readonly number[];
        /** By policy and column, one for each seed; null is `never`. */
        readonly policies: Readonly<Record<string, Readonly<Record<string, readonly (number | null)[]>>>>;
      }
    >
  >;
  readonly micro?: Micro & { readonly measuredAt: string };
}

export function readResults(): Results | undefined {
  const file = join(repository, 'bench', 'breakers', 'results.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined;
}

/** As a run prints them. */
export function keptTables(policies: readonly Policy[]): string {
  const results = readResults();
  if (results === undefined) return 'nothing was kept yet: npm run bench:breakers';
  const tables = scenarios.flatMap((scenario) => {
    const kept = results.scenarios[scenario.id];
    if (kept === undefined) return [];
    const outcome: Outcome = new Map(
      policies.flatMap(({ id, title }) => {
        const columns = kept.policies[id];
        if (columns === undefined) return [];
        const figures = kept.seeds.map((_, index) =>
          Object.fromEntries(scenario.columns.map(({ name }) => [name, columns[name]?.[index] ?? undefined])),
        );
        return [[id, { title, figures }] as const];
      }),
    );
    return [`${scenario.title}\nSeeds ${spell(kept.seeds)}: median (least–most).\n\n${scenarioTable(scenario, outcome)}`];
  });
  if (results.micro !== undefined) tables.push(`What a breaker costs\n${microTable(results.micro)}`);
  return tables.join('\n\n');
}
