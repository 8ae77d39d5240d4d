/**
 * Four words of memory that the main thread and the writer thread share. A message wakes whoever sleeps, and costs some ten microseconds on each side; of one event at a time that is a
 * tenth of what it takes to make it durable. So while the main thread looks out for the answer to a lone commit, a plain one is told by a word.
 *
 * Invariant: an answer told by a word is seen. The writer says it and then looks whether somebody looks out; the main thread says that it looks out no more and then looks for an
 * answer. Atomics are in one order for both, so one of the two sees the other (Dekker's mutual exclusion rests on the same).
 */

const [made, begun, told, watched] = [0, 1, 2, 3];

export const newSignal = (): SharedArrayBuffer => new SharedArrayBuffer(16);

/** The main thread's side. */
export class AskingSignal {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** A request has been posted. Its number; they go round after 2³². */
  ask(): number {
    const number = (Atomics.add(this.#words, made, 1) + 1) | 0;
    Atomics.notify(this.#words, made);
    return number;
  }

  /** The writer has begun all that was asked of it. */
  get allBegun(): boolean {
    return Atomics.load(this.#words, begun) === Atomics.load(this.#words, made);
  }

  lookOut(yes: boolean): void {
    Atomics.store(this.#words, watched, yes ? 1 : 0);
  }

  /** Whether the request of that number has been answered by a word. */
  isTold(request: number): boolean {
    return Atomics.load(this.#words, told) === request;
  }
}

/** The writer's side. */
export class ServingSignal {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** How many requests were made. */
  get raised(): number {
    return Atomics.load(this.#words, made);
  }

  /** A request is taken up. Its number. */
  begin(): number {
    return (Atomics.add(this.#words, begun, 1) + 1) | 0;
  }

  /** Answers a request. False: nobody looks out for it, and it takes a message to be seen. */
  tell(request: number): boolean {
    Atomics.store(this.#words, told, request);
    return Atomics.load(this.#words, watched) === 1;
  }

  /** Sleeps until more requests than these are made. */
  sleep(seen: number, ms: number): 'ok' | 'not-equal' | 'timed-out' {
    return Atomics.wait(this.#words, made, seen, ms);
  }
}
