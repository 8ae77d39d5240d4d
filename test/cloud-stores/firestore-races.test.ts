/** Many at once on one Firestore store: who wins, and that nothing is lost or doubled whoever does. */

import { expect } from 'chai';
import type { MessageRecord, PostOutcome } from '#src/persistence/store.js';
import { applied, message, segment, taken } from '#src/testing/store-cases/scene.js';
import { describeFirestore } from '../cloud/firestore-emulator.js';
import { FirestoreStage } from '../cloud/firestore-stage.js';

describeFirestore('firestore() with many at once', function () {
  this.timeout(60_000);
  let stage: FirestoreStage;

  beforeEach(async () => (stage = await FirestoreStage.set()));
  afterEach(() => stage.strike());

  it('gives each node another number', async () => {
    const nodes = await Promise.all(Array.from({ length: 8 }, () => stage.open()));
    expect(new Set(nodes.map(({ node }) => node)).size).to.equal(8);
    expect((await nodes[0]!.nodes()).length).to.equal(8);
  });

  it('makes an id once when many want it', async () => {
    const nodes = await Promise.all(Array.from({ length: 4 }, () => stage.open()));
    const outcomes = await Promise.all(nodes.map(async (one) => (await one.commit([stage.birth(one, 'a')]))[0]));
    expect(outcomes.map((outcome) => outcome?.outcome).sort()).to.deep.equal(['applied', 'exists', 'exists', 'exists']);
  });

  it('gives agents of a node that is gone to one of those who want them, with one fence', async () => {
    const gone = await stage.open();
    const ids = Array.from({ length: 30 }, (_, index) => `a-${String(index)}`);
    await gone.commit(ids.map((id) => stage.birth(gone, id)));
    await gone.close();
    const nodes = await Promise.all([stage.open(), stage.open(), stage.open()]);
    const loads = await Promise.all(nodes.map((one) => one.load(ids)));
    for (const [index, id] of ids.entries()) {
      const won = loads.filter((outcomes) => outcomes[index]?.outcome === 'loaded');
      expect(won, id).to.have.length(1);
    }
    const records = await nodes[0]!.lookup(ids);
    expect(new Set(records.map((record) => record?.fence))).to.deep.equal(new Set([2]));
  });

  it('takes nothing from a node that gives a sign of life in time, however often others try', async () => {
    const one = await stage.open({}, 1_500);
    await applied(one, stage.birth(one, 'a'));
    const other = await stage.open();
    const end = Date.now() + 4_000;
    while (Date.now() < end) {
      const [, [outcome]] = await Promise.all([one.heartbeat(), other.load(['a'])]);
      expect(outcome?.outcome).to.equal('owned');
    }
  });

  it('accepts a message id once, whoever posts it', async () => {
    const one = await stage.open();
    const first = stage.birth(one, 'a');
    await applied(one, first);
    const posters = await Promise.all(Array.from({ length: 5 }, () => stage.observe()));
    const outcomes = (
      await Promise.all(
        posters.map((poster) =>
          poster.post(
            Array.from({ length: 10 }, (_, index) => message('a', { messageId: `m-${String(index)}` })),
            100,
          ),
        ),
      )
    ).flat();
    expect(outcomes.filter(({ outcome }) => outcome === 'accepted')).to.have.length(10);
    expect(outcomes.filter(({ outcome }) => outcome === 'duplicate')).to.have.length(40);
    expect((await one.mailbox(first.key, 0)).map(({ messageId }) => messageId)).to.have.length(10);
  });

  it('leaves no message with an agent that has ended: each is a dead letter, or was never accepted', async () => {
    const one = await stage.open();
    for (let round = 0; round < 6; round += 1) {
      const id = `a-${String(round)}`;
      const first = stage.birth(one, id);
      await applied(one, first);
      const posters = await Promise.all([stage.observe(), stage.observe()]);
      const posts: Promise<readonly PostOutcome[]>[] = [];
      const events = new Set<string>();
      for (const [who, poster] of posters.entries()) {
        for (let index = 0; index < 8; index += 1) {
          const event = `{"type":"M","n":"${id} ${String(who)} ${String(index)}"}`;
          events.add(event);
          posts.push(poster.post([message(id, { event })], 100));
        }
      }
      const [outcome] = await one.commit([stage.turn(first, { status: 'done' })]);
      expect(outcome?.outcome).to.equal('applied');
      const outcomes = (await Promise.all(posts)).flat();
      expect(outcomes.every(({ outcome: what }) => what === 'accepted' || what === 'dead-letter')).to.equal(true);
      expect(await one.mailbox(first.key, 0)).to.deep.equal([]);
      const letters = (await one.deadLetters({ after: 0, limit: 1_000, to: id })).map(({ event }) => event);
      expect(new Set(letters)).to.deep.equal(events);
      expect(letters).to.have.length(events.size);
    }
  });

  it('buries what waits for each of many agents that end at once', async () => {
    const one = await stage.open();
    const births = Array.from({ length: 70 }, (_, index) => stage.birth(one, `a-${String(index)}`));
    await one.commit(births);
    const poster = await stage.observe();
    await poster.post(
      births.map(({ id }) => message(id, { event: `"${id} before"` })),
      100,
    );
    const during = births.map(({ id }) => poster.post([message(id, { event: `"${id} during"` })], 100));
    const outcomes = await one.commit(births.map((birth) => stage.turn(birth, { status: 'done' })));
    expect(new Set(outcomes.map(({ outcome }) => outcome))).to.deep.equal(new Set(['applied']));
    await Promise.all(during);
    const { mailbox, deadLetters } = await one.counts();
    expect({ mailbox, deadLetters }).to.deep.equal({ mailbox: 0, deadLetters: 140 });
  });

  it('buries what a node left behind that was killed between the end of an agent and what came in meanwhile', async () => {
    const one = await stage.open();
    const [ended, living] = [stage.birth(one, 'ended'), stage.birth(one, 'living')];
    await one.commit([ended, living]);
    await one.commit([stage.turn(ended, { status: 'done' })]);
    const long = JSON.stringify({ type: 'M', text: 'x'.repeat(1_500_000) });
    await one.post(
      [message('living', { messageId: 'm' }), message('living', { event: long }), message('living', { replyTo: 'mail:1 b' })],
      100,
    );
    await stage.misdeliver(living.key, ended);
    expect(await (await stage.observe()).runnable({ after: 0, limit: 10 }), 'an observer only looks').to.deep.equal([]);
    expect((await one.counts()).mailbox).to.equal(3);
    const others = await Promise.all([stage.open(), stage.open(), stage.open()]);
    await Promise.all(others.map((other) => other.runnable({ after: 0, limit: 10 })));
    const letters = await one.deadLetters({ after: 0, limit: 10 });
    expect(letters.map(({ to, messageId, reason }) => [to, messageId, reason])).to.have.deep.members([
      ['ended', 'm', 'agent-ended'],
      ['ended', undefined, 'agent-ended'],
    ]);
    expect(letters.map(({ event }) => event)).to.include(long);
    expect((await one.counts()).mailbox).to.equal(0);
    expect(await one.check()).to.deep.equal([]);
  });

  it('moves a dead letter once, whoever redrives it', async () => {
    const one = await stage.open();
    await one.post(
      Array.from({ length: 10 }, () => message('a')),
      10,
    );
    const letters = (await one.deadLetters({ after: 0, limit: 100 })).map(({ position }) => position);
    const first = stage.birth(one, 'a');
    await applied(one, first);
    const others = await Promise.all([stage.observe(), stage.observe(), stage.observe()]);
    const outcomes = (await Promise.all(others.map((other) => other.redrive(letters, undefined, 100)))).flat();
    expect(outcomes.filter(({ outcome }) => outcome === 'redriven')).to.have.length(10);
    expect(await one.mailbox(first.key, 0)).to.have.length(10);
    expect(await one.deadLetters({ after: 0, limit: 100 })).to.deep.equal([]);
  });

  it('has messages of several senders taken exactly once, while the receiver changes hands', async () => {
    const nodes = await Promise.all([stage.open(), stage.open()]);
    const first = stage.birth(nodes[0]!, 'r');
    await applied(nodes[0]!, first);
    const senders = await Promise.all(
      nodes.map(async (one, index) => {
        const sender = stage.birth(one, `s-${String(index)}`);
        await applied(one, sender);
        return { one, sender };
      }),
    );
    const send = async ({ one, sender }: (typeof senders)[number]): Promise<void> => {
      let last = sender;
      for (let index = 0; index < 10; index += 1) {
        const messages: MessageRecord[] = [message('r', { event: `${sender.id} ${String(index)}` })];
        last = stage.turn(last, { messages });
        expect((await one.commit([last]))[0]?.outcome).to.equal('applied');
      }
    };
    const taking: string[] = [];
    const take = async (one: (typeof nodes)[number]): Promise<void> => {
      const { record, mailbox } = await taken(one, 'r');
      const next = record.sequenceNumber + 1;
      const commit = {
        key: record.key,
        id: 'r',
        fence: record.fence,
        expected: record.sequenceNumber,
        sequenceNumber: next,
        at: Date.now(),
        segment: segment(next),
        taken: mailbox.map(({ position }) => position),
      };
      const [outcome] = await one.commit([commit]);
      if (outcome?.outcome === 'applied') taking.push(...mailbox.map(({ event }) => event));
    };
    const sending = Promise.all(senders.map(send));
    for (let round = 0; round < 4; round += 1) await take(nodes[0]!);
    await sending;
    await nodes[0]!.close();
    await take(nodes[1]!);
    expect(taking).to.have.length(20);
    expect(new Set(taking).size).to.equal(20);
    for (const id of ['s-0', 's-1']) {
      const own = taking.filter((event) => event.startsWith(id)).map((event) => Number(event.split(' ')[1]));
      expect(own).to.deep.equal([...own].sort((one, other) => one - other));
    }
  });

  it('loses no mail that comes while agents are removed or archived', async () => {
    const [one, two] = await Promise.all([stage.open(), stage.open()]);
    const births = Array.from({ length: 20 }, (_, index) => stage.birth(one, `a-${String(index)}`));
    await one.commit(births);
    const posts = Promise.all(births.map(async ({ id }) => (await two.post([message(id, { messageId: 'm' })], 10))[0]?.outcome));
    const stands = births.map(({ key }) => ({ key, fence: 1, sequenceNumber: 1 }));
    const archived = stands.filter((_, index) => index % 2 === 1);
    const [removals, archives] = await Promise.all([
      one.remove(stands.filter((_, index) => index % 2 === 0).map((stand) => ({ ...stand, lastMail: 0 }))),
      one.archive(archived.map((stand) => ({ ...stand, archive: 'p', artifacts: [] }))),
    ]);
    const posted = await posts;
    for (const [index, { key, id }] of births.entries()) {
      const isGone = index % 2 === 0 && removals[index / 2] === 'removed';
      expect(posted[index], id).to.equal(isGone ? 'dead-letter' : 'accepted');
      expect(await one.mailbox(key, 0), id).to.have.length(isGone ? 0 : 1);
    }
    expect(archives).to.deep.equal(archived.map(() => 'archived'));
  });
});
