/** Approvals whose process is killed when their time is over, and at the places of a commit: in the next life they expire, once. */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from 'statewarden/sqlite';
import { inFolder, lifeOf } from '../crash/lives.js';
import { approvalLifePath, liveHere } from './approval-life.js';

/** What is in the file, by the store's own word, and what people were told. */
async function judge(folder: string, what: string): Promise<void> {
  const store = await sqlite(join(folder, 'agents.db')).open({ now: Date.now });
  try {
    const [record] = await store.lookup(['a']);
    expect(record?.status, what).to.equal('done');
    const ledger = await store.operations(record?.key ?? 0);
    expect(
      ledger.map(({ activity, status }) => `${activity} ${status}`),
      what,
    ).to.deep.equal(['approval failed']);
    const said = JSON.parse(ledger[0]?.resolutions ?? '[]') as { order: string }[];
    expect(
      said.map(({ order }) => order),
      what,
    ).to.deep.equal(['expired']);
    expect((await store.counts()).deadLetters, what).to.equal(0);
    expect(await store.check(), what).to.deep.equal([]);
  } finally {
    await store.close();
  }
  const told = readFileSync(join(folder, 'alerts.log'), 'utf8').trim().split('\n');
  expect(new Set(told.filter((line) => line.startsWith('approval-requested'))).size, `${what}: one id`).to.equal(1);
}

/** Kills at each passing until a life comes to its end before; resolves to the number of kills. */
async function killEach(place: string): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const failpoint = `${place}=crash@${String(kills + 1)}`;
    const killed = await inFolder(async (folder) => {
      const end = await lifeOf(approvalLifePath, [folder], failpoint);
      if (end.signal === 'SIGKILL') expect(await liveHere(folder), failpoint).to.match(/^nobody decided within 250 ms/);
      else expect(end, failpoint).to.deep.equal({ code: 0, signal: null, stderr: '' });
      await judge(folder, failpoint);
      return end.signal === 'SIGKILL';
    });
    if (!killed) return kills;
  }
}

describe('an approval whose process is killed', function () {
  this.timeout(120_000);

  it('expires in the next life when it is killed as its time is over', async () => {
    expect(await killEach('approval:expire')).to.equal(1);
  });

  it('expires once when it is killed at the places of a commit', async () => {
    for (const place of ['sqlite:before-sync', 'sqlite:after-commit', 'commit:durable', 'timer:fire']) {
      expect(await killEach(place), place).to.be.at.least(2);
    }
  });
});
