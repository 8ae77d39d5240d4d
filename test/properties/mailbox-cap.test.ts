/** The cap of a mailbox against a counter: it takes what it may hold, refuses the rest at once, and takes all that was accepted, in order. */

import { expect } from 'chai';
import fc from 'fast-check';
import { assign, setup } from 'xstate';
import { memory } from 'statewarden';
import { Lives } from './lives.js';
import { runs, timeoutMs } from './runs.js';

const sink = setup({
  types: { context: {} as { taken: number[] }, events: {} as { type: 'MAIL'; n: number } },
}).createMachine({
  id: 'sink',
  context: { taken: [] },
  on: { MAIL: { actions: assign({ taken: ({ context, event }) => [...context.taken, event.n] }) } },
});
const agents = { sink: { machine: sink, version: 1 } };

const small = fc.integer({ min: 1, max: 12 });

/** The codes of those that were refused, by number. */
async function outcomes(sends: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(sends);
  return settled.map((one) => (one.status === 'fulfilled' ? 'taken' : (one.reason as { code: string }).code));
}

function expected(count: number, accepted: number): string[] {
  return Array.from({ length: count }, (_, n) => (n < accepted ? 'taken' : 'MAILBOX_FULL'));
}

describe('the cap of a mailbox', () => {
  it('holds for events that wait in memory behind a slow store', async () => {
    await fc.assert(
      fc.asyncProperty(
        small,
        small,
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 }),
        async (cap, turns, bursts) => {
          await using lives = new Lives(memory(), { agents, limits: { mailbox: cap, uncommittedTurns: turns } });
          await lives.start();
          const agent = await lives.runtime.spawn('sink', { id: 's' });
          const taken: number[] = [];
          let n = 0;
          for (const count of bursts) {
            let open: () => void = () => undefined;
            const closed = new Promise<void>((resolve) => (open = resolve));
            lives.store.plan('commit', { fault: 'delay', until: closed });
            const numbers = Array.from({ length: count + 1 }, () => (n += 1));
            const under = outcomes(numbers.map((number) => agent.send({ type: 'MAIL', n: number })));
            open();
            const accepted = Math.min(turns + cap, numbers.length);
            expect(await lives.through(under)).to.deep.equal(expected(numbers.length, accepted));
            taken.push(...numbers.slice(0, accepted));
          }
          expect((await agent.snapshot()).context.taken).to.deep.equal(taken);
        },
      ),
      runs(40),
    );
  }).timeout(timeoutMs);

  it('holds for messages from another node, and what was accepted is taken when there is time', async () => {
    await fc.assert(
      fc.asyncProperty(small, fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 4 }), async (cap, bursts) => {
        await using lives = new Lives(memory(), { agents, limits: { mailbox: cap } });
        await lives.start();
        await lives.runtime.spawn('sink', { id: 's' });
        const neighbour = await lives.neighbour();
        const there = neighbour.agent<'sink'>('s');
        const taken: number[] = [];
        let n = 0;
        for (const count of bursts) {
          let open: () => void = () => undefined;
          const closed = new Promise<void>((resolve) => (open = resolve));
          // Nobody reads the mailbox meanwhile: the holder has it before it, and cannot write.
          lives.store.decide((method) => (method === 'mailbox' || method === 'commit' ? { fault: 'delay', until: closed } : undefined));
          const numbers = Array.from({ length: count }, () => (n += 1));
          const sent: string[] = [];
          for (const number of numbers) sent.push(...(await outcomes([there.send({ type: 'MAIL', n: number })])));
          const accepted = Math.min(cap, count);
          expect(sent).to.deep.equal(expected(count, accepted));
          expect((await neighbour.store.counts()).mailbox).to.equal(accepted);
          taken.push(...numbers.slice(0, accepted));
          open();
          lives.store.decide(undefined);
          await lives.clock.advance(10);
          expect((await neighbour.store.counts()).mailbox).to.equal(0);
        }
        expect((await lives.runtime.agent<'sink'>('s').snapshot()).context.taken).to.deep.equal(taken);
        await neighbour.close({ graceMs: 0 });
      }),
      runs(30),
    );
  }).timeout(timeoutMs);
});
