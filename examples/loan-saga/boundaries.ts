/**
 * Where a life touches the store or the network: before and after each such call. Told to, the process dies at one of them, as by `kill -9`: what is between two boundaries is memory, and memory is lost either
 * way.
 */

import type { Store } from 'statewarden';

type OpenedStore = Awaited<ReturnType<Store['open']>>;

export interface Boundaries {
  readonly passed: number;
  /** What it died of is the last line that it writes: nothing is left to do so afterwards. */
  pass(what: string): void;
}

/** `killAt`: which one, or the first of that name. */
export function boundaries(killAt: number | string | undefined, last: (what: string) => void): Boundaries {
  let passed = 0;
  return {
    get passed() {
      return passed;
    },
    pass(what) {
      passed += 1;
      if (passed !== killAt && what !== killAt) return;
      last(what);
      process.kill(process.pid, 'SIGKILL');
      // It takes effect at the next return to user space of the main thread.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  };
}

export function countedFetch(fetch: typeof globalThis.fetch, { pass }: Boundaries): typeof globalThis.fetch {
  return async (input, init) => {
    const what = `${init?.method ?? 'GET'} ${new URL(input as string | URL).pathname}`;
    pass(`before ${what}`);
    const response = await fetch(input, init);
    pass(`after ${what}`);
    return response;
  };
}

/** Looking at the clock or the list of nodes changes nothing and is not counted. */
const quiet: ReadonlySet<string> = new Set(['onForeignMail', 'watchTurns', 'heartbeat', 'nodes', 'dueTimers', 'counts', 'close']);

export function countedStore(inner: Store, { pass }: Boundaries): Store {
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    open: async (options) => counted(await inner.open(options), pass),
  };
}

function counted(store: OpenedStore, pass: (what: string) => void): OpenedStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const method = member.bind(target) as (...args: unknown[]) => unknown;
      if (quiet.has(name as string)) return method;
      return async (...args: unknown[]) => {
        pass(`before ${String(name)}`);
        const answer = await method(...args);
        pass(`after ${String(name)}`);
        return answer;
      };
    },
  });
}
