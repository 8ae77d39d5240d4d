/**
 * A supervision tree whose process is killed: at each of the supervisors' own places, and at each passing of the places of a commit while children are restarted.
 * The next process finds the file and must come to what an undisturbed run comes to.
 */

import { expect } from 'chai';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Strategy } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { readTree } from '#src/supervisor/tree.js';
import { inFolder, lifeOf } from '../crash/lives.js';
import { journalOf } from '../properties/lives.js';
import { runs } from '../properties/runs.js';
import { expected, liveHere, nodesOf, treeLifePath, workers } from './tree-life.js';

const live = (folder: string, strategy: Strategy, failpoints = '', ...more: readonly string[]) =>
  lifeOf(treeLifePath, [folder, strategy, ...more], failpoints);

/**
 * Restarts of each when nothing is disturbed: the poison fails b three times, and each of w and a is broken once. Each failure is told to the supervisor
 * with the commit of going down, so a crash neither loses nor doubles one.
 */
const restarts: Readonly<Record<Strategy, Readonly<Record<string, number>>>> = {
  'one-for-one': { root: 0, w: 1, team: 0, a: 1, b: 3, c: 0 },
  'rest-for-one': { root: 0, w: 1, team: 0, a: 1, b: 4, c: 4 },
  'one-for-all': { root: 0, w: 1, team: 0, a: 4, b: 4, c: 4 },
};

/** What is in the file, by the store's own word. */
async function judge(folder: string, strategy: Strategy, what: string): Promise<void> {
  const store = await sqlite(join(folder, 'agents.db')).open({ now: Date.now });
  try {
    const nodes = nodesOf(await readTree(store));
    const standing = Object.fromEntries(nodes.map(({ id, status, agent }) => [id, `${status}, ${String(agent)}`]));
    const up = Object.fromEntries(Object.keys(restarts[strategy]).map((id) => [id, 'running, active']));
    expect(standing, `${what}: the tree`).to.deep.equal(up);
    expect(Object.fromEntries(nodes.map((node) => [node.id, node.restarts])), `${what}: restarts`).to.deep.equal(restarts[strategy]);
    for (const id of workers) {
      const taken = (await journalOf(store, id)).flatMap(({ event }) => {
        const { type = '', n } = (event ?? {}) as { type?: string; n?: number };
        return event === undefined ? [] : [n === undefined ? type : `${type} ${String(n)}`];
      });
      expect(taken, `${what}: what ${id} has taken`).to.deep.equal(expected[id]);
    }
    const letters = await store.deadLetters({ after: 0, limit: 100 });
    expect(
      letters.map(({ to, event }) => `${to} ${event}`),
      `${what}: dead letters`,
    ).to.deep.equal(['b {"type":"POISON"}']);
    expect((await store.counts()).mailbox, `${what}: mail`).to.equal(0);
    expect(await store.check(), what).to.deep.equal([]);
    expect(existsSync(join(folder, 'twice.log')), `${what}: up twice`).to.equal(false);
  } finally {
    await store.close();
  }
}

interface Plan {
  readonly strategy: Strategy;
  /** The place for each passing, in turn. */
  readonly places: readonly string[];
  /** A folder that a life has left in good order. Default: an empty one. */
  readonly prepared?: string;
  /** The next life is one of this process, where there are many, and not of another one. */
  readonly here: boolean;
}

/** Kills at the first passing, the second, and so on until a life comes to its end before; resolves to the number of kills. */
async function killEach({ strategy, places, prepared, here }: Plan, lane = 0, lanes = 1): Promise<number> {
  let kills = 0;
  for (let passing = 1 + lane; ; passing += lanes) {
    const failpoint = `${places[passing % places.length] as string}=crash@${String(passing)}`;
    const what = `${strategy}, ${failpoint}`;
    const killed = await inFolder(async (folder) => {
      if (prepared !== undefined) cpSync(prepared, folder, { recursive: true });
      const end = await live(folder, strategy, failpoint);
      if (end.signal !== 'SIGKILL') expect(end, what).to.deep.equal({ code: 0, signal: null, stderr: '' });
      else if (here) await liveHere(folder, strategy);
      else expect(await live(folder, strategy), `after ${what}`).to.include({ code: 0, stderr: '' });
      await judge(folder, strategy, what);
      return end.signal === 'SIGKILL';
    });
    if (!killed) return kills;
    kills += 1;
  }
}

function report(kills: readonly number[]): void {
  process.stdout.write(`      ${String(kills.reduce((sum, count) => sum + count, 0))} kills: ${kills.join(' + ')}\n`);
}

describe('a supervision tree whose process is killed', function () {
  this.timeout(120_000);

  // Started: root, team, and a restart for each failure. Stopped: the others of the group, for each failure in it.
  const own = { 'supervisor:start': 2, 'supervisor:started': 2, 'supervisor:stop': 3, 'supervisor:stopped': 3 };

  // Each strategy takes every other passing, the two together all; when asked to try harder, each takes all.
  const quick = runs(1).numRuns === 1;
  for (const [lane, strategy] of (['one-for-all', 'rest-for-one'] as const).entries()) {
    it(`converges from each passing of starting and stopping children (${strategy})`, async () => {
      const kills = await Promise.all(
        Object.keys(own).map((place) => {
          const plan = { strategy, places: [place], here: place !== 'supervisor:stopped' };
          return quick ? killEach(plan, lane, 2) : killEach(plan);
        }),
      );
      report(kills);
      for (const [index, [place, least]] of Object.entries(own).entries()) expect(kills[index], place).to.be.at.least(quick ? 1 : least);
    });
  }

  it('converges from each passing of a commit while children are restarted', () =>
    inFolder(async (prepared) => {
      const strategy = 'rest-for-one';
      expect(await live(prepared, strategy, '', 'prepare')).to.include({ code: 0, stderr: '' });
      const places = ['commit:sealed', 'commit:durable', 'sqlite:before-sync', 'sqlite:after-commit'];
      // Every third passing, at each place in turn, takes long enough; all places at each when asked to try harder.
      const plans: Plan[] = quick
        ? [{ strategy, places, prepared, here: true }]
        : places.map((place) => ({ strategy, places: [place], prepared, here: true }));
      const kills = await Promise.all(
        plans.flatMap((plan) => (quick ? [killEach(plan, 0, 6), killEach(plan, 3, 6)] : [killEach(plan, 0, 2), killEach(plan, 1, 2)])),
      );
      report(kills);
      for (const count of kills) expect(count).to.be.at.least(quick ? 3 : 10);
    }));
});
