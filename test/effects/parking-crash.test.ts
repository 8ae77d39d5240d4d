/**
 * Parked operations and breakers whose process is killed: where operations are parked and let go, around each publication of how a breaker stands, and at the places of a commit. In the next life no breaker that was known not to be
 * closed is closed, and every operation is done once.
 */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { inFolder, lifeOf } from '../crash/lives.js';
import { runs } from '../properties/runs.js';
import { callers, liveHere, parkingLifePath } from './parking-life.js';

const live = (folder: string, failpoints = '') => lifeOf(parkingLifePath, [folder], failpoints);

const entries = (folder: string, name: string): (readonly [string, string])[] => {
  try {
    const lines = readFileSync(join(folder, name), 'utf8').trim().split('\n');
    return lines.map((line) => line.split(' ') as unknown as readonly [string, string]);
  } catch {
    return [];
  }
};

/** How the breaker stood by the last word of the life before, if there was any. */
function lastTold(folder: string): { readonly state: string; readonly until: number } | undefined {
  const last = entries(folder, 'told.log').at(-1);
  return last === undefined ? undefined : { until: Number(last[0]), state: last[1] };
}

/** What a life found when it began, by what was told before. */
function judgeBeginning(folder: string, before: ReturnType<typeof lastTold>, what: string): void {
  const [at, state] = entries(folder, 'begun.log').at(-1) ?? ['', ''];
  if (before === undefined || before.state === 'closed') return;
  expect(state, `${what}: it was ${before.state}`).to.be.oneOf(['open', 'ramping']);
  // Open for as long as it was to be, when that was its last word.
  if (before.state === 'open' && Number(at) < before.until - 50) expect(state, `${what}: before its time`).to.equal('open');
}

/** What is in the file, by the store's own word, and what the service has seen. */
async function judge(folder: string, what: string): Promise<void> {
  const store = await sqlite(join(folder, 'agents.db')).open({ now: Date.now });
  try {
    const records = await store.lookup(callers);
    expect(
      records.map((record) => record?.status),
      what,
    ).to.deep.equal(callers.map(() => 'done'));
    const operations = (await Promise.all(records.map((record) => store.operations(record?.key ?? 0)))).flat();
    expect(
      operations.map(({ status, parkedBy }) => `${status} ${String(parkedBy)}`),
      `${what}: the ledger`,
    ).to.deep.equal(callers.map(() => 'succeeded undefined'));
    expect(await store.parked({ limit: 10 }), `${what}: parked`).to.deep.equal([]);
    const calls = entries(folder, 'calls.log');
    const keys = new Map<string, Set<string>>();
    for (const [n, key] of calls) keys.set(n, (keys.get(n) ?? new Set()).add(key));
    expect([...keys.keys()].sort(), `${what}: calls`).to.deep.equal(callers.map((_, index) => String(index + 1)));
    expect(
      [...keys.values()].map(({ size }) => size),
      `${what}: keys`,
    ).to.deep.equal(callers.map(() => 1));
    expect(await store.check(), what).to.deep.equal([]);
  } finally {
    await store.close();
  }
}

/** Kills at the first passing, the one after, and so on until a life comes to its end before; resolves to the number of kills. */
async function killEach(places: readonly string[], step = 1, lane = 0): Promise<number> {
  let kills = 0;
  for (let passing = 1 + lane; ; passing += step) {
    const failpoint = `${places[passing % places.length] as string}=crash@${String(passing)}`;
    const killed = await inFolder(async (folder) => {
      const end = await live(folder, failpoint);
      if (end.signal !== 'SIGKILL') expect(end, failpoint).to.deep.equal({ code: 0, signal: null, stderr: '' });
      else {
        const before = lastTold(folder);
        await liveHere(folder);
        judgeBeginning(folder, before, failpoint);
      }
      await judge(folder, failpoint);
      return end.signal === 'SIGKILL';
    });
    if (!killed) return kills;
    kills += 1;
  }
}

describe('parked operations whose process is killed', function () {
  this.timeout(120_000);
  const thorough = runs(1).numRuns > 1;
  const step = thorough ? 1 : 4;

  it('are neither lost nor doubled, and their breaker is not closed, after a kill where they are parked and let go', async () => {
    const kills = await Promise.all([killEach(['parking:park'], step), killEach(['parking:go'], step)]);
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
    expect(Math.min(...kills)).to.be.at.least(2);
  });

  it('nor around each publication of how the breaker stands', async () => {
    const places = ['breakers:publish', 'breakers:published'];
    const kills = thorough
      ? await Promise.all(places.map((place) => killEach([place])))
      : await Promise.all([killEach(places, 2), killEach(places, 2, 1)]);
    process.stdout.write(`      ${kills.join(' + ')} kills\n`);
    expect(Math.min(...kills)).to.be.at.least(2);
  });

  it('nor at the places of a commit', async () => {
    const kills = await killEach(['sqlite:before-sync', 'sqlite:after-commit', 'commit:durable'], thorough ? 1 : 5);
    process.stdout.write(`      ${String(kills)} kills\n`);
    expect(kills).to.be.at.least(2);
  });

  it('nor when the next life is killed too, and the one after', () =>
    inFolder(async (folder) => {
      for (const failpoints of ['breakers:published=crash@2', 'parking:park=crash@3', 'parking:go=crash@1', 'restore:end=crash@2']) {
        const before = lastTold(folder);
        const lives = entries(folder, 'begun.log').length;
        expect((await live(folder, failpoints)).signal, failpoints).to.equal('SIGKILL');
        // One that dies while it comes up has found nothing.
        if (entries(folder, 'begun.log').length > lives) judgeBeginning(folder, before, failpoints);
      }
      expect(await live(folder)).to.include({ code: 0, stderr: '' });
      await judge(folder, 'after four kills');
    }));
});
