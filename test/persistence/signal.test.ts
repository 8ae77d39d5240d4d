/** Answers by a word of shared memory: none is lost or taken for another's, whoever looks out or has just stopped to. */

import { expect } from 'chai';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import sinon from 'sinon';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { assign, setup } from 'xstate';
import { systemClock } from '#src/core/clock.js';
import { AskingSignal, newSignal, ServingSignal } from '#src/persistence/sqlite/signal.js';
import { inFolder } from '../crash/lives.js';

const counter = setup({ types: { context: {} as { count: number }, events: {} as { type: 'ADD'; text?: string } } }).createMachine({
  context: { count: 0 },
  on: { ADD: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});

const open = (folder: string) =>
  createRuntime({ store: sqlite(join(folder, 'agents.db')), agents: { counter: { machine: counter, version: 1 } } });

/** Keeps the thread for so long. */
function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('the signal of a store', () => {
  it('tells a request by its number, while somebody looks out', () => {
    const memory = newSignal();
    const [asking, serving] = [new AskingSignal(memory), new ServingSignal(memory)];
    const first = asking.ask();
    expect([serving.raised, asking.allBegun]).to.deep.equal([1, false]);
    expect(serving.begin()).to.equal(first);
    expect([asking.allBegun, asking.isTold(first)]).to.deep.equal([true, false]);
    expect(serving.tell(first)).to.equal(false);
    expect(asking.isTold(first)).to.equal(true);
    asking.lookOut(true);
    const second = asking.ask();
    expect([asking.isTold(second), serving.tell(serving.begin()), asking.isTold(second), asking.isTold(first)]).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
  });

  for (const [disk, elapsed] of [
    ['as it is', systemClock.elapsed],
    // Whatever the disk takes, it is quick: the thread looks out each time.
    ['quick', () => performance.now() / 1_000],
  ] as const) {
    it(`loses no answer of one who sends, waits and sends again, whatever else goes on; the disk is ${disk}`, () =>
      inFolder(async (folder) => {
        const clock = sinon.stub(systemClock, 'elapsed').callsFake(elapsed);
        const told = sinon.spy(AskingSignal.prototype, 'isTold');
        const looked = sinon.spy(AskingSignal.prototype, 'lookOut');
        try {
          await using runtime = await open(folder);
          const agent = await runtime.spawn('counter', { id: 'a' });
          const beside: Promise<unknown>[] = [];
          const list = (): void => void beside.push(runtime.deadLetters.list());
          for (let sent = 0; sent < 1_000; sent += 1) {
            const sending = agent.send({ type: 'ADD' });
            // After it has been asked for: others ask too, and the thread is busy when the answers come.
            if (sent % 3 === 1) process.nextTick(() => busy(Math.random()));
            if (sent % 5 === 2) process.nextTick(() => (list(), busy(2)));
            if (sent % 7 === 3) list();
            if (sent % 11 === 4) setImmediate(list);
            expect((await sending).sequenceNumber).to.equal(sent + 2);
          }
          await Promise.all(beside);
          expect((await agent.snapshot()).context.count).to.equal(1_000);
          expect(told.returnValues.filter(Boolean).length).to.be.greaterThan(0);
          if (disk === 'quick') expect(looked.args.filter(([yes]) => yes).length).to.be.greaterThan(100);
        } finally {
          clock.restore();
          told.restore();
          looked.restore();
        }
      }));
  }

  it('sees an answer that comes just when it stops to look out', () =>
    inFolder(async (folder) => {
      let now = 0;
      const clock = sinon.stub(systemClock, 'elapsed').callsFake(() => now);
      const asked = sinon.spy(AskingSignal.prototype, 'ask');
      const { lookOut } = AskingSignal.prototype;
      const meeting = { met: false };
      const stops = sinon.stub(AskingSignal.prototype, 'lookOut').callsFake(function (this: AskingSignal, yes) {
        const request = asked.lastCall.returnValue;
        const early = !yes && !this.isTold(request);
        const until = performance.now() + 2_000;
        while (early && !this.isTold(request) && performance.now() < until);
        meeting.met = early && this.isTold(request);
        lookOut.call(this, yes);
      });
      let seen = false;
      try {
        await using runtime = await open(folder);
        const agent = await runtime.spawn('counter', { id: 'a' });
        for (let tried = 0; tried < 100 && !seen; tried += 1) {
          await agent.send({ type: 'ADD' });
          meeting.met = false;
          const { callCount } = asked;
          // It has looked out for long enough while this, which is large, is still written.
          const sending = agent.send({ type: 'ADD', text: 'x'.repeat(900_000) });
          process.nextTick(() => (now += 1));
          await sending;
          // What a later request brings with it would be too late.
          seen = meeting.met && asked.callCount === callCount + 1;
        }
      } finally {
        clock.restore();
        stops.restore();
        asked.restore();
      }
      expect(seen).to.equal(true);
    }));

  it('sees an answer by a word of a writer that has died since', () =>
    inFolder(async (folder) => {
      const clock = sinon.stub(systemClock, 'elapsed').callsFake(() => 0);
      const asked = sinon.spy(AskingSignal.prototype, 'ask');
      const workers: Worker[] = [];
      const made = (worker: Worker): void => void workers.push(worker);
      process.on('worker', made);
      const { lookOut } = AskingSignal.prototype;
      let armed = false;
      let killed = false;
      const looks = sinon.stub(AskingSignal.prototype, 'lookOut').callsFake(function (this: AskingSignal, yes) {
        lookOut.call(this, yes);
        if (!yes || !armed) return;
        armed = false;
        const until = performance.now() + 2_000;
        while (!this.isTold(asked.lastCall.returnValue) && performance.now() < until);
        killed = this.isTold(asked.lastCall.returnValue);
        for (const worker of workers) void worker.terminate();
        busy(100);
      });
      try {
        const runtime = await open(folder);
        const agent = await runtime.spawn('counter', { id: 'a' });
        await agent.send({ type: 'ADD' });
        // Whoever is called back by a timer hears of threads that have ended before it looks again.
        const send = (): Promise<number> =>
          new Promise((resolve, reject) => {
            setTimeout(() => {
              armed = true;
              agent.send({ type: 'ADD' }).then(({ sequenceNumber }) => resolve(sequenceNumber), reject);
            }, 2);
          });
        // What is asked for while something else is, is not told by a word.
        let sent = 2;
        for (let tried = 0; tried < 100 && !killed; tried += 1) expect(await send()).to.equal((sent += 1));
        expect(killed).to.equal(true);
        await runtime.close().catch(() => undefined);
      } finally {
        process.off('worker', made);
        clock.restore();
        looks.restore();
        asked.restore();
      }
    }));
});
