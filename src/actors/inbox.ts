/** Turns that wait, in order: while another one of their agent runs, or while too many are on their way to the store. */

import type { StatewardenError } from '../core/errors.js';

interface WaitingTurn {
  readonly run: () => void;
  /** Told why it will not run; absent for what comes again by itself: mail, timers, activities. */
  readonly abandon: ((error: StatewardenError) => void) | undefined;
  /** Puts what it was to take into the agent's mailbox; absent for what comes again by itself. */
  readonly post: (() => void) | undefined;
}

export class Inbox {
  #waiting: WaitingTurn[] = [];
  #draining = false;

  get length(): number {
    return this.#waiting.length;
  }

  add(run: () => void, abandon?: (error: StatewardenError) => void, post?: () => void): void {
    this.#waiting.push({ run, abandon, post });
  }

  /** The agent goes down: what only this memory has goes to the mailbox, in order. */
  post(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { post } of waiting) post?.();
  }

  /** Runs what waits for as long as it may. A turn that asks for this while it runs changes nothing. */
  drain(mayRun: () => boolean): void {
    if (this.#draining) return;
    this.#draining = true;
    while (this.#waiting.length > 0 && mayRun()) this.#waiting.shift()?.run();
    this.#draining = false;
  }

  abandon(error: StatewardenError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { abandon } of waiting) abandon?.(error);
  }
}
