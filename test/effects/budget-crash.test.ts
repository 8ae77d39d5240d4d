/**
 * Budgets whose process is killed: at each of the permits' own places, before and after calls, and at each passing of the places of a commit. After the next life what was spent is the sum
 * of what the ledger says was called, to the unit.
 */

import { expect } from 'chai';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { readCheckpoint } from '#src/actors/restore.js';
import { decode } from '#src/core/codec.js';
import { numbersOf, type BudgetState } from '#src/effects/budget/reducer.js';
import { inFolder, lifeOf } from '../crash/lives.js';
import { runs } from '../properties/runs.js';
import { budgetLifePath, costs, liveHere, seats, slowCost, workers } from './budget-life.js';

const live = (folder: string, failpoints = '') => lifeOf(budgetLifePath, [folder], failpoints);

/** What is in the file, by the store's own word. */
async function judge(folder: string, what: string): Promise<void> {
  const store = await sqlite(join(folder, 'agents.db')).open({ now: Date.now });
  try {
    const numbers = async (name: string) => {
      const checkpoint = (await store.inspect(`budgets/${name}`))?.checkpoint;
      if (checkpoint === undefined) throw new Error(`${what}: budget ${name} has no checkpoint`);
      return numbersOf((readCheckpoint(name, checkpoint).snapshot.context as { state: BudgetState }).state, 0);
    };
    const records = await store.lookup(workers);
    expect(
      records.map((record) => record?.status),
      what,
    ).to.deep.equal(workers.map(() => 'done'));
    const operations = (await Promise.all(records.map((record) => store.operations(record?.key ?? 0)))).flat();
    let expected = 7; // by code, under its key
    let taken = 0;
    for (const { activity, path, status, outcome } of operations) {
      if (path.includes('sitting')) taken += status === 'succeeded' ? 1 : 0;
      else if (activity !== 'slow') expected += status === 'succeeded' ? (costs[activity]?.(decode(outcome ?? 'null')) ?? NaN) : 0;
    }
    const each = (name: string): number => operations.filter(({ activity }) => activity === name).length;
    expect([each('spend'), each('call'), each('hopeless'), each('slow')], `${what}: operations`).to.deep.equal([8, 4, 4, 4]);
    const tokens = await numbers('tokens');
    expect(tokens, what).to.include({ reserved: 0, credit: 5, refused: 0 });
    // Of those that were cancelled each counts whole or, when it was not begun, not at all.
    expect(tokens.spent % slowCost, `${what}: spent`).to.equal(expected);
    expect(Math.floor(tokens.spent / slowCost), `${what}: cancelled`).to.be.at.most(4);
    expect(taken, `${what}: seats`).to.equal(seats);
    expect(await numbers('seats'), what).to.include({ spent: seats, left: 0, refused: workers.length - seats });
    const counts = await store.counts();
    expect([counts.mailbox, counts.deadLetters], `${what}: mail, dead letters`).to.deep.equal([0, 0]);
    expect(await store.check(), what).to.deep.equal([]);
  } finally {
    await store.close();
  }
}

/** Kills at the first passing, the one after, and so on until a life comes to its end before; resolves to the number of kills. */
async function killEach(places: readonly string[], lane = 0, lanes = 1): Promise<number> {
  let kills = 0;
  for (let passing = 1 + lane; ; passing += lanes) {
    const failpoint = `${places[passing % places.length] as string}=crash@${String(passing)}`;
    const killed = await inFolder(async (folder) => {
      const end = await live(folder, failpoint);
      if (end.signal !== 'SIGKILL') expect(end, failpoint).to.deep.equal({ code: 0, signal: null, stderr: '' });
      else await liveHere(folder);
      await judge(folder, failpoint);
      return end.signal === 'SIGKILL';
    });
    if (!killed) return kills;
    kills += 1;
  }
}

describe('budgets whose process is killed', function () {
  this.timeout(120_000);

  // One place for each passing takes long enough; all at each when asked to try harder.
  const quick = runs(1).numRuns === 1;

  it('are exact after each passing of a permit and of an activity', async () => {
    const pairs = [
      ['permit:granted', 'activity:begin'],
      ['permit:settle', 'activity:end'],
    ];
    const kills = await Promise.all((quick ? pairs : pairs.flat().map((place) => [place])).map((places) => killEach(places)));
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
    for (const count of kills) expect(count).to.be.at.least(3);
  });

  it('are exact after each passing of a commit', async () => {
    const places = ['commit:sealed', 'commit:durable', 'sqlite:before-sync', 'sqlite:after-commit'];
    // Every third passing, at each place in turn; or all.
    const kills = await Promise.all(
      quick ? [killEach(places, 0, 6), killEach(places, 3, 6)] : [killEach(places, 0, 2), killEach(places, 1, 2)],
    );
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
    for (const count of kills) expect(count).to.be.at.least(quick ? 1 : 3);
  });

  it('are exact when the next life is killed too, and the one after', () =>
    inFolder(async (folder) => {
      for (const failpoints of ['permit:granted=crash@2', 'restore:end=crash@2', 'permit:granted=crash@1', 'permit:settle=crash@1']) {
        expect((await live(folder, failpoints)).signal, failpoints).to.equal('SIGKILL');
      }
      expect(await live(folder)).to.include({ code: 0, stderr: '' });
      await judge(folder, 'after four kills');
    }));
});
