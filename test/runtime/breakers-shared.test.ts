/** Two runtimes on one SQLite file: what each counts reaches the other, orders too, and work that a node leaves is parked by the next. */

import { expect } from 'chai';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createRuntime, type Runtime } from 'statewarden';
import { adaptiveBreaker } from 'statewarden/breakers';
import { sqlite } from 'statewarden/sqlite';
import { SimulatedClock } from 'statewarden/testing';
import { inFolder } from '../crash/lives.js';

const down = (): Promise<never> => Promise.reject(new Error('down'));

async function callEach(nodes: readonly Runtime[], how: (index: number) => Promise<unknown>): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    await node.breakers
      .get('api')
      .execute(() => how(index))
      .catch(() => undefined);
  }
}

describe('two runtimes on one SQLite file', () => {
  it('open together in an outage, leave one that is sick to itself, and follow the same orders', () =>
    inFolder(async (folder) => {
      const clock = new SimulatedClock();
      const open = (): Promise<Runtime> =>
        createRuntime({
          store: sqlite(join(folder, 'agents.db')),
          clock,
          agents: {},
          breakers: [adaptiveBreaker({ name: 'api', level: 'service' })],
          node: { leaseMs: 60_000 },
        });
      await using one = await open();
      await using other = await open();
      const nodes = [one, other];
      const states = (): string[] => nodes.map((node) => node.breakers.get('api').state);
      // The stores answer in their own time.
      const second = async (how?: (index: number) => Promise<unknown>, times = 1): Promise<void> => {
        for (let time = 0; time < times; time += 1) {
          if (how !== undefined) await callEach(nodes, how);
          await clock.advance(1_000 / times);
        }
        await setTimeout(15);
      };
      await clock.advance(21_000);
      await setTimeout(50);
      for (let time = 0; time < 10; time += 1) {
        await second(() => Promise.resolve(), 1);
      }
      // So few that neither of them would say anything by itself.
      for (let time = 0; time < 8 && states().includes('closed'); time += 1) {
        await second(down, 2);
      }
      expect(states().some((state) => state === 'closed')).to.equal(false);
      for (let time = 0; time < 60 && !states().every((state) => state === 'closed'); time += 1) {
        await second(() => Promise.resolve(), 3);
      }
      expect(states()).to.deep.equal(['closed', 'closed']);
      for (let time = 0; time < 20; time += 1) {
        await second((index) => (index === 0 ? down() : Promise.resolve()), 3);
      }
      expect(states()[0]).to.not.equal('closed');
      expect(states()[1]).to.equal('closed');
      await one.breakers.isolate('api');
      await second();
      await second();
      expect(states()).to.deep.equal(['isolated', 'isolated']);
    }));
});
