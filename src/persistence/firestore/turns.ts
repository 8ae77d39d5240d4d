/**
 * The order of calls. What writes waits for whatever writes before it; what reads waits for the writing that was asked for before, so that it sees it, and for no other reading. After the end nothing is taken any more.
 */

import { RuntimeClosedError } from '../../core/errors.js';

export class Turns {
  #writing: Promise<unknown> = Promise.resolve();
  #reading = new Set<Promise<unknown>>();
  #ended = false;

  /** @throws RuntimeClosedError */
  write<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) return Promise.reject(closed());
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** @throws RuntimeClosedError */
  read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) return Promise.reject(closed());
    const done = this.#writing.then(work);
    const settled = done.catch(() => undefined).finally(() => this.#reading.delete(settled));
    this.#reading.add(settled);
    return done;
  }

  /** Takes nothing more; resolves when all that was asked for is done. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([this.#writing, ...this.#reading]);
  }
}

function closed(): RuntimeClosedError {
  return new RuntimeClosedError('the store is closed', { hint: 'Open it again.' });
}
