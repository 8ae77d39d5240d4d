/** Agents that are down or have ended, brought up or ended for good: what their records say afterwards, and what is left of them. */

import { expect } from 'chai';
import { memory } from 'statewarden';
import { Node } from '#src/runtime/node.js';
import { resolveOptions } from '#src/runtime/options.js';
import { agents } from './team.js';

describe('an agent that has ended', () => {
  it('is brought up once by two who ask for it at the same time', async () => {
    const options = resolveOptions({ store: memory(), agents });
    const store = await options.store.open({ lease: { name: 'n', ttlMs: 10_000 }, now: Date.now });
    const node = new Node(options, Node.check(options), store);
    await node.start();
    try {
      await node.make('worker', 'a', undefined, undefined);
      await node.resident('a')?.stop();
      await Promise.all([node.bringUp('a', undefined), node.bringUp('a', undefined)]);
      const [record] = await store.lookup(['a']);
      expect(record).to.include({ status: 'active', sequenceNumber: 3 });
      expect(node.resident('a')).to.include({ sequenceNumber: 3, gone: false });
    } finally {
      await node.close(0);
    }
  });
});
