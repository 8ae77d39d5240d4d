/**
 * Questions that code asks agents of this node (`AgentRef.ask`): an address for each, and the promise of its answer. They live in memory only: an answer
 * that comes after the process has ended finds nobody.
 */

import { codePrefix } from '../persistence/kept-by-sender.js';

export interface AskedQuestion {
  /** Travels with the event as its reply address. */
  readonly address: string;
  readonly answer: Promise<unknown>;
  fail(error: Error): void;
  /** Nobody waits for the answer any more. */
  abandon(): void;
}

export class Answers {
  readonly #node: number;
  readonly #waiting = new Map<string, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  #asked = 0;

  constructor(node: number) {
    this.#node = node;
  }

  ask(): AskedQuestion {
    this.#asked += 1;
    const address = `${codePrefix}${String(this.#node)}.${String(this.#asked)}`;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(address, { resolve, reject }));
    answer.catch(() => undefined);
    return { address, answer, fail: (error) => this.fail(address, error), abandon: () => void this.#waiting.delete(address) };
  }

  answer(address: string, value: unknown): void {
    this.#waiting.get(address)?.resolve(value);
    this.#waiting.delete(address);
  }

  fail(address: string, error: Error): void {
    this.#waiting.get(address)?.reject(error);
    this.#waiting.delete(address);
  }

  failAll(error: Error): void {
    for (const address of [...this.#waiting.keys()]) this.fail(address, error);
  }
}
