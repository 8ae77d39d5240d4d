/** What a Firestore store makes of the database's limits, and how many requests it needs: counted at the wire. */

import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, tell } from 'statewarden';
import { applied, checkpoint, effect, message, operation, posted, taken } from '#src/testing/store-cases/scene.js';
import { checksum } from '#src/core/checksum.js';
import type { JournalSegment } from '#src/persistence/store.js';
import { describeFirestore } from '../cloud/firestore-emulator.js';
import { FirestoreStage } from '../cloud/firestore-stage.js';

/** Of characters of one to four bytes, so that some of them stand where texts are cut. */
function long(megabytes: number): string {
  const piece = 'aü€😀'.repeat(1_000);
  return piece.repeat(Math.ceil((megabytes * 1_000_000) / Buffer.byteLength(piece)));
}

function longSegment(sequenceNumber: number, note: string): JournalSegment {
  const entries = JSON.stringify([{ seq: sequenceNumber, note }]);
  return { firstSequenceNumber: sequenceNumber, lastSequenceNumber: sequenceNumber, entries, checksum: checksum(entries) };
}

describeFirestore('firestore() and the limits of Firestore', function () {
  this.timeout(60_000);
  let stage: FirestoreStage;

  beforeEach(async () => (stage = await FirestoreStage.set()));
  afterEach(() => stage.strike());

  it('keeps texts that are longer than a document, and takes their parts away with them', async () => {
    const one = await stage.open();
    const text = JSON.stringify(long(2));
    const first = stage.birth(one, 'a', {
      create: { kind: 'counter', version: 1, input: text },
      segment: longSegment(1, long(2)),
      checkpoint: checkpoint(1, text),
      operations: [operation('o', { input: text, status: 'succeeded', outcome: text, settledIn: 1, settledAt: 1 })],
      effects: [effect('1.0', { context: text })],
      timers: [{ id: 't', dueAt: 1, delayMs: 1, policy: 'deadline', target: '', event: text }],
      state: text,
      outcome: text,
      busy: true,
    });
    await applied(one, first);
    await posted(one, message('a', { event: text }), message('a', { event: text }));
    const other = await stage.open();
    await one.close();
    const whole = await taken(other, 'a');
    expect(whole.checkpoint?.data === text && whole.record.state === text && whole.record.outcome === text).to.equal(true);
    expect(whole.effects[0]?.context === text && whole.timers[0]?.event === text).to.equal(true);
    expect(whole.mailbox.map(({ event }) => event === text)).to.deep.equal([true, true]);
    const [kept] = await other.operations(first.key);
    expect(kept?.input === text && kept.outcome === text).to.equal(true);
    expect(await other.check()).to.deep.equal([]);
    const before = await stage.documents('chunks');
    expect(before).to.be.greaterThan(20);
    const second = stage.turn(
      { ...first, fence: 2 },
      {
        checkpoint: checkpoint(2),
        effectsSettled: ['1.0'],
        timersCleared: 'all',
        taken: whole.mailbox.map(({ position }) => position),
      },
    );
    await applied(other, second);
    expect((await other.expire({ before: Infinity, limit: 10 })).expired).to.equal(1);
    const after = await stage.documents('chunks');
    // Left are those of the input, the journal, the agent’s state and outcome, the operation’s input.
    expect(after).to.be.lessThan(before / 2);
    expect((await other.inspect('a'))?.checkpoint).to.deep.equal(checkpoint(2));
    expect(await other.check()).to.deep.equal([]);
  });

  it('keeps a checkpoint that is larger than a request', async () => {
    const one = await stage.open();
    const text = JSON.stringify(long(16));
    const first = stage.birth(one, 'a', { checkpoint: checkpoint(1, text) });
    await applied(one, first);
    expect((await one.inspect('a'))?.checkpoint?.data === text).to.equal(true);
    await applied(one, stage.turn(first, { checkpoint: checkpoint(2) }));
    expect(await stage.documents('chunks')).to.equal(0);
  });

  it('leaves nobody half written when a large commit is refused', async () => {
    const one = await stage.open();
    const first = stage.birth(one, 'a', { checkpoint: checkpoint(1) });
    await applied(one, first);
    const [outcome] = await one.commit([stage.turn(first, { fence: 9, checkpoint: checkpoint(2, JSON.stringify(long(12))) })]);
    expect(outcome?.outcome).to.equal('refused');
    expect((await one.inspect('a'))?.checkpoint).to.deep.equal(checkpoint(1));
  });

  it('cuts a large group between agents, in order', async () => {
    const one = await stage.open();
    const births = Array.from({ length: 700 }, (_, index) => stage.birth(one, `a-${String(index)}`));
    const before = stage.wire.counts.get('Commit') ?? 0;
    const outcomes = await one.commit(births);
    expect(new Set(outcomes.map(({ outcome }) => outcome))).to.deep.equal(new Set(['applied']));
    // Three writes for each.
    expect((stage.wire.counts.get('Commit') ?? 0) - before).to.equal(5);
    expect((await one.counts()).agents.active).to.equal(700);
    const large = births.slice(0, 10).map((birth) => stage.turn(birth, { checkpoint: checkpoint(2, JSON.stringify(long(2))) }));
    expect(new Set((await one.commit(large)).map(({ outcome }) => outcome))).to.deep.equal(new Set(['applied']));
    expect(await one.check()).to.deep.equal([]);
  });

  it('takes ids, topics and keys of whatever they are made', async () => {
    const one = await stage.open();
    const awkward = ['orders/o-42', '.', '..', '__x__', 'ü€😀', 'a b', '~', '%2F', 'x'.repeat(1_400), '/'];
    for (const id of awkward) {
      const first = stage.birth(one, id, {
        operations: [operation(id)],
        timers: [{ id, dueAt: 1, delayMs: 1, policy: 'deadline', target: '', event: '1' }],
      });
      await applied(one, first);
      await posted(one, message(id, { messageId: id }));
      expect(await one.post([message(id, { messageId: id })], 10)).to.deep.equal([{ outcome: 'duplicate', sequenceNumber: 0 }]);
      const loaded = await taken(one, id);
      expect([loaded.record.id, loaded.operations[0]?.id, loaded.timers[0]?.id, loaded.mailbox[0]?.messageId]).to.deep.equal([
        id,
        id,
        id,
        id,
      ]);
    }
    expect((await one.list({ limit: 100 })).map(({ id }) => id)).to.have.members(awkward);
  });

  describe('requests', () => {
    const counter = setup({ types: { events: {} as { type: 'ADD' } | { type: 'PASS'; to: string } } }).createMachine({
      id: 'counter',
      context: { count: 0 },
      on: {
        ADD: { actions: assign({ count: ({ context }) => (context as { count: number }).count + 1 }) },
        PASS: { actions: tell(({ event }) => event.to, { type: 'ADD' }) },
      },
    });

    it('are one for each commit group in steady state, and groups are large under load', async () => {
      await using runtime = await createRuntime({
        store: stage.store(),
        agents: { counter: { machine: counter, version: 1 } },
        node: { leaseMs: 60_000 },
      });
      const agents = await Promise.all(Array.from({ length: 100 }, (_, index) => runtime.spawn('counter', { id: `c-${String(index)}` })));
      await Promise.all(agents.map((agent) => agent.send({ type: 'ADD' })));
      const groups: number[] = [];
      runtime.events$.subscribe((event) => event.type === 'commit' && groups.push(event.agents));
      const before = stage.wire.calls;
      await Promise.all(
        agents.map(async (agent) => {
          for (let event = 0; event < 10; event += 1) await agent.send({ type: 'ADD' });
        }),
      );
      expect(stage.wire.calls - before).to.equal(groups.length);
      expect(groups.reduce((sum, size) => sum + size, 0) / groups.length).to.be.at.least(20);
    });

    it('are one for each commit group also when agents send messages and take them', async () => {
      await using runtime = await createRuntime({
        store: stage.store(),
        agents: { counter: { machine: counter, version: 1 } },
        node: { leaseMs: 60_000 },
      });
      const agents = await Promise.all(Array.from({ length: 20 }, (_, index) => runtime.spawn('counter', { id: `c-${String(index)}` })));
      const pass = (): Promise<unknown> =>
        Promise.all(agents.map((agent, index) => agent.send({ type: 'PASS', to: `c-${String((index + 1) % 20)}` })));
      await pass();
      let groups = 0;
      let turns = 0;
      runtime.events$.subscribe((event) => {
        if (event.type !== 'commit') return;
        groups += 1;
        turns += event.turns;
      });
      const before = stage.wire.calls;
      for (let round = 0; round < 5; round += 1) await pass();
      while (turns < 200) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(stage.wire.calls - before).to.equal(groups);
    });

    it('of a group with one commit that is refused are three: the try, the look, and the rest', async () => {
      const one = await stage.open();
      const births = Array.from({ length: 20 }, (_, index) => stage.birth(one, `a-${String(index)}`));
      await one.commit(births);
      const other = await stage.observe();
      await other.post([message('a-7')], 10);
      const before = stage.wire.calls;
      const outcomes = await one.commit(births.map((birth, index) => stage.turn(birth, index === 7 ? { taken: [12_345] } : {})));
      expect(outcomes.map(({ outcome }) => outcome).filter((outcome) => outcome === 'refused')).to.have.length(1);
      expect(stage.wire.calls - before).to.be.at.most(4);
    });
  });
});
