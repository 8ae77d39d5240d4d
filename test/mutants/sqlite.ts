/** What is wrong with SQLite stores that both the quick suites and those with processes should see. */

import type { Mutant } from './mutant.js';

const commits = 'persistence/sqlite/commits.js';

export const unfenced: Omit<Mutant, 'caughtBy'> = {
  fault: 'does not look at the fence',
  changes: [
    { file: commits, find: 'AND fence = ? AND', put: 'AND ? >= 0 AND', times: 2 },
    { file: commits, find: 'AND fence = token AND', put: 'AND', times: 2 },
  ],
};

export const unleased: Omit<Mutant, 'caughtBy'> = {
  fault: 'takes agents of nodes that live',
  changes: [{ file: 'persistence/sqlite/liveness.js', find: 'row.closed_at !== null || isLapsed(row, moment)', put: 'true' }],
};

export const halfway: Omit<Mutant, 'caughtBy'> = {
  fault: 'commits in the middle of a group',
  changes: [
    { file: commits, find: "hasMail: 'SELECT", put: "halt: 'COMMIT', go: 'BEGIN IMMEDIATE', hasMail: 'SELECT" },
    { file: commits, find: "failpoint('sqlite:mid-group');", put: 'this.#s.halt.run(); this.#s.go.run();' },
  ],
};
