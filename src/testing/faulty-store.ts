/**
 * A store that fails on demand, around a real one: for tests of what must survive a bad store.
 *
 * Faults are planned for a method and used up in order, one for each call. A fault is `before` (nothing happens, the call rejects),
 * `after` (it happens, the reply is lost), `delay` (it happens later) or `poison` (from then on every call rejects for good). Calls still
 * reach the store and are answered in the order made. It does not pretend to lose what the inner store made durable.
 */

import { StorePoisonedError, StoreUnavailableError } from '../core/errors.js';
import type { OpenedStore, Store } from '../persistence/store.js';

export type Fault =
  | { readonly fault: 'before'; readonly error?: Error }
  | { readonly fault: 'after'; readonly error?: Error }
  /** Waits for the promise, then goes on. */
  | { readonly fault: 'delay'; readonly until: Promise<unknown> }
  | { readonly fault: 'poison'; readonly error?: Error };

/** The store's asynchronous methods. */
export type FaultyMethod = {
  [K in keyof OpenedStore]-?: OpenedStore[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof OpenedStore];

export interface FaultyStore extends Store {
  /** Plans faults for the next calls of a method, after those planned before; `undefined` lets one call pass. */
  plan(method: FaultyMethod, ...faults: readonly (Fault | undefined)[]): void;
  /** Asked at every call; takes precedence over the plan. Undo with `undefined`. */
  decide(choose: ((method: FaultyMethod, call: number) => Fault | undefined) | undefined): void;
  /** How often a method was called, over all openings. */
  calls(method: FaultyMethod): number;
  /** Calls not yet answered. 0 means: whatever happens next does not come from this store. */
  readonly underWay: number;
}

interface Traffic {
  next(method: FaultyMethod): Fault | undefined;
  underWay: number;
}

/** Wraps a store. Without a plan it behaves as the inner one. */
export function faultyStore(inner: Store): FaultyStore {
  const plans = new Map<FaultyMethod, (Fault | undefined)[]>();
  const counts = new Map<FaultyMethod, number>();
  let choose: ((method: FaultyMethod, call: number) => Fault | undefined) | undefined;
  const traffic: Traffic = {
    underWay: 0,
    next: (method) => {
      const call = (counts.get(method) ?? 0) + 1;
      counts.set(method, call);
      return choose?.(method, call) ?? plans.get(method)?.shift();
    },
  };
  return {
    name: `faulty:${inner.name}`,
    capabilities: inner.capabilities,
    open: async (options) => wrap(await inner.open(options), traffic),
    plan: (method, ...faults) => void plans.set(method, [...(plans.get(method) ?? []), ...faults]),
    decide: (chooser) => void (choose = chooser),
    calls: (method) => counts.get(method) ?? 0,
    get underWay() {
      return traffic.underWay;
    },
  };
}

function wrap(store: OpenedStore, traffic: Traffic): OpenedStore {
  let poison: Error | undefined;
  /** Calls after a delayed one wait for it. */
  let last: Promise<unknown> | undefined;
  const call = async (method: FaultyMethod, run: () => Promise<unknown>): Promise<unknown> => {
    const fault = traffic.next(method);
    const before = last;
    if (before !== undefined || fault?.fault === 'delay') {
      const turn = Promise.all([before, fault?.fault === 'delay' ? fault.until : undefined]);
      last = turn;
      await turn;
      if (last === turn) last = undefined;
    }
    if (poison !== undefined) throw poison;
    switch (fault?.fault) {
      case 'before':
        throw fault.error ?? unavailable(method, 'is away');
      case 'after':
        await run();
        throw fault.error ?? unavailable(method, 'lost its reply');
      case 'poison':
        poison =
          fault.error ??
          new StorePoisonedError(`the store failed for good in ${method}`, { hint: 'A planned fault: open the store again.' });
        throw poison;
      case 'delay':
      case undefined:
        return run();
    }
  };
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const method = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (name === 'onForeignMail') return method;
      return async (...args: unknown[]) => {
        traffic.underWay += 1;
        try {
          // It ends the store: no fault touches it, and it takes as long as it takes.
          return name === 'close' ? await method() : await call(name as FaultyMethod, () => method(...args));
        } finally {
          traffic.underWay -= 1;
        }
      };
    },
  });
}

function unavailable(method: string, what: string): StoreUnavailableError {
  return new StoreUnavailableError(`the store ${what} in ${method}`, { hint: 'A planned fault: it is tried again.' });
}
