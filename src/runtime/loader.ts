/** Reads many agents at once: whoever is asked for in the same moment is loaded by one request, and nobody twice at a time. */

import type { LoadedOutcome } from './archives.js';

type Name = string | number;

const partLength = 250;

interface Wanted<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export interface LoaderOptions<T> {
  load(names: readonly Name[]): Promise<readonly LoadedOutcome[]>;
  /** Makes of an outcome what is resolved to. */
  arrive(outcome: LoadedOutcome): T;
  /** After each request, its outcomes having arrived. */
  loaded(): void;
}

export class Loader<T> {
  readonly #options: LoaderOptions<T>;
  #wanted = new Map<Name, Wanted<T>>();
  readonly #loading = new Map<Name, Promise<T>>();

  constructor(options: LoaderOptions<T>) {
    this.#options = options;
  }

  /** The promise of somebody who is wanted or on the way. */
  underWay(name: Name): Promise<T> | undefined {
    return this.#loading.get(name) ?? this.#wanted.get(name)?.promise;
  }

  load(name: Name): Promise<T> {
    const wanted = this.#wanted.get(name);
    if (wanted !== undefined) return wanted.promise;
    if (this.#wanted.size === 0) queueMicrotask(() => this.#request());
    let resolve: (value: T) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    const promise = new Promise<T>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    this.#wanted.set(name, { promise, resolve, reject });
    return promise;
  }

  /** Many are asked for in parts: while some arrive here, the store reads the next. */
  #request(): void {
    const wanted = [...this.#wanted];
    this.#wanted = new Map();
    for (const [name, { promise }] of wanted) this.#loading.set(name, promise);
    for (let from = 0; from < wanted.length; from += partLength) void this.#fetch(wanted.slice(from, from + partLength));
  }

  async #fetch(wanted: readonly (readonly [Name, Wanted<T>])[]): Promise<void> {
    try {
      const outcomes = await this.#options.load(wanted.map(([name]) => name));
      let index = 0;
      for (const [, { resolve, reject }] of wanted) {
        try {
          resolve(this.#options.arrive(outcomes[index] as LoadedOutcome));
        } catch (error) {
          reject(error);
        }
        index += 1;
      }
    } catch (error) {
      for (const [, { promise, reject }] of wanted) {
        promise.catch(() => undefined);
        reject(error);
      }
    } finally {
      for (const [name] of wanted) this.#loading.delete(name);
    }
    this.#options.loaded();
  }
}
