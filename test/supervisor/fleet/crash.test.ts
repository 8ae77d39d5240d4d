/**
 * A fleet whose process is killed, at each passing of the places of a commit and of an activity: every job has one end, nothing that was completed is done again, and the
 * budget has been spent of once for each.
 */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { readMind } from '#src/supervisor/tree.js';
import type { AgentRecord } from '#src/persistence/store.js';
import type { BudgetContext } from '#src/effects/budget/machine.js';
import { readCheckpoint } from '#src/actors/restore.js';
import { inFolder, lifeOf } from '../../crash/lives.js';
import { runs } from '../../properties/runs.js';
import { amount, broken, fleetLifePath, jobs, liveHere, poison } from './fleet-life.js';

const live = (folder: string, failpoints: string) => lifeOf(fleetLifePath, [folder], failpoints);

/** What is in the file, by the store's own word. */
async function judge(folder: string, what: string): Promise<void> {
  const store = await sqlite(join(folder, 'agents.db')).open({ now: Date.now });
  try {
    const [crew, calls, gone] = (await store.lookup(['crew', 'budgets/calls', 'crew/3'])) as [AgentRecord, AgentRecord, AgentRecord];
    const { fleet, state } = await readMind(store, crew);
    const ends = Object.fromEntries((fleet?.results ?? []).map(({ job, status }) => [job, status]));
    const expected = Object.fromEntries(jobs.map((job) => [job, job === poison || job === broken ? 'failed' : 'done']));
    expect(ends, `${what}: results`).to.deep.equal(expected);
    expect([fleet?.done, fleet?.failed, fleet?.jobs], `${what}: counts`).to.deep.equal([6, 2, 8]);
    expect(
      state.children.map(({ id, status }) => `${id} ${status}`),
      `${what}: members`,
    ).to.deep.equal(['crew/1 running', 'crew/2 running']);
    expect(gone.status, `${what}: the member that went`).to.equal('stopped');
    const letters = await store.deadLetters({ after: 0, limit: 100 });
    expect(
      letters.map(({ to, event }) => `${to} ${(JSON.parse(event) as { job: string }).job}`).sort(),
      `${what}: dead letters`,
    ).to.deep.equal([`crew ${poison}`, `crew ${broken}`]);
    const budget = await store.inspect(calls.key);
    const { spent } = (readCheckpoint('budget', budget?.checkpoint as never).snapshot.context as unknown as BudgetContext).state;
    expect(spent, `${what}: spent`).to.equal(jobs.length * amount);
    const called = readFileSync(join(folder, 'calls.log'), 'utf8').trim().split('\n');
    expect([...new Set(called)].sort(), `${what}: calls`).to.deep.equal(jobs.filter((job) => job !== poison && job !== broken));
    // A call whose end nobody recorded is made again, and no other.
    expect(called.length - new Set(called).size, `${what}: calls made twice`).to.be.at.most(3);
    expect(await store.check(), what).to.deep.equal([]);
  } finally {
    await store.close();
  }
}

/** Kills at the first passing, the second, and so on until a life comes to its end before; resolves to the number of kills. */
async function killEach(places: readonly string[], every: number): Promise<number> {
  let kills = 0;
  for (let passing = 1; ; passing += every) {
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

describe('a fleet whose process is killed', function () {
  this.timeout(120_000);
  const commits = ['sqlite:before-commit', 'sqlite:mid-group', 'sqlite:after-commit'];

  it('brings every job to one end, from each passing of a commit and of an activity', async () => {
    const every = runs(2).numRuns > 2 ? 1 : 5;
    const kills = await Promise.all([killEach(commits, every), killEach(['activity:begin', 'activity:end'], every)]);
    expect(Math.min(...kills)).to.be.at.least(2);
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
  });

  it('goes on with members that were being started, renewed and retired', async () => {
    const own = ['supervisor:start', 'supervisor:started', 'supervisor:stop', 'supervisor:stopped'];
    const kills = await Promise.all(own.map((place) => killEach([place], 1)));
    expect(Math.min(...kills)).to.be.at.least(1);
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
  });
});
