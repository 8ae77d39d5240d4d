/**
 * Agents through several lives of their process: one store that can be told to fail, one clock, and a runtime that is closed, cut off or killed and
 * started again. Time moves only here, so that a run is decided by its seed alone.
 */

import { expect } from 'chai';
import { createRuntime, type KindRegistry, type Runtime, type RuntimeOptions, type Store } from 'statewarden';
import { faultyStore, settled, SimulatedClock, type FaultyStore } from 'statewarden/testing';
import type { JournalEntry } from '#src/actors/entry.js';
import { readSegments } from '#src/actors/entry.js';
import type { OpenedStore } from '#src/persistence/store.js';

/**
 * `closed`: in good order. `cut`: the store refuses everything from now on. `killed`: nor does it hear that the node is gone, which is known
 * only when its lease has run out.
 */
export type Ending = 'closed' | 'cut' | 'killed';

export const leaseMs = 3_000;

type Options<TKinds extends KindRegistry> = Omit<RuntimeOptions<TKinds>, 'store' | 'clock' | 'node'>;

export class Lives<TKinds extends KindRegistry> implements AsyncDisposable {
  readonly store: FaultyStore;
  readonly clock: SimulatedClock;
  readonly #options: Options<TKinds>;
  readonly #mortal: Mortal;
  #runtime: Runtime<TKinds> | undefined;

  constructor(inner: Store, options: Options<TKinds>) {
    this.#mortal = new Mortal(inner);
    this.store = faultyStore(this.#mortal);
    this.#options = options;
    const settle = async (): Promise<void> => {
      do await settled(6);
      while (this.store.underWay > 0);
    };
    this.clock = new SimulatedClock({ settle });
  }

  get runtime(): Runtime<TKinds> {
    return this.#runtime as Runtime<TKinds>;
  }

  /** Another node beside this one, on the same store; whoever makes it closes it. */
  neighbour(options: Partial<Options<TKinds>> = {}): Promise<Runtime<TKinds>> {
    return createRuntime({ ...this.#options, ...options, store: this.#mortal, clock: this.clock, node: { leaseMs } });
  }

  async start(options: Partial<Options<TKinds>> = {}): Promise<Runtime<TKinds>> {
    this.#runtime = await createRuntime({ ...this.#options, ...options, store: this.store, clock: this.clock, node: { leaseMs } });
    return this.#runtime;
  }

  async end(ending: Ending): Promise<void> {
    const runtime = this.#runtime;
    this.#runtime = undefined;
    if (ending !== 'closed') this.store.decide(() => ({ fault: 'poison' }));
    if (ending === 'killed') this.#mortal.unheard = true;
    await this.through(runtime?.close({ graceMs: 0 }) ?? Promise.resolve());
    this.#mortal.unheard = false;
    this.store.decide(undefined);
    if (ending === 'killed') await this.clock.advance(leaseMs);
  }

  /** After the last life nothing is left open, not even what was killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.store.decide(undefined);
    if (this.#runtime !== undefined) await this.end('closed');
    await this.#mortal.bury();
  }

  /** Ends this life and starts the next one after `downMs`. */
  async restart(ending: Ending, downMs = 0, options: Partial<Options<TKinds>> = {}): Promise<Runtime<TKinds>> {
    await this.end(ending);
    await this.clock.advance(downMs);
    return this.start(options);
  }

  /** Lets time pass until the promise has settled. */
  async through<T>(promise: Promise<T>): Promise<T> {
    let open = true;
    const over = (): void => void (open = false);
    promise.then(over, over);
    await settled(2);
    for (let tries = 0; open && tries < 5_000; tries += 1) await this.clock.advance(5);
    expect(open, 'nothing came of it in 25 seconds').to.equal(false);
    return promise;
  }

  /** An agent's whole journal, as it stands in the store. Its checksums and numbers are checked on the way. */
  async journal(id: string): Promise<JournalEntry[]> {
    return journalOf(this.runtime.store, id);
  }
}

export async function journalOf(store: OpenedStore, id: string): Promise<JournalEntry[]> {
  const [record] = await store.lookup([id]);
  if (record === undefined) return [];
  const entries = readSegments(id, await store.journal(record.key, { after: 0, limit: 100_000 }), 0);
  expect(entries.map(({ seq }) => seq)).to.deep.equal(Array.from({ length: record.sequenceNumber }, (_, index) => index + 1));
  return entries;
}

/** A store whose nodes can go without a word. */
class Mortal implements Store {
  readonly name: string;
  readonly capabilities: Store['capabilities'];
  unheard = false;
  readonly #inner: Store;
  readonly #left: OpenedStore[] = [];

  constructor(inner: Store) {
    this.#inner = inner;
    this.name = inner.name;
    this.capabilities = inner.capabilities;
  }

  async bury(): Promise<void> {
    await Promise.all(this.#left.splice(0).map((opened) => opened.close()));
  }

  async open(options: Parameters<Store['open']>[0]): Promise<OpenedStore> {
    const opened = await this.#inner.open(options);
    const close = async (): Promise<void> => (this.unheard ? void this.#left.push(opened) : opened.close());
    return new Proxy(opened, {
      get: (target, name) => {
        if (name === 'close') return close;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }
}
