/** Spanner stores that are broken on purpose: each suite that should see it does. */

import { mutationCases, type Mutant } from '../mutants/mutant.js';
import { describeSpanner } from './spanner-emulator.js';

const link = 'persistence/spanner/link.js';
const everyWrite = 'goes on where it was: nothing acknowledged is lost, nothing is recorded twice';
const sequence = 'refuses another sequence number than the stored one, naming what it has, and writes nothing';
const fence = 'refuses another fence than the stored one, lower or higher';
const zombie = 'takes over from a node whose lease ran out, and refuses what the zombie still writes';
const live = 'gives a live node’s agents to nobody else';
const taken = 'refuses to take a message that is not waiting, that is taken, or that is another agent’s';
const lost = 'does not claim to know what became of a commit whose answer was lost: it is done, once, and reading back says so';

const mutants: readonly Mutant[] = [
  {
    fault: 'looks at neither fence nor sequence number',
    changes: [
      { file: 'persistence/spanner/cast.js', find: "first.update('heads'", put: "first.upsert('heads'" },
      { file: 'persistence/spanner/plan.js', find: 'fence !== commit.fence || sequenceNumber !== commit.expected || ', put: '' },
    ],
    caughtBy: {
      conformance: [fence, sequence, zombie],
      fencing: ['keep a zombie from writing anything, whatever it writes and whatever it believes'],
    },
  },
  {
    fault: 'does not look whether what is taken waits',
    changes: [
      { file: 'persistence/spanner/plan.js', find: ' || !this.#hasAll(actor, commit.taken)', put: '' },
      {
        file: 'persistence/spanner/plan.js',
        find: 'for (const position of taken) {',
        put: 'for (const position of taken) { if (waitingIn(actor, position) === undefined) continue;',
      },
    ],
    caughtBy: { conformance: [taken] },
  },
  {
    fault: 'takes agents of nodes that live',
    changes: [
      { file: 'persistence/spanner/liveness.js', find: 'isAlive = `n.closed IS NULL', put: 'isAlive = `n.node < 0 AND n.closed IS NULL' },
    ],
    caughtBy: {
      conformance: [live],
      fencing: ["go by Spanner's time: a node whose clock is wrong by 60 s takes nothing early and keeps what it has"],
    },
  },
  {
    fault: 'writes piece by piece',
    changes: [
      { file: link, find: 'import { systemRandom }', put: "import { failpoint } from '../../core/failpoint.js';\nimport { systemRandom }" },
      {
        file: link,
        find: 'async write(mutations, lane = 0) {',
        put: `async write(mutations, lane = 0) {
          if (mutations.length > 1) {
            for (const mutation of mutations) {
              await this.write([mutation], lane);
              failpoint('spanner:committed');
            }
            return;
          }`,
      },
    ],
    caughtBy: { conformance: [zombie], crash: [everyWrite] },
  },
  {
    fault: 'takes a lost answer for a failure, and tries again',
    changes: [
      {
        file: link,
        find: '}, isAborted, lane === 1',
        put: '}, (error) => isAborted(error) || inDoubt.includes(codeOf(error)), lane === 1',
      },
    ],
    caughtBy: { conformance: [lost] },
  },
  {
    fault: 'answers before it writes',
    changes: [
      {
        file: 'persistence/spanner/writer.js',
        find: 'await link.write(plan.mutations(incarnation));',
        put: 'const late = plan.mutations(incarnation); setTimeout(() => void link.write(late).catch(() => undefined), 100);',
      },
    ],
    caughtBy: { conformance: [zombie] },
  },
];

describeSpanner('A Spanner store that is broken on purpose', function () {
  this.timeout(160_000);
  const suites = {
    conformance: ['cloud-stores/spanner-conformance'],
    crash: ['cloud-stores/spanner-crash'],
    fencing: ['cloud-stores/spanner-leases'],
  };
  mutationCases({ store: 'spanner()', suites, mutants, env: () => ({ STATEWARDEN_TEST_WRITES: '5,8' }) });
});
