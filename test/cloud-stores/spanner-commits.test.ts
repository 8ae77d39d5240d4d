import { expect } from 'chai';
import { armFailpoints } from '#src/core/failpoint.js';
import type { AgentCommit, OpenedStore } from '#src/persistence/store.js';
import { StoreUnavailableError } from 'statewarden';
import { spanner, type SpannerOptions } from 'statewarden/spanner';
import { birth, message, next } from './spanner-records.js';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';
import { GrpcWire } from '../cloud/grpc-wire.js';

const unavailable = 14;

describeSpanner('Commits to Spanner', () => {
  let emulator: SpannerEmulator;
  let wire: GrpcWire;
  let options: SpannerOptions;
  let store: OpenedStore;

  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  beforeEach(async () => {
    wire = await new GrpcWire(emulator.port).start();
    const { database } = await emulator.database();
    options = { ...emulator.options(database, wire.port), callTimeoutMs: 3_000 };
    store = await spanner(options).open({ lease: { name: 'node', ttlMs: 5_000 }, now: Date.now });
  });
  afterEach(async () => {
    wire.fault = () => undefined;
    await store.close();
    await wire.stop();
  });

  /** Applies them, and says what went over the wire. */
  async function cost(commits: readonly AgentCommit[]): Promise<Record<string, number>> {
    wire.take();
    const outcomes = await store.commit(commits);
    expect(outcomes.map(({ outcome }) => outcome)).to.deep.equal(commits.map(() => 'applied'));
    return wire.take();
  }

  it('are one call for a group of many agents: new ones, turns, messages between them, mail taken, ends', async () => {
    const births = Array.from({ length: 40 }, (_, index) => birth(store, index + 1));
    expect(await cost(births)).to.deep.equal({ Commit: 1 });
    let turns = births.map((commit) => next(commit));
    expect(await cost(turns)).to.deep.equal({ Commit: 1 });
    turns = turns.map((commit, index) =>
      next(commit, { messages: [message(`a-${String(((index + 1) % 40) + 1)}`, `m-${String(index)}`)] }),
    );
    expect(await cost(turns)).to.deep.equal({ Commit: 1 });
    turns = turns.map((commit, index) =>
      next(commit, { taken: [1], marks: [{ messageId: `m-${String((index + 39) % 40)}`, sequenceNumber: commit.sequenceNumber + 1 }] }),
    );
    expect(await cost(turns)).to.deep.equal({ Commit: 1 });
    turns = turns.map((commit) => next(commit, { status: 'done', outcome: '1', busy: false }));
    expect(await cost(turns)).to.deep.equal({ Commit: 1 });
    expect((await store.counts()).agents.done).to.equal(40);
    expect(await store.check()).to.deep.equal([]);
  });

  it('hold up no sign of life: it begins no transaction, so a commit that comes while it is made aborts nothing', async () => {
    let agent = birth(store, 1);
    await store.commit([agent]);
    wire.take();
    let commits = 0;
    // Its own comes first, and is kept waiting while others are made.
    wire.fault = (call) => (call === 'Commit' && (commits += 1) === 1 ? { delayMs: 500 } : undefined);
    const sign = store.heartbeat();
    while (commits === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    for (let turn = 0; turn < 5; turn += 1) {
      agent = next(agent);
      await store.commit([agent]);
    }
    expect(await sign).to.equal(true);
    expect(wire.take()).to.deep.equal({ Commit: 6, ExecuteStreamingSql: 1 });
  });

  it('come together in one call when they are made while one is under way', async () => {
    const births = Array.from({ length: 30 }, (_, index) => birth(store, index + 1));
    wire.take();
    const outcomes = await Promise.all(births.map((commit) => store.commit([commit])));
    expect(outcomes.flat().every(({ outcome }) => outcome === 'applied')).to.equal(true);
    expect(wire.take()['Commit']).to.be.at.most(2);
  });

  it('read before they write where memory does not do, and no more than that', async () => {
    const first = birth(store, 1);
    await store.commit([first, birth(store, 2)]);
    const letter = next(first, { messages: [message('nobody', 'm')] });
    expect(await cost([letter])).to.deep.equal({ ExecuteStreamingSql: 2, Commit: 1 });
    const other = await spanner(options).open({ now: Date.now });
    await other.post([message('a-2', 'from-outside')], 10);
    await other.close();
    // The mailbox of a-2 is not as this node has it: the guarded commit fails, and a transaction does it.
    expect(await cost([next(letter, { messages: [message('a-2', 'from-inside')] })])).to.deep.equal({ ExecuteStreamingSql: 1, Commit: 2 });
    const [, second] = await store.lookup(['a-1', 'a-2']);
    expect((await store.mailbox(second?.key ?? 0, 0)).map(({ messageId }) => messageId)).to.deep.equal(['from-outside', 'from-inside']);
  });

  it('are in doubt when the line is cut after the commit, and are found done by reading back', async () => {
    const commit = birth(store, 1);
    wire.fault = (call) => (call === 'Commit' ? 'lose' : undefined);
    const lost = await store.commit([commit]).catch((error: unknown) => error);
    expect(lost).to.be.instanceOf(StoreUnavailableError);
    wire.fault = () => undefined;
    expect(await store.heads([commit.key])).to.deep.equal([{ fence: 1, sequenceNumber: 1 }]);
    expect(await cost([next(commit)])).to.deep.equal({ Commit: 1 });
  });

  it('are never sent twice when what became of them is not known', async () => {
    await store.commit([birth(store, 1)]);
    wire.take();
    wire.fault = (call) => (call === 'Commit' ? { status: unavailable, message: 'gone for now' } : undefined);
    const refused = await store.commit([birth(store, 2)]).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(StoreUnavailableError);
    expect(wire.take()).to.deep.equal({ Commit: 1 });
    wire.fault = () => undefined;
    expect((await store.lookup(['a-2']))[0]).to.equal(undefined);
  });

  it('are tried again when they were aborted, which says that nothing was done', async () => {
    let aborts = 3;
    wire.fault = (call) => (call === 'Commit' && aborts-- > 0 ? { status: 10, message: 'aborted for the test' } : undefined);
    expect(await cost([birth(store, 1)])).to.deep.equal({ Commit: 4 });
    aborts = 2;
    const read = await store.post([message('a-1', 'm')], 10);
    expect(read[0]?.outcome).to.equal('accepted');
  });

  it('wait for as long as Spanner asks before they are tried again', async () => {
    let aborts = 1;
    wire.fault = (call) => (call === 'Commit' && aborts-- > 0 ? { status: 10, message: 'aborted', retryMs: 700 } : undefined);
    const before = performance.now();
    expect(await cost([birth(store, 1)])).to.deep.equal({ Commit: 2 });
    expect(performance.now() - before).to.be.at.least(690);
  });

  it('write nothing when they fail between reading and writing, and leave nothing locked', async () => {
    await store.commit([birth(store, 1)]);
    armFailpoints('spanner:read=throw@1');
    try {
      const failed = await store.post([message('a-1', 'm')], 10).catch((error: unknown) => error);
      expect(failed).to.be.instanceOf(StoreUnavailableError);
    } finally {
      armFailpoints(undefined);
    }
    expect((await store.counts()).mailbox).to.equal(0);
    expect((await store.post([message('a-1', 'm')], 10))[0]?.outcome).to.equal('accepted');
  });

  it('wait for an answer that takes long, and are in doubt when it takes too long', async () => {
    wire.fault = (call) => (call === 'Commit' ? { delayMs: 1_000 } : undefined);
    expect(await cost([birth(store, 1)])).to.deep.equal({ Commit: 1 });
    wire.fault = (call) => (call === 'Commit' ? { delayMs: 5_000 } : undefined);
    const late = await store.commit([birth(store, 2)]).catch((error: unknown) => error);
    expect(late).to.be.instanceOf(StoreUnavailableError);
    expect((late as StoreUnavailableError).hint).to.include('asked before it is tried again');
  });

  it('keep texts that are longer than a column may be, and forget them with their rows', async () => {
    const long = (letter: string): string => JSON.stringify(letter + '\u{1f600}'.repeat(2_500_000));
    const commit = birth(store, 1, {
      checkpoint: { sequenceNumber: 1, version: 1, schema: 'h', data: long('a'), checksum: 0 },
      effects: [{ id: '1.0', path: '', type: 'notify', params: long('p'), event: '{}', context: undefined }],
    });
    await store.commit([commit]);
    await store.post([{ ...message('a-1', 'm'), event: long('e') }], 10);
    const loaded = await store.inspect('a-1');
    expect(loaded?.checkpoint?.data === long('a')).to.equal(true);
    expect(loaded?.effects[0]?.params === long('p')).to.equal(true);
    expect(loaded?.mailbox[0]?.event === long('e')).to.equal(true);
    await store.load(['a-1']);
    const small = { sequenceNumber: 2, version: 1, schema: 'h', data: '{}', checksum: 0 };
    await store.commit([next(commit, { checkpoint: small, effectsSettled: ['1.0'], taken: [1] })]);
    const { bytes } = await store.counts();
    expect(bytes).to.be.below(1_000);
  });

  it('are split where they are more than Spanner takes at once, in order', async () => {
    const births = Array.from({ length: 12 }, (_, index) =>
      birth(store, index + 1, {
        checkpoint: { sequenceNumber: 1, version: 1, schema: 'h', data: JSON.stringify('x'.repeat(2_000_000)), checksum: 0 },
      }),
    );
    wire.take();
    const outcomes = await store.commit([...births, ...births.map((commit) => next(commit))]);
    expect(outcomes.every(({ outcome }) => outcome === 'applied')).to.equal(true);
    expect(wire.take()).to.deep.equal({ Commit: 2 });
  });
});
