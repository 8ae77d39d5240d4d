import { expect } from 'chai';
import type { OpenedStore, OperationRecord } from '#src/persistence/store.js';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { birth, message, next } from './spanner-records.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';

describeSpanner('Agents whole, in Spanner', () => {
  let emulator: SpannerEmulator;
  let options: SpannerOptions;
  let node: OpenedStore;
  let other: OpenedStore;

  const open = (name: string): Promise<OpenedStore> => spanner(options).open({ lease: { name, ttlMs: 60_000 }, now: Date.now });

  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  beforeEach(async () => {
    options = await emulator.database();
    node = await open('node');
    other = await open('other');
  });
  afterEach(async () => {
    await node.close();
    await other.close();
  });

  const long = JSON.stringify('x'.repeat(3_000_000));

  const operation: OperationRecord = {
    ...{ id: 'o', activity: 'search', path: '', status: 'succeeded', attempts: 1, userKey: undefined, input: '1', outcome: long },
    ...{ nextRetryAt: undefined, intendedIn: 1, settledIn: 1, intendedAt: 1, settledAt: 2, parkedBy: undefined, saga: undefined },
    ...{ compensates: undefined, resolutions: undefined, artifact: undefined },
  };

  /** An agent with something of everything, at turn 2. */
  async function populate(): Promise<number> {
    const first = birth(node, 1, {
      create: { kind: 'counter', version: 1, input: long },
      marks: [{ messageId: 'taken', sequenceNumber: 1 }],
      timers: [{ id: 't', dueAt: 5, delayMs: 0.5, policy: 'deadline', target: '', event: '{}' }],
      effects: [{ id: '1.0', path: '', type: 'notify', params: undefined, event: '{}', context: undefined }],
      operations: [operation],
      checkpoint: { sequenceNumber: 1, version: 1, schema: 'h', data: long, checksum: 0 },
    });
    await node.commit([first, next(first)]);
    await node.post([message('a-1', 'waits')], 10);
    return first.key;
  }

  it('are moved to another database as they are', async () => {
    const key = await populate();
    const [whole] = await node.whole([key]);
    expect(whole?.journal.map(({ lastSequenceNumber }) => lastSequenceNumber)).to.deep.equal([1, 2]);
    expect(whole?.checkpoint?.data === long).to.equal(true);
    expect(whole?.marks).to.deep.equal([{ messageId: 'taken', sequenceNumber: 1 }]);
    const target = await spanner(await emulator.database()).open({ now: Date.now });
    try {
      if (whole === undefined) throw new Error('it is not there');
      expect(await target.install([whole, whole])).to.deep.equal(['installed', 'exists']);
      const [moved] = await target.whole([key]);
      expect(moved).to.deep.equal({ ...whole, record: { ...whole.record, owner: undefined } });
      expect(await target.check()).to.deep.equal(await node.check());
      expect((await target.post([message('a-1', 'taken'), message('a-1', 'waits')], 10)).map(({ outcome }) => outcome)).to.deep.equal([
        'duplicate',
        'duplicate',
      ]);
      expect(await target.whole([key + 1])).to.deep.equal([undefined]);
    } finally {
      await target.close();
    }
  });

  it('are archived down to record and mailbox, which goes on, and restored with what came meanwhile', async () => {
    const key = await populate();
    const order = { key, fence: 1, sequenceNumber: 2, archive: '"a"', artifacts: ['a'] };
    expect(await other.archive([order])).to.deep.equal(['changed'], 'a live node holds it');
    await node.release([key]);
    const [whole] = await node.whole([key]);
    if (whole === undefined) throw new Error('it is not there');
    const outcomes = await other.archive([{ ...order, fence: 2 }, { ...order, sequenceNumber: 1 }, order, { ...order, key: key + 1 }]);
    expect(outcomes).to.deep.equal(['changed', 'changed', 'archived', 'absent']);
    expect((await other.counts()).bytes).to.equal(0);
    const [left] = await other.whole([key]);
    expect(left?.record.archive).to.equal('"a"');
    expect([left?.journal, left?.checkpoint, left?.timers, left?.effects]).to.deep.equal([[], undefined, [], []]);
    expect([left?.marks, left?.artifacts]).to.deep.equal([whole.marks, ['a']]);
    expect(left?.mailbox.length).to.equal(1);
    await other.post([message('a-1', 'meanwhile')], 10);
    expect(await other.restore({ ...whole, record: { ...whole.record, archive: '"b"' } })).to.equal('changed');
    expect(await other.restore({ ...whole, record: { ...whole.record, archive: '"a"' } })).to.equal('restored');
    const [back] = await other.whole([key]);
    expect(back?.mailbox.map(({ messageId }) => messageId)).to.deep.equal(['waits', 'meanwhile']);
    expect({ ...back, mailbox: [] }).to.deep.equal({ ...whole, mailbox: [], record: { ...whole.record, fence: 2 } });
    expect((await other.load([key]))[0]?.outcome).to.equal('loaded');
  });

  it('are removed with all that belongs to them, when they stand as named and nobody holds them', async () => {
    const key = await populate();
    const order = { key, fence: 1, sequenceNumber: 2, lastMail: 1 };
    expect(await other.remove([order])).to.deep.equal(['changed']);
    await node.release([key]);
    expect(await other.remove([{ ...order, lastMail: 0 }, order, order])).to.deep.equal(['changed', 'removed', 'absent']);
    const { agents, ...rest } = await other.counts();
    expect(Object.values(agents).every((count) => count === 0)).to.equal(true);
    expect(Object.values(rest).every((count) => count === 0)).to.equal(true);
    expect(await other.post([message('a-1', 'late')], 10)).to.deep.equal([{ outcome: 'dead-letter', reason: 'no-such-agent' }]);
  });

  it('are given up at once: another takes them, and the one that gave them up can write no more', async () => {
    const commit = birth(node, 1);
    const kept = birth(node, 2);
    await node.commit([commit, kept]);
    await node.release([commit.key]);
    await other.release([kept.key]);
    expect((await other.load(['a-1', 'a-2'])).map(({ outcome }) => outcome)).to.deep.equal(['loaded', 'owned']);
    expect((await node.commit([next(commit), next(kept)])).map(({ outcome }) => outcome)).to.deep.equal(['refused', 'applied']);
  });
});
