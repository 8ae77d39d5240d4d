/** The command line of `npm run bench:breakers`. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { contenderIds, ours } from './policies/contenders.js';
import { scenarios } from './scenarios/all.js';
import { normalWeek } from './scenarios/normal-week.js';
import type { Scenario } from './scenarios/scenario.js';

/** Seeds 1 to 10 are for tuning; nothing was ever tuned to these. */
const reportSeeds = [101, 102, 103, 104, 105];
/** A week is 3.3 million calls, and there are nine policies. */
const weekSeeds = 3;

const microId = 'micro';
const known = [...scenarios.map(({ id }) => id), microId];

const usage = `npm run bench:breakers -- [--only normal-week,hard-outage] [--policy opossum,oracle] [--seeds 1,2,5-7] [--quick] [--json]

  --only      some of: ${known.join(', ')}
  --policy    some of: ${contenderIds.join(', ')}
  --seeds     default 101-105, of which the normal week takes the first ${String(weekSeeds)}; 1-10 are for tuning
  --quick     one seed
  --picture   of which policy pictures are drawn, default ${ours}; those that are not of the report go to .build/pictures
  --abreast   how many processes at a time, default one per core
  --tables    prints the tables of what was kept, and plays nothing
  --json      prints the results as one JSON object instead of the tables
`;

export interface Flags {
  readonly only: readonly string[] | undefined;
  readonly policies: readonly string[] | undefined;
  readonly picture: string;
  readonly abreast: number;
  readonly json: boolean;
  readonly quick: boolean;
  /** Only what was kept is shown. */
  readonly tables: boolean;
  /** Whether the cost of calls and the weight of breakers are measured too. */
  readonly micro: boolean;
  /** With the seeds of the report. */
  readonly whole: boolean;
  seedsOf(scenario: Scenario): readonly number[];
}

export function readFlags(): Flags {
  const options = {
    only: { type: 'string' },
    policy: { type: 'string' },
    seeds: { type: 'string' },
    picture: { type: 'string' },
    abreast: { type: 'string' },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    tables: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help === true) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const only = list(values.only, known);
    const policies = list(values.policy, contenderIds);
    const seeds = values.seeds === undefined ? undefined : readSeeds(values.seeds);
    const quick = values.quick === true;
    const atOnce = values.abreast === undefined ? availableParallelism() : Number(values.abreast);
    if (!Number.isInteger(atOnce) || atOnce < 1) throw new Error('--abreast takes a positive whole number');
    return {
      only,
      policies,
      picture: list(values.picture, contenderIds)?.[0] ?? ours,
      abreast: atOnce,
      json: values.json === true,
      quick,
      tables: values.tables === true,
      micro: only?.includes(microId) ?? policies === undefined,
      whole: seeds === undefined && !quick,
      seedsOf: ({ id }) => {
        const all = seeds ?? reportSeeds;
        if (quick) return all.slice(0, 1);
        return id === normalWeek.id && seeds === undefined ? all.slice(0, weekSeeds) : all;
      },
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}

function list(text: string | undefined, known: readonly string[]): readonly string[] | undefined {
  const ids = text?.split(',').map((id) => id.trim().toLowerCase());
  const wrong = ids?.filter((id) => !known.includes(id)) ?? [];
  if (wrong.length > 0) throw new Error(`there is no ${wrong.join(', ')}`);
  return ids;
}

function readSeeds(text: string): number[] {
  const seeds = text.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number);
    if (from === undefined || to === undefined || !Number.isInteger(from) || !Number.isInteger(to) || to < from || to - from > 1_000) {
      throw new Error(`seeds are whole numbers or ranges of them, not ${part}`);
    }
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return [...new Set(seeds)].sort((a, b) => a - b);
}
