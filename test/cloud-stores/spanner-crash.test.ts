/** The crash scenario on Spanner, killed at each of its writes in turn and gone on with. What is left is judged by the same checker as a SQLite file, from records read by an observer. */

import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { check, type Records, type Verdict } from '../crash/checker.js';
import { inFolder, lifeOf, onlyWrites, writesOf, type End } from '../crash/lives.js';
import { scenarioLeaseMs, spannerScenarioPath } from './process-scenario.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

/** Where in a write it dies, in turn: nothing sent; committed and not told. */
const places = ['spanner:commit', 'spanner:committed'] as const;

describeSpanner('A process on Spanner killed at each of its writes', function () {
  this.timeout(600_000);
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());

  const live = (folder: string, { project, instance, database }: SpannerOptions, failpoints = ''): Promise<Omit<End, 'stdout'>> =>
    lifeOf(spannerScenarioPath, [folder, project, instance, database, String(emulator.port)], failpoints);

  async function judge(folder: string, options: SpannerOptions): Promise<Verdict> {
    const store = await spanner(options).open({ now: Date.now });
    try {
      expect(await store.check()).to.deep.equal([]);
      const records: { agents: Records['agents'][number][]; operations: Records['operations'][number][] } = { agents: [], operations: [] };
      for (const { id, key, sequenceNumber } of await store.list({ limit: 100 })) {
        const journal = await store.journal(key, { after: 0, limit: 10_000 });
        records.agents.push({ id, sequenceNumber, journal, checkpoint: (await store.inspect(key))?.checkpoint });
        records.operations.push(...(await store.operations(key)).map((operation) => ({ ...operation, agent: id })));
      }
      return check(folder, records);
    } finally {
      await store.close();
    }
  }

  /** Whether there was such a write. */
  function killAndGoOn(failpoint: string): Promise<boolean> {
    return inFolder(async (folder) => {
      const options = await emulator.database();
      const first = await live(folder, options, failpoint);
      if (first.code === 0) return false;
      expect(first, failpoint).to.include({ signal: 'SIGKILL', stderr: '' });
      await sleep(scenarioLeaseMs + 100);
      expect(await live(folder, options), `after ${failpoint}`).to.include({ code: 0, stderr: '' });
      expect((await judge(folder, options)).violations, failpoint).to.deep.equal([]);
      return true;
    });
  }

  it('goes on where it was: nothing acknowledged is lost, nothing is recorded twice', async () => {
    let writes = 0;
    const lane = async (first: number): Promise<void> => {
      for (const write of writesOf(first, 2)) {
        if (!(await killAndGoOn(`${places[write % places.length] as string}=crash@${String(write)}`))) break;
        writes += 1;
      }
    };
    await Promise.all([lane(1), lane(2)]);
    process.stdout.write(`      ${String(writes)} writes, ${String(writes)} crashes\n`);
    expect(writes).to.be.at.least(onlyWrites.length || 10);
  });
});
