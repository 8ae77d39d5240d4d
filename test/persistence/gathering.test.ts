/** Commits that wait for the writer are written together, and come to what they come to one after the other. */

import { expect } from 'chai';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import type { AgentCommit, OpenedStore, OperationRecord } from '#src/persistence/store.js';
import { checkpoint, message, operation, Scene, segment, timer } from '#src/testing/store-cases/scene.js';
import { inFolder } from '../crash/lives.js';

const ids = ['a', 'b', 'c'] as const;

interface Step {
  readonly id: (typeof ids)[number];
  /** Of a turn that another has taken already, or that is not next. */
  readonly stale: boolean;
  readonly again: boolean;
  readonly to: string | undefined;
  readonly done: boolean;
  readonly checkpoint: boolean;
  readonly timer: boolean;
  readonly operations: readonly Partial<OperationRecord>[];
}

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 1 });
const rarely = fc.integer({ min: 0, max: 9 }).map((number) => number === 0);

const operations = fc.array(
  fc
    .record({
      id: fc.constantFrom('o1', 'o2', 'o3'),
      status: fc.constantFrom('intended' as const, 'started' as const),
      attempts: fc.nat(3),
      outcome: maybe(fc.constantFrom('1', '2')),
      userKey: maybe(fc.constant('key')),
      nextRetryAt: maybe(fc.nat()),
      parkedBy: maybe(fc.constant('breaker')),
      saga: maybe(fc.constant('saga')),
      artifact: maybe(fc.constant('artifact')),
      settledIn: fc.constantFrom(0, 0, 2),
    })
    // Most have nothing of what is rare.
    .chain((whole) => fc.boolean().map((plain) => (plain ? { ...whole, ...rare } : whole))),
  { maxLength: 2 },
);
const rare = { userKey: undefined, nextRetryAt: undefined, parkedBy: undefined, saga: undefined, artifact: undefined };

const steps: fc.Arbitrary<Step> = fc.record({
  id: fc.constantFrom(...ids),
  stale: rarely,
  again: rarely,
  to: fc.option(fc.constantFrom('a', 'b', 'nobody'), { nil: undefined, freq: 2 }),
  done: rarely,
  checkpoint: fc.boolean(),
  timer: fc.boolean(),
  operations,
});

/** Commits as an engine would make them that takes all before to be written. */
function commitsOf(scene: Scene, store: OpenedStore, groups: readonly (readonly Step[])[]): AgentCommit[][] {
  const known = new Map<string, { key: number; sequenceNumber: number }>();
  return groups.map((group) =>
    group.map((step) => {
      const at = step.again ? undefined : known.get(step.id);
      const sequenceNumber = at === undefined ? 1 : at.sequenceNumber + 1;
      const expected = step.stale && at !== undefined ? sequenceNumber - 2 : sequenceNumber - 1;
      const more: Partial<AgentCommit> = {
        ...(step.to === undefined ? {} : { messages: [message(step.to)] }),
        ...(step.done ? { status: 'done', outcome: '1' } : { state: `"${String(sequenceNumber % 3)}"` }),
        ...(step.checkpoint ? { checkpoint: checkpoint(sequenceNumber) } : {}),
        ...(step.timer ? { timers: [timer('t', sequenceNumber)] } : {}),
        operations: step.operations.map((one) =>
          operation(one.id ?? '', { intendedIn: sequenceNumber, settledAt: one.settledIn === 0 ? undefined : 5, ...one }),
        ),
      };
      const birth = scene.birth(store, step.id, more);
      if (at === undefined) {
        if (!step.again) known.set(step.id, { key: birth.key, sequenceNumber: 1 });
        return birth;
      }
      if (!step.stale) at.sequenceNumber = sequenceNumber;
      const { create: _, ...turn } = birth;
      return { ...turn, key: at.key, expected, sequenceNumber, segment: segment(sequenceNumber) };
    }),
  );
}

/** All that is kept, and how many transactions that took: a frame of the log that ends one has the size of the file. */
async function kept(store: OpenedStore, path: string): Promise<{ readonly all: unknown; readonly transactions: number }> {
  const records = await store.list({ limit: 100 });
  const all = [];
  for (const record of records) {
    const mailbox = await store.mailbox(record.key, 0);
    all.push([record, await store.inspect(record.key), await store.journal(record.key, { after: 0, limit: 1_000 }), mailbox]);
    all.push(await store.operations(record.key));
  }
  const letters = await store.deadLetters({ after: 0, limit: 1_000 });
  const log = readFileSync(`${path}-wal`);
  const frame = 24 + 4_096;
  let transactions = 0;
  for (let at = 32; at + frame <= log.length; at += frame) if (log.readUInt32BE(at + 4) !== 0) transactions += 1;
  return { all: [all, letters, await store.check()], transactions };
}

async function run(folder: string, name: string, groups: readonly (readonly Step[])[], together: boolean) {
  const path = join(folder, `${name}.db`);
  const scene = new Scene({ store: sqlite(path) });
  const store = await scene.open();
  try {
    const commits = commitsOf(scene, store, groups);
    const before = (await kept(store, path)).transactions;
    const outcomes = [];
    if (together) {
      // It has something to do when they come in.
      const busy = store.check();
      outcomes.push(...(await Promise.all(commits.map((group) => store.commit(group)))));
      await busy;
    } else for (const group of commits) outcomes.push(await store.commit(group));
    const { all, transactions } = await kept(store, path);
    return { told: { outcomes, all }, transactions: transactions - before };
  } finally {
    await scene.end();
  }
}

describe('commits that wait for the writer', function () {
  this.timeout(120_000);

  it('come to what they come to one after the other, whatever is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(steps, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 7 }), (groups) =>
        inFolder(async (folder) => {
          const one = await run(folder, 'one', groups, false);
          const all = await run(folder, 'all', groups, true);
          expect(all.told).to.deep.equal(one.told);
        }),
      ),
      { numRuns: 60 },
    );
  });

  it('take one transaction', () =>
    inFolder(async (folder) => {
      const step: Step = {
        id: 'a',
        stale: false,
        again: false,
        to: undefined,
        done: false,
        checkpoint: true,
        timer: false,
        operations: [],
      };
      const groups = Array.from({ length: 8 }, () => [step, { ...step, id: 'b' as const }]);
      expect((await run(folder, 'one', groups, false)).transactions).to.equal(8);
      const { transactions, told } = await run(folder, 'all', groups, true);
      expect(transactions).to.be.lessThan(4);
      expect(told.outcomes.flat().every(({ outcome }) => outcome === 'applied')).to.equal(true);
    }));
});
