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

const folder = join(repository, 'bench', 'breakers');

export function readResults(): Results | undefined {
  const file = join(folder, 'results.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined;
}

interface Table {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly text: string;
}

function tables({ scenarios: played, micro }: Results, policies: readonly Policy[]): Table[] {
  const found = scenarios.flatMap((scenario): Table[] => {
    const kept = played[scenario.id];
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
    const about = `${scenario.about} Seeds ${spell(kept.seeds)}: median (least–most).`;
    return [{ id: scenario.id, title: scenario.title, about, text: scenarioTable(scenario, outcome) }];
  });
  if (micro !== undefined) {
    found.push({
      id: 'micro',
      title: 'What a breaker costs',
      about: 'Contenders take turns in one process; medians.',
      text: microTable(micro),
    });
  }
  return found;
}

/** As a run prints them. */
export function keptTables(policies: readonly Policy[]): string {
  const results = readResults();
  if (results === undefined) return 'nothing was kept yet: npm run bench:breakers';
  return tables(results, policies)
    .map(({ title, about, text }) => `${title}\n${about}\n\n${text}`)
    .join('\n\n');
}

/** The page of tables and pictures. */
export function keptPage(policies: readonly Policy[]): string {
  const results = readResults();
  const sections = (results === undefined ? [] : tables(results, policies)).map(({ id, title, about, text }) => {
    const picture = existsSync(join(folder, 'pictures', `${id}.svg`)) ? `![${title}](pictures/${id}.svg)\n\n` : '';
    return `## ${title}\n\n${about}\n\n${picture}\`\`\`\n${text}\n\`\`\`\n`;
  });
  return `# Tables and pictures\n\nWritten by \`npm run bench:breakers\` from results.json; what the world is, is said in the [README](README.md). Pictures are of the first seed.\n\n${sections.join('\n')}`;
}
