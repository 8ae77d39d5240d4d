/** What the shorter actor of a promise relies on in XState, and that it stays short in the usual course. That it comes to what XState's own comes to: step.test.ts. */

import { expect } from 'chai';
import { Actor, createActor, createMachine, fromPromise, type AnyActorRef } from 'xstate';
import { isKnown } from '#src/actors/promise-actor.js';
import { persist, settlePromise } from '#src/actors/seam.js';
import { Recorder } from './recorder.js';

const machine = createMachine(
  {
    id: 'caller',
    initial: 'idle',
    states: {
      idle: { on: { GO: 'calling' } },
      calling: { invoke: { src: 'call', id: 'call', input: 3, onDone: 'idle', onError: 'idle' }, on: { LEAVE: 'idle' } },
    },
  },
  { actors: { call: fromPromise(({ input }) => Promise.resolve(input)) } },
);

/** With a child that has just begun. */
function calling(): { readonly agent: Recorder; readonly child: AnyActorRef } {
  const agent = Recorder.run(machine).send('GO');
  return { agent, child: agent.at('call') };
}

const isShort = (actor: AnyActorRef): boolean => !Object.keys(actor).includes('mailbox');
const isWhole = (actor: AnyActorRef): boolean =>
  Object.getOwnPropertySymbols(actor).some((symbol) => symbol.description === 'statewarden.rest' && actor[symbol as never] !== undefined);

describe("a promise's actor", () => {
  it('knows the actors of this XState', () => {
    expect(isKnown).to.equal(true);
    const whole = createActor(fromPromise(() => Promise.resolve()));
    const seen = [(whole as unknown as { _processingStatus: number })._processingStatus];
    seen.push((whole.start() as unknown as { _processingStatus: number })._processingStatus);
    seen.push((whole.stop() as unknown as { _processingStatus: number })._processingStatus);
    expect(seen).to.deep.equal([0, 1, 2]);
  });

  it('is made short, and is an actor', () => {
    const { child } = calling();
    expect(isShort(child)).to.equal(true);
    expect(child).to.be.instanceOf(Actor);
    expect([child.id, child.sessionId, child.src]).to.deep.equal(['call', 'x:1', 'call']);
    expect(JSON.parse(JSON.stringify(child))).to.deep.equal({ xstate$$type: 1, id: 'call' });
    expect(isWhole(child)).to.equal(false);
  });

  for (const [how, end] of [
    ['an answer', (agent: Recorder, child: AnyActorRef) => agent.turn(() => settlePromise(child, { ok: true, value: 4 }))],
    ['an error', (agent: Recorder, child: AnyActorRef) => agent.turn(() => settlePromise(child, { ok: false, error: new Error('no') }))],
    ['its state being left', (agent: Recorder) => agent.send('LEAVE')],
  ] as const) {
    it(`stays short to its end by ${how}`, () => {
      const { agent, child } = calling();
      persist(agent.root);
      end(agent, child);
      expect(agent.snapshot().value).to.equal('idle');
      expect(child.getSnapshot().status).to.equal({ 'an answer': 'done', 'an error': 'error' }[how as string] ?? 'stopped');
      expect(isWhole(child)).to.equal(false);
    });
  }

  it('has all that an actor has, once somebody asks', () => {
    const { agent, child } = calling();
    const heard: unknown[] = [];
    child.subscribe({ next: ({ status }) => heard.push(status), complete: () => heard.push('complete') });
    expect(isWhole(child)).to.equal(true);
    agent.turn(() => settlePromise(child, { ok: true, value: 4 }));
    expect(heard).to.deep.equal(['done', 'complete']);
    expect(agent.snapshot().value).to.equal('idle');
  });
});
