/** The four kinds of agents of a research team, as `createRuntime` takes them. */

import { createActivities, type Work } from './activities.js';
import { criticMachine } from './critic.js';
import { plannerMachine } from './planner.js';
import { researcherMachine } from './researcher.js';
import { writerMachine } from './writer.js';

export type TeamKinds = ReturnType<typeof teamKinds>;

export function teamKinds(work: Work) {
  const activities = createActivities(work);
  return {
    planner: { machine: plannerMachine(activities), version: 1 },
    researcher: { machine: researcherMachine(activities), version: 1 },
    critic: { machine: criticMachine(activities), version: 1 },
    writer: { machine: writerMachine(activities), version: 1 },
  };
}
