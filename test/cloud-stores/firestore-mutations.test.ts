/** Firestore stores that are broken on purpose: each suite that should see it does. */

import { describeFirestore, firestoreEmulator } from '../cloud/firestore-emulator.js';
import { mutationCases, type Mutant } from '../mutants/mutant.js';

const calls = 'persistence/firestore/calls.js';
const everyWrite = 'go on where they were: nothing acknowledged is lost, nothing is recorded twice';
const zombie = 'takes over from a node whose lease ran out, and refuses what the zombie still writes';
const live = 'gives a live node’s agents to nobody else';
const taken = 'refuses to take a message that is not waiting, that is taken, or that is another agent’s';
const held = 'write nothing when they were stopped past their lease: their agent is held elsewhere, and stands where it was left';
const lost = 'does not claim to know what became of a commit whose answer was lost: it is done, once, and reading back says so';

const mutants: readonly Mutant[] = [
  {
    fault: 'expects nothing of the documents that it writes',
    changes: [
      {
        file: calls,
        find: 'writes, ...(transaction',
        put: 'writes: writes.map(({ currentDocument, ...write }) => write), ...(transaction',
      },
    ],
    caughtBy: {
      conformance: [taken, zombie],
      fencing: [held],
      races: ['makes an id once when many want it', 'accepts a message id once, whoever posts it'],
    },
  },
  {
    fault: 'takes agents of nodes that live',
    changes: [
      { file: 'persistence/firestore/membership.js', find: 'alive: closedAt === undefined && expiresAt > at', put: 'alive: false' },
    ],
    caughtBy: {
      conformance: [live],
      fencing: [held],
    },
  },
  {
    fault: 'writes piece by piece',
    changes: [
      { file: calls, find: 'import { assemble }', put: "import { failpoint } from '../../core/failpoint.js';\nimport { assemble }" },
      {
        file: calls,
        find: 'async commit(writes, transaction) {',
        put: `async commit(writes, transaction) {
          if (writes.length > 1) {
            if (transaction !== undefined) await this.rollback(transaction);
            const done = { updateTimes: [], commitTime: undefined };
            let refusal;
            for (const write of writes) {
              try {
                const { updateTimes, commitTime } = await this.commit([write]);
                done.updateTimes.push(...updateTimes);
                done.commitTime = commitTime;
              } catch (error) {
                refusal ??= error;
              }
              failpoint('firestore:after-commit');
            }
            if (refusal !== undefined) throw refusal;
            return done;
          }`,
      },
    ],
    caughtBy: { conformance: [taken], crash: [everyWrite] },
    // Each piece is a write to die after: it has many more of them.
    env: { STATEWARDEN_TEST_WRITES: '21,35' },
  },
  {
    fault: 'takes a lost answer for a failure, and tries again',
    changes: [
      { file: calls, find: 'async commit(writes, transaction) {', put: 'async commit(writes, transaction, again = false) {' },
      {
        file: calls,
        find: "throw callFault(this.name, 'commit', error);",
        put: `const fault = callFault(this.name, 'commit', error);
          if (again || fault.disposition !== 'retry') throw fault;
          return this.commit(writes, transaction, true);`,
      },
    ],
    caughtBy: { conformance: [lost] },
  },
  {
    fault: 'answers before it writes',
    changes: [
      {
        file: 'persistence/firestore/opened.js',
        find: 'return this.#writing.commit(commits);',
        put: `setTimeout(() => void this.#writing.commit(commits).catch(() => undefined), 100);
          return commits.map(() => ({ outcome: 'applied', messages: [], spawned: [] }));`,
      },
    ],
    caughtBy: { conformance: [taken] },
  },
];

describeFirestore('A Firestore store that is broken on purpose', function () {
  this.timeout(160_000);
  let host = '';

  before(async () => ({ host } = await firestoreEmulator()));

  const crash = ['cloud-stores/firestore-crash'];
  mutationCases({
    store: 'firestore()',
    suites: { conformance: ['cloud-stores/firestore-conformance'], crash, fencing: crash, races: ['cloud-stores/firestore-races'] },
    mutants,
    env: () => ({ STATEWARDEN_TEST_FIRESTORE: host, STATEWARDEN_TEST_WRITES: '5,9' }),
  });
});
