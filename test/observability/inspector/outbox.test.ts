/** What waits for one client: bounded, with the latest snapshot of each actor kept. */

import { expect } from 'chai';
import { SimulatedClock } from 'statewarden/testing';
import { Outbox, type OutboxLimits, type Parcel } from '#src/observability/inspector/outbox.js';

const big = 'x'.repeat(600_000);

class Slow {
  readonly clock = new SimulatedClock();
  readonly got: string[] = [];
  readonly cut: string[] = [];
  readonly outbox: Outbox;
  #written: (() => void)[] = [];

  constructor(limits: Partial<OutboxLimits> = {}) {
    this.outbox = new Outbox({
      clock: this.clock,
      write: (text, written) => {
        this.got.push(text);
        this.#written.push(written);
      },
      cutOff: (why) => void this.cut.push(why),
      leftOut: ({ sessionId }, messages) => parcel('@xstate.event', sessionId, `left out ${String(messages)}`),
      limits: { messages: 10, size: 100_000_000, stalledMs: 1_000, ...limits },
    });
  }

  /** Reads all that was written so far. */
  read(): void {
    const written = this.#written;
    this.#written = [];
    for (const one of written) one();
  }

  /** Two that fill the way. */
  fill(): void {
    for (const n of [1, 2]) this.outbox.send(parcel('@xstate.event', `fill-${String(n)}`, big));
  }
}

function parcel(type: string, sessionId: string, text: string): Parcel {
  return { type, sessionId, text };
}

describe('an outbox', () => {
  it('gives a client that reads everything, in order', () => {
    const slow = new Slow();
    for (let n = 0; n < 100; n += 1) {
      slow.outbox.send(parcel('@xstate.event', 'a', String(n)));
      slow.read();
    }
    expect(slow.got).to.deep.equal(Array.from({ length: 100 }, (_, n) => String(n)));
  });

  it('leaves out events and old snapshots while it reads slowly, and keeps the latest of each actor in order', () => {
    const slow = new Slow();
    slow.fill();
    slow.outbox.send(parcel('@xstate.actor', 'a', 'actor a'));
    for (let n = 0; n < 30; n += 1) {
      slow.outbox.send(parcel('@xstate.event', 'a', `event ${String(n)}`));
      slow.outbox.send(parcel('@xstate.snapshot', n % 2 === 0 ? 'a' : 'b', `snapshot ${String(n)}`));
    }
    for (let n = 0; n < 50; n += 1) slow.read();
    const [told = '', ...left] = slow.got.slice(2);
    expect(left.length).to.be.at.most(10);
    expect(told).to.equal(`left out ${String(slow.outbox.dropped)}`);
    expect(left[0]).to.equal('actor a');
    expect(left).to.include.members(['snapshot 28', 'snapshot 29']);
    const numbers = left.slice(1).map((text) => Number(text.split(' ')[1]));
    expect(numbers).to.deep.equal([...numbers].sort((one, other) => one - other));
    expect(slow.outbox.dropped + left.length).to.equal(61);
    expect(slow.cut).to.deep.equal([]);
  });

  it('tells all that it left out, once, each time that it is read again', () => {
    const slow = new Slow();
    const told = (): number[] => slow.got.flatMap((text) => (text.startsWith('left out ') ? [Number(text.split(' ')[2])] : []));
    for (let round = 1; round <= 3; round += 1) {
      slow.fill();
      for (let n = 0; n < 100; n += 1) slow.outbox.send(parcel('@xstate.event', 'a', `event ${String(n)}`));
      for (let n = 0; n < 50; n += 1) slow.read();
      expect(told()).to.have.lengthOf(round);
      expect(told().reduce((sum, one) => sum + one)).to.equal(slow.outbox.dropped);
      expect(slow.got.filter((text) => text.startsWith('event ')).length + slow.outbox.dropped).to.equal(round * 100);
    }
    expect(slow.cut).to.deep.equal([]);
  });

  it('cuts off a client that reads nothing, and one for which nothing more can be left out', async () => {
    const stalled = new Slow();
    stalled.fill();
    await stalled.clock.advance(900);
    stalled.read();
    stalled.fill();
    await stalled.clock.advance(900);
    expect(stalled.cut).to.deep.equal([]);
    await stalled.clock.advance(200);
    expect(stalled.cut).to.deep.equal(['it reads nothing']);
    stalled.outbox.send(parcel('@xstate.event', 'a', 'late'));
    expect(await stalled.outbox.ready()).to.equal(false);
    expect(stalled.got).to.have.lengthOf(4);

    const behind = new Slow();
    behind.fill();
    for (let n = 0; n < 11; n += 1) behind.outbox.send(parcel('@xstate.actor', String(n), 'actor'));
    expect(behind.cut).to.deep.equal(['it has fallen too far behind']);
  });

  it('is ready when all was handed over', async () => {
    const slow = new Slow();
    slow.fill();
    slow.outbox.send(parcel('@xstate.event', 'a', 'waits'));
    let isReady: boolean | undefined;
    const ready = slow.outbox.ready().then((is) => (isReady = is));
    await Promise.resolve();
    expect(isReady).to.equal(undefined);
    slow.read();
    await ready;
    expect(isReady).to.equal(true);
  });
});
