/** A process whose calls come to large results is killed around each put and each commit that points to one. What was acknowledged is whole, what was carried out is told as such, and nothing is left over. */

import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { files, sweepArtifacts, type ArtifactPointer } from 'statewarden/artifacts';
import { sqlite } from 'statewarden/sqlite';
import { inFolder, lifeOf } from '../crash/lives.js';
import { agentIds, artifactsIn, callsIn, resultLifePath, resultOf, storeIn } from './result-life.js';

const live = (folder: string, failpoints = '') => lifeOf(resultLifePath, [folder], failpoints);
const outputOf = (id: string): string => resultOf(id.startsWith('look') ? 'look' : id);

/** What the last life has left. `doubtful`: so many calls may have been cut off. */
async function judge(folder: string, doubtful: number, what: string): Promise<void> {
  const store = await sqlite(storeIn(folder)).open({ now: Date.now });
  const artifacts = await files(artifactsIn(folder)).open({ now: Date.now });
  try {
    const calls = readFileSync(callsIn(folder), 'utf8').trim().split('\n');
    let held = 0;
    const needed = new Set<string>();
    for (const id of agentIds) {
      const [record] = await store.lookup([id]);
      const rows = await store.operations(record?.key ?? 0);
      expect(rows, `${what}: ${id}`).to.have.lengthOf(1);
      const [{ id: operation, status, artifact, outcome } = { id: '' }] = rows;
      if (status === 'held') {
        held += 1;
        expect(id, what).to.match(/^pay/);
        continue;
      }
      expect(status, `${what}: ${id}`).to.equal('succeeded');
      expect(record, what).to.include({ status: 'done', outcome: JSON.stringify(outputOf(id)) });
      const pointer = JSON.parse(outcome ?? '') as ArtifactPointer;
      expect(pointer.id).to.equal(artifact);
      expect(Buffer.from(await artifacts.get(pointer)).toString()).to.equal(JSON.stringify(outputOf(id)));
      needed.add(pointer.id);
      const made = calls.filter((call) => call.endsWith(operation)).length;
      if (id.startsWith('pay')) expect(made, `${what}: ${id}`).to.equal(1);
    }
    expect(held, what).to.be.at.most(doubtful);
    for (const call of new Set(calls.filter((one) => one.startsWith('pay')))) {
      expect(calls.filter((one) => one === call).length, `${what}: ${call}`).to.equal(1);
    }
    expect(calls.filter((call) => call.startsWith('look')).length, what).to.be.within(1, 1 + doubtful);
    // The grace over, what nothing points to goes and what something does stays.
    await sweepArtifacts({ artifacts, graceMs: 0, now: () => Date.now() + 1, reachable: (ids) => store.hasArtifacts(ids) });
    const { artifacts: left } = await artifacts.list({ limit: 100 });
    expect(left.map(({ id }) => id).sort(), what).to.deep.equal([...needed].sort());
    expect(await store.check()).to.deep.equal([]);
  } finally {
    await store.close();
    await artifacts.close();
  }
}

describe('large results whose process is killed', function () {
  this.timeout(120_000);

  it('are whole and made once when nothing happens', () =>
    inFolder(async (folder) => {
      expect(await live(folder)).to.deep.equal({ code: 0, signal: null, stderr: '' });
      await judge(folder, 0, 'nothing');
    }));

  for (const place of ['result:put', 'result:stored', 'artifact:renamed', 'activity:end']) {
    it(`are whole or not there, at each passing of ${place}`, async () => {
      let kills = 0;
      for (let killed = true; killed;) {
        const failpoints = `${place}=crash@${String(kills + 1)}`;
        killed = await inFolder(async (folder) => {
          const end = await live(folder, failpoints);
          if (end.signal === 'SIGKILL') expect(await live(folder), failpoints).to.deep.equal({ code: 0, signal: null, stderr: '' });
          else expect(end, failpoints).to.deep.equal({ code: 0, signal: null, stderr: '' });
          await judge(folder, end.signal === 'SIGKILL' ? 1 : 0, failpoints);
          return end.signal === 'SIGKILL';
        });
        if (killed) kills += 1;
      }
      // Five calls; what the sixth agent takes over is put again, which renames nothing.
      expect(kills).to.equal(place === 'activity:end' || place === 'artifact:renamed' ? 5 : 6);
    });
  }

  it('are there again when it is killed with them in journals only, at each commit', async () => {
    for (let passing = 4; passing < 40; passing += 5) {
      const failpoints = `sqlite:after-commit=crash@${String(passing)}`;
      await inFolder(async (folder) => {
        const end = await live(folder, failpoints);
        if (end.signal === 'SIGKILL') expect(await live(folder), failpoints).to.deep.equal({ code: 0, signal: null, stderr: '' });
        await judge(folder, 1, failpoints);
      });
    }
  });

  it('are put again when a put has failed, by the same life', () =>
    inFolder(async (folder) => {
      const failpoints = 'result:put=throw@2;result:stored=throw@3';
      expect(await live(folder, failpoints)).to.deep.equal({ code: 0, signal: null, stderr: '' });
      await judge(folder, 0, failpoints);
    }));
});
