/** A process whose agents are archived and brought back is killed at each step of that. Every event is taken once, nothing is left half done, and no object is left over that anybody needs or nobody does. */

import { expect } from 'chai';
import { files, sweepArtifacts } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import type { AgentRecord } from '#src/persistence/store.js';
import { readArchive } from '#src/persistence/tiers/archiver.js';
import { inFolder, lifeOf } from '../crash/lives.js';
import { artifactsIn, coldIds, rounds, storeIn, tiersLifePath } from './tiers-life.js';

const live = (folder: string, failpoints = '') => lifeOf(tiersLifePath, [folder], failpoints);
const lived = { code: 0, signal: null, stderr: '' };

async function judge(folder: string, what: string): Promise<void> {
  const store = await sqlite(storeIn(folder)).open({ now: Date.now });
  const artifacts = await files(artifactsIn(folder)).open({ now: Date.now });
  try {
    expect(await store.check(), what).to.deep.equal([]);
    const needed: string[] = [];
    for (const record of await store.lookup([...coldIds])) {
      expect(record, what).to.include({ status: 'done', outcome: '[1,2]' });
      const { journal, checkpoint, record: whole } = await readArchive(artifacts, record as AgentRecord);
      expect(journal.at(-1)?.lastSequenceNumber, what).to.equal(whole.sequenceNumber);
      expect(checkpoint?.sequenceNumber, what).to.equal(whole.sequenceNumber);
      const events = journal.flatMap(({ entries }) => JSON.parse(entries) as { event?: { n?: number } | string }[]);
      expect(JSON.stringify(events).match(/TAKE/g), what).to.have.lengthOf(rounds);
      needed.push((JSON.parse(whole.archive ?? '') as { id: string }).id);
    }
    expect(await store.deadLetters({ after: 0, limit: 10 }), what).to.deep.equal([]);
    await sweepArtifacts({ artifacts, graceMs: 0, now: () => Date.now() + 1, reachable: (ids) => store.hasArtifacts(ids) });
    const { artifacts: left } = await artifacts.list({ limit: 100 });
    expect(left.map(({ id }) => id).sort(), what).to.deep.equal(needed.sort());
  } finally {
    await store.close();
    await artifacts.close();
  }
}

describe('cold agents whose process is killed', function () {
  this.timeout(120_000);

  it('are archived and brought back when nothing happens', () =>
    inFolder(async (folder) => {
      expect(await live(folder)).to.deep.equal(lived);
      await judge(folder, 'nothing');
    }));

  for (const place of ['archive:stored', 'archive:archived', 'archive:read', 'archive:restored']) {
    it(`take each event once, at each passing of ${place}`, async () => {
      let kills = 0;
      for (let killed = true; killed;) {
        const failpoints = `${place}=crash@${String(kills + 1)}`;
        killed = await inFolder(async (folder) => {
          const end = await live(folder, failpoints);
          if (end.signal === 'SIGKILL') expect(await live(folder), failpoints).to.deep.equal(lived);
          else expect(end, failpoints).to.deep.equal(lived);
          await judge(folder, failpoints);
          return end.signal === 'SIGKILL';
        });
        if (killed) kills += 1;
      }
      // Each agent is archived when it rests, and comes back for the next event.
      const least = coldIds.length * (place === 'archive:stored' || place === 'archive:archived' ? rounds : rounds - 1);
      expect(kills).to.be.at.least(least);
    });
  }

  it('take each event once when a step fails and the process lives on', () =>
    inFolder(async (folder) => {
      const failpoints = 'archive:stored=throw@1;archive:archived=throw@2';
      expect(await live(folder, failpoints)).to.deep.equal(lived);
      await judge(folder, failpoints);
    }));
});
