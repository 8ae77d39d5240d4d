/** Answers by a word of shared memory: none is lost or taken for another's, whoever looks out or has just stopped to. */

import { expect } from 'chai';
import { join } from 'node:path';
import sinon from 'sinon';
import { createRuntime } from 'statewarden';
import { sqlite } from 'statewarden/sqlite';
import { assign, setup } from 'xstate';
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

  it('loses no answer of one who sends, waits and sends again, whatever else goes on', () =>
    inFolder(async (folder) => {
      const told = sinon.spy(AskingSignal.prototype, 'isTold');
      try {
        await using runtime = await open(folder);
        const agent = await runtime.spawn('counter', { id: 'a' });
        const beside: Promise<unknown>[] = [];
        const list = (): void => void beside.push(runtime.deadLetters.list());
        for (let sent = 0; sent < 2_000; sent += 1) {
          const sending = agent.send({ type: 'ADD' });
          // After it has been asked for: others ask too, and the thread is busy when the answers come.
          if (sent % 3 === 1) process.nextTick(() => busy(Math.random()));
          if (sent % 5 === 2) process.nextTick(() => (list(), busy(2)));
          if (sent % 7 === 3) list();
          if (sent % 11 === 4) setImmediate(list);
          expect((await sending).sequenceNumber).to.equal(sent + 2);
        }
        await Promise.all(beside);
        expect((await agent.snapshot()).context.count).to.equal(2_000);
        expect(told.returnValues.filter(Boolean).length).to.be.greaterThan(0);
      } finally {
        told.restore();
      }
    }));

  it('sees an answer that comes just when it stops to look out', () =>
    inFolder(async (folder) => {
      await using runtime = await open(folder);
      const agent = await runtime.spawn('counter', { id: 'a' });
      const { lookOut } = AskingSignal.prototype;
      const asked = sinon.spy(AskingSignal.prototype, 'ask');
      let met = false;
      const stops = sinon.stub(AskingSignal.prototype, 'lookOut').callsFake(function (this: AskingSignal, yes) {
        const request = asked.lastCall.returnValue;
        met = !yes && !this.isTold(request);
        const until = performance.now() + 2_000;
        while (met && !this.isTold(request) && performance.now() < until);
        lookOut.call(this, yes);
      });
      let seen = false;
      try {
        for (let tried = 0; tried < 100 && !seen; tried += 1) {
          // It looks out only for who was quick before; what follows is so large that it takes longer than that.
          for (let sent = 0; sent < 3; sent += 1) await agent.send({ type: 'ADD' });
          met = false;
          const { callCount } = asked;
          await agent.send({ type: 'ADD', text: 'x'.repeat(900_000) });
          // What a later request brings with it would be too late.
          seen = met && asked.callCount === callCount + 1;
        }
      } finally {
        stops.restore();
        asked.restore();
      }
      expect(seen).to.equal(true);
    }));
});
