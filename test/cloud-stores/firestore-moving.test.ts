/** Agents as wholes in a Firestore store: archived and restored, removed, moved to another store, given up. */

import { expect } from 'chai';
import type { OpenedStore } from '#src/persistence/store.js';
import { applied, checkpoint, effect, message, operation, posted, segment, taken, timer } from '#src/testing/store-cases/scene.js';
import { describeFirestore } from '../cloud/firestore-emulator.js';
import { FirestoreStage } from '../cloud/firestore-stage.js';

describeFirestore('firestore() and whole agents', function () {
  this.timeout(60_000);
  let stage: FirestoreStage;
  let one: OpenedStore;

  beforeEach(async () => {
    stage = await FirestoreStage.set();
    one = await stage.open();
  });
  afterEach(() => stage.strike());

  const open = (prefix?: string): Promise<OpenedStore> => stage.open(prefix === undefined ? {} : { prefix });

  /** One with something of everything, held by nobody. */
  async function populate(id = 'a') {
    const birth = stage.birth(one, id, {
      create: { kind: 'counter', version: 1, input: '{"n":1}' },
      checkpoint: checkpoint(1),
      timers: [timer('t', 1)],
      operations: [
        operation('o'),
        operation('k', { status: 'succeeded', outcome: '1', settledIn: 1, settledAt: 1, userKey: 'u' }),
        operation('p', { status: 'succeeded', outcome: '1', settledIn: 1, settledAt: 1 }),
      ],
      effects: [effect('1.0', { params: '1' })],
      marks: [{ messageId: 'm', sequenceNumber: 1 }],
      busy: true,
    });
    await applied(one, birth);
    const turn = stage.turn(birth);
    await applied(one, turn);
    await posted(one, message(id, { messageId: 'waits' }), message(id));
    await applied(one, stage.turn(turn, { busy: false }));
    await one.release([birth.key]);
    return { key: birth.key, fence: 1, sequenceNumber: 3 };
  }
  const whole = async (store: OpenedStore, key: number) => (await store.whole([key]))[0]!;

  it('reads all that there is of an agent, and nothing of one that there is not', async () => {
    const { key } = await populate();
    const agent = await whole(one, key);
    expect(agent.record).to.include({ id: 'a', sequenceNumber: 3, owner: undefined });
    expect([agent.input, agent.checkpoint, agent.artifacts]).to.deep.equal([undefined, checkpoint(1), []]);
    expect(agent.journal).to.deep.equal([segment(1), segment(2), segment(3)]);
    expect(agent.marks).to.deep.equal([{ messageId: 'm', sequenceNumber: 1 }]);
    expect([agent.timers, agent.operations, agent.effects, agent.mailbox].map(({ length }) => length)).to.deep.equal([1, 3, 1, 2]);
    expect(await one.whole([123])).to.deep.equal([undefined]);
  });

  it('leaves of an archived agent its record, mailbox, marks and results with a user key, and brings the rest back as it was', async () => {
    const standing = await populate();
    const before = await whole(one, standing.key);
    expect(await one.archive([{ ...standing, fence: 9, archive: 'x', artifacts: ['y'] }])).to.deep.equal(['changed']);
    expect(await one.archive([{ ...standing, key: 1, archive: 'x', artifacts: ['y'] }])).to.deep.equal(['absent']);
    expect(await whole(one, standing.key)).to.deep.equal(before);
    expect(await one.archive([{ ...standing, archive: 'pointer', artifacts: ['x'] }])).to.deep.equal(['archived']);
    const left = await whole(one, standing.key);
    expect(left.record).to.deep.equal({ ...before.record, fence: 2, archive: 'pointer' });
    expect(left.mailbox).to.deep.equal(before.mailbox);
    expect([left.input, left.checkpoint]).to.deep.equal([undefined, undefined]);
    expect([left.journal, left.timers, left.effects]).to.deep.equal([[], [], []]);
    expect(left.operations).to.deep.equal(before.operations.filter(({ id }) => id === 'k'));
    expect([left.marks, left.artifacts]).to.deep.equal([before.marks, ['x']]);
    expect(await one.hasArtifacts(['x', 'y'])).to.deep.equal([true, false]);
    expect((await one.load(['a']))[0]).to.deep.equal({ outcome: 'archived', record: left.record });
    expect(await one.post([message('a', { messageId: 'waits' })], 10)).to.deep.equal([{ outcome: 'duplicate', sequenceNumber: 0 }]);
    expect(await one.check()).to.deep.equal([]);
    const kept = { ...before, record: { ...before.record, archive: 'pointer' } };
    expect(await one.restore({ ...kept, record: { ...kept.record, archive: 'other' } })).to.equal('changed');
    expect(await one.restore(kept)).to.equal('restored');
    expect(await whole(one, standing.key)).to.deep.equal({ ...before, record: { ...before.record, fence: 2 } });
    expect(await one.hasArtifacts(['x'])).to.deep.equal([false]);
    expect(await one.restore(kept)).to.equal('changed');
    expect((await taken(one, 'a')).record).to.include({ fence: 3, owner: one.node });
  });

  it('archives and removes nothing that a live node holds', async () => {
    const standing = await populate();
    await taken(one, 'a');
    const other = await open();
    const held = { ...standing, fence: 2 };
    expect(await other.archive([{ ...held, archive: 'x', artifacts: [] }])).to.deep.equal(['changed']);
    expect(await other.remove([{ ...held, lastMail: Number.MAX_SAFE_INTEGER }])).to.deep.equal(['changed']);
    await one.close();
    expect(await other.archive([{ ...held, archive: 'x', artifacts: [] }])).to.deep.equal(['archived']);
  });

  it('removes an agent with all that belongs to it, and its id is free again', async () => {
    const standing = await populate();
    const positions = (await one.mailbox(standing.key, 0)).map(({ position }) => position);
    await populate('b');
    expect(await one.remove([{ ...standing, lastMail: positions[0]! }])).to.deep.equal(['changed']);
    expect(await one.remove([{ ...standing, lastMail: positions[1]! }])).to.deep.equal(['removed']);
    expect(await one.remove([{ ...standing, lastMail: positions[1]! }])).to.deep.equal(['absent']);
    const { agents, bytes: _, ...counts } = await one.counts();
    expect(agents.active).to.equal(1);
    expect(counts).to.deep.equal({
      journalSegments: 3,
      checkpoints: 1,
      mailbox: 2,
      timers: 1,
      openOperations: 1,
      unsettledEffects: 1,
      deadLetters: 0,
    });
    expect(await one.post([message('a')], 10)).to.deep.equal([{ outcome: 'dead-letter', reason: 'no-such-agent' }]);
    await applied(one, stage.birth(one, 'a'));
  });

  it('puts agents into another store as they were, once', async () => {
    const { key } = await populate();
    const agent = await whole(one, key);
    const other = await open('other');
    expect(await other.install([agent, agent])).to.deep.equal(['installed', 'exists']);
    const moved = await whole(other, key);
    const bare = ({ mailbox, ...rest }: typeof agent) => ({ ...rest, mailbox: mailbox.map(({ position: _, ...letter }) => letter) });
    expect(bare(moved)).to.deep.equal(bare(agent));
    expect(await other.post([message('a', { messageId: 'waits' })], 10)).to.deep.equal([{ outcome: 'duplicate', sequenceNumber: 0 }]);
    expect(await other.post([message('a', { messageId: 'm' })], 10)).to.deep.equal([{ outcome: 'duplicate', sequenceNumber: 1 }]);
    expect(await other.runnable({ after: 0, limit: 10 })).to.deep.equal([key]);
    const loaded = await taken(other, 'a');
    expect(loaded.record).to.include({ fence: 2, owner: other.node });
    expect(await other.check()).to.deep.equal([]);
  });

  it('moves an agent with a long history and large values', async () => {
    const text = JSON.stringify('x'.repeat(3_000_000));
    const birth = stage.birth(one, 'a', { checkpoint: checkpoint(1, text) });
    await applied(one, birth);
    for (let round = 0; round < 3; round += 1) {
      const commits = [];
      let last = round === 0 ? birth : stage.turn(birth, { sequenceNumber: 1 + round * 200 });
      for (let index = 0; index < 200; index += 1) commits.push((last = stage.turn(last)));
      await one.commit(commits);
    }
    await one.release([birth.key]);
    const agent = await whole(one, birth.key);
    expect(agent.journal).to.have.length(601);
    const other = await open('other');
    expect(await other.install([agent])).to.deep.equal(['installed']);
    expect(await whole(other, birth.key)).to.deep.equal(agent);
    const artifacts = Array.from({ length: 2_500 }, (_, index) => `artifact-${String(index)}`);
    expect(await other.archive([{ key: birth.key, fence: 1, sequenceNumber: 601, archive: 'p', artifacts }])).to.deep.equal(['archived']);
    expect((await other.counts()).journalSegments).to.equal(0);
    expect(new Set((await whole(other, birth.key)).artifacts)).to.deep.equal(new Set(artifacts));
    expect(await other.hasArtifacts(['x', artifacts[0]!, artifacts[2_499]!])).to.deep.equal([false, true, true]);
    expect(await other.restore({ ...agent, record: { ...agent.record, archive: 'p' } })).to.equal('restored');
    expect(await whole(other, birth.key)).to.deep.equal({ ...agent, record: { ...agent.record, fence: 2 } });
    expect(await one.remove([{ key: birth.key, fence: 1, sequenceNumber: 601, lastMail: 0 }])).to.deep.equal(['removed']);
    expect(await stage.documents('chunks')).to.equal(0);
    expect(await stage.documents('journal')).to.equal(0);
  });
});
