/** SQLite stores that are broken on purpose, and what only processes show: that are killed, stopped past their lease, or have a disk that fails. */

import { mutationCases, type Mutant } from './mutant.js';
import { halfway, unfenced, unleased } from './sqlite.js';

const everyWrite = 'goes on where it was: nothing acknowledged is lost, nothing is recorded twice';
const held = 'writes nothing: its agent is held elsewhere, and stands where it left it';
const wentOn = 'writes nothing: its agent went on elsewhere';
const disk = 'at write 3 poisons the writer: nothing more is acknowledged, and recovery reads what there is';

const mutants: readonly Mutant[] = [
  {
    ...unfenced,
    caughtBy: { fencing: [held] },
  },
  {
    ...unleased,
    caughtBy: { fencing: [wentOn] },
  },
  {
    ...halfway,
    caughtBy: { crash: [everyWrite] },
  },
  {
    fault: 'answers before it syncs',
    changes: [{ file: 'persistence/sqlite/database.js', find: 'this.#sync.flush(commits);', put: '' }],
    caughtBy: { 'failing disk': [disk] },
  },
  {
    fault: 'takes a lost answer for a failure, and tries again',
    changes: [
      {
        file: 'persistence/sqlite/database.js',
        find: 'this.#sync.flush(commits);',
        put: 'try { this.#sync.flush(commits); } catch { this.#sync.flush(commits); }',
      },
    ],
    caughtBy: { 'failing disk': [disk] },
  },
];

describe('A SQLite store that is broken on purpose, with processes', function () {
  this.timeout(160_000);
  const suites = { crash: ['crash/every-write-crash'], fencing: ['crash/zombie'], 'failing disk': ['crash/disk'] };
  mutationCases({ store: 'sqlite()', suites, mutants, lifeMs: 6_000, env: () => ({ STATEWARDEN_TEST_WRITES: '3,6' }) });
});
