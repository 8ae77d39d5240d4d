/** A whole runtime on Spanner: what it costs on the wire under load, and what it does when the line is cut again and again. */

import { expect } from 'chai';
import { assign, setup } from 'xstate';
import { createRuntime, tell } from 'statewarden';
import { spanner } from 'statewarden/spanner';
import { describeSpanner, SpannerEmulator } from './spanner-emulator.js';
import { GrpcWire } from '../cloud/grpc-wire.js';

const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'ADD' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});
const forwarder = setup({
  types: { context: {} as { to: string }, events: {} as { type: 'GO' }, input: {} as { to: string } },
}).createMachine({
  id: 'forwarder',
  context: ({ input }) => ({ to: input.to }),
  on: { GO: { actions: tell(({ context }) => context.to, { type: 'ADD' }) } },
});

const agents = 100;
const events = 20;

describeSpanner('A runtime on Spanner', function () {
  this.timeout(60_000);
  let emulator: SpannerEmulator;
  let wire: GrpcWire;
  let store: ReturnType<typeof spanner>;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());
  beforeEach(async () => {
    const { database } = await emulator.database();
    wire = await new GrpcWire(emulator.port).start();
    store = spanner({ ...emulator.options(database, wire.port), callTimeoutMs: 3_000 });
  });
  afterEach(() => wire.stop());

  const open = () =>
    createRuntime({
      store,
      agents: { counter: { machine: counter, version: 1 }, forwarder: { machine: forwarder, version: 1 } },
      node: { leaseMs: 30_000 },
    });

  it('makes one call for a group of at least 20 events under load, and no other call for them', async () => {
    await using runtime = await open();
    const all = await Promise.all(Array.from({ length: agents }, (_, index) => runtime.spawn('counter', { id: `c-${String(index)}` })));
    wire.take();
    await Promise.all(all.flatMap((agent) => Array.from({ length: events }, () => agent.send({ type: 'ADD' }))));
    const { Commit = 0, BeginTransaction = 0, ExecuteStreamingSql = 0 } = wire.take();
    process.stdout.write(
      `      ${String(agents * events)} durable events in ${String(Commit)} calls of Commit, ${String(ExecuteStreamingSql)} queries\n`,
    );
    expect(BeginTransaction).to.equal(0);
    expect((agents * events) / Commit).to.be.at.least(20);
    // Looks for mail, by the clock: none of them is for an event.
    expect(ExecuteStreamingSql).to.be.at.most(20);
    for (const agent of all) expect((await agent.snapshot()).context.count).to.equal(events);
  });

  it('loses and doubles nothing when every fourth commit is cut off, before or after it was made', async () => {
    let calls = 0;
    {
      await using runtime = await open();
      const book = await runtime.spawn('counter', { id: 'book' });
      const senders = await Promise.all(
        Array.from({ length: 10 }, (_, index) => runtime.spawn('forwarder', { id: `f-${String(index)}`, input: { to: 'book' } })),
      );
      wire.fault = (call) => {
        if (call !== 'Commit') return undefined;
        calls += 1;
        if (calls % 8 === 3) return 'lose';
        return calls % 8 === 7 ? { status: 14, message: 'away for the test' } : undefined;
      };
      for (let round = 0; round < 10; round += 1) {
        await Promise.all(
          senders.map((sender, index) => sender.send({ type: 'GO' }, { messageId: `go-${String(round)}-${String(index)}` })),
        );
      }
      await book.waitFor(({ context }) => context.count >= 100);
      wire.fault = () => undefined;
      expect((await book.snapshot()).context.count).to.equal(100);
    }
    expect(calls).to.be.at.least(16);
    const observer = await store.open({ now: Date.now });
    expect(await observer.check()).to.deep.equal([]);
    expect((await observer.counts()).mailbox).to.equal(0);
    await observer.close();
  });
});
