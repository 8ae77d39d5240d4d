import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenedStore } from '#src/persistence/store.js';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { birth, message, next } from './spanner-records.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeSpanner('Leases in Spanner', () => {
  let emulator: SpannerEmulator;
  let options: SpannerOptions;
  let opened: OpenedStore[] = [];

  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  beforeEach(async () => (options = await emulator.database()));
  afterEach(async () => {
    for (const store of opened) await store.close();
    opened = [];
  });

  /** A node whose clock is wrong by so much. */
  async function open(name: string, ttlMs: number, wrongBy = 0): Promise<OpenedStore> {
    const store = await spanner({ ...options, mailPollMs: 50 }).open({ lease: { name, ttlMs }, now: () => Date.now() + wrongBy });
    opened.push(store);
    return store;
  }

  for (const wrongBy of [-60_000, 60_000]) {
    it(`go by Spanner's time: a node whose clock is wrong by ${String(wrongBy / 1_000)} s takes nothing early and keeps what it has`, async () => {
      const right = await open('right', 1_200);
      const wrong = await open('wrong', 1_200, wrongBy);
      const [mine, theirs] = [birth(right, 1), birth(wrong, 2)];
      await right.commit([mine]);
      await wrong.commit([theirs]);
      expect((await wrong.load(['a-1']))[0]?.outcome).to.equal('owned');
      expect((await right.load(['a-2']))[0]?.outcome).to.equal('owned');
      for (let beat = 0; beat < 4; beat += 1) {
        await sleep(400);
        expect(await Promise.all([right.heartbeat(), wrong.heartbeat()])).to.deep.equal([true, true]);
      }
      expect((await right.nodes()).map(({ name }) => name)).to.have.members(['right', 'wrong']);
      expect((await wrong.load(['a-1']))[0]?.outcome).to.equal('owned');
      // Nothing was heard of it for as long as its lease lasts: it is taken over, and could not write any more.
      for (let wait = 0; wait < 4; wait += 1) {
        await sleep(400);
        await right.heartbeat();
      }
      const [taken] = await right.load(['a-2']);
      expect(taken?.outcome === 'loaded' && taken.record.fence).to.equal(2);
      expect((await wrong.commit([next(theirs)]))[0]).to.deep.equal({ outcome: 'refused', fence: 2, sequenceNumber: 1 });
      expect(await wrong.heartbeat()).to.equal(false);
      expect(await wrong.heartbeat()).to.equal(true);
    });
  }

  it('end with the node that closes: another takes its agents at once', async () => {
    const one = await open('one', 60_000);
    const other = await open('other', 60_000);
    await one.commit([birth(one, 1)]);
    const before = Date.now();
    await one.close();
    const [taken] = await other.load(['a-1']);
    expect(taken?.outcome).to.equal('loaded');
    expect(Date.now() - before).to.be.below(1_000);
  });

  it('keep a zombie from writing anything, whatever it writes and whatever it believes', async () => {
    const zombie = await open('zombie', 300);
    const other = await open('other', 60_000);
    const commits = [birth(zombie, 1), birth(zombie, 2), birth(zombie, 3)];
    await zombie.commit(commits);
    await zombie.post([message('a-1', 'waits')], 10);
    await zombie.load(['a-1', 'a-2', 'a-3']);
    await sleep(400);
    await other.load(['a-1', 'a-2', 'a-3']);
    const before = JSON.stringify([await other.inspect('a-1'), await other.counts()]);
    const [first, second, third] = commits as [(typeof commits)[0], (typeof commits)[0], (typeof commits)[0]];
    const late = await zombie.commit([
      next(first, { taken: [1], messages: [message('a-2', 'from a zombie')], timers: [] }),
      next(second, { status: 'done', outcome: '1' }),
      next(third, { spawns: [{ key: zombie.node * 2 ** 32 + 99, id: 'child', kind: 'counter', version: 1, input: undefined }] }),
    ]);
    expect(late.map(({ outcome }) => outcome)).to.deep.equal(['refused', 'refused', 'refused']);
    expect(JSON.stringify([await other.inspect('a-1'), await other.counts()])).to.equal(before);
    expect(await other.lookup(['child'])).to.deep.equal([undefined]);
  });

  it('tell a node of mail that another process posted, well within a second', async () => {
    const node = await open('node', 5_000);
    const commit = birth(node, 1);
    await node.commit([commit]);
    const heard = new Promise((resolve) => node.onForeignMail(resolve));
    const observer = await spanner(options).open({ now: Date.now });
    const before = Date.now();
    await observer.post([message('a-1', 'm')], 10);
    await observer.close();
    expect(await heard).to.deep.equal([commit.key]);
    expect(Date.now() - before).to.be.below(1_000);
  });
});
