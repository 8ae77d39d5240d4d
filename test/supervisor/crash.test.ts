/**
 * A supervision tree whose process is killed: at each of the supervisors' own places, and at each passing of the places of a commit while children are restarted.
 * The next process finds the file and must come to what an undisturbed run comes to.
 */

import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Strategy } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { readTree } from '#src/supervisor/tree.js';
import { inFolder } from '../crash/lives.js';
import { journalOf } from '../properties/lives.js';
import { expected, nodesOf, treeLifePath, workers } from './tree-life.js';

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

function live(folder: string, strategy: Strategy, failpoints = '', ...more: readonly string[]): Promise<End> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--no-warnings', treeLifePath, folder, strategy, ...more], {
      env: { ...process.env, STATEWARDEN_FAILPOINTS: failpoints },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += String(text)));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stderr }));
  });
}

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

/** Kills at the first passing, the second, and so on until a life comes to its end before; resolves to the number of kills. */
async function killEach(place: string, strategy: Strategy, prepared?: string, step = 1): Promise<number> {
  let kills = 0;
  for (let passing = 1; ; passing += step) {
    const what = `${strategy}, ${place}=crash@${String(passing)}`;
    const killed = await inFolder(async (folder) => {
      if (prepared !== undefined) cpSync(prepared, folder, { recursive: true });
      const end = await live(folder, strategy, `${place}=crash@${String(passing)}`);
      if (end.signal !== 'SIGKILL') expect(end, what).to.deep.equal({ code: 0, signal: null, stderr: '' });
      else expect(await live(folder, strategy), `after ${what}`).to.deep.equal({ code: 0, signal: null, stderr: '' });
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

  for (const strategy of ['one-for-all', 'rest-for-one'] as const) {
    it(`converges from each passing of starting and stopping children (${strategy})`, async () => {
      const places = ['supervisor:start', 'supervisor:started', 'supervisor:stop', 'supervisor:stopped'];
      const kills = await Promise.all(places.map((place) => killEach(place, strategy)));
      report(kills);
      // Started: root, team, and a restart for each failure. Stopped: the others of the group, for each failure in it.
      for (const [index, least] of [2, 2, 3, 3].entries()) expect(kills[index], places[index]).to.be.at.least(least);
    });
  }

  it('converges from each passing of a commit while children are restarted', () =>
    inFolder(async (prepared) => {
      expect(await live(prepared, 'rest-for-one', '', 'prepare')).to.include({ code: 0, stderr: '' });
      const places = ['commit:sealed', 'commit:durable', 'sqlite:before-sync', 'sqlite:after-commit'];
      const kills = await Promise.all(places.map((place) => killEach(place, 'rest-for-one', prepared)));
      report(kills);
      for (const [index, count] of kills.entries()) expect(count, places[index]).to.be.at.least(10);
    }));
});
