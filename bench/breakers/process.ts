/**
 * A process of its own for each policy in a scenario: global time is patched while it runs. Told which, and for which seeds; answers
 * with one JSON object.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { answer, parameters } from '../processes/parameters.js';
import { contenders } from './policies/contenders.js';
import { scenarios } from './scenarios/all.js';
import { learningWeek } from './scenarios/normal-week.js';
import type { Figures } from './scenarios/scenario.js';
import { Series } from './series.js';
import { play } from './world/world.js';

export interface Parameters {
  readonly scenario: string;
  readonly policy: string;
  readonly seeds: readonly number[];
  /** By seed, of files with what was learned. */
  readonly learned?: Readonly<Record<number, string>>;
  /** Learn into these files, and nothing else. */
  readonly learnInto?: Readonly<Record<number, string>>;
  /** Whether the first seed's seconds are wanted, for the picture. */
  readonly series?: boolean;
}

export interface Answer {
  /** One per seed; a figure that is missing says never. */
  readonly figures: readonly Figures[];
  readonly series?: Series;
}

const { scenario: id, policy: policyId, seeds, learned, learnInto, series } = parameters<Parameters>();
const policy = (await contenders()).find((each) => each.id === policyId);
if (policy === undefined) throw new Error(`there is no policy ${policyId} yet`);

if (learnInto !== undefined) {
  for (const seed of seeds) {
    const { saved } = await play(learningWeek, policy, seed);
    writeFileSync(learnInto[seed]!, JSON.stringify(saved ?? null));
  }
  answer({});
} else {
  const scenario = scenarios.find((each) => each.id === id);
  if (scenario === undefined) throw new Error(`there is no scenario ${id}`);
  const figures: Figures[] = [];
  let drawn: Series | undefined;
  for (const seed of seeds) {
    const file = learned?.[seed];
    const saved: unknown = file === undefined ? undefined : JSON.parse(readFileSync(file, 'utf8'));
    const { recording } = await play(scenario, policy, seed, saved);
    figures.push(scenario.judge(recording));
    if (series === true) drawn ??= Series.of(recording, scenario.pictureBucketS);
  }
  answer({ figures, ...(drawn === undefined ? {} : { series: drawn }) } satisfies Answer);
}
process.exit(0);
