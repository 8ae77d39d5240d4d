/**
 * A store in memory, for tests and for work that need not outlive its process. The `Store` object keeps its data: opening it again is a restart,
 * opening it twice makes two nodes, with leases and fences as in any other store. Nothing survives the process.
 */

import type { Store } from '../store.js';
import { Data } from './data.js';
import { MemoryStore } from './opened.js';

/** A new, empty store. */
export function memory(): Store {
  const data = new Data();
  return {
    name: 'memory:',
    capabilities: { durable: false, shared: true },
    open: async ({ lease, now }) => new MemoryStore(data, lease, now),
  };
}
