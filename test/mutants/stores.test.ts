/** Memory and SQLite stores that are broken on purpose: each suite that should see it does. Those that a killed process shows are in `stores-crash.test.ts`. */

import { mutationCases, type Mutant } from './mutant.js';
import { halfway, unfenced, unleased } from './sqlite.js';

const sequence = 'refuses another sequence number than the stored one, naming what it has, and writes nothing';
const fence = 'refuses another fence than the stored one, lower or higher';
const zombie = 'takes over from a node whose lease ran out, and refuses what the zombie still writes';
const live = 'gives a live node’s agents to nobody else';
const plain = 'refuses one plain turn among many, of agents that share nothing, and writes nothing of it';
const taken = 'refuses to take a message that is not waiting, that is taken, or that is another agent’s';

const memory: readonly Mutant[] = [
  {
    fault: 'does not look at the fence',
    changes: [{ file: 'persistence/memory/commits.js', find: 'fence !== commit.fence || ', put: '' }],
    caughtBy: {
      conformance: [fence, zombie],
      fencing: ['loses to another what that one has taken meanwhile, and writes nothing of its own'],
    },
  },
  {
    fault: 'does not look at the sequence number',
    changes: [{ file: 'persistence/memory/commits.js', find: 'sequenceNumber !== commit.expected || ', put: '' }],
    caughtBy: { conformance: [sequence] },
  },
  {
    fault: 'does not look whether what is taken waits',
    changes: [{ file: 'persistence/memory/commits.js', find: ' || missing)', put: ')' }],
    caughtBy: { conformance: [taken] },
  },
  {
    fault: 'takes agents of nodes that live',
    changes: [{ file: 'persistence/memory/data.js', find: 'holder(row, self, now) {', put: 'holder(row, self, now) { return undefined;' }],
    caughtBy: {
      conformance: [live],
      fencing: ['do not where they are told not to, and never one that is at work or has a supervisor'],
    },
  },
  {
    fault: 'applies a part of what it refuses',
    changes: [
      {
        file: 'persistence/memory/commits.js',
        find: "return { outcome: 'refused', fence: found",
        put: "if (found !== undefined) buryMail(data, found, commit); for (const timer of commit.timers ?? []) found?.timers.set(timer.id, timer); return { outcome: 'refused', fence: found",
      },
    ],
    caughtBy: { conformance: [sequence, zombie, plain, taken] },
  },
  {
    fault: 'answers before it writes',
    changes: [
      {
        file: 'persistence/memory/commits.js',
        find: 'writeAgent(row, commit, node);\n    buryMail',
        put: 'setTimeout(() => writeAgent(row, commit, node), 5);\n    buryMail',
      },
    ],
    caughtBy: { conformance: [sequence, plain] },
  },
  {
    fault: 'takes a lost answer for a failure',
    changes: [
      {
        file: 'persistence/committer.js',
        find: 'head?.fence === commit.fence &&',
        put: 'false &&',
      },
    ],
    caughtBy: { 'lost answers': ['is read back, never assumed: the turn is there once'] },
  },
];

const sqlite: readonly Mutant[] = [
  {
    ...unfenced,
    caughtBy: { conformance: [fence, zombie, plain] },
  },
  {
    fault: 'does not look at the sequence number',
    changes: [
      { file: 'persistence/sqlite/commits.js', find: 'AND sequence_number = ?', put: 'AND ? >= 0', times: 2 },
      { file: 'persistence/sqlite/commits.js', find: 'AND sequence_number = expected', put: '', times: 2 },
    ],
    caughtBy: { conformance: [sequence] },
  },
  {
    fault: 'does not look whether what is taken waits',
    changes: [{ file: 'persistence/sqlite/commits.js', find: 's.hasMail.get(position, key) === undefined', put: 'false' }],
    caughtBy: { conformance: [taken] },
  },
  {
    ...unleased,
    caughtBy: { conformance: [live] },
  },
  {
    ...halfway,
    caughtBy: { conformance: [plain] },
  },
];

describe('A memory store that is broken on purpose', function () {
  this.timeout(160_000);
  const suites = { conformance: ['conformance/memory'], fencing: ['cluster/nodes'], 'lost answers': ['runtime/faulty-store'] };
  mutationCases({ store: 'memory()', suites, mutants: memory });
});

describe('A SQLite store that is broken on purpose', function () {
  this.timeout(160_000);
  mutationCases({ store: 'sqlite()', suites: { conformance: ['conformance/sqlite'] }, mutants: sqlite });
});
